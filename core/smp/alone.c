/* One hart works, the others wait. */
#include <caisson/smp.h>

#include <arch/cpu.h>
#include <caisson/hart.h>

#include "smp.h"

static struct smp_call calls[HART_MAX];
static unsigned waiting; /* atomic: harts that wait */
static bool over;        /* atomic */

static void wait_for_end(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE))
		cpu_relax();
}

/* @return how many harts will wait. */
static unsigned call_others(void)
{
	unsigned n = 0;

	for (unsigned h = 0; h < hart_count(); h++) {
		calls[h] = (struct smp_call){ .fn = wait_for_end, .done = true };
		if (h != this_hart()->index && smp_call_async(h, &calls[h]) == 0)
			n++;
		else
			calls[h].done = true;
	}
	return n;
}

void smp_run_alone(void (*fn)(void *), void *arg)
{
	irqflags_t flags = irq_save();
	unsigned others;

	waiting = 0;
	over = false;
	others = call_others();
	while (__atomic_load_n(&waiting, __ATOMIC_SEQ_CST) < others)
		cpu_relax();
	fn(arg);
	__atomic_store_n(&over, true, __ATOMIC_RELEASE);
	irq_restore(flags);
	for (unsigned h = 0; h < hart_count(); h++)
		smp_call_wait(&calls[h]);
}
