/* A kernel for one hart: there is no other to call or to send to. */
#include <errno.h>

#include <arch/cpu.h>
#include <caisson/smp.h>

void ipi_send(unsigned hart, enum ipi reason)
{
	(void)hart;
	(void)reason;
}

void ipi_send_mask(uint64_t harts_mask, enum ipi reason)
{
	(void)harts_mask;
	(void)reason;
}

struct ipi_counts ipi_counts(unsigned hart)
{
	(void)hart;
	return (struct ipi_counts){ 0, 0 };
}

void smp_serve_calls(void)
{
}

void smp_call_all(void (*fn)(void *), void *arg)
{
	irqflags_t flags = irq_save();

	fn(arg);
	irq_restore(flags);
}

void smp_call_mask(uint64_t mask, void (*fn)(void *), void *arg)
{
	if (mask & 1)
		smp_call_all(fn, arg);
}

int smp_call(unsigned hart, void (*fn)(void *), void *arg)
{
	if (hart != 0)
		return -ENODEV;
	smp_call_all(fn, arg);
	return 0;
}

int smp_call_async(unsigned hart, struct smp_call *c)
{
	c->done = true;
	return smp_call(hart, c->fn, c->arg);
}

void smp_call_wait(const struct smp_call *c)
{
	(void)c;
}

int smp_offline(unsigned hart)
{
	return hart == 0 ? -EBUSY : -EINVAL;
}

int smp_online(unsigned hart)
{
	return hart == 0 ? -EALREADY : -EINVAL;
}

void smp_add_hook(struct hart_hook *hook)
{
	(void)hook;
}

void smp_idle_leave(void)
{
}

int smp_reserve(unsigned hart, const char *owner)
{
	(void)owner;
	return hart == 0 ? -EBUSY : -ENODEV;
}

void smp_release(unsigned hart)
{
	(void)hart;
}

const char *smp_owner(unsigned hart)
{
	(void)hart;
	return NULL;
}
