/*
 * The virtual PLIC's life cycle: creation, reset, saved state and device tree
 * node. Its registers are in vplic.c.
 */
#include <vmm/vplic_state.h>
#include <caisson/mm.h>
#include <errno.h>
#include <libfdt.h>
#include <string.h>
#include <vmm/dt_writer.h>
#include <vmm/guest_dt.h>
#include <vmm/memory.h>

#define SAVE_VERSION 1

/* Saved state: this, then a saved_context for each context. */
struct saved {
	uint8_t version, n_contexts, pad[6];
	uint8_t prio[VPLIC_IDS];
	uint64_t level[VPLIC_WORDS], pending[VPLIC_WORDS], in_service[VPLIC_WORDS];
};

struct saved_context {
	uint64_t enable[VPLIC_WORDS];
	uint8_t threshold, pad[7];
};

/* Everything from the levels on back to zero, no line moves. Lock held. */
static void clear(struct vplic *p)
{
	size_t start = offsetof(struct vplic, level);

	memset((char *)p + start, 0, sizeof(*p) + p->n_contexts * sizeof(p->context[0]) - start);
	p->ranks_pending = 0;
	for (unsigned i = 0; i < p->n_contexts; i++)
		vplic_set_threshold(&p->context[i], 0);
}

static int vplic_create(struct vdev *dev)
{
	unsigned n = 2 * dev->host->n_vcpus;
	struct vplic *p;

	if (n == 0 || dev->host->n_vcpus > VPLIC_MAX_VCPUS)
		return -EINVAL;
	p = kzalloc(sizeof(*p) + n * sizeof(p->context[0]));
	if (!p)
		return -ENOMEM;
	p->host = dev->host;
	p->n_contexts = n;
	clear(p);
	dev->state = p;
	return 0;
}

static void vplic_destroy(struct vdev *dev)
{
	kfree(dev->state);
	dev->state = NULL;
}

static void sync_all(struct vplic *p)
{
	for (unsigned vcpu = 0; vcpu < p->n_contexts / 2; vcpu++)
		vplic_sync_line(p, vcpu);
}

/* Devices lower their sources when they are reset, in no known order, so levels fall here too. */
static void vplic_reset(struct vdev *dev)
{
	struct vplic *p = dev->state;
	irqflags_t flags = spin_lock_irqsave(&p->lock);

	clear(p);
	sync_all(p);
	spin_unlock_irqrestore(&p->lock, flags);
}

static size_t saved_size(unsigned n_contexts)
{
	return sizeof(struct saved) + n_contexts * sizeof(struct saved_context);
}

static size_t vplic_save(struct vdev *dev, void *buf, size_t size)
{
	struct vplic *p = dev->state;
	struct saved s = { .version = SAVE_VERSION, .n_contexts = (uint8_t)p->n_contexts };
	char *out = (char *)buf + sizeof(s);
	irqflags_t flags;

	if (size < saved_size(p->n_contexts))
		return saved_size(p->n_contexts);
	flags = spin_lock_irqsave(&p->lock);
	memcpy(s.prio, p->prio, sizeof(s.prio));
	memcpy(s.level, p->level, sizeof(s.level));
	for (unsigned w = 0; w < VPLIC_WORDS; w++)
		s.pending[w] = vplic_pending(p, w);
	memcpy(s.in_service, p->in_service, sizeof(s.in_service));
	memcpy(buf, &s, sizeof(s));
	for (unsigned i = 0; i < p->n_contexts; i++, out += sizeof(struct saved_context)) {
		struct saved_context c = { .threshold = (uint8_t)p->context[i].threshold };

		memcpy(c.enable, p->context[i].enable, sizeof(c.enable));
		memcpy(out, &c, sizeof(c));
	}
	spin_unlock_irqrestore(&p->lock, flags);
	return saved_size(p->n_contexts);
}

/* Bits of sources that exist, in word i. */
static uint64_t real_sources(unsigned i)
{
	return i == 0 ? ~UINT64_C(1) : BITS(VPLIC_IDS - 65, 0);
}

/* Could the registers ever have come to this? */
static bool plausible(const struct saved *s)
{
	for (unsigned i = 0; i < VPLIC_WORDS; i++) {
		if ((s->level[i] | s->pending[i] | s->in_service[i]) & ~real_sources(i))
			return false;
		if (s->pending[i] & s->in_service[i])
			return false;
		if (s->level[i] & ~(s->pending[i] | s->in_service[i]))
			return false;
	}
	for (unsigned i = 0; i < VPLIC_IDS; i++)
		if (s->prio[i] >= VPLIC_PRIORITIES || (i == 0 && s->prio[i]))
			return false;
	return true;
}

static bool plausible_context(const struct saved_context *c)
{
	return c->threshold < VPLIC_PRIORITIES && !(c->enable[1] & ~real_sources(1));
}

static void load(struct vplic *p, const struct saved *s)
{
	clear(p);
	memcpy(p->prio, s->prio, sizeof(p->prio));
	memcpy(p->level, s->level, sizeof(p->level));
	memcpy(p->in_service, s->in_service, sizeof(p->in_service));
	for (unsigned source = 1; source < VPLIC_IDS; source++)
		if (s->pending[source / 64] >> (source % 64) & 1)
			vplic_set_pending(p, source);
}

static void load_context(struct vplic *p, unsigned i, const struct saved_context *c)
{
	vplic_set_threshold(&p->context[i], c->threshold);
	for (unsigned w = 0; w < VPLIC_WORDS; w++) {
		p->context[i].enable[w] = c->enable[w];
		vplic_toggle_targets(p, i, w, c->enable[w]);
	}
}

static struct saved_context saved_context_at(const void *buf, unsigned i)
{
	struct saved_context c;

	memcpy(&c, (const char *)buf + saved_size(i), sizeof(c));
	return c;
}

static int vplic_restore(struct vdev *dev, const void *buf, size_t size)
{
	struct vplic *p = dev->state;
	struct saved_context c;
	struct saved s;
	irqflags_t flags;

	if (size != saved_size(p->n_contexts))
		return -EINVAL;
	memcpy(&s, buf, sizeof(s));
	if (s.version != SAVE_VERSION || s.n_contexts != p->n_contexts || !plausible(&s))
		return -EINVAL;
	for (unsigned i = 0; i < p->n_contexts; i++) {
		c = saved_context_at(buf, i);
		if (!plausible_context(&c))
			return -EINVAL;
	}
	flags = spin_lock_irqsave(&p->lock);
	load(p, &s);
	for (unsigned i = 0; i < p->n_contexts; i++) {
		c = saved_context_at(buf, i);
		load_context(p, i, &c);
	}
	sync_all(p);
	spin_unlock_irqrestore(&p->lock, flags);
	return 0;
}

/* For each vCPU: its local controller's phandle with M- and with S-mode external interrupt. */
static void put_contexts(struct dt_writer *w, unsigned n_vcpus)
{
	fdt32_t cells[2 * VPLIC_MAX_VCPUS][2];
	unsigned n;

	for (n = 0; n < 2 * n_vcpus; n++) {
		cells[n][0] = cpu_to_fdt32(GUEST_CPU_INTC_PHANDLE + n / 2);
		cells[n][1] = cpu_to_fdt32(n & 1 ? 9 : 11);
	}
	dt_put(w, "interrupts-extended", cells, n * sizeof(cells[0]));
}

static void vplic_write_node(struct vdev *dev, struct dt_writer *w, uint32_t intc)
{
	static const char compatible[] = "sifive,plic-1.0.0\0riscv,plic0";

	vdev_begin_node(w, "plic", compatible, sizeof(compatible), dev->type->base, VPLIC_SIZE);
	dt_put_u32(w, "#interrupt-cells", 1);
	dt_put_u32(w, "#address-cells", 0);
	dt_put_flag(w, "interrupt-controller");
	dt_put_u32(w, "riscv,ndev", VPLIC_SOURCES);
	dt_put_u32(w, "phandle", intc);
	put_contexts(w, dev->host->n_vcpus);
	dt_end(w);
}

VDEV_TYPE(vplic_type) = {
	.name = "plic",
	.base = GUEST_PLIC_BASE,
	.size = VPLIC_SIZE,
	.ops = { .name = "plic", .read = vplic_read, .write = vplic_write },
	.create = vplic_create,
	.destroy = vplic_destroy,
	.reset = vplic_reset,
	.save = vplic_save,
	.restore = vplic_restore,
	.write_node = vplic_write_node,
};
