/* Starting the counter of arch/outside.h. */
#include <errno.h>

#include <arch/outside.h>
#include <arch/sbi.h>
#include <arch/trap.h>

enum { COUNTER_GET_INFO = 1, CONFIG_MATCHING = 2 };

#define COUNTER 3 /* the first that can be given an event */
#define CSR_HPMCOUNTER3 0xc03
#define CLEAR_VALUE BIT(1)
#define AUTO_START BIT(2)
#define NOT_IN_VU BIT(3)
#define NOT_IN_VS BIT(4)
#define EVENT_INSTRUCTIONS 2

/* scountovf comes with the mode filters. Without them the firmware would start a counter that counts guests, too. */
static bool has_mode_filters(void)
{
	unsigned long there = 0, value;

	__asm__ volatile("1: csrr %0, 0xda0\n"
			 "   li %1, 1\n"
			 "2:\n" TRAP_FIXUP(1b, 2b)
			 : "=&r"(value), "+r"(there)
			 :: "memory");
	return there;
}

int outside_start(void)
{
	struct sbiret r;

	if (!has_mode_filters())
		return -ENODEV;
	r = sbi_call(SBI_EXT_PMU, COUNTER_GET_INFO, COUNTER, 0, 0, 0);
	if (r.error || (r.value & 0xfff) != CSR_HPMCOUNTER3)
		return -ENODEV;
	/* The fifth argument is for other kinds of events. */
	r = sbi_call(SBI_EXT_PMU, CONFIG_MATCHING, COUNTER, 1, CLEAR_VALUE | AUTO_START | NOT_IN_VU | NOT_IN_VS,
		     EVENT_INSTRUCTIONS);
	return r.error || r.value != COUNTER ? -ENODEV : 0;
}
