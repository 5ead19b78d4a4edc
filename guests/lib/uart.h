/* The ns16550A console, polled. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define UART_BASE	0x10000000ul
#define UART_INTERRUPT	10

enum { UART_DATA, UART_IER, UART_IIR, UART_LCR, UART_MCR, UART_LSR, UART_MSR, UART_SCR };
enum { UART_IER_RX = 1, UART_IER_TX = 2 };
enum { UART_LSR_READY = 1, UART_LSR_BREAK = 0x10, UART_LSR_TX_EMPTY = 0x20 };
enum { UART_NOTHING = -1, UART_BREAK = -2 };

static inline uint8_t uart_read(unsigned reg)
{
	return *(volatile uint8_t *)(UART_BASE + reg);
}

static inline void uart_write(unsigned reg, uint8_t value)
{
	*(volatile uint8_t *)(UART_BASE + reg) = value;
}

void uart_put(const char *buf, size_t n);

/** @return the next received byte, UART_NOTHING, or UART_BREAK: the line was in that condition. */
int uart_get(void);
