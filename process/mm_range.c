/* What programs ask of ranges that are mapped already: moving, dropping, filling, writing back, looking (mm.h). */
#include <errno.h>

#include "mm.h"

static bool is_range(uint64_t at, uint64_t size)
{
	return IS_ALIGNED(at, PAGE_SIZE) && size <= USER_TOP && at <= USER_TOP - size;
}

bool mm_area(struct user_mm *mm, uint64_t above, struct area *out)
{
	const struct area *a;

	mutex_lock(&mm->lock);
	a = aspace_find_from(&mm->space, above);
	if (a)
		*out = *a;
	mutex_unlock(&mm->lock);
	return a;
}

static bool is_whole(const struct user_mm *mm, uint64_t at, uint64_t end)
{
	while (at < end) {
		const struct area *a = aspace_find_from(&mm->space, at);

		if (!a || a->start > at)
			return false;
		at = a->start + a->size;
	}
	return true;
}

int mm_check(struct user_mm *mm, uint64_t at, uint64_t size)
{
	bool whole;

	if (!IS_ALIGNED(at, PAGE_SIZE))
		return -EINVAL;
	size = size > USER_TOP ? size : ALIGN_UP(size, PAGE_SIZE);
	if (!is_range(at, size))
		return -ENOMEM;
	mutex_lock(&mm->lock);
	whole = is_whole(mm, at, at + size);
	mutex_unlock(&mm->lock);
	return whole ? 0 : -ENOMEM;
}

int mm_clear(struct user_mm *mm, uint64_t at, uint64_t size)
{
	int error;

	if (size > USER_TOP || !is_range(at, ALIGN_UP(size, PAGE_SIZE)))
		return IS_ALIGNED(at, PAGE_SIZE) && size <= USER_TOP ? -ENOMEM : -EINVAL;
	if (size == 0)
		return 0;
	mutex_lock(&mm->lock);
	error = aspace_clear_user(&mm->space, at, ALIGN_UP(size, PAGE_SIZE));
	mutex_unlock(&mm->lock);
	return error == -ENOENT ? -ENOMEM : error;
}

/* --- filling --- */

/* The access that has a page there: private ones that may be written are not to fault once more. */
static unsigned touching(const struct area *a)
{
	if ((a->perm & PERM_W) && !(a->flags & USER_SHARED))
		return PERM_W;
	return a->perm & PERM_R ? PERM_R : PERM_X;
}

static int touch(struct user_mm *mm, uint64_t at, unsigned access)
{
	const struct area *a = aspace_find(&mm->space, at);

	if (!a)
		return -ENOMEM;
	switch (aspace_fault(&mm->space, at, (access ? access : touching(a)) | PERM_U)) {
	case FAULT_RESOLVED:
		return 0;
	case FAULT_NOMEM:
		return -ENOMEM;
	default:
		return -EFAULT;
	}
}

int mm_populate(struct user_mm *mm, uint64_t at, uint64_t size, unsigned access)
{
	int error = mm_check(mm, at, size);

	for (uint64_t done = 0; !error && done < size; done += PAGE_SIZE) {
		mutex_lock(&mm->lock); /* for each page: others get their turn */
		error = touch(mm, at + done, access);
		mutex_unlock(&mm->lock);
	}
	return error;
}

/* --- writing back, looking --- */

static int sync_area(const struct area *a, uint64_t at, uint64_t end)
{
	uint64_t first = MAX(at, a->start), last = MIN(end, a->start + a->size);

	if (!(a->flags & USER_SHARED) || !a->source->ops->sync)
		return 0;
	return a->source->ops->sync(a->source, a->source_offset + (first - a->start), last - first);
}

int mm_sync(struct user_mm *mm, uint64_t at, uint64_t size)
{
	int error = mm_check(mm, at, size), one;
	uint64_t end = at + ALIGN_UP(size, PAGE_SIZE);

	if (error && (error != -ENOMEM || size > USER_TOP || !is_range(at, end - at)))
		return error;
	mutex_lock(&mm->lock);
	for (const struct area *a; (a = aspace_find_from(&mm->space, at)) && a->start < end; at = a->start + a->size) {
		one = sync_area(a, at, end);
		error = error ? error : one;
	}
	mutex_unlock(&mm->lock);
	return error;
}

bool mm_is_resident(struct user_mm *mm, uint64_t at)
{
	struct pt_leaf leaf;
	bool there;

	mutex_lock(&mm->lock);
	there = pt_walk(mm->space.format, mm->space.root, at, &leaf) == 0;
	mutex_unlock(&mm->lock);
	return there;
}

/* --- mremap; the lock is held --- */

/* Map what an area would have further on: `size` bytes from `off`, in it or behind its end. */
static int map_alike(struct user_mm *mm, const struct area *a, uint64_t off, uint64_t at, uint64_t size)
{
	return aspace_map_user(&mm->space, at, size, a->perm & (PERM_R | PERM_W | PERM_X), a->flags, a->source,
			       a->source_offset + off);
}

static bool grow_in_place(struct user_mm *mm, const struct area *a, uint64_t end, uint64_t more)
{
	uint64_t at;

	return end == a->start + a->size && mm_find(mm, end, more, &at) == 0 && at == end &&
	       map_alike(mm, a, a->size, end, more) == 0;
}

/* With no size the mapping stays, and there is one more of its pages. */
static int move(struct user_mm *mm, const struct area *a, uint64_t from, uint64_t size, uint64_t to, uint64_t new_size)
{
	int error = 0;

	if (new_size > size)
		error = map_alike(mm, a, from + size - a->start, to + size, new_size - size);
	if (error || size == 0)
		return error;
	error = aspace_move_user(&mm->space, from, size, to);
	if (error && new_size > size)
		(void)!aspace_unmap_user(&mm->space, to + size, new_size - size);
	return error;
}

static int find_target(struct user_mm *mm, uint64_t new_size, unsigned flags, uint64_t *to)
{
	if (flags & MM_MOVE_TO)
		return aspace_unmap_user(&mm->space, *to, new_size);
	return flags & MM_MAY_MOVE ? mm_find(mm, 0, new_size, to) : -ENOMEM;
}

static int remap(struct user_mm *mm, uint64_t *at, uint64_t size, uint64_t new_size, unsigned flags, uint64_t to)
{
	const struct area *found = aspace_find(&mm->space, *at);
	struct area a;
	int error = 0;

	if (!found || found->kind != AREA_USER)
		return -EFAULT;
	if (size == 0 && !((found->flags & USER_SHARED) && (flags & MM_MAY_MOVE)))
		return -EINVAL;
	if (new_size < size)
		error = aspace_unmap_user(&mm->space, *at + new_size, size - new_size);
	size = MIN(size, new_size);
	if (error || (size == new_size && !(flags & MM_MOVE_TO)))
		return error;
	a = *aspace_find(&mm->space, *at);
	if (size > a.start + a.size - *at)
		return -EFAULT;
	if (mm_is_too_much(mm, new_size - size))
		return -ENOMEM;
	if (!(flags & MM_MOVE_TO) && size && grow_in_place(mm, &a, *at + size, new_size - size))
		return 0;
	page_source_get(a.source); /* what is at the target may be the last that has it */
	error = find_target(mm, new_size, flags, &to);
	if (!error)
		error = move(mm, &a, *at, size, to, new_size);
	page_source_put(a.source);
	if (!error)
		*at = to;
	return error;
}

int mm_remap(struct user_mm *mm, uint64_t *at, uint64_t size, uint64_t new_size, unsigned flags, uint64_t to)
{
	int error = 0;

	if (size > USER_TOP || new_size == 0 || new_size > USER_TOP)
		return size > USER_TOP || new_size == 0 ? -EINVAL : -ENOMEM;
	size = ALIGN_UP(size, PAGE_SIZE);
	new_size = ALIGN_UP(new_size, PAGE_SIZE);
	if (!is_range(*at, size) || ((flags & MM_MOVE_TO) && !(flags & MM_MAY_MOVE)))
		return -EINVAL;
	if (flags & MM_MOVE_TO)
		error = mm_check_fixed(to, new_size) || (to < *at + size && *at < to + new_size) ? -EINVAL : 0;
	if (error)
		return error;
	mutex_lock(&mm->lock);
	error = remap(mm, at, size, new_size, flags, to);
	mutex_unlock(&mm->lock);
	return error;
}
