/*
 * Stands in for the real arch/cpu.h: the interrupt state is a variable, time
 * stands still until a test moves it, fences and flushes do nothing.
 */
#pragma once

#include <string.h>
#include <caisson/types.h>
#include <arch/csr.h>

typedef unsigned long irqflags_t;

extern bool mock_irq_on;       /* interrupts enabled? Starts as true. */
extern uint64_t mock_time;     /* what cpu_time returns */
extern uint64_t mock_cycle;    /* what cpu_cycle returns */
extern uint64_t mock_instret;  /* what cpu_instret returns */
extern unsigned mock_fence_is; /* calls of cpu_fence_i */
extern unsigned mock_relaxes;  /* calls of cpu_relax and cpu_wfi */
/** If set: called by cpu_relax (false) and cpu_wfi (true); machine.h lets other harts run there. */
extern void (*mock_wait)(bool wfi);

static inline void mock_waits(bool wfi)
{
	mock_relaxes++;
	if (mock_wait)
		mock_wait(wfi);
}

static inline irqflags_t irq_save(void)
{
	irqflags_t old = mock_irq_on ? SSTATUS_SIE : 0;

	mock_irq_on = false;
	return old;
}

static inline void irq_restore(irqflags_t flags)
{
	if (flags & SSTATUS_SIE)
		mock_irq_on = true;
}

static inline void irq_enable(void) { mock_irq_on = true; }
static inline void irq_disable(void) { mock_irq_on = false; }
static inline bool irq_enabled(void) { return mock_irq_on; }
static inline uint64_t cpu_take_word(uint32_t *word) { return __atomic_exchange_n(word, 1, __ATOMIC_ACQUIRE); }
static inline void cpu_free_word(uint32_t *word) { __atomic_store_n(word, 0, __ATOMIC_RELEASE); }
static inline void cpu_relax(void) { mock_waits(false); }
static inline void cpu_wfi(void) { mock_waits(true); }
static inline uint64_t cpu_time(void) { return mock_time; }
static inline uint64_t cpu_cycle(void) { return mock_cycle; }
static inline uint64_t cpu_instret(void) { return mock_instret; }
static inline void cpu_mb(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline void cpu_fence_i(void) { mock_fence_is++; }
static inline void arch_page_zero(void *page, uint64_t n) { memset(page, 0, n); }
static inline void arch_ipi_clear(void) { }
static inline bool arch_ipi_pending(void) { return true; }
static inline void arch_tlb_flush(uint64_t start, uint64_t size) { (void)start; (void)size; }

static inline uint8_t mmio_read8(const volatile void *p) { return *(const volatile uint8_t *)p; }
static inline uint16_t mmio_read16(const volatile void *p) { return *(const volatile uint16_t *)p; }
static inline uint32_t mmio_read32(const volatile void *p) { return *(const volatile uint32_t *)p; }
static inline void mmio_write8(volatile void *p, uint8_t v) { *(volatile uint8_t *)p = v; }
static inline void mmio_write32(volatile void *p, uint32_t v) { *(volatile uint32_t *)p = v; }
static inline void mmio_write64(volatile void *p, uint64_t v) { *(volatile uint64_t *)p = v; }
extern bool mock_io_silent; /* nothing answers */
static inline bool arch_io_answers(const volatile void *at, unsigned width) { (void)at; (void)width; return !mock_io_silent; }
