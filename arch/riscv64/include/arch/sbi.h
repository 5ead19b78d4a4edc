/*
 * Calls to the firmware (RISC-V Supervisor Binary Interface 3.0, by chapter).
 * Numbers here serve the host's calls and, in vmm/sbi/, the answers to guests.
 */
#pragma once

#include <caisson/types.h>

struct sbiret {
	long error;
	long value;
};

enum {
	SBI_SUCCESS = 0, SBI_ERR_FAILED = -1, SBI_ERR_NOT_SUPPORTED = -2,
	SBI_ERR_INVALID_PARAM = -3, SBI_ERR_DENIED = -4, SBI_ERR_INVALID_ADDRESS = -5,
	SBI_ERR_ALREADY_AVAILABLE = -6, SBI_ERR_ALREADY_STARTED = -7,
	SBI_ERR_ALREADY_STOPPED = -8, SBI_ERR_NO_SHMEM = -9, SBI_ERR_INVALID_STATE = -10,
	SBI_ERR_BAD_RANGE = -11, SBI_ERR_TIMEOUT = -12, SBI_ERR_IO = -13,
};

#define SBI_EXT_BASE 0x10
#define SBI_EXT_TIME 0x54494d45
#define SBI_EXT_IPI 0x735049
#define SBI_EXT_RFENCE 0x52464e43
#define SBI_EXT_HSM 0x48534d
#define SBI_EXT_SRST 0x53525354
#define SBI_EXT_DBCN 0x4442434e
#define SBI_EXT_SUSP 0x53555350
#define SBI_EXT_FWFT 0x46574654
#define SBI_EXT_STA 0x535441
#define SBI_EXT_PMU 0x504d55
#define SBI_EXT_DEBUG 0x08000020 /* ours, of the experimental space: vmm/sbi/debug.c */

enum { SBI_HSM_START, SBI_HSM_STOP, SBI_HSM_STATUS, SBI_HSM_SUSPEND };
enum {
	SBI_HSM_STARTED, SBI_HSM_STOPPED, SBI_HSM_START_PENDING, SBI_HSM_STOP_PENDING,
	SBI_HSM_SUSPENDED, SBI_HSM_SUSPEND_PENDING, SBI_HSM_RESUME_PENDING,
};
enum { SBI_SRST_SHUTDOWN, SBI_SRST_COLD_REBOOT, SBI_SRST_WARM_REBOOT };
enum { SBI_SRST_REASON_NONE, SBI_SRST_REASON_FAILURE };
enum { SBI_FWFT_SET, SBI_FWFT_GET };
enum {
	SBI_FWFT_MISALIGNED_EXC_DELEG, SBI_FWFT_LANDING_PAD, SBI_FWFT_SHADOW_STACK, SBI_FWFT_DOUBLE_TRAP,
	SBI_FWFT_PTE_AD_HW_UPDATING, SBI_FWFT_POINTER_MASKING_PMLEN,
};

struct sbiret sbi_call(unsigned long ext, unsigned long fid, unsigned long a0,
		       unsigned long a1, unsigned long a2, unsigned long a3);

/** BASE: is the extension there? */
bool sbi_probe(unsigned long ext);
/** TIME: next timer interrupt of this hart, absolute ticks; ~0 for none. */
void sbi_set_timer(uint64_t deadline);
/** IPI: supervisor software interrupt on the harts with the hardware ids base + n, bit n of mask. */
void sbi_send_ipi(uint64_t mask, uint64_t base);
/** HSM: start a stopped hart at a physical address with a1 = opaque. @return SBI error. */
long sbi_hart_start(uint64_t hwid, hpa_t entry, uint64_t opaque);
/** HSM: stop this hart; returns only on failure. */
long sbi_hart_stop(void);
/** HSM: state of a hart, or a negative SBI error. */
long sbi_hart_status(uint64_t hwid);
/** SRST: returns only where the firmware lacks it. */
void sbi_shutdown(bool failure);
/** One byte to the firmware's console (DBCN, else legacy putchar). Before our own driver. */
void sbi_putchar(char c);
