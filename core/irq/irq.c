/* Interrupts: hart-local causes and the sources of the interrupt controller. */
#include <caisson/irq.h>

#include <errno.h>

#include <arch/csr.h>
#include <caisson/hart.h>
#include <caisson/log.h>

#define LOG_NAME "irq"
#define LOCAL_CAUSES 16
#define SOURCES_MAX 1024
/** Sources served in one interrupt at most: one that never falls silent must not hold the hart. */
#define CLAIMS_MAX 64

struct source {
	irq_handler_t handler;
	void *arg;
	uint64_t count;
};

static void (*local[LOCAL_CAUSES])(void);
static struct source sources[SOURCES_MAX];
static const struct irqchip *chip;
static void *chip_dev;

static void serve(unsigned irq)
{
	struct source *s = &sources[irq < SOURCES_MAX ? irq : 0];

	s->count++;
	if (s->handler) {
		s->handler(s->arg);
	} else {
		log_warn("source %u has no handler: disabled", irq);
		chip->disable(chip_dev, irq);
	}
	chip->complete(chip_dev, irq);
}

static void external(void)
{
	unsigned irq;

	for (unsigned n = 0; n < CLAIMS_MAX && (irq = chip->claim(chip_dev)) != 0; n++)
		serve(irq);
}

void irqchip_register(const struct irqchip *c, void *dev)
{
	chip = c;
	chip_dev = dev;
	irq_register_local(IRQ_S_EXT, external);
}

void irq_hart_init(void)
{
	if (chip)
		chip->hart_init(chip_dev);
}

uint32_t irqchip_phandle(void)
{
	return chip ? chip->phandle : 0;
}

/* A controller that cannot tell is taken to have its sources on the boot hart. */
bool irq_may_leave(unsigned hart)
{
	if (!chip)
		return true;
	return chip->may_leave ? chip->may_leave(chip_dev, hart) : hart != 0;
}

void irq_hart_leave(void)
{
	if (chip && chip->hart_leave)
		chip->hart_leave(chip_dev);
}

int irq_register(unsigned irq, irq_handler_t handler, void *arg)
{
	int error;

	if (!chip || irq == 0 || irq >= SOURCES_MAX || irq >= chip->n_sources)
		return -EINVAL;
	if (sources[irq].handler)
		return -EBUSY;
	sources[irq].arg = arg;
	sources[irq].handler = handler;
	error = chip->enable(chip_dev, irq);
	if (error)
		sources[irq].handler = NULL;
	else
		log_debug("%s: source %u in use", chip->name, irq);
	return error;
}

void irq_register_local(unsigned cause, void (*handler)(void))
{
	ASSERT(cause < LOCAL_CAUSES);
	local[cause] = handler;
}

uint64_t irq_count(unsigned irq)
{
	return irq < SOURCES_MAX ? sources[irq].count : 0;
}

void irq_dispatch(unsigned cause)
{
	struct hart *h = this_hart();

	h->irq_depth++;
	if (cause < LOCAL_CAUSES && local[cause])
		local[cause]();
	else
		panic("interrupt %u without a handler", cause);
	h->irq_depth--;
}
