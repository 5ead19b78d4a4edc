/* Alarms (alarm.h): a timer that arms itself again, and counts what it was too late for. */
#include "alarm.h"

#include <arch/cpu.h>

/* However short its period, a program's alarm does not take a hart from everybody else. */
#define LEAST_US 100

static void expired(struct timer *timer)
{
	struct alarm *a = container_of(timer, struct alarm, timer);
	irqflags_t flags = spin_lock_irqsave(&a->lock);
	uint64_t now = time_now(), n = 0;

	if (a->due && a->due <= now) {
		n = a->period ? 1 + (now - a->due) / a->period : 1;
		a->due = a->period ? a->due + n * a->period : 0;
	}
	if (a->due)
		timer_arm(&a->timer, MAX(a->due, now + time_from_us(LEAST_US)));
	spin_unlock_irqrestore(&a->lock, flags);
	if (n)
		a->fn(a, n);
}

void alarm_init(struct alarm *a, void (*fn)(struct alarm *a, uint64_t n))
{
	*a = (struct alarm){ .lock = SPINLOCK_INIT, .fn = fn };
	mutex_init(&a->setting);
	timer_init(&a->timer, expired);
}

/* The lock is held. */
static struct alarm_times times_of(const struct alarm *a)
{
	uint64_t now = time_now();

	if (!a->due)
		return (struct alarm_times){ 0, 0 };
	return (struct alarm_times){ a->due > now ? a->due - now : 1, a->period };
}

void alarm_set(struct alarm *a, uint64_t due, uint64_t period, struct alarm_times *old)
{
	irqflags_t flags;

	mutex_lock(&a->setting);
	flags = spin_lock_irqsave(&a->lock);
	if (old)
		*old = times_of(a);
	a->due = 0; /* under way or not, it does not arm itself any more */
	spin_unlock_irqrestore(&a->lock, flags);
	timer_cancel_sync(&a->timer);
	flags = spin_lock_irqsave(&a->lock);
	a->due = due;
	a->period = period;
	if (due)
		timer_arm(&a->timer, due);
	spin_unlock_irqrestore(&a->lock, flags);
	mutex_unlock(&a->setting);
}

struct alarm_times alarm_get(struct alarm *a)
{
	irqflags_t flags = spin_lock_irqsave(&a->lock);
	struct alarm_times times = times_of(a);

	spin_unlock_irqrestore(&a->lock, flags);
	return times;
}
