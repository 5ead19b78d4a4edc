/* User address spaces: making one, and copying across its border. */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>

#include "private.h"

#define USER_LOWEST USER_TEXT /* null pointers, with small offsets, point at nothing */

static int map_areas(struct process *p, size_t size)
{
	struct aspace *as = &p->space;
	int error = aspace_map_alloc(as, USER_TEXT, ALIGN_UP(size, PAGE_SIZE), PERM_R | PERM_X | PERM_U, ALLOC_EAGER);

	if (!error)
		error = aspace_map_alloc(as, USER_DATA, USER_DATA_SIZE, PERM_R | PERM_W | PERM_U, 0);
	if (!error)
		error = aspace_map_alloc(as, USER_TOP - USER_STACK_SIZE, USER_STACK_SIZE, PERM_R | PERM_W | PERM_U, 0);
	return error;
}

/** Copy into the program's area, which is backed, but which the program itself may not write. */
static void fill(struct aspace *as, uint64_t to, const char *from, size_t n)
{
	while (n) {
		uint64_t len;
		hpa_t hpa;

		if (aspace_resolve(as, to, PERM_R, &hpa, &len) != FAULT_RESOLVED)
			return; /* not reached: the area is eager */
		len = MIN(len, n);
		memcpy(hpa_to_kva(hpa), from, len);
		to += len;
		from += len;
		n -= len;
	}
}

int user_space_create(struct process *p, const void *image, size_t size)
{
	int error = aspace_init(&p->space, &pt_sv39, USER_LOWEST, USER_TOP - 1);

	if (error)
		return error;
	error = map_areas(p, size);
	if (error) {
		aspace_destroy(&p->space);
		return error;
	}
	fill(&p->space, USER_TEXT, image, size);
	user_root_share_kernel(p->space.root);
	return 0;
}

void user_space_destroy(struct process *p)
{
	user_root_unshare_kernel(p->space.root);
	aspace_destroy(&p->space);
}

/** Both directions: `user` is the process's side. */
static int copy(struct process *p, uint64_t user, char *kernel, size_t n, bool to_user)
{
	while (n) {
		uint64_t len;
		hpa_t hpa;

		if (aspace_resolve(&p->space, user, to_user ? PERM_W : PERM_R, &hpa, &len) != FAULT_RESOLVED)
			return -EFAULT;
		len = MIN(len, n);
		if (to_user)
			memcpy(hpa_to_kva(hpa), kernel, len);
		else
			memcpy(kernel, hpa_to_kva(hpa), len);
		user += len;
		kernel += len;
		n -= len;
	}
	return 0;
}

int copy_from_user(struct process *p, void *to, uint64_t from, size_t n)
{
	return copy(p, from, to, n, false);
}

int copy_to_user(struct process *p, uint64_t to, const void *from, size_t n)
{
	return copy(p, to, (char *)(uintptr_t)from, n, true);
}
