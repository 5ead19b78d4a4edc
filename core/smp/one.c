/* A kernel for one hart: there is no other to call or to send to. */
#include <errno.h>

#include <arch/cpu.h>
#include <caisson/smp.h>

void ipi_send(unsigned hart, enum ipi reason)
{
	(void)hart;
	(void)reason;
}

void smp_call_all(void (*fn)(void *), void *arg)
{
	irqflags_t flags = irq_save();

	fn(arg);
	irq_restore(flags);
}

int smp_call(unsigned hart, void (*fn)(void *), void *arg)
{
	if (hart != 0)
		return -ENODEV;
	smp_call_all(fn, arg);
	return 0;
}
