/*
 * A driver that lies. The boot arguments name a kind of device (`device=block`, `net`, `console` or `entropy`); each
 * misdeed in turn is done to it. Then it has to need a reset, where the rules were broken, and after a reset it has to
 * do an honest request. `rounds=N` does all of that N times, 0 for ever.
 */
#include "guest.h"
#include "virtio.h"

#include <string.h>

#define F_INDIRECT	(1ull << 28)
#define POLLS		100000
#define RAM_END		(machine.ram_base + machine.ram_size)
#define UNUSED		0x40000000ul	/* nothing is there */

enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 0x40 };
enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

static const struct kind {
	const char *name;
	unsigned id, n_queues, queue; /* the one for requests */
	unsigned n_out, n_in;
	uint32_t out[2], in[2];	/* lengths of an honest request's parts */
} kinds[] = {
	{ "block", VIRTIO_BLOCK, 1, 0, 1, 2, { 16 }, { 512, 1 } },
	{ "net", VIRTIO_NET, 2, 1, 1, 0, { 12 + 60 }, { 0 } },
	{ "console", VIRTIO_CONSOLE, 2, 1, 1, 0, { 5 }, { 0 } },
	{ "entropy", VIRTIO_ENTROPY, 1, 0, 0, 1, { 0 }, { 32 } },
};

static const struct kind *kind;
static struct virtio dev;
static struct virtq queues[2];
static struct virtq *vq; /* for requests */
static struct virtq_desc table[400] __attribute__((aligned(16)));
static uint8_t out[2][512], in[2][512];

/* --- the honest driver --- */

static bool begin(uint64_t features)
{
	if (!virtio_begin(&dev, features))
		return false;
	for (unsigned i = 0; i < kind->n_queues; i++)
		if (!virtq_set_up(&queues[i], &dev, i))
			return false;
	virtio_ready(&dev);
	return true;
}

static bool broken(void)
{
	return virtio_read(&dev, VIRTIO_STATUS) & NEEDS_RESET;
}

static bool submit(void)
{
	struct virtq_part parts[4];

	memset(out, 0, sizeof(out));
	if (kind->id == VIRTIO_CONSOLE)
		memcpy(out[0], "well\n", 5);
	for (unsigned i = 0; i < kind->n_out; i++)
		parts[i] = (struct virtq_part){ out[i], kind->out[i] };
	for (unsigned i = 0; i < kind->n_in; i++)
		parts[kind->n_out + i] = (struct virtq_part){ in[i], kind->in[i] };
	return virtq_add(vq, parts, kind->n_out, kind->n_in, vq);
}

static bool honest(void)
{
	uint32_t len;

	if (!begin(F_INDIRECT) || !submit())
		return false;
	virtq_kick(vq);
	for (unsigned i = 0; i < POLLS; i++)
		if (virtq_take(vq, &len))
			return !broken() && (kind->n_in == 0 || len > 0);
	return false;
}

/* --- misdeeds of descriptors --- */

static void desc(struct virtq_desc *d, uint64_t address, uint32_t len, unsigned flags, unsigned next)
{
	*d = (struct virtq_desc){ address, len, flags, next };
}

static void put(unsigned i, uint64_t address, uint32_t len, unsigned flags, unsigned next)
{
	desc(&vq->desc[i], address, len, flags, next);
}

static void offer(uint16_t head)
{
	vq->avail.ring[vq->avail.index % VIRTQ_SIZE] = head;
	__asm__ volatile("fence iorw, iorw" : : : "memory");
	*(volatile uint16_t *)&vq->avail.index = vq->avail.index + 1;
	virtq_kick(vq);
}

static void offer_one(uint64_t address, uint32_t len)
{
	put(0, address, len, kind->n_out ? 0 : WRITE, 0);
	offer(0);
}

static void do_loop(void)
{
	put(0, (uint64_t)out, 16, NEXT, 1);
	put(1, (uint64_t)out, 16, NEXT, 2);
	put(2, (uint64_t)out, 16, NEXT, 0);
	offer(0);
}

static void do_self_loop(void)
{
	put(7, (uint64_t)in, 16, NEXT | WRITE, 7);
	offer(7);
}

static void do_across_the_end(void) { offer_one(RAM_END - 8, 4096); }
static void do_beyond_the_end(void) { offer_one(RAM_END, 1); }
static void do_before_ram(void) { offer_one(machine.ram_base - 8, 16); }
static void do_registers_as_buffer(void) { offer_one(dev.registers, 4); }
static void do_wrap(void) { offer_one(~0ull - 3, 8); }
static void do_longest(void) { offer_one((uint64_t)in, ~0u); }

static void do_four_gib(void)
{
	for (unsigned i = 0; i < 127; i++)
		put(i, machine.ram_base, machine.ram_size, NEXT | WRITE, i + 1);
	put(127, machine.ram_base, ~0u, WRITE, 0);
	offer(0);
}

static void do_next_beyond(void)
{
	put(0, (uint64_t)out, 16, NEXT, VIRTQ_SIZE);
	offer(0);
}

static void do_head_beyond(void) { offer(VIRTQ_SIZE); }
static void do_head_far_beyond(void) { offer(65535); }

static void do_written_before_read(void)
{
	put(0, (uint64_t)in, 16, NEXT | WRITE, 1);
	put(1, (uint64_t)out, 16, 0, 0);
	offer(0);
}

static void jump(uint16_t by)
{
	put(0, (uint64_t)out, 16, 0, 0);
	*(volatile uint16_t *)&vq->avail.index = vq->avail.index + by;
	virtq_kick(vq);
}

static void do_jump(void) { jump(1000); }
static void do_just_too_far(void) { jump(VIRTQ_SIZE + 1); }
static void do_backwards(void) { jump(-1); }

static void indirect(uint64_t address, uint32_t len, unsigned flags)
{
	for (unsigned i = 0; i < 400; i++)
		desc(&table[i], (uint64_t)in, 8, WRITE | (i < 399 ? NEXT : 0), i + 1);
	put(0, address, len, INDIRECT | flags, 1);
	put(1, (uint64_t)out, 16, 0, 0);
	offer(0);
}

static void do_indirect(void) { indirect((uint64_t)table, 32, 0); }
static void do_indirect_and_next(void) { indirect((uint64_t)table, 32, NEXT); }
static void do_indirect_huge(void) { indirect((uint64_t)table, 16 * 300, 0); }
static void do_indirect_vast(void) { indirect((uint64_t)table, 0xfffffff0, 0); }
static void do_indirect_empty(void) { indirect((uint64_t)table, 0, 0); }
static void do_indirect_odd(void) { indirect((uint64_t)table, 24, 0); }
static void do_indirect_across(void) { indirect(RAM_END - 16, 64, 0); }
static void do_indirect_outside(void) { indirect(UNUSED, 64, 0); }
static void do_indirect_leads_out(void) { indirect((uint64_t)table, 16 * 8, 0); }

static void do_indirect_in_indirect(void)
{
	desc(&table[0], (uint64_t)&table[8], 32, INDIRECT, 0);
	put(0, (uint64_t)table, 16, INDIRECT, 0);
	offer(0);
}

/* What the device writes changes what it reads: whatever comes of it, only we may suffer. */
static void do_changes_in_flight(void)
{
	submit();
	virtq_kick(vq);
	for (unsigned i = 0; i < 8; i++) {
		put(0, UNUSED, ~0u, NEXT | WRITE | INDIRECT, 0);
		put(1, RAM_END - 1, 2, NEXT, 0);
		vq->avail.ring[0] = 99;
	}
	virtq_kick(vq);
}

static void do_empty_pieces(void)
{
	put(0, RAM_END - 1, 0, NEXT, 1);
	put(1, (uint64_t)in, 0, WRITE, 0);
	offer(0);
}

static void do_wrong_kind(void)
{
	put(0, (uint64_t)out, 1, kind->n_out ? WRITE : 0, 0);
	offer(0);
}

static void do_same_chain_often(void)
{
	for (unsigned i = 0; i < VIRTQ_SIZE; i++)
		vq->avail.ring[i] = 0;
	put(0, (uint64_t)in, 1, kind->n_out ? 0 : WRITE, 0);
	*(volatile uint16_t *)&vq->avail.index = VIRTQ_SIZE;
	virtq_kick(vq);
}

/* --- misdeeds of registers --- */

/* The request queue anew, with one thing wrong. */
static void queue_with(uint32_t size, uint64_t descs, uint64_t avail, uint64_t used)
{
	const uint64_t at[3] = { descs, avail, used };

	virtio_begin(&dev, F_INDIRECT);
	virtio_write(&dev, VIRTIO_QUEUE_SEL, kind->queue);
	virtio_write(&dev, VIRTIO_QUEUE_SIZE, size);
	for (unsigned i = 0; i < 3; i++) {
		virtio_write(&dev, VIRTIO_QUEUE_DESC + 16 * i, (uint32_t)at[i]);
		virtio_write(&dev, VIRTIO_QUEUE_DESC + 16 * i + 4, (uint32_t)(at[i] >> 32));
	}
	virtio_write(&dev, VIRTIO_QUEUE_READY, 1);
	virtio_ready(&dev);
	virtq_kick(vq);
}

#define DESCS ((uint64_t)vq->desc)
#define AVAIL ((uint64_t)&vq->avail)
#define USED ((uint64_t)&vq->used)

static void do_size_zero(void) { queue_with(0, DESCS, AVAIL, USED); }
static void do_size_odd(void) { queue_with(100, DESCS, AVAIL, USED); }
static void do_size_too_large(void) { queue_with(512, DESCS, AVAIL, USED); }
static void do_size_largest(void) { queue_with(1u << 31, DESCS, AVAIL, USED); }
static void do_misaligned_descriptors(void) { queue_with(16, DESCS + 8, AVAIL, USED); }
static void do_misaligned_avail(void) { queue_with(16, DESCS, AVAIL + 1, USED); }
static void do_misaligned_used(void) { queue_with(16, DESCS, AVAIL, USED + 2); }
static void do_descriptors_across_the_end(void) { queue_with(16, RAM_END - 64, AVAIL, USED); }
static void do_avail_across_the_end(void) { queue_with(16, DESCS, RAM_END - 8, USED); }
static void do_used_across_the_end(void) { queue_with(16, DESCS, AVAIL, RAM_END - 16); }
static void do_used_beyond_the_end(void) { queue_with(16, DESCS, AVAIL, RAM_END + 4096); }
static void do_descriptors_wrap(void) { queue_with(16, ~0ull - 15, AVAIL, USED); }
static void do_rings_nowhere(void) { queue_with(16, 0, 0, 0); }

static void do_used_over_descriptors(void)
{
	submit();
	queue_with(VIRTQ_SIZE, DESCS, AVAIL, DESCS);
}

static void do_all_in_one_place(void)
{
	memset(table, 1, sizeof(table));
	queue_with(16, (uint64_t)table, (uint64_t)table, (uint64_t)table);
}

/* Features: which is to be refused. */
static void accept(uint64_t features, uint32_t status)
{
	virtio_write(&dev, VIRTIO_STATUS, 0);
	virtio_write(&dev, VIRTIO_STATUS, ACKNOWLEDGE | DRIVER);
	for (unsigned half = 0; half < 2; half++) {
		virtio_write(&dev, VIRTIO_DRIVER_FEATURES_SEL, half);
		virtio_write(&dev, VIRTIO_DRIVER_FEATURES, features >> 32 * half);
	}
	virtio_write(&dev, VIRTIO_STATUS, ACKNOWLEDGE | DRIVER | status);
	virtq_kick(vq);
}

static void do_all_features(void) { accept(~0ull, FEATURES_OK | DRIVER_OK); }
static void do_one_feature_too_many(void) { accept(VIRTIO_F_VERSION_1 | 1ull << 63, FEATURES_OK | DRIVER_OK); }
static void do_no_version(void) { accept(F_INDIRECT, FEATURES_OK | DRIVER_OK); }
static void do_no_features_ok(void) { accept(VIRTIO_F_VERSION_1, DRIVER_OK); }

static void do_read_only_registers(void)
{
	static const uint16_t regs[] = { 0x000, 0x004, 0x008, 0x00c, 0x010, 0x034, 0x060, 0x0b0, 0x0b4, 0x0b8, 0x0bc, 0x0fc, 0x0a8 };

	for (unsigned i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
		uint32_t before = virtio_read(&dev, regs[i]);

		virtio_write(&dev, regs[i], ~before);
		*(volatile uint8_t *)(dev.registers + regs[i] + 1) = 0xff;
		*(volatile uint64_t *)(dev.registers + (regs[i] & ~7ul)) = ~0ul;
		if (virtio_read(&dev, regs[i]) != before)
			print("FAIL register %x was written\n", regs[i]);
	}
	for (unsigned off = 0xf00; off < 0x1000; off += 4)
		virtio_write(&dev, off, ~0u);
}

static void do_kicks(void)
{
	for (unsigned i = 0; i < 500; i++) {
		virtio_write(&dev, VIRTIO_QUEUE_NOTIFY, i % 2);
		virtio_write(&dev, VIRTIO_QUEUE_NOTIFY, i * 0x1234567);
	}
}

static void do_resets_in_flight(void)
{
	for (unsigned i = 0; i < 20; i++) {
		if (!begin(i % 2 ? F_INDIRECT : 0) || !submit())
			print("FAIL reset in flight %u\n", i);
		virtq_kick(vq);
		virtio_write(&dev, VIRTIO_STATUS, 0);
		if (virtio_read(&dev, VIRTIO_STATUS))
			print("FAIL reset %u did not end\n", i);
	}
	begin(0);
}

static void do_queue_taken_away(void)
{
	submit();
	virtq_kick(vq);
	virtio_write(&dev, VIRTIO_QUEUE_SEL, kind->queue);
	virtio_write(&dev, VIRTIO_QUEUE_READY, 0);
	virtq_kick(vq);
}

static void do_queue_changed_in_use(void)
{
	virtio_write(&dev, VIRTIO_QUEUE_SEL, kind->queue);
	virtio_write(&dev, VIRTIO_QUEUE_SIZE, 3);
	virtio_write(&dev, VIRTIO_QUEUE_DESC, 1);
	virtio_write(&dev, VIRTIO_QUEUE_SEL, 99);
	virtio_write(&dev, VIRTIO_QUEUE_SIZE, 4);
	virtio_write(&dev, VIRTIO_QUEUE_READY, 1);
	submit();
	virtq_kick(vq);
}

/* Straight from one wrong to the next, without the reset between them. */
static void do_on_when_broken(void)
{
	offer_one(RAM_END, 1);
	virtio_write(&dev, VIRTIO_STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
	do_jump();
	do_kicks();
}

/* What has to come of it. */
enum then { BREAKS, REFUSED, LIVES, EITHER };

#define M(name, then, features) { #name, do_##name, then, features }

static const struct misdeed {
	const char *name;
	void (*run)(void);
	enum then then;
	uint64_t features;
} misdeeds[] = {
	M(loop, BREAKS, 0), M(self_loop, BREAKS, 0), M(across_the_end, BREAKS, 0), M(beyond_the_end, BREAKS, 0),
	M(before_ram, BREAKS, 0), M(registers_as_buffer, BREAKS, 0), M(wrap, BREAKS, 0), M(longest, BREAKS, 0),
	M(four_gib, BREAKS, 0), M(next_beyond, BREAKS, 0), M(head_beyond, BREAKS, 0), M(head_far_beyond, BREAKS, 0),
	M(written_before_read, BREAKS, 0), M(jump, BREAKS, 0), M(just_too_far, BREAKS, 0), M(backwards, BREAKS, 0),
	M(indirect, BREAKS, 0), M(indirect_and_next, BREAKS, F_INDIRECT), M(indirect_huge, BREAKS, F_INDIRECT),
	M(indirect_vast, BREAKS, F_INDIRECT), M(indirect_empty, BREAKS, F_INDIRECT), M(indirect_odd, BREAKS, F_INDIRECT),
	M(indirect_across, BREAKS, F_INDIRECT), M(indirect_outside, BREAKS, F_INDIRECT),
	M(indirect_leads_out, BREAKS, F_INDIRECT), M(indirect_in_indirect, BREAKS, F_INDIRECT),
	M(changes_in_flight, EITHER, F_INDIRECT), M(empty_pieces, EITHER, 0), M(wrong_kind, EITHER, 0),
	M(same_chain_often, EITHER, 0), M(size_zero, BREAKS, 0), M(size_odd, BREAKS, 0), M(size_too_large, BREAKS, 0),
	M(size_largest, BREAKS, 0), M(misaligned_descriptors, BREAKS, 0), M(misaligned_avail, BREAKS, 0),
	M(misaligned_used, BREAKS, 0), M(descriptors_across_the_end, BREAKS, 0), M(avail_across_the_end, BREAKS, 0),
	M(used_across_the_end, BREAKS, 0), M(used_beyond_the_end, BREAKS, 0), M(descriptors_wrap, BREAKS, 0),
	M(rings_nowhere, BREAKS, 0), M(used_over_descriptors, EITHER, 0), M(all_in_one_place, EITHER, 0),
	M(all_features, REFUSED, 0), M(one_feature_too_many, REFUSED, 0), M(no_version, REFUSED, 0),
	M(no_features_ok, REFUSED, 0), M(read_only_registers, LIVES, 0), M(kicks, LIVES, 0), M(resets_in_flight, LIVES, 0),
	M(queue_taken_away, LIVES, 0), M(queue_changed_in_use, LIVES, 0), M(on_when_broken, BREAKS, 0),
};

static const char *came(void)
{
	uint32_t status = virtio_read(&dev, VIRTIO_STATUS);

	return status & NEEDS_RESET ? "needs a reset" : status & DRIVER_OK ? "lives" : "refused";
}

static bool as_it_has_to(enum then then)
{
	uint32_t status = virtio_read(&dev, VIRTIO_STATUS);

	switch (then) {
	case BREAKS:
		return status & NEEDS_RESET;
	case REFUSED:
		return !(status & (NEEDS_RESET | FEATURES_OK | DRIVER_OK));
	case LIVES:
		return !(status & NEEDS_RESET) && (status & DRIVER_OK);
	default:
		return true;
	}
}

static bool commit(const struct misdeed *m)
{
	bool good = begin(m->features), well;

	if (good)
		m->run();
	good = good && as_it_has_to(m->then);
	print("%s %s: %s", good ? "ok" : "FAIL", m->name, m->then == EITHER ? "comes through" : came());
	well = honest();
	print("%s\n", well ? "" : ", and no honest request is done any more: FAIL");
	return good && well;
}

static bool find(void)
{
	char name[16] = "";

	bootarg("device", name, sizeof(name));
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, name))
			kind = &kinds[i];
	if (!kind || !virtio_find(kind->id, 0, &dev)) {
		print("FAIL there is no device '%s'\n", name);
		return false;
	}
	vq = &queues[kind->queue];
	return true;
}

int main(void)
{
	uint64_t rounds = bootarg_number("rounds", 1);
	unsigned failures = 0;

	if (!find())
		return 1;
	for (uint64_t n = 0; rounds == 0 || n < rounds; n++)
		for (unsigned i = 0; i < sizeof(misdeeds) / sizeof(misdeeds[0]); i++)
			failures += !commit(&misdeeds[i]);
	print("%s %s\n", failures ? "FAIL" : "PASS", kind->name);
	return failures != 0;
}
