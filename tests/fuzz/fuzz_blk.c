/* virtio-blk over a disk in RAM that answers when the input says so, or fails, or refuses. */
// sources: vmm/virtio/blk.c vmm/virtio/blk_parts.c vmm/virtio/ring.c vmm/virtio/device.c vmm/virtio/mmio.c vmm/device/common.c vmm/image/dt_writer.c
#include "fuzz.h"

#include <errno.h>
#include <string.h>

#include <caisson/time.h>
#include <vmm/virtio_blk.h>

#define SECTORS 320
#define WAITING_MAX 300
#define TABLE_MAX 4 /* pieces of data in a request */

enum { READ_ONLY = 1, SMALL = 2, UNITS = 4, PLAIN = 8 }; /* flavours */
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };

static struct {
	struct block_device dev;
	struct vio_blk_disk disk;
	bool delays;
	int refuses;              /* the next request with this error */
	unsigned n;
	struct block_request *waiting[WAITING_MAX];
	unsigned n_timers;
	struct timer *timers[WAITING_MAX]; /* of long requests that pause */
	uint8_t bytes[SECTORS * BLOCK_SECTOR];
} be;

/* --- the disk --- */

static void check_data(const struct block_request *rq)
{
	uint64_t n = 0;

	if (rq->n_segs == 0 || rq->n_segs > be.dev.max_segs || rq->n_sectors > be.dev.max_sectors)
		fuzz_fail("a request of %u segments and %u sectors", rq->n_segs, rq->n_sectors);
	for (unsigned i = 0; i < rq->n_segs; i++) {
		if (rq->segs[i].len == 0)
			fuzz_fail("an empty segment");
		n += rq->segs[i].len;
	}
	if (n != (uint64_t)rq->n_sectors * BLOCK_SECTOR)
		fuzz_fail("%lu bytes for %u sectors", n, rq->n_sectors);
}

/* What block.h asks of a front end. */
static void check(const struct block_request *rq)
{
	static const char *const names[] = { "read", "write", "flush", "discard", "zeroes" };

	fuzz_trace("    %s %lu+%u\n", names[rq->op], rq->sector, rq->n_sectors);
	if (rq->op == BLOCK_FLUSH)
		return;
	if (rq->n_sectors == 0 || rq->sector > SECTORS || rq->n_sectors > SECTORS - rq->sector)
		fuzz_fail("sectors %lu+%u of %u", rq->sector, rq->n_sectors, SECTORS);
	if (rq->op != BLOCK_READ && (be.dev.read_only || be.disk.read_only))
		fuzz_fail("a read-only disk is changed");
	if (rq->op == BLOCK_READ || rq->op == BLOCK_WRITE)
		check_data(rq);
	else if (rq->n_sectors > (rq->op == BLOCK_DISCARD ? be.dev.max_discard_sectors : be.dev.max_zeroes_sectors))
		fuzz_fail("%u sectors to discard or to zero at a time", rq->n_sectors);
}

static void transfer(const struct block_request *rq)
{
	uint8_t *at = be.bytes + rq->sector * BLOCK_SECTOR;

	if (rq->op == BLOCK_WRITE_ZEROES)
		memset(at, 0, rq->n_sectors * BLOCK_SECTOR);
	if (rq->op != BLOCK_READ && rq->op != BLOCK_WRITE)
		return;
	for (unsigned i = 0; i < rq->n_segs; at += rq->segs[i++].len)
		if (rq->op == BLOCK_READ)
			memcpy(rq->segs[i].data, at, rq->segs[i].len);
		else
			memcpy(at, rq->segs[i].data, rq->segs[i].len);
}

static void done(struct block_request *rq, int error)
{
	if (!error || error == -EIO) /* in which case any part may have been transferred */
		transfer(rq);
	rq->status = error;
	fuzz_progress++;
	rq->done(rq);
}

/* Requests that are not whole units, and those for what the disk cannot do, are the caller's to find out (-EINVAL). */
static int refusal(const struct block_request *rq)
{
	if (rq->op != BLOCK_FLUSH && (rq->sector % be.dev.unit || rq->n_sectors % be.dev.unit))
		return -EINVAL;
	if (rq->op == BLOCK_DISCARD && !be.dev.can_discard)
		return -ENOTSUP;
	return rq->op == BLOCK_WRITE_ZEROES && !be.dev.can_write_zeroes ? -ENOTSUP : 0;
}

int block_submit(struct block_device *dev, struct block_request *rq)
{
	int error = refusal(rq);

	if (dev != &be.dev || spin_is_locked(&fuzz_guests[0].dev->queues[0].lock))
		fuzz_fail("a request to nobody, or with the queue locked");
	if (error)
		return error;
	check(rq);
	error = be.refuses;
	be.refuses = 0;
	fuzz_meanwhile();
	if (error)
		return error;
	if (be.delays && be.n < WAITING_MAX)
		be.waiting[be.n++] = rq;
	else
		done(rq, 0);
	return 0;
}

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	t->fn = fn;
}

void timer_arm(struct timer *t, uint64_t deadline)
{
	(void)deadline;
	if (be.n_timers == WAITING_MAX)
		fuzz_fail("more requests pause than there can be");
	be.timers[be.n_timers++] = t;
}

static void go_on(unsigned i)
{
	struct timer *t = be.timers[i];

	be.timers[i] = be.timers[--be.n_timers];
	t->fn(t);
}

static void answer(unsigned i, int error)
{
	struct block_request *rq = be.waiting[i];

	be.waiting[i] = be.waiting[--be.n];
	done(rq, error);
}

static bool pump(void)
{
	if (be.n_timers)
		go_on(0);
	else if (be.n)
		answer(0, 0);
	else
		return false;
	return true;
}

static void backend(struct guest *g, uint8_t what, uint16_t arg)
{
	static const int errors[] = { -EIO, -ENOMEM, -ETIMEDOUT, -ENOTSUP };

	(void)g;
	switch (what & 3) {
	case 0:
		be.delays = arg & 1;
		break;
	case 1:
		be.refuses = errors[arg & 3];
		break;
	default:
		if (be.n_timers && arg & 1)
			go_on(arg / 8 % be.n_timers);
		else if (be.n)
			answer(arg / 8 % be.n, arg & 4 ? errors[arg & 3] : 0);
	}
}

static void *attach(struct guest *g)
{
	bool small = fuzz_flavour & SMALL, plain = fuzz_flavour & PLAIN;

	(void)g;
	be.delays = false;
	be.refuses = 0;
	be.n = be.n_timers = 0;
	be.dev = (struct block_device){
		.name = "fuzz", .n_sectors = SECTORS, .max_sectors = small ? 8 : 128, .max_segs = small ? 3 : 64,
		.unit = fuzz_flavour & UNITS ? 8 : 1, .read_only = fuzz_flavour & READ_ONLY, .can_flush = !plain, .can_discard = !plain,
		.can_write_zeroes = !plain, .max_discard_sectors = plain ? 0 : small ? 16 : SECTORS,
		.max_zeroes_sectors = plain ? 0 : small ? 8 : SECTORS,
	};
	be.disk = (struct vio_blk_disk){ .dev = &be.dev, .serial = "12345678901234567890" };
	return &be.disk;
}

/* --- a driver --- */

/* n bytes in several pieces, wherever they are. @return how many */
static unsigned split(struct input *in, struct piece *pieces, uint32_t n, bool write)
{
	unsigned used = 0;

	for (unsigned left = TABLE_MAX; n; left--) {
		uint32_t len = take_length(in) | 1, part = left == 1 ? n : MIN(n, len);

		pieces[used++] = (struct piece){ DATA + 0x1000 + 517u * take8(in), part, write };
		n -= part;
	}
	return used;
}

/* @return bytes behind the header, for the device to read; or to write, before the status */
static uint32_t fill_in(struct guest *g, uint64_t at, unsigned type, struct input *in, bool *write)
{
	struct { uint32_t type, reserved; uint64_t sector; } header = { type, 0, take8(in) };
	struct { uint64_t sector; uint32_t n, flags; } range = { take8(in), take8(in), take8(in) & 1 };
	unsigned n = take8(in);

	*write = type == T_IN || type == T_GET_ID;
	ram_put(g, at, &header, sizeof(header));
	if (type == T_IN || type == T_OUT)
		return (n & 63) * BLOCK_SECTOR;
	if (type == T_GET_ID)
		return 20;
	if (type == T_FLUSH)
		return 0;
	for (unsigned i = 0; i <= (n & 3); i++, range.sector += 3)
		ram_put(g, DATA + 0x1000 + i * sizeof(range), &range, sizeof(range));
	return (1 + (n & 3)) * (uint32_t)sizeof(range);
}

static void request(struct guest *g, struct input *in)
{
	static const uint8_t types[] = { T_IN, T_OUT, T_FLUSH, T_GET_ID, T_DISCARD, T_WRITE_ZEROES, T_IN, T_OUT };
	unsigned how = take8(in), type = types[how & 7];
	uint64_t at = DATA + (how >> 3 & 7) * 64u;
	struct piece pieces[TABLE_MAX + 2] = { { at, 16, false } };
	bool write;
	uint32_t n = fill_in(g, at, type, in, &write);
	unsigned used = 1 + split(in, pieces + 1, n, write);

	if (type == T_DISCARD || type == T_WRITE_ZEROES)
		pieces[1].gpa = DATA + 0x1000;
	pieces[used++] = (struct piece){ at + 63, 1, true };
	(void)guest_offer(g, 0, pieces, used, how & 64);
	if (!(how & 128))
		guest_kick_if_wanted(g, 0);
}

const struct fuzz_target fuzz_target = {
	.type = &vio_blk_type, .guests = 1, .drains = BIT(0), .attach = attach, .backend = backend, .request = request, .pump = pump,
};
