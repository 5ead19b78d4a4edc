/*
 * What core code needs of the hart it runs on: interrupt state, per-hart data,
 * time, fences. Context: any, unless said.
 */
#pragma once

#include <caisson/types.h>
#include <arch/csr.h>

typedef unsigned long irqflags_t;

static inline irqflags_t irq_save(void)
{
	unsigned long old;

	__asm__ volatile("csrrci %0, sstatus, 2" : "=r"(old)::"memory");
	return old & SSTATUS_SIE;
}

static inline void irq_restore(irqflags_t flags)
{
	CSR_SET(sstatus, flags);
}

static inline void irq_enable(void)
{
	CSR_SET(sstatus, SSTATUS_SIE);
}

static inline void irq_disable(void)
{
	CSR_CLEAR(sstatus, SSTATUS_SIE);
}

static inline bool irq_enabled(void)
{
	return CSR_READ(sstatus) & SSTATUS_SIE;
}

static inline void cpu_relax(void)
{
	__asm__ volatile(".4byte 0x0100000f" ::: "memory"); /* pause (Zihintpause); a fence elsewhere */
}

/**
 * The word of a lock: write 1 to it, with acquire order. The compiler's own exchange takes two instructions more.
 * @return what it was, 0 or 1
 */
static inline uint64_t cpu_take_word(uint32_t *word)
{
	uint64_t value = 1;

	__asm__ volatile("amoswap.w.aq %0, %0, %1" : "+r"(value), "+A"(*word) : : "memory");
	return value;
}

/** Write 0 to it, with release order. */
static inline void cpu_free_word(uint32_t *word)
{
	__asm__ volatile("amoswap.w.rl zero, zero, %0" : "+A"(*word) : : "memory");
}

/** Wait for an interrupt that is enabled in sie; returns also with sstatus.SIE clear. */
static inline void cpu_wfi(void)
{
	__asm__ volatile("wfi" ::: "memory");
}

/** The time CSR, in ticks of the device tree's timebase-frequency. */
static inline uint64_t cpu_time(void)
{
	return CSR_READ(time);
}

static inline uint64_t cpu_cycle(void)
{
	return CSR_READ(cycle);
}

static inline uint64_t cpu_instret(void)
{
	return CSR_READ(instret);
}

/** Order all memory and I/O accesses before against all after. */
static inline void cpu_mb(void)
{
	__asm__ volatile("fence iorw, iorw" ::: "memory");
}

static inline void cpu_fence_i(void)
{
	__asm__ volatile("fence.i" ::: "memory");
}

/** Zero n bytes, a multiple of 4 KiB, at a page-aligned address (cbo.zero where present). */
void arch_page_zero(void *page, uint64_t n);

/** Is a software interrupt of this hart pending (sip.SSIP)? */
static inline bool arch_ipi_pending(void)
{
	return CSR_READ(sip) >> IRQ_S_SOFT & 1;
}

/** Forget this hart's pending software interrupt (sip.SSIP). */
static inline void arch_ipi_clear(void)
{
	CSR_CLEAR(sip, 1UL << IRQ_S_SOFT);
}

/** Drop this hart's translations of [start, start + size) (kernel space). */
void arch_tlb_flush(uint64_t start, uint64_t size);

/* Memory-mapped I/O: volatile accesses of the exact width, ordered against other I/O by the caller. */
static inline uint8_t mmio_read8(const volatile void *p) { return *(const volatile uint8_t *)p; }
static inline uint16_t mmio_read16(const volatile void *p) { return *(const volatile uint16_t *)p; }
static inline uint32_t mmio_read32(const volatile void *p) { return *(const volatile uint32_t *)p; }
static inline void mmio_write8(volatile void *p, uint8_t v) { *(volatile uint8_t *)p = v; }
static inline void mmio_write32(volatile void *p, uint32_t v) { *(volatile uint32_t *)p = v; }
static inline void mmio_write64(volatile void *p, uint64_t v) { *(volatile uint64_t *)p = v; }
/** Read `width` (1 or 4) bytes of a device: is there one, or did the access fault? After trap_init. */
bool arch_io_answers(const volatile void *at, unsigned width);
