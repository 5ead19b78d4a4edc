/*
 * A back end for virtio-blk and a driver in front of it. The back end answers before block_submit returns, or when the
 * test says so; it takes nothing that is beyond what it said of itself. Included by the tests of vmm/virtio/blk*.c.
 */
#pragma once

#include <mem.h>
#include <caisson/block.h>
#include <caisson/mm.h>
#include <vio_mock.h>
#include <vmm/virtio_blk.h>

#define MB_SECTORS 1024u
enum { MB_IN = 0, MB_OUT = 1, MB_FLUSH = 4, MB_ID = 8, MB_DISCARD = 11, MB_ZEROES = 13 };
enum { MB_F_RO = 5, MB_F_FLUSH = 9, MB_F_WCE = 11, MB_F_DISCARD = 13, MB_F_ZEROES = 14 };
enum { MB_OK = 0, MB_IOERR = 1, MB_UNSUPP = 2, MB_NOTHING = 0x77 };

/* Where the driver has header and status of the request made last. */
#define MB_HEADER (MG_DATA + 0x20000)
#define MB_STATUS (MB_HEADER + 0x100)

static struct {
	uint8_t medium[MB_SECTORS * BLOCK_SECTOR];
	struct block_device dev;
	struct vio_blk_disk disk;
	struct block_request *held[64];
	unsigned n_held, n_requests, depth, deepest;
	bool later;               /* answers when mb_answer says so */
	int refuse, error;        /* of the next ones: from submit, with the answer */
	unsigned fail_at;         /* the n-th from 1 fails with error; 0: all do, if there is an error */
	enum block_op ops[256];   /* of the requests, in order */
	uint64_t done_sectors;
} mb;

static struct timer *mb_timer;    /* the one that is armed */
static unsigned mb_pauses;

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	t->fn = fn;
}

void timer_arm(struct timer *t, uint64_t deadline)
{
	assert_null(mb_timer);
	assert_true(deadline > time_now());
	mb_timer = t;
}

/** Let the pauses of a long request go by. */
static inline void mb_wait(void)
{
	while (mb_timer) {
		struct timer *t = mb_timer;

		mb_timer = NULL;
		mb_pauses++;
		t->fn(t);
	}
}

static void mb_move(struct block_request *rq)
{
	uint8_t *at = mb.medium + rq->sector * BLOCK_SECTOR;

	if (rq->op == BLOCK_DISCARD || rq->op == BLOCK_WRITE_ZEROES)
		memset(at, rq->op == BLOCK_DISCARD ? 0xdd : rq->unmap ? 0x01 : 0, (size_t)rq->n_sectors * BLOCK_SECTOR);
	for (unsigned i = 0; (rq->op == BLOCK_READ || rq->op == BLOCK_WRITE) && i < rq->n_segs; i++) {
		if (rq->op == BLOCK_READ)
			memcpy(rq->segs[i].data, at, rq->segs[i].len);
		else
			memcpy(at, rq->segs[i].data, rq->segs[i].len);
		at += rq->segs[i].len;
	}
}

static void mb_finish(struct block_request *rq)
{
	bool fails = mb.error && (!mb.fail_at || mb.n_requests == mb.fail_at);

	rq->status = fails ? mb.error : 0;
	if (!fails)
		mb_move(rq);
	rq->done(rq);
}

/** Answer the i-th request that is held. */
static inline void mb_answer(unsigned i)
{
	struct block_request *rq = mb.held[i];

	assert_true(i < mb.n_held);
	memmove(&mb.held[i], &mb.held[i + 1], (--mb.n_held - i) * sizeof(mb.held[0]));
	mb_finish(rq);
}

static void mb_check(const struct block_request *rq)
{
	uint64_t bytes = 0;
	uint32_t max = rq->op == BLOCK_DISCARD ? mb.dev.max_discard_sectors : rq->op == BLOCK_WRITE_ZEROES ?
		       mb.dev.max_zeroes_sectors : mb.dev.max_sectors;

	if (rq->op == BLOCK_FLUSH)
		return;
	assert_in_range(rq->n_sectors, 1, max);
	assert_true(rq->sector + rq->n_sectors <= MB_SECTORS);
	assert_false(mb.dev.read_only && rq->op != BLOCK_READ);
	if (rq->op > BLOCK_WRITE)
		return;
	assert_in_range(rq->n_segs, 1, mb.dev.max_segs);
	for (unsigned i = 0; i < rq->n_segs; i++) {
		assert_true(rq->segs[i].len > 0);
		bytes += rq->segs[i].len;
	}
	assert_int_equal(bytes, rq->n_sectors * BLOCK_SECTOR);
}

int block_submit(struct block_device *dev, struct block_request *rq)
{
	assert_ptr_equal(dev, &mb.dev);
	mb_check(rq);
	if (mb.refuse || (rq->op != BLOCK_FLUSH && (rq->sector | rq->n_sectors) % mb.dev.unit))
		return mb.refuse ? mb.refuse : -EINVAL;
	mb.ops[mb.n_requests++ % 256] = rq->op;
	if (mb.later) {
		mb.held[mb.n_held++] = rq;
		return 0;
	}
	mb.depth++;
	mb.deepest = MAX(mb.deepest, mb.depth);
	mb_finish(rq);
	mb.depth--;
	return 0;
}

/** A VM with a disk, whose driver has taken these features. Change mb.dev before. */
static inline void mb_start(uint64_t features)
{
	mb.disk.dev = &mb.dev;
	mg_start(&vio_blk_type, &mb.disk);
	mg_begin(features);
}

static inline int mb_setup(void **state)
{
	(void)state;
	memset(&mb, 0, sizeof(mb));
	mb_pauses = 0;
	mb.dev = (struct block_device){
		.name = "vda", .n_sectors = MB_SECTORS, .max_sectors = 64, .max_segs = 16, .unit = 1, .can_flush = true,
		.can_discard = true, .can_write_zeroes = true, .max_discard_sectors = 32, .max_zeroes_sectors = 32,
		.discard_unit = 8,
	};
	for (unsigned i = 0; i < sizeof(mb.medium); i++)
		mb.medium[i] = (uint8_t)(i / BLOCK_SECTOR * 7 + i);
	mock_alloc_fail_at = 0;
	return 0;
}

static inline int mb_teardown(void **state)
{
	(void)state;
	assert_int_equal(mg.dev->queues[0].held, 0);
	mg_stop();
	assert_int_equal(heap_in_use(), 0);
	return 0;
}

/** Offer a request: header, pieces of data, status at MB_STATUS + n. @return its head */
static inline unsigned mb_add(uint32_t type, uint64_t sector, const struct mg_piece *data, unsigned n, unsigned number)
{
	struct { uint32_t type, reserved; uint64_t sector; } header = { type, 0, sector };
	struct mg_piece pieces[40] = { { MB_HEADER + 16 * number, sizeof(header), false } };
	uint8_t nothing = MB_NOTHING;

	assert_true(n <= 38);
	for (unsigned i = 0; i < n; i++)
		pieces[1 + i] = data[i];
	pieces[1 + n] = (struct mg_piece){ MB_STATUS + number, 1, true };
	mg_put(MB_HEADER + 16 * number, &header, sizeof(header));
	mg_put(MB_STATUS + number, &nothing, 1);
	return mg_add(0, pieces, n + 2);
}

static inline uint8_t mb_status(unsigned number)
{
	uint8_t status;

	mg_get(MB_STATUS + number, &status, 1);
	return status;
}

/** One request, from being offered to its answer. @return its status */
static inline uint8_t mb_do(uint32_t type, uint64_t sector, const struct mg_piece *data, unsigned n, uint32_t *written)
{
	unsigned head = mb_add(type, sector, data, n, 0);

	assert_int_equal(mg_kick(0), 0);
	mb_wait();
	assert_int_equal(mg_take(0, written), head);
	return mb_status(0);
}

/** The same with data in one piece at MG_DATA. */
static inline uint8_t mb_one(uint32_t type, uint64_t sector, uint32_t len)
{
	const struct mg_piece data = { MG_DATA, len, type == MB_IN || type == MB_ID };

	return mb_do(type, sector, &data, len != 0, NULL);
}
