/*
 * Two locks, taken in both orders: never at the same time, so that nothing hangs.
 * A debug build says so all the same and ends with status 3. Another fault is
 * chosen by an argument: again, unlock or irq.
 */
#include <string.h>

#include <arch/cpu.h>
#include <caisson/console.h>
#include <caisson/init.h>
#include <caisson/print.h>
#include <caisson/spinlock.h>
#include <caisson/task.h>
#include <caisson/time.h>

static spinlock_t first = SPINLOCK_INIT;
static spinlock_t second = SPINLOCK_INIT;

static void take_both(spinlock_t *a, spinlock_t *b)
{
	irqflags_t flags = spin_lock_irqsave(a);

	spin_lock(b);
	spin_unlock(b);
	spin_unlock_irqrestore(a, flags);
}

static void in_one_order(void *arg)
{
	(void)arg;
	take_both(&first, &second);
}

static void in_the_other(void *arg)
{
	(void)arg;
	take_both(&second, &first);
}

static int run(void (*entry)(void *))
{
	struct task *t = task_create("taker", entry, NULL, NULL);

	return t ? task_join(t) : -1;
}

static void ring(struct timer *t)
{
	(void)t;
	spin_lock(&first);
	spin_unlock(&first);
}

static void in_a_handler(void)
{
	struct timer t;

	spin_lock(&first); /* with interrupts on: the handler could come now */
	spin_unlock(&first);
	timer_init(&t, ring);
	timer_arm(&t, time_now() + 1);
	task_sleep_until(time_now() + time_from_us(1000));
	timer_cancel_sync(&t);
}

int main(void)
{
	char fault[8] = "";
	static const char unseen[] = "nobody noticed\n";

	(void)!app_arg(0, fault, sizeof(fault));
	if (strcmp(fault, "again") == 0) {
		take_both(&first, &first);
	} else if (strcmp(fault, "unlock") == 0) {
		spin_unlock(&first);
	} else if (strcmp(fault, "irq") == 0) {
		in_a_handler();
	} else if (run(in_one_order) || run(in_the_other)) {
		return 1;
	}
	console_write(CONSOLE_MONITOR, unseen, sizeof(unseen) - 1);
	return 0;
}
