/* Copies between a process's memory and the kernel's: through the linear map, after one check by the process's areas. */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>

#include "thread.h"

/* A piece that stands in one page. The frame may go as soon as the lock is free. */
static int copy_piece(struct user_mm *mm, uint64_t user, char *kernel, size_t n, bool to_user)
{
	enum fault_result result;
	hpa_t hpa;

	mutex_lock(&mm->lock);
	result = aspace_resolve(&mm->space, user, (to_user ? PERM_W : PERM_R) | PERM_U, &hpa, NULL);
	if (result == FAULT_RESOLVED && to_user)
		memcpy(hpa_to_kva(hpa), kernel, n);
	else if (result == FAULT_RESOLVED)
		memcpy(kernel, hpa_to_kva(hpa), n);
	mutex_unlock(&mm->lock);
	if (result == FAULT_NOMEM)
		thread_out_of_memory(mm);
	return result == FAULT_RESOLVED ? 0 : -EFAULT;
}

static size_t rest_of_page(uint64_t user, size_t n)
{
	return MIN(n, PAGE_SIZE - (user & (PAGE_SIZE - 1)));
}

/** Both directions: `user` is the process's side. */
static int copy(struct user_mm *mm, uint64_t user, char *kernel, size_t n, bool to_user)
{
	while (n) {
		size_t len = rest_of_page(user, n);

		if (copy_piece(mm, user, kernel, len, to_user))
			return -EFAULT;
		user += len;
		kernel += len;
		n -= len;
	}
	return 0;
}

int copy_from_user(struct user_mm *mm, void *to, uint64_t from, size_t n)
{
	return copy(mm, from, to, n, false);
}

int copy_to_user(struct user_mm *mm, uint64_t to, const void *from, size_t n)
{
	return copy(mm, to, (char *)(uintptr_t)from, n, true);
}

int64_t copy_string_from_user(struct user_mm *mm, char *to, uint64_t from, size_t max)
{
	for (size_t done = 0; done < max;) {
		size_t len = rest_of_page(from + done, max - done), length;

		if (copy_piece(mm, from + done, to + done, len, false))
			return -EFAULT;
		length = strnlen(to + done, len);
		if (length < len)
			return (int64_t)(done + length);
		done += len;
	}
	return -ENAMETOOLONG;
}
