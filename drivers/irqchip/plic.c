/*
 * RISC-V platform-level interrupt controller (RISC-V PLIC specification 1.0.0).
 *
 * Each hart's S-mode is one context; which one the device tree tells, in
 * interrupts-extended. Every source that is in use goes to one hart: the boot
 * hart or, if that belongs to another controller (a machine of several
 * sockets), the first hart of this one; when it goes offline or is reserved, to
 * another.
 */
#include <errno.h>

#include <arch/cpu.h>
#include <arch/csr.h>
#include <caisson/dt.h>
#include <caisson/hart.h>
#include <caisson/init.h>
#include <caisson/irq.h>
#include <caisson/log.h>
#include <caisson/spinlock.h>

#define LOG_NAME "plic"

#define SOURCES_MAX 1024u
#define CONTEXTS_MAX 15872u
#define NO_CONTEXT (~0u)

/* Memory map, chapter 3 of the specification */
#define PRIORITY(source) (4 * (uint64_t)(source))
#define ENABLE(context, source) (0x2000 + 0x80 * (uint64_t)(context) + (source) / 32 * 4)
#define THRESHOLD(context) (0x200000 + 0x1000 * (uint64_t)(context))
#define CLAIM(context) (THRESHOLD(context) + 4)

static struct {
	volatile char *regs;
	uint64_t size;
	unsigned n_sources;
	unsigned target;            /* the hart that gets the sources */
	spinlock_t lock;            /* innermost: enable words are read and written back */
	unsigned context[HART_MAX]; /* of each hart's S-mode, by our number */
} plic;

static bool has_context(unsigned hart)
{
	return plic.context[hart] != NO_CONTEXT;
}

static bool is_source(unsigned source)
{
	return source > 0 && source < plic.n_sources;
}

static int plic_enable(void *dev, unsigned source)
{
	volatile char *word;
	irqflags_t flags;

	(void)dev;
	if (!is_source(source))
		return -EINVAL;
	flags = spin_lock_irqsave(&plic.lock);
	word = plic.regs + ENABLE(plic.context[plic.target], source);
	mmio_write32(word, mmio_read32(word) | 1u << source % 32);
	mmio_write32(plic.regs + PRIORITY(source), 1);
	spin_unlock_irqrestore(&plic.lock, flags);
	return 0;
}

/* By priority 0: a completion of a source whose enable bit is gone would be ignored and block it for ever. */
static void plic_disable(void *dev, unsigned source)
{
	(void)dev;
	if (is_source(source))
		mmio_write32(plic.regs + PRIORITY(source), 0);
}

static unsigned plic_claim(void *dev)
{
	unsigned hart = this_hart()->index;

	(void)dev;
	return has_context(hart) ? mmio_read32(plic.regs + CLAIM(plic.context[hart])) : 0;
}

static void plic_complete(void *dev, unsigned source)
{
	unsigned hart = this_hart()->index;

	(void)dev;
	if (has_context(hart))
		mmio_write32(plic.regs + CLAIM(plic.context[hart]), source);
}

static void plic_hart_init(void *dev)
{
	unsigned hart = this_hart()->index;

	(void)dev;
	if (has_context(hart))
		mmio_write32(plic.regs + THRESHOLD(plic.context[hart]), 0);
}

/* Another online hart, nobody's own, that could get the sources, or HART_MAX. */
static unsigned other_target(unsigned hart)
{
	unsigned h;

	for (h = 0; h < hart_count(); h++)
		if (h != hart && has_context(h) && harts[h].online && !harts[h].reserved)
			return h;
	return HART_MAX;
}

static bool plic_may_leave(void *dev, unsigned hart)
{
	(void)dev;
	return hart != plic.target || other_target(hart) != HART_MAX;
}

static void move_sources(unsigned from, unsigned to)
{
	for (unsigned source = 0; source < plic.n_sources; source += 32) {
		volatile char *old = plic.regs + ENABLE(plic.context[from], source);

		mmio_write32(plic.regs + ENABLE(plic.context[to], source), mmio_read32(old));
		mmio_write32(old, 0);
	}
}

/* On the hart itself, outside of handlers, so that no source is between its claim and its completion. */
static void plic_hart_leave(void *dev)
{
	unsigned hart = this_hart()->index;
	unsigned other = other_target(hart);
	irqflags_t flags = spin_lock_irqsave(&plic.lock);

	(void)dev;
	if (hart == plic.target && other != HART_MAX) {
		move_sources(hart, other);
		plic.target = other;
	}
	spin_unlock_irqrestore(&plic.lock, flags);
}

static struct irqchip chip = {
	.name = "plic",
	.enable = plic_enable,
	.disable = plic_disable,
	.claim = plic_claim,
	.complete = plic_complete,
	.hart_init = plic_hart_init,
	.may_leave = plic_may_leave,
	.hart_leave = plic_hart_leave,
};

/* The phandle of a cpu node's own interrupt controller, 0 if it has none. */
static uint32_t cpu_intc_phandle(const void *fdt, int cpu)
{
	uint32_t phandle;
	int node, len;

	dt_for_each_child(node, fdt, cpu)
		if (dt_prop(fdt, node, "interrupt-controller", &len))
			return dt_u32(fdt, node, "phandle", 0, &phandle) ? 0 : phandle;
	return 0;
}

/* interrupts-extended has a (phandle, cause) pair for each context, in order. */
static unsigned find_context(const void *fdt, int node, uint32_t phandle)
{
	uint32_t target, cause;

	for (unsigned i = 0; i < CONTEXTS_MAX && THRESHOLD(i) + 0x1000 <= plic.size; i++) {
		if (dt_u32(fdt, node, "interrupts-extended", 2 * i, &target) ||
		    dt_u32(fdt, node, "interrupts-extended", 2 * i + 1, &cause))
			break;
		if (target == phandle && cause == IRQ_S_EXT)
			return i;
	}
	return NO_CONTEXT;
}

/* What earlier software enabled here would go to handlers that we do not have. */
static void forget_sources(unsigned context)
{
	for (unsigned source = 0; source < plic.n_sources; source += 32)
		mmio_write32(plic.regs + ENABLE(context, source), 0);
}

static void find_cpu(uint64_t hwid, int cpu, void *arg)
{
	const int *node = arg;
	struct hart *h = hart_by_hwid(hwid);
	uint32_t phandle = cpu_intc_phandle(dt_blob(), cpu);
	unsigned context;

	if (!h || !phandle)
		return;
	context = find_context(dt_blob(), *node, phandle);
	plic.context[h->index] = context;
	if (context != NO_CONTEXT)
		forget_sources(context);
}

static int find_contexts(int node)
{
	for (unsigned h = 0; h < HART_MAX; h++)
		plic.context[h] = NO_CONTEXT;
	dt_for_each_cpu(find_cpu, &node);
	for (unsigned h = 0; h < HART_MAX; h++) {
		if (has_context(h)) {
			plic.target = h;
			return 0;
		}
	}
	log_warn("no context for any of our harts");
	return -ENOENT;
}

static int map_registers(const void *fdt, int node)
{
	uint32_t n;
	int error;

	if (dt_u32(fdt, node, "riscv,ndev", 0, &n) || n == 0 || n >= SOURCES_MAX)
		return -EINVAL;
	plic.n_sources = n + 1;
	error = dt_map(fdt, node, 0, THRESHOLD(1), &plic.regs, &plic.size);
	if (error)
		return error;
	return arch_io_answers(plic.regs, 4) ? 0 : -ENXIO;
}

static int plic_probe(const void *fdt, int node)
{
	int error;

	if (plic.regs) {
		log_info("a second controller is left alone");
		return -ENODEV;
	}
	error = map_registers(fdt, node);
	if (!error)
		error = find_contexts(node);
	if (error) {
		plic.regs = NULL;
		return error;
	}
	chip.n_sources = plic.n_sources;
	chip.phandle = 0;
	(void)!dt_u32(fdt, node, "phandle", 0, &chip.phandle);
	irqchip_register(&chip, &plic);
	return 0;
}

static const char *const plic_compatible[] = { "riscv,plic0", "sifive,plic-1.0.0", NULL };

DRIVER(plic_driver) = {
	.name = "plic",
	.compatible = plic_compatible,
	.probe = plic_probe,
	.order = 0,
};
