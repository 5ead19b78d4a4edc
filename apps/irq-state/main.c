/*
 * The interrupt state: on in tasks, off in handlers and under locks; saving nests; it belongs
 * to the task, whoever runs in between; and what comes while it is off is not lost.
 */
#include <arch/cpu.h>
#include <caisson/init.h>
#include <caisson/print.h>
#include <caisson/spinlock.h>
#include <caisson/task.h>
#include <caisson/time.h>

static bool ran, on_in_handler;

static void show(const char *where)
{
	print("%s: %s\n", where, irq_enabled() ? "on" : "off");
}

static void note_state(struct timer *timer)
{
	(void)timer;
	on_in_handler = irq_enabled();
	ran = true;
}

static bool has_run(void)
{
	return __atomic_load_n(&ran, __ATOMIC_ACQUIRE);
}

static void saving_nests(void)
{
	irqflags_t outer = irq_save();
	irqflags_t inner = irq_save();

	show("saved twice");
	irq_restore(inner);
	show("restored once");
	irq_restore(outer);
	show("restored twice");
}

static void locks_switch_it_off(void)
{
	static spinlock_t lock;
	irqflags_t flags = spin_lock_irqsave(&lock);

	show("lock held");
	spin_unlock_irqrestore(&lock, flags);
	show("lock let go");
}

static void nothing_is_lost(void)
{
	static struct timer timer;
	irqflags_t flags = irq_save();

	timer_init(&timer, note_state);
	timer_arm(&timer, time_now());
	for (uint64_t end = time_now() + time_from_us(1000); time_now() < end;)
		;
	print("due while off: the handler %s\n", has_run() ? "ran" : "waits");
	irq_restore(flags);
	while (!has_run())
		;
	print("in the handler: %s\n", on_in_handler ? "on" : "off");
}

static void other_task(void *arg)
{
	(void)arg;
	show("another task");
}

static void belongs_to_the_task(void)
{
	struct task *t = task_create("other", other_task, NULL, NULL);
	irqflags_t flags = irq_save();

	task_yield();
	show("back from another task");
	irq_restore(flags);
	if (t)
		task_join(t);
}

int main(void)
{
	show("main");
	saving_nests();
	locks_switch_it_off();
	nothing_is_lost();
	belongs_to_the_task();
	show("end of main");
	return 0;
}
