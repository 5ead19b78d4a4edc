/*
 * The virtual UART's state, shared by its registers (vmm/device/vuart.c) and
 * its life cycle (vmm/device/vuart_state.c).
 */
#pragma once

#include <caisson/spinlock.h>
#include <vmm/vdev.h>

#define VUART_FIFO 16
#define VUART_RING 4096

/* The line status register. */
enum {
	LSR_DR = 0x01,   /* data ready */
	LSR_OE = 0x02,   /* overrun (only in loopback: from outside there is backpressure) */
	LSR_FE = 0x08,   /* a BREAK is a framing error, too */
	LSR_BI = 0x10,   /* the next byte is not one, but a BREAK */
	LSR_THRE = 0x20, /* transmitter takes bytes: unless the console is slow */
	LSR_TEMT = 0x40,
	LSR_ERRORS = LSR_OE | LSR_FE | LSR_BI, /* until they are read */
};

/* All that a guest can see, and so all that is saved. */
struct vuart_regs {
	uint8_t lsr;     /* kept up to date, and read without the lock */
	uint8_t ier, fcr, lcr, mcr, scr, dll, dlm;
	uint8_t thr_pending; /* transmitter-empty interrupt; means nothing unless enabled */
	uint8_t rbr;     /* last byte that was read */
	uint8_t head, count; /* of the receive FIFO; without FIFOs it holds one byte */
	uint16_t breaks;     /* bit n: fifo[n] is a BREAK that was not shown yet */
	uint8_t fifo[VUART_FIFO];
};

struct vuart {
	spinlock_t lock;          /* then: interrupt controller */
	struct vuart_regs r;
	bool line;                /* level of the interrupt source */
	bool starved;             /* input was refused: tell the host when there is room */
	uint16_t ring_head, ring_count;
	const struct vdev_host *host;
	char ring[VUART_RING];    /* input that the FIFO has no room for */
	uint8_t ring_breaks[VUART_RING / 8]; /* a bit for each byte of it: it is a BREAK */
};

/** Move input from the ring to the FIFO and drive the interrupt accordingly. Lock held. */
void vuart_refresh(struct vuart *u);
/**
 * Unlock and, when there is room again for input that was refused, tell the host. flags as
 * spin_lock_irqsave gave them; 0 (interrupts were off) after a plain spin_lock.
 */
void vuart_unlock(struct vuart *u, irqflags_t flags);

int vuart_read(void *dev, uint64_t off, unsigned size, uint64_t *value);
int vuart_write(void *dev, uint64_t off, unsigned size, uint64_t value);
