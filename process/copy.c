/* Copies between a process's memory and the kernel's: through the linear map, after one check by the process's areas. */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>

#include "thread.h"

enum direction { TO_USER, FROM_USER, STRING_FROM_USER /* up to its NUL, and with it */ };

/* @return how many bytes were copied */
static size_t copy_bytes(char *user, char *kernel, size_t n, enum direction direction)
{
	if (direction == STRING_FROM_USER)
		n = MIN(strnlen(user, n) + 1, n);
	if (direction == TO_USER)
		memcpy(user, kernel, n);
	else
		memcpy(kernel, user, n);
	return n;
}

/* A piece that stands in one page. The frame may go as soon as the lock is free. @return bytes copied; 0: it cannot be */
static size_t copy_piece(struct user_mm *mm, uint64_t user, char *kernel, size_t n, enum direction direction)
{
	enum fault_result result;
	hpa_t hpa;

	mutex_lock(&mm->lock);
	result = aspace_resolve(&mm->space, user, (direction == TO_USER ? PERM_W : PERM_R) | PERM_U, &hpa, NULL);
	n = result == FAULT_RESOLVED ? copy_bytes(hpa_to_kva(hpa), kernel, n, direction) : 0;
	mutex_unlock(&mm->lock);
	if (result == FAULT_NOMEM)
		thread_out_of_memory(mm);
	return n;
}

static size_t rest_of_page(uint64_t user, size_t n)
{
	return MIN(n, PAGE_SIZE - (user & (PAGE_SIZE - 1)));
}

/** Both directions: `user` is the process's side. */
static int copy(struct user_mm *mm, uint64_t user, char *kernel, size_t n, enum direction direction)
{
	while (n) {
		size_t len = rest_of_page(user, n);

		if (!copy_piece(mm, user, kernel, len, direction))
			return -EFAULT;
		user += len;
		kernel += len;
		n -= len;
	}
	return 0;
}

int copy_from_user(struct user_mm *mm, void *to, uint64_t from, size_t n)
{
	return copy(mm, from, to, n, FROM_USER);
}

int copy_to_user(struct user_mm *mm, uint64_t to, const void *from, size_t n)
{
	return copy(mm, to, (char *)(uintptr_t)from, n, TO_USER);
}

int64_t copy_string_from_user(struct user_mm *mm, char *to, uint64_t from, size_t max)
{
	for (size_t done = 0; done < max;) {
		size_t len = copy_piece(mm, from + done, to + done, rest_of_page(from + done, max - done), STRING_FROM_USER);

		if (!len)
			return -EFAULT;
		done += len;
		if (to[done - 1] == '\0')
			return (int64_t)(done - 1);
	}
	return -ENAMETOOLONG;
}
