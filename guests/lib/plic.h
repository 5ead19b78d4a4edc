/* The platform-level interrupt controller. Hart n's S-mode context is 2n + 1. */
#pragma once

#include <stdint.h>

#define PLIC_BASE		0x0c000000ul
#define PLIC_PRIORITY(source)	(PLIC_BASE + 4ul * (source))
#define PLIC_PENDING(word)	(PLIC_BASE + 0x1000 + 4ul * (word))
#define PLIC_ENABLE(context)	(PLIC_BASE + 0x2000 + 0x80ul * (context))
#define PLIC_THRESHOLD(context)	(PLIC_BASE + 0x200000 + 0x1000ul * (context))
#define PLIC_CLAIM(context)	(PLIC_THRESHOLD(context) + 4)

static inline unsigned plic_context(uint64_t hart)
{
	return 2 * hart + 1;
}

static inline uint32_t plic_read(uint64_t reg)
{
	return *(volatile uint32_t *)reg;
}

static inline void plic_write(uint64_t reg, uint32_t value)
{
	*(volatile uint32_t *)reg = value;
}
