/* The bytes of a tmpfs's files: an array of frames. */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>

#include "tmpfs.h"

#define SIZE_MAX_FILE (UINT64_C(1) << 40)
#define ROOM_FIRST 4

/* Pages that an array of that many takes, as the limit of its file system counts. */
static uint64_t array_pages(uint64_t room)
{
	return room * sizeof(hpa_t) / PAGE_SIZE;
}

/* Let the array have room for page i. */
static int make_room(struct node *n, uint64_t i)
{
	uint64_t room = n->pages.room ? n->pages.room : ROOM_FIRST;
	hpa_t *more;

	if (i < n->pages.room)
		return 0;
	while (room <= i)
		room *= 2;
	if (array_pages(room) - array_pages(n->pages.room) > n->fs->pages_max - n->fs->pages)
		return -ENOSPC;
	more = kzalloc(room * sizeof(*more));
	if (!more)
		return -ENOMEM;
	if (n->pages.room)
		memcpy(more, n->pages.frames, n->pages.room * sizeof(*more));
	kfree(n->pages.frames);
	n->pages.frames = more;
	n->fs->pages += array_pages(room) - array_pages(n->pages.room);
	n->pages.room = room;
	return 0;
}

static hpa_t *page_of(const struct node *n, uint64_t pos)
{
	uint64_t i = pos / PAGE_SIZE;

	return i < n->pages.room && n->pages.frames[i].v ? &n->pages.frames[i] : NULL;
}

/* The page at pos, to be written. @return 0; -ENOSPC: the file system is full; -ENOMEM: the machine is */
static int get_page(struct node *n, uint64_t pos, hpa_t **out)
{
	int err;

	*out = page_of(n, pos);
	if (*out)
		return 0;
	err = make_room(n, pos / PAGE_SIZE);
	if (err)
		return err;
	if (n->fs->pages >= n->fs->pages_max)
		return -ENOSPC;
	*out = &n->pages.frames[pos / PAGE_SIZE];
	if (frame_alloc(0, FRAME_ZERO, *out))
		return -ENOMEM;
	n->fs->pages++;
	return 0;
}

static size_t in_page(uint64_t pos, size_t len)
{
	return MIN(len, PAGE_SIZE - pos % PAGE_SIZE);
}

int64_t data_read(const struct node *n, char *to, size_t len, uint64_t pos)
{
	size_t done = 0;

	if (pos >= n->size)
		return 0;
	len = MIN(len, n->size - pos);
	while (done < len) {
		size_t piece = in_page(pos + done, len - done);
		const hpa_t *page = page_of(n, pos + done);

		if (page)
			memcpy(to + done, (char *)hpa_to_kva(*page) + (pos + done) % PAGE_SIZE, piece);
		else
			memset(to + done, 0, piece);
		done += piece;
	}
	return (int64_t)done;
}

/* What lies behind an end in its page is zeros, though a program may have written there through a mapping. */
static void clear_behind(struct node *n, uint64_t size)
{
	hpa_t *edge = size % PAGE_SIZE ? page_of(n, size) : NULL;

	if (edge)
		memset((char *)hpa_to_kva(*edge) + size % PAGE_SIZE, 0, PAGE_SIZE - size % PAGE_SIZE);
}

int64_t data_write(struct node *n, const char *from, size_t len, uint64_t pos)
{
	size_t done = 0;
	int err = 0;

	if (pos > SIZE_MAX_FILE || len > SIZE_MAX_FILE - pos)
		return -EFBIG;
	if (pos > n->size)
		clear_behind(n, n->size);
	while (done < len) {
		size_t piece = in_page(pos + done, len - done);
		hpa_t *page;

		err = get_page(n, pos + done, &page);
		if (err)
			break;
		memcpy((char *)hpa_to_kva(*page) + (pos + done) % PAGE_SIZE, from + done, piece);
		done += piece;
	}
	if (done)
		n->size = MAX(n->size, pos + done);
	return done || !err ? (int64_t)done : -ENOSPC;
}

int data_truncate(struct node *n, uint64_t size)
{
	if (size > SIZE_MAX_FILE)
		return -EFBIG;
	for (uint64_t i = (size + PAGE_SIZE - 1) / PAGE_SIZE; i < n->pages.room; i++) {
		if (!n->pages.frames[i].v)
			continue;
		frame_put(n->pages.frames[i]);
		n->pages.frames[i].v = 0;
		n->fs->pages--;
	}
	clear_behind(n, MIN(size, n->size));
	n->size = size;
	return 0;
}

uint64_t data_room(const struct node *n)
{
	uint64_t pages = 0;

	for (uint64_t i = 0; i < n->pages.room; i++)
		pages += n->pages.frames[i].v != 0;
	return pages * PAGE_SIZE;
}

/* Is there room for the pages from one to another (not included) that are not there? */
static bool has_room(const struct node *n, uint64_t from, uint64_t end)
{
	uint64_t missing = end - from;

	for (uint64_t i = from; i < MIN(end, n->pages.room); i++)
		missing -= n->pages.frames[i].v != 0;
	return n->fs->pages + missing <= n->fs->pages_max;
}

int data_reserve(struct node *n, uint64_t pos, uint64_t len)
{
	uint64_t from = pos / PAGE_SIZE, end = (pos + len + PAGE_SIZE - 1) / PAGE_SIZE;
	hpa_t *page;
	int err;

	if (pos > SIZE_MAX_FILE || len > SIZE_MAX_FILE - pos)
		return -EFBIG;
	if (from == end)
		return 0;
	err = has_room(n, from, end) ? make_room(n, end - 1) : -ENOSPC;
	if (!err && !has_room(n, from, end)) /* with a larger array */
		err = -ENOSPC;
	for (uint64_t i = from; i < end && !err; i++)
		err = get_page(n, i * PAGE_SIZE, &page);
	return err ? -ENOSPC : 0;
}

int data_page(struct node *n, uint64_t offset, hpa_t *out)
{
	hpa_t *page;
	int err;

	if (offset >= n->size)
		return -ENXIO;
	err = get_page(n, offset, &page);
	if (err)
		return err;
	frame_get(*page);
	*out = *page;
	return 0;
}

void data_free(struct node *n)
{
	(void)!data_truncate(n, 0);
	n->fs->pages -= array_pages(n->pages.room);
	kfree(n->pages.frames);
}
