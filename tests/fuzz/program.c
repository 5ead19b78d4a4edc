/* Reads an input as a program of steps, does them, and looks after each at what has to hold. */
#include "fuzz.h"

#include <string.h>

#include <caisson/mm.h>
#include <mem.h>

#define PIECES_MAX 300
#define DEPTH_MAX 3
#define STATUS_KNOWN (1 | 2 | 4 | 8 | 64 | 128)

enum { DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 64 };

/* --- a step --- */

static uint32_t broken[GUESTS_MAX];
static unsigned depth;         /* steps within steps: what other vCPUs do meanwhile */
static bool had_others;        /* in this step: they may have acknowledged what it was to be interrupted for */

bool step_is_within(void)
{
	return depth > 0;
}

void step_begin(void)
{
	bool outer = depth++ == 0;

	had_others = !outer;
	if (outer) {
		ram_step();
		fuzz_sleeps = 0;
	}
	for (unsigned i = 0; i < fuzz_target.guests; i++) {
		struct guest *g = &fuzz_guests[i];

		if (outer)
			broken[i] = g->dev->broken;
		else
			ram_check(g);
		chains_grant(g);
	}
}

static void check_locks(const struct guest *g)
{
	if (!irq_enabled())
		fuzz_fail("interrupts are left off");
	if (spin_is_locked(&g->dev->lock))
		fuzz_fail("guest %u: the device is left locked", g->index);
	for (unsigned i = 0; i < g->dev->type->n_queues; i++)
		if (spin_is_locked(&g->dev->queues[i].lock))
			fuzz_fail("guest %u: queue %u is left locked", g->index, i);
}

/* Section 2.1. */
static void check_status(const struct guest *g)
{
	const struct vio *dev = g->dev;

	if (g->line != (dev->isr != 0))
		fuzz_fail("guest %u: its line is %d, and its causes are %#x", g->index, g->line, dev->isr);
	if (dev->status & ~(uint32_t)STATUS_KNOWN)
		fuzz_fail("guest %u: status %#x", g->index, dev->status);
	if ((dev->status & DRIVER_OK) && !(dev->status & FEATURES_OK))
		fuzz_fail("guest %u: DRIVER_OK without FEATURES_OK", g->index);
	if (dev->status == 0 && chains_held(g))
		fuzz_fail("guest %u: a reset ended with %u chains under way", g->index, chains_held(g));
	if (dev->isr && !(dev->status & DRIVER_OK))
		fuzz_fail("guest %u: an interrupt before DRIVER_OK", g->index);
	if (dev->live && (!(dev->status & DRIVER_OK) || (dev->status & NEEDS_RESET)))
		fuzz_fail("guest %u: it runs with status %#x", g->index, dev->status);
	if (dev->live && ((dev->features & ~dev->offered) || !(dev->features & BIT(FEATURE_VERSION_1))))
		fuzz_fail("guest %u: it runs with features that were not agreed on", g->index);
	if (dev->broken != broken[g->index] && dev->status && !(dev->status & NEEDS_RESET))
		fuzz_fail("guest %u: it is broken, and says nothing of it", g->index);
	if (dev->broken != broken[g->index] && (dev->status & DRIVER_OK) && !(dev->isr & VIO_CONFIG_CHANGE) && !had_others)
		fuzz_fail("guest %u: it is broken, and does not interrupt", g->index);
	if (g->honest && (dev->status & NEEDS_RESET))
		fuzz_fail("guest %u: an honest driver is to reset", g->index);
}

void step_end(void)
{
	bool outer = --depth == 0;

	for (unsigned i = 0; i < fuzz_target.guests; i++) {
		struct guest *g = &fuzz_guests[i];

		ram_check(g);
		if (!outer)
			continue;
		check_locks(g);
		check_status(g);
		chains_check(g);
		if (fuzz_target.check)
			fuzz_target.check(g);
	}
	if (outer)
		chains_step();
}

/* --- steps --- */

static unsigned take_queue(const struct guest *g, struct input *in)
{
	return take8(in) % g->dev->type->n_queues;
}

static struct guest *now; /* whose turn it is */
static struct input *program;
static unsigned meanwhile; /* so many of the next steps are done in the middle of a device's work */

static void do_register(struct input *in)
{
	static const uint16_t registers[] = {
		REG_OFFERED_SELECT, REG_ACCEPTED, REG_ACCEPTED_SELECT, REG_QUEUE_SELECT, REG_QUEUE_SIZE, REG_QUEUE_READY, REG_NOTIFY,
		REG_ACKNOWLEDGE, REG_STATUS, REG_DESC, REG_DESC + 4, REG_AVAIL, REG_AVAIL + 4, REG_USED, REG_USED + 4, REG_CONFIG,
	};
	uint16_t reg = registers[take8(in) % ARRAY_SIZE(registers)];

	now->honest = false;
	reg_write(now, reg, 4, take_value(in));
}

static void do_access(struct input *in)
{
	unsigned size = 1u << take8(in) % 4, off = take16(in) % (PAGE_SIZE - 7);
	uint64_t value = 0;

	if (off & 0x800) /* more often where something is */
		off &= 0x1ff;
	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)take8(in) << (8 * i);
	now->honest = false;
	reg_write(now, off, size, value);
}

static void do_read(struct input *in)
{
	unsigned size = 1u << take8(in) % 4;

	(void)reg_read(now, take16(in) % (PAGE_SIZE - 7) % 0x200, size);
}

/* A place that something depends on. @return bytes to write there */
static unsigned take_place(struct input *in, uint64_t *at, uint64_t *value)
{
	uint8_t kind = take8(in);
	unsigned q = kind >> 3 & 3, i = take8(in);

	switch (kind & 7) {
	case 0:
		*at = DESC(q) + 16 * i;
		*value = take_address(in);
		return 8;
	case 1:
		*at = DESC(q) + 16 * i + 8;
		*value = take_length(in);
		return 4;
	case 2:
		*at = DESC(q) + 16 * i + 12;
		*value = take16(in) & 0xff07;
		*value |= (*value & 0xff00) << 8; /* flags, then next */
		*value &= 0xff00ff;
		return 4;
	case 3:
		*at = AVAIL(q) + 2;
		*value = (uint16_t)(now->avail[q % QUEUES_MAX] + (int8_t)i);
		return 2;
	case 4:
		*at = AVAIL(q) + 2 * i;
		*value = take8(in);
		return 2;
	case 5:
		*at = USED(q) + 4 * i;
		*value = take16(in);
		return 4;
	case 6:
		*at = TABLES + 8 * i;
		*value = i & 1 ? (uint64_t)take16(in) << 32 | take_length(in) : take_address(in);
		return 8;
	default:
		*at = DATA + 1501 * i;
		*value = take16(in);
		return 2;
	}
}

static void do_poke(struct input *in)
{
	uint64_t at, value;
	unsigned n = take_place(in, &at, &value);

	now->honest = false;
	fuzz_trace("  guest %u: %#lx = %#lx\n", now->index, (unsigned long)at, (unsigned long)value);
	ram_put(now, at, &value, n);
}

static void do_race(struct input *in)
{
	unsigned after = take8(in), n;
	uint64_t at, value;

	n = take_place(in, &at, &value);
	now->honest = false;
	ram_race(now, after, at, &value, n);
}

static void do_data(struct input *in)
{
	uint64_t at = DATA + 1501u * (take8(in) & 127);
	unsigned n = take8(in) & 63;

	for (unsigned i = 0; i < n; i++) {
		uint8_t byte = take8(in);

		ram_put(now, at + i, &byte, 1);
	}
}

static void sort(struct piece *pieces, unsigned n)
{
	struct piece sorted[PIECES_MAX];
	unsigned k = 0;

	for (unsigned write = 0; write < 2; write++)
		for (unsigned i = 0; i < n; i++)
			if (pieces[i].write == write)
				sorted[k++] = pieces[i];
	memcpy(pieces, sorted, n * sizeof(*pieces));
}

static unsigned take_pieces(struct input *in, struct piece *pieces, unsigned n)
{
	if (n == 15) /* many of a kind */
		n = PIECES_MAX >> (take8(in) & 3);
	for (unsigned i = 0; i < n; i++) {
		uint8_t c;

		if (i >= 14 && n > 15) {
			pieces[i] = pieces[i - 14];
			continue;
		}
		c = take8(in);
		pieces[i] = (struct piece){ DATA + 1501u * (c & 127), take_length(in), c & 128 };
	}
	return n;
}

static void do_chain(struct input *in)
{
	struct piece pieces[PIECES_MAX];
	unsigned q = take_queue(now, in), how = take8(in), n = take_pieces(in, pieces, how & 15);

	if (how & 16)
		sort(pieces, n);
	now->honest &= fuzz_target.any_chain;
	(void)guest_offer(now, q, pieces, n, how & 32);
	if (how & 64)
		guest_kick_if_wanted(now, q);
}

/* One thing of a chain that was good until then. */
static void spoil(const struct offered *o, struct input *in)
{
	uint8_t what = take8(in);
	uint64_t head = DESC(o->q) + o->head * 16, piece = o->table + (o->n ? what / 16 % o->n : 0) * 16, value;
	uint32_t length = take_length(in);

	switch (what % 16) {
	case 0:
	case 1:
		value = take_address(in);
		ram_put(now, what & 1 ? head : piece, &value, 8);
		break;
	case 2:
	case 3:
		ram_put(now, what & 1 ? head + 8 : piece + 8, &length, 4);
		break;
	case 4:
		length *= 16; /* of a table */
		ram_put(now, head + 8, &length, 4);
		break;
	case 5:
	case 6:
		ram_put(now, what & 1 ? head + 12 : piece + 12, &length, 1);
		break;
	case 7:
	case 8:
		ram_put(now, what & 1 ? head + 14 : piece + 14, &length, 2);
		break;
	case 9:
	case 10:
		length = now->avail[o->q] + length % 1024;
		ram_put(now, AVAIL(o->q) + 2, &length, 2);
		break;
	default:
		ram_put(now, AVAIL(o->q) + 4 + 2 * ((now->avail[o->q] - 1u) % now->size[o->q]), &length, 2);
	}
}

static void do_lie(struct input *in)
{
	struct piece pieces[PIECES_MAX];
	unsigned q = take_queue(now, in), how = take8(in), n = take_pieces(in, pieces, how & 15);
	struct offered o;

	if (!now->size[q])
		return;
	sort(pieces, n);
	now->honest = false;
	o = guest_offer(now, q, pieces, n, how & 32);
	for (unsigned i = 0; i <= (how >> 6); i++)
		spoil(&o, in);
	guest_kick(now, q);
}

static void do_request(struct input *in)
{
	if (fuzz_target.request && vio_runs(now->dev))
		fuzz_target.request(now, in);
}

static void do_backend(struct input *in)
{
	uint8_t what = take8(in);
	uint16_t arg = take16(in);

	fuzz_trace("  guest %u: back end: %u, %u\n", now->index, what, arg);
	step_begin();
	if (fuzz_target.backend)
		fuzz_target.backend(now, what, arg);
	step_end();
}

/* Pages of guests from now on, or one allocation. */
static void do_memory(struct input *in)
{
	uint8_t n = take8(in);

	ram_fail_after(n & 1 ? n / 4 : -1);
	mock_alloc_fail_at = n & 2 ? 1 + n / 4 : 0;
	for (unsigned i = 0; (n & 1) && i < fuzz_target.guests; i++)
		fuzz_guests[i].honest = false; /* its device may ask for a reset when there is no memory */
}

static void do_begin(struct input *in)
{
	uint64_t without = take16(in), features;
	uint8_t how = take8(in);

	/* Half of the bits are for the type's own features, one by one; one for each of the ring's. */
	without = (without & 0x1fff) | (without & 0x2000) << 3 | (without & 0x4000) << 14 | (without & 0x8000) << 14;
	features = now->dev->offered & ~without;
	if ((how >> 5 & 3) == 3)
		features |= BIT(33 + (how & 15)); /* which is not offered */
	guest_begin(now, features, 1u << how % 9, how >> 7 ? how >> 5 & 3 : 0);
}

static void do_reboot(struct input *in)
{
	uint8_t what = take8(in);

	if (now->ended)
		guest_boot(now);
	else
		guest_end(now);
	if ((what & 1) && now->ended)
		guest_boot(now);
}

static void do_retry(struct input *in)
{
	fuzz_time += take8(in) * 100u;
	(void)guest_retry(now);
}

static void do_kick(struct input *in)
{
	uint8_t q = take8(in);

	guest_kick(now, q & 7);
}

static void do_take(struct input *in)
{
	(void)in;
	guest_take(now);
}

static void do_settle(struct input *in)
{
	(void)in;
	guest_settle();
}

static void do_guest(struct input *in)
{
	now = &fuzz_guests[take8(in) % fuzz_target.guests];
}

static void do_meanwhile(struct input *in)
{
	meanwhile = 1 + take8(in) % 4;
}

/* A byte each. What is kept in corpus/ depends on their order. */
static const struct step {
	const char *name;
	void (*fn)(struct input *in);
	bool alone;            /* not in the middle of another */
} steps[32] = {
	{ "register", do_register, false }, { "access", do_access, false }, { "read", do_read, false },
	{ "poke", do_poke, false }, { "race", do_race, false }, { "data", do_data, false },
	{ "chain", do_chain, false }, { "request", do_request, false }, { "back end", do_backend, false },
	{ "memory", do_memory, false }, { "begin", do_begin, true }, { "reboot", do_reboot, true },
	{ "retry", do_retry, true }, { "kick", do_kick, false }, { "take", do_take, false },
	{ "settle", do_settle, true }, { "guest", do_guest, false }, { "request", do_request, false },
	{ "chain", do_chain, false }, { "back end", do_backend, false }, { "request", do_request, false },
	{ "lie", do_lie, false }, { "back end", do_backend, false }, { "kick", do_kick, false },
	{ "request", do_request, false }, { "back end", do_backend, false }, { "lie", do_lie, false },
	{ "meanwhile", do_meanwhile, false }, { "take", do_take, false }, { "guest", do_guest, false },
	{ "retry", do_retry, true }, { "register", do_register, false },
};

static void do_step(struct input *in)
{
	const struct step *s = &steps[take8(in) % ARRAY_SIZE(steps)];

	if (s->alone && depth)
		return;
	fuzz_trace("%s%s\n", depth ? "  meanwhile: " : "", s->name);
	s->fn(in);
}

void fuzz_meanwhile(void)
{
	struct guest *whose = now;

	while (meanwhile && depth < DEPTH_MAX && program->left) {
		meanwhile--;
		do_step(program);
	}
	now = whose;
}

/* --- a run --- */

static void begin(void)
{
	fuzz_time = 1000;
	mock_alloc_fail_at = 0;
	for (unsigned i = 0; i < fuzz_target.guests; i++) {
		struct guest *g = &fuzz_guests[i];

		if (!g->ram) {
			g->index = i;
			ram_make(g);
		}
		ram_reset(g);
		memset(g->vcpus, 0, sizeof(g->vcpus));
		guest_make(g);
	}
	now = &fuzz_guests[0];
	meanwhile = 0;
}

static void end(void)
{
	ram_fail_after(-1);
	mock_alloc_fail_at = 0;
	for (unsigned i = 0; i < fuzz_target.guests; i++)
		if (!fuzz_guests[i].ended)
			guest_end(&fuzz_guests[i]);
	for (unsigned i = 0; i < fuzz_target.guests; i++)
		guest_destroy(&fuzz_guests[i]);
	chains_forget_all();
	if (heap_in_use())
		fuzz_fail("%zu bytes are left on the heap", heap_in_use());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct input in = { data, n };
	uint8_t how = take8(&in);

	program = &in;
	fuzz_flavour = how >> 4;
	begin();
	for (unsigned i = 0; i < fuzz_target.guests; i++)
		if (!(how & 1))
			guest_begin(&fuzz_guests[i], fuzz_guests[i].dev->offered & ~(how & 2 ? BIT(FEATURE_EVENT) : 0),
				    how & 4 ? 8 : 64, 0);
	while (in.left)
		do_step(&in);
	if (how & 8)
		guest_settle();
	end();
	return 0;
}
