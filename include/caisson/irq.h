/*
 * Interrupts. Hart-local causes (software, timer, external) have one handler
 * each; an interrupt controller driver serves "external" and hands its sources
 * to handlers registered by source number.
 */
#pragma once

#include <caisson/types.h>

typedef void (*irq_handler_t)(void *arg);

/** An interrupt controller, registered by its driver's probe. */
struct irqchip {
	const char *name;
	unsigned n_sources;
	uint32_t phandle;                            /* how the device tree refers to it; 0: not at all */
	int (*enable)(void *dev, unsigned source);   /* route to one hart, priority 1 */
	void (*disable)(void *dev, unsigned source);
	unsigned (*claim)(void *dev);                /* 0: none */
	void (*complete)(void *dev, unsigned source);
	void (*hart_init)(void *dev);                /* on each hart as it comes up */
	/** Could another hart, online and not reserved, take what comes to this one? NULL: the boot hart must stay. */
	bool (*may_leave)(void *dev, unsigned hart);
	/** On a hart that leaves or is reserved, interrupts off: hand its sources to another. NULL: it has none. */
	void (*hart_leave)(void *dev);
};

void irqchip_register(const struct irqchip *chip, void *dev);
/** The controller's set-up for the calling hart. */
void irq_hart_init(void);
/** May this hart be taken offline, for all that the controller says? Task context. */
bool irq_may_leave(unsigned hart);
/** The calling hart goes offline or is reserved: its sources go to another. Interrupts off, in no source's handler. */
void irq_hart_leave(void);

/**
 * Handle source `irq` of the controller. name: whose it is, for people; it stays the caller's.
 * @return 0, -EINVAL no such source or no controller, -EBUSY taken, -ENOSPC too many are in use.
 */
int irq_register(unsigned irq, const char *name, irq_handler_t handler, void *arg) __must_check;
/** The phandle of the controller in use, 0 if there is none. */
uint32_t irqchip_phandle(void);
/**
 * The source of our controller that a device's node (libfdt offset) has as its n-th interrupt.
 * @return 0; -ENOENT it has none; -EINVAL it makes no sense; -ENXIO it goes to another controller (logged).
 */
int irq_find(const void *fdt, int node, unsigned n, unsigned *source) __must_check;
/** Register a hart-local interrupt by its cause number (IRQ_S_SOFT, IRQ_S_TIMER, ...). */
void irq_register_local(unsigned cause, void (*handler)(void));
/** Number of times a source fired on a hart; of one without a handler: of all those together. */
uint64_t irq_count(unsigned irq, unsigned hart);
/** Whose a source is, NULL: nobody's. */
const char *irq_name(unsigned irq);
/** The next source in use after `irq`, 0: there is none. */
unsigned irq_next(unsigned irq);
/** The controller's name, NULL: there is none. */
const char *irq_chip_name(void);

/**
 * Entry from the trap path (host or guest running) for scause with the interrupt bit off.
 * Interrupts off. Never switches tasks: it may set this_hart()->resched.
 */
void irq_dispatch(unsigned cause);
