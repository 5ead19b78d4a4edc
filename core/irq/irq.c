/* Interrupts: hart-local causes and the sources of the interrupt controller. */
#include <caisson/irq.h>

#include <errno.h>

#include <arch/csr.h>
#include <caisson/hart.h>
#include <caisson/log.h>

#define LOG_NAME "irq"
#define LOCAL_CAUSES 16
#define SOURCES_MAX 1024
#define LINES_MAX 32 /* sources in use, at most */
/** Sources served in one interrupt at most: one that never falls silent must not hold the hart. */
#define CLAIMS_MAX 64

/* A source in use. */
struct line {
	irq_handler_t handler; /* NULL: free */
	void *arg;
	const char *name;
	unsigned source;
	uint64_t count[HART_MAX];
};

static void (*local[LOCAL_CAUSES])(void);
static struct line lines[LINES_MAX];         /* 0 stands for all sources that have no handler */
static uint8_t line_of[SOURCES_MAX];
static const struct irqchip *chip;
static void *chip_dev;

static void serve(unsigned irq)
{
	struct line *l = &lines[irq < SOURCES_MAX ? line_of[irq] : 0];

	l->count[this_hart()->index]++;
	if (l->handler) {
		l->handler(l->arg);
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

static unsigned free_line(void)
{
	unsigned i = 1;

	while (i < LINES_MAX && lines[i].handler)
		i++;
	return i;
}

int irq_register(unsigned irq, const char *name, irq_handler_t handler, void *arg)
{
	unsigned i = free_line();
	int error;

	if (!chip || irq == 0 || irq >= SOURCES_MAX || irq >= chip->n_sources)
		return -EINVAL;
	if (line_of[irq])
		return -EBUSY;
	if (i == LINES_MAX)
		return -ENOSPC;
	lines[i] = (struct line){ .handler = handler, .arg = arg, .name = name, .source = irq };
	line_of[irq] = (uint8_t)i;
	error = chip->enable(chip_dev, irq);
	if (error)
		lines[i].handler = NULL;
	if (error)
		line_of[irq] = 0;
	else
		log_debug("%s: source %u in use", chip->name, irq);
	return error;
}

void irq_register_local(unsigned cause, void (*handler)(void))
{
	ASSERT(cause < LOCAL_CAUSES);
	local[cause] = handler;
}

uint64_t irq_count(unsigned irq, unsigned hart)
{
	return irq < SOURCES_MAX && hart < HART_MAX ? lines[line_of[irq]].count[hart] : 0;
}

const char *irq_name(unsigned irq)
{
	return irq < SOURCES_MAX ? lines[line_of[irq]].name : NULL;
}

unsigned irq_next(unsigned irq)
{
	for (irq++; irq < SOURCES_MAX; irq++)
		if (line_of[irq])
			return irq;
	return 0;
}

const char *irq_chip_name(void)
{
	return chip ? chip->name : NULL;
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
