/* Calls to the supervisor binary interface (SBI 3.0). */
#pragma once

#include <stdint.h>

struct sbi_result {
	long error;
	long value;
};

enum {
	SBI_SUCCESS = 0,
	SBI_FAILED = -1,
	SBI_NOT_SUPPORTED = -2,
	SBI_INVALID_PARAM = -3,
	SBI_DENIED = -4,
	SBI_INVALID_ADDRESS = -5,
	SBI_ALREADY_AVAILABLE = -6,
	SBI_ALREADY_STARTED = -7,
	SBI_ALREADY_STOPPED = -8,
	SBI_NO_SHMEM = -9,
};

enum {
	SBI_EXT_SET_TIMER = 0,
	SBI_EXT_PUTCHAR = 1,
	SBI_EXT_GETCHAR = 2,
	SBI_EXT_CLEAR_IPI = 3,
	SBI_EXT_SEND_IPI = 4,
	SBI_EXT_REMOTE_FENCE_I = 5,
	SBI_EXT_REMOTE_SFENCE = 6,
	SBI_EXT_REMOTE_SFENCE_ASID = 7,
	SBI_EXT_SHUTDOWN = 8,
	SBI_EXT_BASE = 0x10,
	SBI_EXT_TIME = 0x54494D45,
	SBI_EXT_IPI = 0x735049,
	SBI_EXT_RFENCE = 0x52464E43,
	SBI_EXT_HSM = 0x48534D,
	SBI_EXT_SRST = 0x53525354,
	SBI_EXT_PMU = 0x504D55,
	SBI_EXT_DBCN = 0x4442434E,
	SBI_EXT_SUSP = 0x53555350,
	SBI_EXT_CPPC = 0x43505043,
	SBI_EXT_NACL = 0x4E41434C,
	SBI_EXT_STA = 0x535441,
	SBI_EXT_SSE = 0x535345,
	SBI_EXT_FWFT = 0x46574654,
	SBI_EXT_DBTR = 0x44425452,
	SBI_EXT_MPXY = 0x4D505859,
	SBI_EXT_DEBUG = 0x08000020,	/* Caisson's, in debug builds: function 0 is how many locks this hart has taken */
};

enum { BASE_SPEC_VERSION, BASE_IMPL_ID, BASE_IMPL_VERSION, BASE_PROBE, BASE_VENDOR, BASE_ARCH, BASE_IMPL };
enum { RFENCE_FENCE_I, RFENCE_SFENCE, RFENCE_SFENCE_ASID };
enum { HSM_START, HSM_STOP, HSM_STATUS, HSM_SUSPEND };
enum { HSM_STARTED, HSM_STOPPED, HSM_START_PENDING, HSM_STOP_PENDING, HSM_SUSPENDED };
enum { FWFT_SET, FWFT_GET };
enum { FWFT_MISALIGNED, FWFT_LANDING_PAD, FWFT_SHADOW_STACK, FWFT_DOUBLE_TRAP, FWFT_AD_UPDATING, FWFT_POINTER_MASKING };
enum { DBCN_WRITE, DBCN_READ, DBCN_WRITE_BYTE };
enum { SRST_SHUTDOWN, SRST_COLD_REBOOT, SRST_WARM_REBOOT };
enum { SRST_NO_REASON, SRST_SYSTEM_FAILURE };

static inline struct sbi_result sbi_call6(long ext, long function, uint64_t arg0, uint64_t arg1,
					  uint64_t arg2, uint64_t arg3, uint64_t arg4, uint64_t arg5)
{
	register uint64_t a0 __asm__("a0") = arg0;
	register uint64_t a1 __asm__("a1") = arg1;
	register uint64_t a2 __asm__("a2") = arg2;
	register uint64_t a3 __asm__("a3") = arg3;
	register uint64_t a4 __asm__("a4") = arg4;
	register uint64_t a5 __asm__("a5") = arg5;
	register long a6 __asm__("a6") = function;
	register long a7 __asm__("a7") = ext;

	__asm__ volatile("ecall" : "+r"(a0), "+r"(a1)
			 : "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a6), "r"(a7) : "memory");
	return (struct sbi_result){ (long)a0, (long)a1 };
}

/* sbi_call(extension, function[, up to five arguments]) */
#define SBI_CALL_PADDED(ext, fid, a, b, c, d, e, ...) \
	sbi_call6(ext, fid, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), (uint64_t)(e), 0)
#define sbi_call(...) SBI_CALL_PADDED(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
