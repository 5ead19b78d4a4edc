/*
 * Control and status registers: numbers, fields and access (RISC-V Privileged
 * Architecture). Only arch/ writes CSRs by name; others call the functions of
 * the arch headers.
 */
#pragma once

#define CSR_READ(csr)                                                  \
	({                                                             \
		unsigned long __rd;                                     \
		__asm__ volatile("csrr %0, " #csr : "=r"(__rd)::"memory"); \
		__rd;                                                   \
	})
#define CSR_WRITE(csr, val)                                            \
	({                                                             \
		unsigned long __wr = (unsigned long)(val);              \
		__asm__ volatile("csrw " #csr ", %0" ::"rK"(__wr) : "memory"); \
	})
#define CSR_SET(csr, val)                                              \
	({                                                             \
		unsigned long __st = (unsigned long)(val);              \
		__asm__ volatile("csrs " #csr ", %0" ::"rK"(__st) : "memory"); \
	})
#define CSR_CLEAR(csr, val)                                            \
	({                                                             \
		unsigned long __cl = (unsigned long)(val);              \
		__asm__ volatile("csrc " #csr ", %0" ::"rK"(__cl) : "memory"); \
	})

/* sstatus, vsstatus */
#define SSTATUS_SIE (1UL << 1)
#define SSTATUS_SPIE (1UL << 5)
#define SSTATUS_SPP (1UL << 8)
#define SSTATUS_VS_SHIFT 9
#define SSTATUS_VS (3UL << 9)
#define SSTATUS_FS_SHIFT 13
#define SSTATUS_FS (3UL << 13)
#define SSTATUS_FS_INITIAL (1UL << 13)
#define SSTATUS_FS_CLEAN (2UL << 13)
#define SSTATUS_FS_DIRTY (3UL << 13)
#define SSTATUS_SUM (1UL << 18)
#define SSTATUS_MXR (1UL << 19)
#define SSTATUS_UXL_64 (2UL << 32)

/* hstatus */
#define HSTATUS_GVA (1UL << 6)
#define HSTATUS_SPV (1UL << 7)
#define HSTATUS_SPVP (1UL << 8)
#define HSTATUS_HU (1UL << 9)
#define HSTATUS_VTVM (1UL << 20)
#define HSTATUS_VTW (1UL << 21)
#define HSTATUS_VTSR (1UL << 22)
#define HSTATUS_VSXL_64 (2UL << 32)

/* Interrupt numbers: bits of sie, sip, hie, hip, hvip, hideleg */
#define IRQ_S_SOFT 1
#define IRQ_VS_SOFT 2
#define IRQ_S_TIMER 5
#define IRQ_VS_TIMER 6
#define IRQ_S_EXT 9
#define IRQ_VS_EXT 10
#define IRQ_S_GEXT 12
#define CAUSE_INTERRUPT (1UL << 63)

/* Exception causes */
#define CAUSE_FETCH_MISALIGNED 0
#define CAUSE_FETCH_ACCESS 1
#define CAUSE_ILLEGAL 2
#define CAUSE_BREAKPOINT 3
#define CAUSE_LOAD_MISALIGNED 4
#define CAUSE_LOAD_ACCESS 5
#define CAUSE_STORE_MISALIGNED 6
#define CAUSE_STORE_ACCESS 7
#define CAUSE_ECALL_U 8
#define CAUSE_ECALL_HS 9
#define CAUSE_ECALL_VS 10
#define CAUSE_FETCH_PAGE 12
#define CAUSE_LOAD_PAGE 13
#define CAUSE_STORE_PAGE 15
#define CAUSE_FETCH_GUEST_PAGE 20
#define CAUSE_LOAD_GUEST_PAGE 21
#define CAUSE_VIRTUAL_INSN 22
#define CAUSE_STORE_GUEST_PAGE 23
#define CAUSE_MAX 24

/* henvcfg, senvcfg */
#define ENVCFG_FIOM (1UL << 0)
#define ENVCFG_CBIE_FLUSH (1UL << 4)
#define ENVCFG_CBCFE (1UL << 6)
#define ENVCFG_CBZE (1UL << 7)
#define ENVCFG_ADUE (1UL << 61)
#define ENVCFG_PBMTE (1UL << 62)
#define ENVCFG_STCE (1UL << 63)

/* hstateen0: what guests may use. Other bits open state that is not switched with the vCPU. */
#define STATEEN_ENVCFG (1UL << 62)
#define STATEEN_SE0 (1UL << 63)

/* satp, hgatp */
#define ATP_MODE_SHIFT 60
#define HGATP_VMID_SHIFT 44
#define HGATP_VMID_MASK 0x3fffUL

/* scounteren, hcounteren */
#define COUNTEREN_CY 1UL
#define COUNTEREN_TM 2UL
#define COUNTEREN_IR 4UL
