/* CSR access for guests, by the name the assembler knows. */
#pragma once

#include <stdint.h>

#define csr_read(csr) ({ uint64_t v_; __asm__ volatile("csrr %0, " #csr : "=r"(v_) : : "memory"); v_; })
#define csr_write(csr, val) __asm__ volatile("csrw " #csr ", %0" : : "rK"((uint64_t)(val)) : "memory")
#define csr_set(csr, val) __asm__ volatile("csrs " #csr ", %0" : : "rK"((uint64_t)(val)) : "memory")
#define csr_clear(csr, val) __asm__ volatile("csrc " #csr ", %0" : : "rK"((uint64_t)(val)) : "memory")

#define SSTATUS_SIE	(1ul << 1)
#define SSTATUS_FS	(3ul << 13)
#define SSTATUS_FS_DIRTY (3ul << 13)
#define SIE_SSIE	(1ul << 1)
#define SIE_STIE	(1ul << 5)
#define SIE_SEIE	(1ul << 9)

#define CAUSE_INTERRUPT	(1ul << 63)
#define CAUSE_SOFTWARE	(CAUSE_INTERRUPT | 1)
#define CAUSE_TIMER	(CAUSE_INTERRUPT | 5)
#define CAUSE_EXTERNAL	(CAUSE_INTERRUPT | 9)
#define CAUSE_ILLEGAL	2

#define CSR_STIMECMP	0x14d

static inline uint64_t time_now(void)
{
	uint64_t t;

	__asm__ volatile("rdtime %0" : "=r"(t) : : "memory");
	return t;
}

/* Never the last instruction of a page: of such a one that traps, QEMU's sepc is a page too high. */
static inline void wait_for_interrupt(void)
{
	__asm__ volatile(".p2align 3\n\twfi" : : : "memory");
}
