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
#define MAPS_END (USER_TOP - USER_STACK_SIZE - USER_STACK_GUARD)

static struct list all = LIST_INIT(all);
static struct mutex all_lock = MUTEX_INIT(all_lock); /* of the list; then: the lock of one that is in it */

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
	mm->limit = mm->heap_limit = UINT64_MAX;
	mm->space.flush = flush;
	user_root_share_kernel(mm->space.root);
	mutex_lock(&all_lock);
	list_push_back(&all, &mm->node);
	mutex_unlock(&all_lock);
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
	mm->args = from->args;
	mm->env = from->env;
	mm->env_end = from->env_end;
	mm->limit = from->limit;
	mm->heap_limit = from->heap_limit;
	mutex_lock(&mm->lock); /* it is among all already, behind its parent: cut_source() finds both before the fork, or both after it */
	error = aspace_fork(&mm->space, &from->space);
	mutex_unlock(&mm->lock);
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
	mutex_lock(&all_lock);
	list_del(&mm->node);
	mutex_unlock(&all_lock);
	user_root_unshare_kernel(mm->space.root);
	mm->space.flush = NULL; /* a hart that remembers something of it forgets that before it enters U-mode again */
	aspace_destroy(&mm->space);
	kfree(mm);
}

/* A file has become shorter: nobody shows what is gone. */
static void cut_source(struct page_source *source, uint64_t from)
{
	mutex_lock(&all_lock);
	list_for_each(mm, &all, struct user_mm, node) {
		mutex_lock(&mm->lock);
		aspace_cut_source(&mm->space, source, from);
		mutex_unlock(&mm->lock);
	}
	mutex_unlock(&all_lock);
}

void mm_init(void)
{
	page_source_on_cut(cut_source);
}

/* --- mapping --- */

static bool is_free(struct user_mm *mm, uint64_t at, uint64_t size)
{
	uint64_t found;

	return aspace_find_free(&mm->space, at, size, PAGE_SIZE, &found) == 0 && found == at && size <= MAPS_END &&
	       at <= MAPS_END - size;
}

int mm_find(struct user_mm *mm, uint64_t wish, uint64_t size, uint64_t *at)
{
	*at = ALIGN_DOWN(wish, PAGE_SIZE);
	if (*at >= USER_LOWEST && is_free(mm, *at, size))
		return 0;
	if (aspace_find_free(&mm->space, USER_MAPS, size, PAGE_SIZE, at))
		return -ENOMEM;
	return is_free(mm, *at, size) ? 0 : -ENOMEM;
}

int mm_check_fixed(uint64_t at, uint64_t size)
{
	if (!IS_ALIGNED(at, PAGE_SIZE))
		return -EINVAL;
	if (at >= USER_TOP || size > USER_TOP - at)
		return -ENOMEM;
	return at < USER_LOWEST ? -EPERM : 0;
}

static int find_place(struct user_mm *mm, uint64_t *at, uint64_t size, unsigned flags)
{
	int error;

	if (!(flags & MM_FIXED))
		return mm_find(mm, *at, size, at);
	error = mm_check_fixed(*at, size);
	return error || (flags & MM_NO_REPLACE) ? error : aspace_unmap_user(&mm->space, *at, size);
}

static unsigned area_flags(unsigned flags)
{
	return (flags & MM_SHARED ? USER_SHARED : 0u) | (flags & MM_NO_WRITE ? USER_NO_WRITE : 0u);
}

/* What is mapped is counted only where there is a limit. */
bool mm_is_too_much(struct user_mm *mm, uint64_t more)
{
	uint64_t size = more;
	struct area a;

	if (mm->limit == UINT64_MAX)
		return false;
	for (unsigned i = 0; aspace_area(&mm->space, i, &a); i++)
		size += a.size;
	return size > mm->limit;
}

void mm_set_limits(struct user_mm *mm, uint64_t total, uint64_t heap)
{
	mutex_lock(&mm->lock);
	mm->limit = total;
	mm->heap_limit = heap;
	mutex_unlock(&mm->lock);
}

int mm_map(struct user_mm *mm, uint64_t *at, uint64_t size, unsigned perm, unsigned flags, struct page_source *source,
	   uint64_t offset)
{
	int error;

	if (size == 0 || size > USER_TOP)
		return size ? -ENOMEM : -EINVAL;
	size = ALIGN_UP(size, PAGE_SIZE);
	mutex_lock(&mm->lock);
	error = mm_is_too_much(mm, size) ? -ENOMEM : find_place(mm, at, size, flags);
	if (!error)
		error = aspace_map_user(&mm->space, *at, size, perm, area_flags(flags), source, offset);
	mutex_unlock(&mm->lock);
	return error;
}

int mm_unmap(struct user_mm *mm, uint64_t at, uint64_t size)
{
	uint64_t low;
	int error;

	if (size == 0 || size > USER_TOP)
		return -EINVAL;
	low = IS_ALIGNED(at, PAGE_SIZE) && at < USER_LOWEST ? USER_LOWEST - at : 0; /* nothing is there */
	if (size <= low)
		return 0;
	at += low;
	size -= low;
	mutex_lock(&mm->lock);
	error = aspace_unmap_user(&mm->space, at, ALIGN_UP(size, PAGE_SIZE));
	mutex_unlock(&mm->lock);
	return error;
}

int mm_protect(struct user_mm *mm, uint64_t at, uint64_t size, unsigned perm)
{
	int error;

	if (!IS_ALIGNED(at, PAGE_SIZE))
		return -EINVAL;
	if (size == 0)
		return 0;
	if (at < USER_LOWEST || size > USER_TOP || at > USER_TOP - size)
		return -ENOMEM;
	mutex_lock(&mm->lock);
	error = aspace_protect_user(&mm->space, at, ALIGN_UP(size, PAGE_SIZE), perm);
	mutex_unlock(&mm->lock);
	return error == -ENOENT ? -ENOMEM : error;
}

static int move_brk(struct user_mm *mm, uint64_t to)
{
	uint64_t old = ALIGN_UP(mm->brk, PAGE_SIZE), new = ALIGN_UP(to, PAGE_SIZE);

	if (to < mm->brk_start || to - mm->brk_start > MIN(BRK_MAX, mm->heap_limit))
		return -ENOMEM;
	if (new > old && mm_is_too_much(mm, new - old))
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
