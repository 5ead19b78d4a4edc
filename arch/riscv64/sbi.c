/* Calls to the firmware. */
#include <arch/sbi.h>

#define SBI_LEGACY_SET_TIMER 0
#define SBI_LEGACY_PUTCHAR 1
#define SBI_LEGACY_SHUTDOWN 8
#define DBCN_WRITE_BYTE 2

struct sbiret sbi_call(unsigned long ext, unsigned long fid, unsigned long arg0,
		       unsigned long arg1, unsigned long arg2, unsigned long arg3)
{
	register unsigned long a0 __asm__("a0") = arg0;
	register unsigned long a1 __asm__("a1") = arg1;
	register unsigned long a2 __asm__("a2") = arg2;
	register unsigned long a3 __asm__("a3") = arg3;
	register unsigned long a6 __asm__("a6") = fid;
	register unsigned long a7 __asm__("a7") = ext;

	__asm__ volatile("ecall"
			 : "+r"(a0), "+r"(a1)
			 : "r"(a2), "r"(a3), "r"(a6), "r"(a7)
			 : "memory");
	return (struct sbiret){ (long)a0, (long)a1 };
}

bool sbi_probe(unsigned long ext)
{
	struct sbiret r = sbi_call(SBI_EXT_BASE, 3, ext, 0, 0, 0);

	return r.error == SBI_SUCCESS && r.value != 0;
}

void sbi_set_timer(uint64_t deadline)
{
	sbi_call(SBI_EXT_TIME, 0, deadline, 0, 0, 0);
}

void sbi_send_ipi(uint64_t mask, uint64_t base)
{
	sbi_call(SBI_EXT_IPI, 0, mask, base, 0, 0);
}

long sbi_hart_start(uint64_t hwid, hpa_t entry, uint64_t opaque)
{
	return sbi_call(SBI_EXT_HSM, SBI_HSM_START, hwid, entry.v, opaque, 0).error;
}

long sbi_hart_stop(void)
{
	return sbi_call(SBI_EXT_HSM, SBI_HSM_STOP, 0, 0, 0, 0).error;
}

long sbi_hart_status(uint64_t hwid)
{
	struct sbiret r = sbi_call(SBI_EXT_HSM, SBI_HSM_STATUS, hwid, 0, 0, 0);

	return r.error ? r.error : r.value;
}

void sbi_shutdown(bool failure)
{
	sbi_call(SBI_EXT_SRST, 0, SBI_SRST_SHUTDOWN,
		 failure ? SBI_SRST_REASON_FAILURE : SBI_SRST_REASON_NONE, 0, 0);
	sbi_call(SBI_LEGACY_SHUTDOWN, 0, 0, 0, 0, 0);
}

void sbi_putchar(char c)
{
	static int has_dbcn = -1;

	if (has_dbcn < 0)
		has_dbcn = sbi_probe(SBI_EXT_DBCN);
	if (has_dbcn)
		sbi_call(SBI_EXT_DBCN, DBCN_WRITE_BYTE, (unsigned char)c, 0, 0, 0);
	else
		sbi_call(SBI_LEGACY_PUTCHAR, 0, (unsigned char)c, 0, 0, 0);
}
