/* A process's memory: mapping, the heap, faults; which harts have to forget what was. */
#include <errno.h>

#include <arch/cpu.h>
#include <arch/user.h>
#include <caisson/hart.h>
#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/smp.h>

#include "mm.h"

#define BRK_MAX (1 * GiB)

/* --- which harts translate through it --- */

void mm_load(struct user_mm *mm)
{
	__atomic_fetch_or(&mm->harts, BIT(this_hart()->index), __ATOMIC_SEQ_CST);
	user_space_load(mm->space.root);
}

void mm_unload(struct user_mm *mm)
{
	user_space_unload();
	__atomic_fetch_and(&mm->harts, ~BIT(this_hart()->index), __ATOMIC_SEQ_CST);
}

static void forget(void *unused)
{
	(void)unused;
	user_space_fence_all();
}

/* A hart that loads the space later, this one too if the task goes on elsewhere, forgets everything then. */
static void flush(struct aspace *as, uint64_t start, uint64_t size)
{
	struct user_mm *mm = container_of(as, struct user_mm, space);
	uint64_t users = __atomic_load_n(&mm->harts, __ATOMIC_SEQ_CST);

	(void)start;
	(void)size;
	if (users & ~BIT(this_hart()->index))
		smp_call_mask(users, forget, NULL);
	else
		forget(NULL);
}

/* --- making and ending --- */

struct user_mm *mm_new(void)
{
	struct user_mm *mm = kzalloc(sizeof(*mm));

	if (!mm)
		return NULL;
	if (aspace_init(&mm->space, &pt_sv39, USER_LOWEST, USER_TOP - 1)) {
		kfree(mm);
		return NULL;
	}
	mutex_init(&mm->lock);
	mm->refs = 1;
	mm->space.flush = flush;
	user_root_share_kernel(mm->space.root);
	return mm;
}

struct user_mm *mm_fork(struct user_mm *from)
{
	struct user_mm *mm = mm_new();
	int error;

	if (!mm)
		return NULL;
	mutex_lock(&from->lock);
	mm->brk_start = from->brk_start;
	mm->brk = from->brk;
	error = aspace_fork(&mm->space, &from->space);
	mutex_unlock(&from->lock);
	if (!error)
		return mm;
	mm_put(mm);
	return NULL;
}

void mm_get(struct user_mm *mm)
{
	__atomic_fetch_add(&mm->refs, 1, __ATOMIC_RELAXED);
}

void mm_put(struct user_mm *mm)
{
	if (__atomic_fetch_sub(&mm->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	user_root_unshare_kernel(mm->space.root);
	mm->space.flush = NULL; /* a hart that remembers something of it forgets that before it enters U-mode again */
	aspace_destroy(&mm->space);
	kfree(mm);
}

/* --- mapping; the lock is held --- */

static int find_place(struct user_mm *mm, uint64_t *at, uint64_t size, unsigned flags)
{
	uint64_t wish = ALIGN_DOWN(*at, PAGE_SIZE);

	if (flags & MM_FIXED) {
		if (!IS_ALIGNED(*at, PAGE_SIZE) || *at < USER_LOWEST || *at >= USER_TOP || size > USER_TOP - *at)
			return -EINVAL;
		return flags & MM_NO_REPLACE ? 0 : aspace_unmap_user(&mm->space, *at, size);
	}
	if (wish >= USER_LOWEST && aspace_find_free(&mm->space, wish, size, PAGE_SIZE, at) == 0 && *at == wish)
		return 0;
	return aspace_find_free(&mm->space, USER_MAPS, size, PAGE_SIZE, at) ? -ENOMEM : 0;
}

int mm_map(struct user_mm *mm, uint64_t *at, uint64_t size, unsigned perm, unsigned flags, struct page_source *source,
	   uint64_t offset)
{
	int error;

	if (size == 0 || size > USER_TOP)
		return size ? -ENOMEM : -EINVAL;
	size = ALIGN_UP(size, PAGE_SIZE);
	mutex_lock(&mm->lock);
	error = find_place(mm, at, size, flags);
	if (!error)
		error = aspace_map_user(&mm->space, *at, size, perm, flags & MM_SHARED ? USER_SHARED : 0, source, offset);
	mutex_unlock(&mm->lock);
	return error;
}

int mm_unmap(struct user_mm *mm, uint64_t at, uint64_t size)
{
	int error;

	if (size == 0 || size > USER_TOP)
		return -EINVAL;
	mutex_lock(&mm->lock);
	error = aspace_unmap_user(&mm->space, at, ALIGN_UP(size, PAGE_SIZE));
	mutex_unlock(&mm->lock);
	return error;
}

int mm_protect(struct user_mm *mm, uint64_t at, uint64_t size, unsigned perm)
{
	int error;

	if (size > USER_TOP)
		return -ENOMEM;
	if (size == 0)
		return IS_ALIGNED(at, PAGE_SIZE) ? 0 : -EINVAL;
	mutex_lock(&mm->lock);
	error = aspace_protect_user(&mm->space, at, ALIGN_UP(size, PAGE_SIZE), perm);
	mutex_unlock(&mm->lock);
	return error == -ENOENT ? -ENOMEM : error;
}

static int move_brk(struct user_mm *mm, uint64_t to)
{
	uint64_t old = ALIGN_UP(mm->brk, PAGE_SIZE), new = ALIGN_UP(to, PAGE_SIZE);

	if (to < mm->brk_start || to - mm->brk_start > BRK_MAX)
		return -ENOMEM;
	if (new > old)
		return aspace_map_user(&mm->space, old, new - old, PERM_R | PERM_W, 0, NULL, 0);
	return new < old ? aspace_unmap_user(&mm->space, new, old - new) : 0;
}

uint64_t mm_brk(struct user_mm *mm, uint64_t to)
{
	uint64_t brk;

	mutex_lock(&mm->lock);
	if (move_brk(mm, to) == 0)
		mm->brk = to;
	brk = mm->brk;
	mutex_unlock(&mm->lock);
	return brk;
}

enum fault_result mm_fault(struct user_mm *mm, uint64_t addr, unsigned access)
{
	enum fault_result result;

	mutex_lock(&mm->lock);
	result = aspace_fault(&mm->space, addr, access);
	mutex_unlock(&mm->lock);
	if (result == FAULT_RESOLVED)
		user_space_fence(addr);
	return result;
}
