/*
 * Block devices in host memory that answer when the test says so, in any order, and fail when it says so; and requests
 * to try them with. Nobody sleeps: what waits polls, and a poll answers everything.
 */
#pragma once

#include <errno.h>
#include <string.h>

#include <caisson/block.h>
#include <caisson/mm.h>
#include <caisson/time.h>
#include <logged.h>
#include <mem.h>
#include <no_sleep.h>
#include <test.h>

#define MAYBE_UNUSED __attribute__((unused))

#define MODEL_SECTORS 1024u
#ifndef MODEL_SECTORS_MAX
#define MODEL_SECTORS_MAX MODEL_SECTORS /* that dev.n_sectors may be set to */
#endif
#define MODEL_SEGS 8u
#define MODEL_MAX 64u /* sectors */

struct model_disk {
	struct block_device dev;
	uint8_t medium[MODEL_SECTORS_MAX * BLOCK_SECTOR];
	struct list under_way;
	unsigned n_under_way, n_requests, n_flushes;
	unsigned n_done;       /* carried out. A request's `deadline` is what this was when it was submitted */
	uint64_t seed;
	bool at_once;          /* answers before submit returns */
	uint64_t fail_at;      /* the n-th answer from now on is -EIO; 0: none */
	uint64_t refuse_at;    /* the n-th request from now on is not taken, with -ENOMEM */
	/** Called with what has been carried out, in order. */
	void (*log)(struct model_disk *d, const struct block_request *rq);
};

uint64_t time_now(void)
{
	return 0;
}

uint64_t time_from_us(uint64_t us)
{
	return us;
}

static void model_move(struct model_disk *d, const struct block_request *rq)
{
	uint8_t *at = d->medium + rq->sector * BLOCK_SECTOR;

	if (rq->op == BLOCK_DISCARD || rq->op == BLOCK_WRITE_ZEROES)
		memset(at, rq->op == BLOCK_DISCARD ? 0xdd : 0, (size_t)rq->n_sectors * BLOCK_SECTOR);
	for (unsigned i = 0; rq->op <= BLOCK_WRITE && i < rq->n_segs; i++) {
		if (rq->op == BLOCK_READ)
			memcpy(rq->segs[i].data, at, rq->segs[i].len);
		else
			memcpy(at, rq->segs[i].data, rq->segs[i].len);
		at += rq->segs[i].len;
	}
}

static void model_end(struct model_disk *d, struct block_request *rq)
{
	rq->status = d->fail_at && --d->fail_at == 0 ? -EIO : 0;
	if (!rq->status) {
		model_move(d, rq);
		if (d->log)
			d->log(d, rq);
		d->n_done++;
	} else if (rq->op == BLOCK_READ) {
		for (unsigned i = 0; i < rq->n_segs; i++)
			memset(rq->segs[i].data, 0xee, rq->segs[i].len);
	}
	rq->done(rq);
}

/* Answer one of those under way, any of them. */
static void model_answer(struct model_disk *d)
{
	uint64_t n = mock_random(&d->seed) % d->n_under_way;

	list_for_each_safe(rq, next, &d->under_way, struct block_request, node) {
		if (n-- > 0)
			continue;
		list_del(&rq->node);
		d->n_under_way--;
		model_end(d, rq);
		return;
	}
}

static struct model_disk *model_of(struct block_device *dev)
{
	return container_of(dev, struct model_disk, dev);
}

static int model_submit(struct block_device *dev, struct block_request *rq)
{
	struct model_disk *d = model_of(dev);

	assert_int_equal((rq->sector | (rq->op == BLOCK_FLUSH ? 0 : rq->n_sectors)) % dev->unit, 0);
	d->n_requests++;
	d->n_flushes += rq->op == BLOCK_FLUSH;
	rq->deadline = d->n_done;
	if (d->refuse_at && --d->refuse_at == 0)
		return -ENOMEM;
	if (d->at_once) {
		model_end(d, rq);
		return 0;
	}
	list_push_back(&d->under_way, &rq->node);
	d->n_under_way++;
	return 0;
}

static void model_poll(struct block_device *dev)
{
	while (model_of(dev)->n_under_way > 0)
		model_answer(model_of(dev));
}

static const struct block_ops model_ops = { .submit = model_submit, .poll = model_poll };

static MAYBE_UNUSED void model_init(struct model_disk *d, const char *name, uint64_t seed)
{
	*d = (struct model_disk){ .seed = seed };
	d->dev = (struct block_device){
		.name = name, .ops = &model_ops, .n_sectors = MODEL_SECTORS, .max_sectors = MODEL_MAX,
		.max_segs = MODEL_SEGS, .unit = 1, .can_flush = true, .can_discard = true, .can_write_zeroes = true,
		.max_discard_sectors = MODEL_MAX, .max_zeroes_sectors = MODEL_MAX, .discard_unit = 1,
	};
	list_init(&d->under_way);
	for (size_t i = 0; i < sizeof(d->medium); i++)
		d->medium[i] = (uint8_t)mock_random(&d->seed);
}

/* --- requests --- */

#define TRIES 16u

/* A request of the test's with its data, cut at random. */
struct try {
	struct block_request rq;
	struct segment segs[MODEL_SEGS];
	uint8_t data[MODEL_MAX * BLOCK_SECTOR];
	uint8_t expected[MODEL_MAX * BLOCK_SECTOR];
	bool busy;
	unsigned n_done;
};

static struct try tries[TRIES];

static void try_done(struct block_request *rq)
{
	struct try *t = container_of(rq, struct try, rq);

	assert_true(t->busy);
	t->busy = false;
	t->n_done++;
}

/* Cut `bytes` bytes of t->data into 1 to MODEL_SEGS segments. */
static void try_cut(struct try *t, uint32_t bytes, uint64_t *seed)
{
	unsigned n = 1 + (unsigned)mock_random(seed) % MODEL_SEGS;
	uint8_t *at = t->data;

	for (t->rq.n_segs = 0; t->rq.n_segs + 1 < n && bytes > 1; t->rq.n_segs++) {
		uint32_t len = 1 + (uint32_t)mock_random(seed) % MIN(bytes - 1, 3000u);

		t->segs[t->rq.n_segs] = (struct segment){ at, len };
		at += len;
		bytes -= len;
	}
	t->segs[t->rq.n_segs++] = (struct segment){ at, bytes };
}

static MAYBE_UNUSED int try_submit(struct try *t, struct block_device *dev, enum block_op op, uint64_t sector,
				   uint32_t n, uint64_t *seed)
{
	int error;

	t->rq = (struct block_request){ .op = op, .sector = sector, .n_sectors = n, .segs = t->segs, .done = try_done };
	t->rq.status = 1;
	t->busy = true;
	t->n_done = 0;
	if (op <= BLOCK_WRITE)
		try_cut(t, n * BLOCK_SECTOR, seed);
	error = block_submit(dev, &t->rq);
	if (error) {
		assert_int_equal(t->n_done, 0);
		t->busy = false;
		t->rq.status = error;
	}
	return error;
}

/* --- random operations against a plain array --- */

static uint8_t model[MODEL_SECTORS * BLOCK_SECTOR]; /* what is expected of a device */

/* What a device does when one below it has answered may ask another one, which was polled already. */
static MAYBE_UNUSED void try_poll(struct block_device *dev)
{
	bool busy = true;

	for (unsigned n = 0; busy && n < 1000; n++) {
		block_poll(dev);
		busy = false;
		for (unsigned i = 0; i < TRIES; i++)
			busy = busy || tries[i].busy;
	}
}

/* Everything that is under way ends; reads bring what was there when they were submitted. */
static MAYBE_UNUSED void try_drain(struct block_device *dev)
{
	try_poll(dev);
	for (unsigned i = 0; i < TRIES; i++) {
		assert_false(tries[i].busy);
		if (tries[i].n_done == 0)
			continue;
		assert_int_equal(tries[i].n_done, 1);
		assert_int_equal(tries[i].rq.status, 0);
		assert_memory_equal(tries[i].data, tries[i].expected, tries[i].rq.n_sectors * BLOCK_SECTOR);
		tries[i].n_done = 0;
	}
}

static MAYBE_UNUSED void try_read(struct block_device *dev, unsigned i, uint64_t sector, uint32_t n, uint64_t *seed)
{
	memcpy(tries[i].expected, model + sector * BLOCK_SECTOR, n * BLOCK_SECTOR);
	assert_int_equal(try_submit(&tries[i], dev, BLOCK_READ, sector, n, seed), 0);
}

/* Change a device, wait, and change the model. `discarded` is what a discard leaves of it. @return the status. */
static MAYBE_UNUSED int try_change(struct block_device *dev, enum block_op op, uint64_t sector, uint32_t n,
				   const uint8_t *discarded, uint64_t *seed)
{
	static struct try t;

	for (size_t i = 0; i < n * BLOCK_SECTOR; i++)
		t.data[i] = op == BLOCK_WRITE ? (uint8_t)mock_random(seed) : 0;
	assert_int_equal(try_submit(&t, dev, op, sector, n, seed), 0);
	for (unsigned i = 0; t.busy && i < 1000; i++)
		block_poll(dev);
	assert_int_equal(t.n_done, 1);
	if (op == BLOCK_DISCARD)
		memcpy(t.data, discarded + sector * BLOCK_SECTOR, n * BLOCK_SECTOR);
	if (!t.rq.status)
		memcpy(model + sector * BLOCK_SECTOR, t.data, n * BLOCK_SECTOR);
	return t.rq.status;
}

/* A place for an operation, at units. */
static uint32_t try_place(const struct block_device *dev, uint32_t max, uint64_t *sector, uint64_t *seed)
{
	uint32_t n = (uint32_t)ALIGN_UP(1 + mock_random(seed) % max, dev->unit);

	*sector = ALIGN_DOWN(mock_random(seed) % (dev->n_sectors - n + 1), dev->unit);
	return n;
}

/* Reads are under way, many at once (discards only where something is said about them), between changes that find none under way. */
static MAYBE_UNUSED void try_at_random(struct block_device *dev, struct model_disk *below, const uint8_t *discarded,
				       unsigned rounds, uint64_t seed)
{
	static const enum block_op ops[] = {
		BLOCK_WRITE, BLOCK_WRITE, BLOCK_WRITE, BLOCK_WRITE_ZEROES, BLOCK_DISCARD,
	};

	for (unsigned round = 0; round < rounds; round++) {
		unsigned n_reads = (unsigned)mock_random(&seed) % TRIES;
		uint64_t sector;
		uint32_t n;

		for (unsigned i = 0; i < 3; i++) {
			n = try_place(dev, mock_random(&seed) % 2 ? 4 : MODEL_MAX, &sector, &seed);
			assert_int_equal(try_change(dev, ops[mock_random(&seed) % (ARRAY_SIZE(ops) - !discarded)], sector, n,
						    discarded, &seed), 0);
		}
		for (unsigned i = 0; i < n_reads; i++) {
			n = try_place(dev, MODEL_MAX, &sector, &seed);
			try_read(dev, i, sector, n, &seed);
			if (below->n_under_way > 0 && mock_random(&seed) % 2)
				model_answer(below);
		}
		try_drain(dev);
	}
}
