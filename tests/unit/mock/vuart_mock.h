/* A virtual UART and short words for its registers, its input and its interrupt. Included by its tests. */
#pragma once

#include <errno.h>
#include <mem.h>
#include <vdev_mock.h>
#include <vmm/memory.h>

enum { RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR, THR = RBR, FCR = IIR };
enum { FIFO_ROOM = 16, RING_ROOM = 4096 };

static inline int setup(void **state)
{
	(void)state;
	mv_start(&vuart_type, 1);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	mv_stop();
	assert_true(mock_irq_on);
	return 0;
}

static inline uint8_t rd(unsigned reg) { return (uint8_t)mv_read(reg, 1); }
static inline void wr(unsigned reg, uint8_t v) { mv_put(reg, 1, v); }
static inline bool irq(void) { return mv.irq[GUEST_UART_IRQ]; }

static inline size_t input(const char *s)
{
	return vuart_input(&mv.dev, s, strlen(s));
}

/* Fill from a counter, so that order and loss show. */
static inline size_t input_n(size_t n)
{
	static char buf[8192];

	for (size_t i = 0; i < n; i++)
		buf[i] = (char)(i * 7 + i / 256);
	return vuart_input(&mv.dev, buf, n);
}

static inline void console_slow(bool slow)
{
	mv.slow = slow;
	mv.answer = slow ? VDEV_SLOW : VDEV_TAKEN;
}
