/* Which sectors of an overlay are on its store. */
#include "overlay_map.h"

#include <errno.h>
#include <string.h>

#include <caisson/mm.h>

#define WORD 64u
#define WORD_BYTES sizeof(uint64_t)

enum { STEP_DATA, STEP_BLOCKS, STEP_END };

static uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/* --- bits --- */

/* n bits from `first` on. */
static uint64_t bits(unsigned first, unsigned n)
{
	return (n < WORD ? BIT(n) - 1 : UINT64_MAX) << first;
}

uint32_t overlay_map_run(const struct overlay_map *map, uint64_t sector, uint32_t n, bool *on_store)
{
	uint32_t found = 0;
	uint64_t invert;

	*on_store = load(&map->valid[sector / WORD]) >> sector % WORD & 1;
	invert = *on_store ? UINT64_MAX : 0;
	while (found < n) {
		unsigned first = (unsigned)((sector + found) % WORD);
		uint64_t others = (load(&map->valid[(sector + found) / WORD]) ^ invert) >> first;
		unsigned run = others ? (unsigned)__builtin_ctzl(others) : WORD - first;

		found += run;
		if (first + run < WORD)
			break;
	}
	return MIN(found, n);
}

bool overlay_map_is_durable(const struct overlay_map *map, uint64_t sector, uint32_t n)
{
	while (n > 0) {
		unsigned first = (unsigned)(sector % WORD), now = MIN(n, WORD - first);

		if (~load(&map->durable[sector / WORD]) & bits(first, now))
			return false;
		sector += now;
		n -= now;
	}
	return true;
}

static uint32_t block_bytes(const struct overlay_map *map)
{
	return map->store->unit * BLOCK_SECTOR;
}

/*
 * A bit that the store's map has already is no news. One that is set but not there is: another write of the sector
 * may have set it just now, and not yet have said so.
 */
void overlay_map_set(struct overlay_map *map, uint64_t sector, uint32_t n)
{
	while (n > 0) {
		uint64_t word = sector / WORD, block = word * WORD_BYTES / block_bytes(map);
		unsigned first = (unsigned)(sector % WORD), now = MIN(n, WORD - first);
		uint64_t mask = bits(first, now);

		__atomic_fetch_or(&map->valid[word], mask, __ATOMIC_ACQ_REL);
		if (~load(&map->durable[word]) & mask)
			__atomic_fetch_or(&map->dirty[block / WORD], BIT(block % WORD), __ATOMIC_ACQ_REL);
		sector += now;
		n -= now;
	}
}

/* --- a round --- */

static void copy_block(struct overlay_map *map, uint64_t block)
{
	uint64_t n = block_bytes(map) / WORD_BYTES;

	for (uint64_t i = block * n; i < (block + 1) * n; i++)
		__atomic_store_n(&map->durable[i], load(&map->valid[i]), __ATOMIC_RELAXED);
}

/* The blocks with news, as they are now: all of their data was written before the flush that follows. */
static void begin_round(struct overlay_map *map)
{
	bool any = false;

	for (uint64_t i = 0; i < map->n_blocks; i += WORD) {
		uint64_t news = __atomic_exchange_n(&map->dirty[i / WORD], 0, __ATOMIC_ACQ_REL);

		map->round[i / WORD] = news;
		any = any || news;
		for (; news; news &= news - 1)
			copy_block(map, i + (unsigned)__builtin_ctzl(news));
	}
	map->step = STEP_DATA;
	map->next_block = any ? 0 : map->n_blocks;
}

static bool is_of_round(const struct overlay_map *map, uint64_t block)
{
	return block < map->n_blocks && map->round[block / WORD] & BIT(block % WORD);
}

static int flush(struct overlay_map *map)
{
	map->child.rq = (struct block_request){ .op = BLOCK_FLUSH };
	return child_submit(&map->child, map->store);
}

/* As many neighbours as one request holds. */
static int write_blocks(struct overlay_map *map)
{
	uint64_t first = map->next_block, end = first + 1;
	uint32_t unit = map->store->unit;

	while (is_of_round(map, end) && (end + 1 - first) * unit <= map->store->max_sectors)
		end++;
	map->next_block = end;
	map->seg = (struct segment){ (char *)map->durable + first * block_bytes(map), (uint32_t)(end - first) * block_bytes(map) };
	map->child.rq = (struct block_request){ .op = BLOCK_WRITE, .sector = map->first + first * unit,
						.n_sectors = (uint32_t)(end - first) * unit, .segs = &map->seg, .n_segs = 1 };
	return child_submit(&map->child, map->store);
}

/* What comes next: the data's flush, block by block, the map's flush. Without news the first is all. */
static int next_step(struct overlay_map *map)
{
	bool news = map->next_block < map->n_blocks;

	if (map->step == STEP_DATA) {
		map->step = news ? STEP_BLOCKS : STEP_END;
		return flush(map);
	}
	while (map->next_block < map->n_blocks && !is_of_round(map, map->next_block))
		map->next_block++;
	if (map->next_block < map->n_blocks)
		return write_blocks(map);
	map->step = STEP_END;
	return flush(map);
}

static int run_round(struct overlay_map *map, int status)
{
	while (!status && map->step != STEP_END)
		status = next_step(map);
	return status;
}

/* Nobody knows what is on the medium: all of it is news again. */
static void undo_round(struct overlay_map *map)
{
	for (uint64_t i = 0; i < map->n_blocks; i += WORD)
		__atomic_fetch_or(&map->dirty[i / WORD], map->round[i / WORD], __ATOMIC_ACQ_REL);
}

static void move_all(struct list *from, struct list *to)
{
	while (!list_empty(from)) {
		struct list *first = from->next;

		list_del(first);
		list_push_back(to, first);
	}
}

/* End those that were served. @return is there another round to go? */
static bool end_round(struct overlay_map *map, int status)
{
	struct list ended = LIST_INIT(ended);
	irqflags_t flags;
	bool more;

	if (status)
		undo_round(map);
	flags = spin_lock_irqsave(&map->lock);
	move_all(&map->served, &ended);
	move_all(&map->waiting, &map->served);
	more = map->busy = !list_empty(&map->served);
	spin_unlock_irqrestore(&map->lock, flags);
	list_for_each_safe(rq, next, &ended, struct block_request, node) {
		list_del(&rq->node);
		rq->status = status;
		rq->done(rq);
	}
	return more;
}

static void go_on(struct overlay_map *map, int status)
{
	while (true) {
		status = run_round(map, status);
		if (status == CHILD_UNDER_WAY || !end_round(map, status))
			return;
		begin_round(map);
		status = 0;
	}
}

static void resume(struct child *c, int status)
{
	go_on(container_of(c, struct overlay_map, child), status);
}

void overlay_map_flush(struct overlay_map *map, struct block_request *rq)
{
	irqflags_t flags = spin_lock_irqsave(&map->lock);
	bool was_busy = map->busy;

	map->busy = true;
	list_push_back(was_busy ? &map->waiting : &map->served, &rq->node);
	spin_unlock_irqrestore(&map->lock, flags);
	if (was_busy)
		return;
	begin_round(map);
	go_on(map, 0);
}

/* --- as a whole --- */

/* Its size does not depend on the store's unit: a whole number of the largest one. */
uint64_t overlay_map_sectors(uint64_t n)
{
	return ALIGN_UP((n / 8 + 1) / BLOCK_SECTOR + 1, MiB / BLOCK_SECTOR);
}

int overlay_map_init(struct overlay_map *map, struct block_device *store, uint64_t first, uint64_t n)
{
	/* In RAM as much as is needed, to the end of a block. */
	uint64_t bytes = ALIGN_UP(n / 8 + 1, (uint64_t)store->unit * BLOCK_SECTOR), blocks, words;

	blocks = bytes / (store->unit * BLOCK_SECTOR);
	words = blocks / WORD + 1;
	*map = (struct overlay_map){ .store = store, .first = first, .n_sectors = n, .n_blocks = blocks };
	map->lock = (spinlock_t)SPINLOCK_INIT;
	list_init(&map->waiting);
	list_init(&map->served);
	map->child.resume = resume;
	map->valid = kzalloc(bytes);
	map->durable = kzalloc(bytes);
	map->dirty = kzalloc(words * WORD_BYTES);
	map->round = kzalloc(words * WORD_BYTES);
	if (map->valid && map->durable && map->dirty && map->round)
		return 0;
	overlay_map_exit(map);
	return -ENOMEM;
}

void overlay_map_exit(struct overlay_map *map)
{
	kfree(map->valid);
	kfree(map->durable);
	kfree(map->dirty);
	kfree(map->round);
	map->valid = map->durable = map->dirty = map->round = NULL;
}

int overlay_map_load(struct overlay_map *map)
{
	int error = block_read(map->store, map->first, map->durable, (uint32_t)map->n_blocks * map->store->unit);

	if (!error)
		memcpy(map->valid, map->durable, map->n_blocks * block_bytes(map));
	return error;
}

int overlay_map_store(struct overlay_map *map)
{
	return block_write(map->store, map->first, map->durable, (uint32_t)map->n_blocks * map->store->unit);
}
