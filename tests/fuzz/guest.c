/* A guest: registers of its device, vCPUs that repeat what has to be repeated, and a driver. */
#include "fuzz.h"

#include <errno.h>
#include <string.h>

#include <caisson/mm.h>
#include <mem.h>
#include <vmm/memory.h>

#define ROUNDS_MAX 400       /* of asking again: then there is more to do than is worth our time */
#define IDLE_MAX 200         /* of these without progress: then something hangs */
#define ROUND_US 1000

struct guest fuzz_guests[GUESTS_MAX];

struct ring_desc {
	uint64_t gpa;
	uint32_t len;
	uint16_t flags, next;
};

/* --- the VM --- */

static void irq_level(void *vm, unsigned source, bool level)
{
	struct guest *g = vm;

	if (source != g->vdev.irq)
		fuzz_fail("guest %u: source %u is not its own", g->index, source);
	g->line = level;
}

static uint64_t time_ns(void)
{
	return fuzz_time * 1000;
}

static bool runs(void *vm)
{
	return !((struct guest *)vm)->ended;
}

void guest_make(struct guest *g)
{
	void *backend = fuzz_target.attach ? fuzz_target.attach(g) : NULL;

	g->dev = vio_new(fuzz_target.type, backend);
	if (!g->dev)
		fuzz_fail("no memory for a device");
	g->host.irq_level = irq_level;
	g->host.time_ns = time_ns;
	g->host.runs = runs;
	g->host.n_vcpus = VCPUS;
	g->host.vm = g;
	g->vdev = (struct vdev){ .type = &vio_mmio_type, .host = &g->host, .base = GUEST_VIRTIO_BASE, .irq = GUEST_VIRTIO_IRQ,
				 .backend = g->dev };
	if (vio_mmio_type.create(&g->vdev))
		fuzz_fail("no device");
	vio_mmio_type.reset(&g->vdev);
	g->ended = g->honest = false;
}

void guest_destroy(struct guest *g)
{
	vio_mmio_type.destroy(&g->vdev);
	g->dev = NULL;
	if (fuzz_target.detach)
		fuzz_target.detach(g);
}

void guest_end(struct guest *g)
{
	memset(g->vcpus, 0, sizeof(g->vcpus));
	g->honest = false;
	g->ended = true;
	step_begin();
	vio_mmio_type.stop(&g->vdev);
	step_end();
	if (chains_held(g))
		fuzz_fail("guest %u: %u chains are held after its end", g->index, chains_held(g));
}

void guest_boot(struct guest *g)
{
	ram_move(g);
	step_begin();
	vio_mmio_type.reset(&g->vdev);
	g->ended = false;
	step_end();
	if (g->dev->status || g->line)
		fuzz_fail("guest %u: status %#x at power-on", g->index, g->dev->status);
}

/* --- vCPUs --- */

static bool is_done(struct guest *g, const struct stuck *access)
{
	irqflags_t flags;
	int error;

	step_begin();
	flags = irq_save();
	if (access->off == REG_STATUS)
		chains_grant_rings(g); /* it may make the device begin */
	error = vio_mmio_type.ops.write(g->vdev.state, access->off, access->size, access->value);
	irq_restore(flags);
	step_end();
	fuzz_trace("  guest %u: %#x/%u = %#lx: %d\n", g->index, access->off, access->size, (unsigned long)access->value, error);
	if (error && error != -EAGAIN)
		fuzz_fail("guest %u: a register answers with %d", g->index, error);
	return !error;
}

static void check_drained(struct guest *g, const struct stuck *access)
{
	uint64_t q = access->value;

	if (access->off != REG_NOTIFY || access->size != 4 || q >= g->dev->type->n_queues)
		return;
	if ((fuzz_target.drains & BIT(q)) && !vio_is_empty(&g->dev->queues[q]))
		fuzz_fail("guest %u: queue %lu is not empty after a kick", g->index, q);
}

static bool try(struct guest *g, struct stuck *access)
{
	access->active = !is_done(g, access);
	if (!access->active)
		check_drained(g, access);
	return !access->active;
}

void reg_write(struct guest *g, unsigned off, unsigned size, uint64_t value)
{
	struct stuck access = { .off = off, .size = size, .value = value };

	if (g->ended || try(g, &access))
		return;
	for (unsigned i = 0; i < VCPUS; i++)
		if (!g->vcpus[i].active) {
			g->vcpus[i] = access;
			return;
		}
	if (step_is_within())
		return; /* there is no other vCPU that could */
	guest_settle();
	reg_write(g, off, size, value);
}

uint64_t reg_read(struct guest *g, unsigned off, unsigned size)
{
	uint64_t value = UINT64_MAX;
	irqflags_t flags;

	if (g->ended)
		return 0;
	step_begin();
	flags = irq_save();
	if (vio_mmio_type.ops.read(g->vdev.state, off, size, &value))
		fuzz_fail("guest %u: a register does not answer", g->index);
	irq_restore(flags);
	step_end();
	fuzz_trace("  guest %u: %#x/%u is %#lx\n", g->index, off, size, (unsigned long)value);
	return value;
}

static bool is_stuck(const struct guest *g)
{
	return g->vcpus[0].active || g->vcpus[1].active;
}

bool guest_retry(struct guest *g)
{
	bool left = false;

	for (unsigned i = 0; i < VCPUS; i++)
		if (g->vcpus[i].active)
			left |= !try(g, &g->vcpus[i]);
	return left;
}

static bool retry_all(void)
{
	bool left = false;

	for (unsigned i = 0; i < fuzz_target.guests; i++)
		left |= guest_retry(&fuzz_guests[i]);
	return left;
}

static bool answer(void)
{
	bool answered;

	step_begin();
	answered = fuzz_target.pump && fuzz_target.pump();
	step_end();
	fuzz_time += ROUND_US;
	return answered;
}

static void check_settled(void)
{
	for (unsigned i = 0; i < fuzz_target.guests; i++)
		if (fuzz_target.settled)
			fuzz_target.settled(&fuzz_guests[i]);
}

/* Whoever still has so much to do is ended. */
static void end_stuck(void)
{
	for (unsigned i = 0; i < fuzz_target.guests; i++)
		if (is_stuck(&fuzz_guests[i])) {
			guest_end(&fuzz_guests[i]);
			guest_boot(&fuzz_guests[i]);
		}
}

void guest_settle(void)
{
	unsigned idle = 0;

	for (unsigned round = 0; round < ROUNDS_MAX; round++) {
		uint64_t before = fuzz_progress;
		bool left;

		/* Each time: what others do meanwhile may have it fail anew. */
		ram_fail_after(-1);
		mock_alloc_fail_at = 0;
		left = retry_all();
		if (!answer() && !left) {
			check_settled();
			return;
		}
		idle = left && fuzz_progress == before ? idle + 1 : 0;
		if (idle > IDLE_MAX)
			fuzz_fail("an access is repeated for ever");
	}
	end_stuck();
}

/* --- the driver --- */

static void write_twice(struct guest *g, unsigned reg, uint64_t value)
{
	reg_write(g, reg, 4, value & UINT32_MAX);
	reg_write(g, reg + 4, 4, value >> 32);
}

/* bad: with one thing that cannot be. */
static void set_queue(struct guest *g, unsigned q, unsigned size, unsigned bad)
{
	static const char zeros[0x1100];
	uint64_t avail = bad == 1 ? AVAIL(q) + 1 : bad == 2 ? RAM + RAM_SIZE - 4 : AVAIL(q);

	ram_put(g, DESC(q), zeros, size * sizeof(struct ring_desc));
	ram_put(g, AVAIL(q), zeros, 6 + 2 * size);
	ram_put(g, USED(q), zeros, 6 + 8 * size);
	reg_write(g, REG_QUEUE_SELECT, 4, q);
	reg_write(g, REG_QUEUE_SIZE, 4, size);
	write_twice(g, REG_DESC, DESC(q));
	write_twice(g, REG_AVAIL, avail);
	write_twice(g, REG_USED, USED(q));
	reg_write(g, REG_QUEUE_READY, 4, 1);
	g->size[q] = size;
	g->avail[q] = g->used[q] = g->told[q] = 0;
	g->free[q] = 0;
}

/* The device has given everything back. */
static void reset(struct guest *g)
{
	guest_settle(); /* or what another vCPU still has to write would come behind it */
	reg_write(g, REG_STATUS, 4, 0);
	guest_settle();
	if (chains_held(g) || g->line || reg_read(g, REG_STATUS, 4) != 0)
		fuzz_fail("guest %u: a reset left status %#x and %u chains", g->index, g->dev->status, chains_held(g));
}

void guest_begin(struct guest *g, uint64_t features, unsigned size, unsigned bad)
{
	bool good = (features & BIT(FEATURE_VERSION_1)) && !(features & ~g->dev->offered);

	if (g->ended)
		return;
	g->honest = false;
	reset(g);
	reg_write(g, REG_STATUS, 4, 1);
	reg_write(g, REG_STATUS, 4, 3);
	for (unsigned i = 0; i < 2; i++) {
		reg_write(g, REG_ACCEPTED_SELECT, 4, i);
		reg_write(g, REG_ACCEPTED, 4, features >> (32 * i) & UINT32_MAX);
	}
	reg_write(g, REG_STATUS, 4, 11);
	g->tables = 0;
	for (unsigned q = 0; q < g->dev->type->n_queues; q++)
		set_queue(g, q, size, q == 0 ? bad : 0);
	reg_write(g, REG_STATUS, 4, 15);
	if (bad != 1 && bad != 2 && reg_read(g, REG_STATUS, 4) != (good ? 15 : 3))
		fuzz_fail("guest %u: a driver began with %#lx: status %#x", g->index, features, g->dev->status);
	g->honest = vio_runs(g->dev);
}

static void put_desc(struct guest *g, uint64_t table, unsigned i, const struct piece *p, bool last, unsigned next)
{
	struct ring_desc d = { p->gpa, p->len, (uint16_t)((p->write ? DESC_WRITE : 0) | (last ? 0 : DESC_NEXT)),
			       (uint16_t)(last ? 0 : next) };

	ram_put(g, table + i * sizeof(d), &d, sizeof(d));
}

/* Descriptors are taken in order and none is given back until all are: then no two chains share one. */
static unsigned take_descs(struct guest *g, unsigned q, unsigned n)
{
	unsigned first = g->free[q];

	if (g->used[q] == g->avail[q])
		first = 0;
	if (first + n > g->size[q]) {
		g->honest = false;
		first = 0;
	}
	g->free[q] = first + n;
	return first;
}

/* Tables begin anywhere, and so that an entry of each crosses a page: three at a time. */
static uint64_t take_table(struct guest *g, unsigned q, unsigned n)
{
	if (g->used[q] == g->avail[q] && g->dev->type->n_queues == 1)
		g->tables = 0;
	if (g->tables >= 3 || n > 128)
		g->honest = false;
	return TABLES + (1 + g->tables++ % 3) * PAGE_SIZE - n / 2 * sizeof(struct ring_desc) - 2 * (1 + n % 8);
}

static void offer(struct guest *g, unsigned q, unsigned head)
{
	uint16_t index = (uint16_t)head;

	if (g->size[q] == 0)
		return;
	ram_put(g, AVAIL(q) + 4 + 2 * (g->avail[q] % g->size[q]), &index, sizeof(index));
	index = ++g->avail[q];
	ram_put(g, AVAIL(q) + 2, &index, sizeof(index));
	if ((uint16_t)(g->avail[q] - g->used[q]) > g->size[q])
		g->honest = false;
	fuzz_trace("  guest %u: queue %u: chain %u offered%s\n", g->index, q, head, g->honest ? "" : " (by a liar)");
}

/* What an honest driver would not offer: above all no buffer that is its own ring. */
static void check_honest(struct guest *g, unsigned q, const struct piece *pieces, unsigned n)
{
	if (n == 0 || n > g->size[q])
		g->honest = false;
	for (unsigned i = 0; i < n; i++)
		if (pieces[i].gpa < DATA || pieces[i].gpa + pieces[i].len > RAM + RAM_REAL ||
		    (i && pieces[i - 1].write && !pieces[i].write))
			g->honest = false;
}

struct offered guest_offer(struct guest *g, unsigned q, const struct piece *pieces, unsigned n, bool indirect)
{
	struct offered o = { .q = q, .n = n };

	check_honest(g, q, pieces, n);
	indirect &= vio_runs(g->dev) && (g->dev->features & BIT(FEATURE_INDIRECT));
	o.head = take_descs(g, q, indirect ? 1 : n);
	o.table = DESC(q) + o.head * sizeof(struct ring_desc);
	if (indirect) {
		uint64_t table = take_table(g, q, n);
		struct ring_desc d = { table, (uint32_t)(n * sizeof(d)), DESC_INDIRECT, 0 };

		ram_put(g, o.table, &d, sizeof(d));
		o.table = table;
	}
	for (unsigned i = 0; i < n; i++)
		put_desc(g, o.table, i, &pieces[i], i + 1 == n, (indirect ? 0 : o.head) + i + 1);
	offer(g, q, o.head);
	return o;
}

void guest_kick(struct guest *g, unsigned q)
{
	if (q < QUEUES_MAX)
		g->told[q] = g->avail[q];
	reg_write(g, REG_NOTIFY, 4, q);
}

static bool wants_kick(const struct guest *g, unsigned q)
{
	uint16_t event = ram_get16(g, USED(q) + 4 + 8 * g->size[q]);

	if (!(g->dev->features & BIT(FEATURE_EVENT)))
		return !(ram_get16(g, USED(q)) & 1);
	return (uint16_t)(g->avail[q] - event - 1) < (uint16_t)(g->avail[q] - g->told[q]);
}

void guest_kick_if_wanted(struct guest *g, unsigned q)
{
	bool wants = wants_kick(g, q);

	g->told[q] = g->avail[q];
	if (wants)
		guest_kick(g, q);
	else if (g->honest && !step_is_within() && !is_stuck(g) && (fuzz_target.drains & BIT(q)) && !vio_is_empty(&g->dev->queues[q]))
		fuzz_fail("guest %u: queue %u: the device wants no kick, and leaves a chain there", g->index, q);
}

static void take_queue(struct guest *g, unsigned q)
{
	uint16_t used = ram_get16(g, USED(q) + 2);

	if (g->honest && (uint16_t)(used - g->used[q]) > (uint16_t)(g->avail[q] - g->used[q]))
		fuzz_fail("guest %u: queue %u: more chains come back than were offered", g->index, q);
	g->used[q] = used;
	/* Tell it to interrupt for the next. */
	ram_put(g, AVAIL(q) + 4 + 2 * g->size[q], &used, sizeof(used));
}

void guest_take(struct guest *g)
{
	uint64_t causes = reg_read(g, REG_ISR, 4);

	if (causes)
		reg_write(g, REG_ACKNOWLEDGE, 4, causes);
	for (unsigned q = 0; q < g->dev->type->n_queues; q++)
		take_queue(g, q);
}
