/* The hart's one-shot timer. */
#include <arch/csr.h>
#include <arch/sbi.h>
#include <arch/timer.h>

void arch_timer_program(uint64_t deadline)
{
	if (arch_has_sstc) {
		CSR_WRITE(stimecmp, deadline);
	} else {
		sbi_set_timer(deadline);
		CSR_SET(sie, 1UL << IRQ_S_TIMER);
	}
}

void arch_timer_mask(void)
{
	if (arch_has_sstc)
		CSR_WRITE(stimecmp, UINT64_MAX);
	else
		CSR_CLEAR(sie, 1UL << IRQ_S_TIMER);
}
