/*
 * Harts that belong to somebody.
 *
 * `reserved` in struct hart is what the scheduler and the interrupt controller
 * look at; here the hart is emptied of what came before: its tasks go first, then
 * their timers, then device interrupts, and the hardware timer is told that it
 * has nothing to fire for.
 */
#include <caisson/smp.h>

#include <errno.h>

#include <caisson/hart.h>
#include <caisson/irq.h>
#include <caisson/log.h>
#include <caisson/task.h>
#include <caisson/time.h>

#include "smp.h"

#define LOG_NAME "smp"
#define EMPTY_TIMEOUT_US 1000000
#define POLL_US 50

static const char *owners[HART_MAX]; /* atomic, for people; NULL: nobody */

static void set_owner(unsigned hart, const char *owner)
{
	__atomic_store_n(&owners[hart], owner, __ATOMIC_SEQ_CST);
	__atomic_store_n(&harts[hart].reserved, owner != NULL, __ATOMIC_SEQ_CST);
	task_review_masks();
}

static int check(unsigned hart)
{
	if (hart >= hart_count() || !harts[hart].online)
		return -ENODEV;
	if (harts[hart].reserved)
		return -EALREADY;
	return others_are_common(hart) && irq_may_leave(hart) ? 0 : -EBUSY;
}

/* On the hart, in its IPI: no device's interrupt is between its claim and its completion. */
static void quieten(void *arg)
{
	(void)arg;
	irq_hart_leave();
	timer_quieten();
}

/* Nothing new comes to it; what runs there leaves as soon as it has taken the interrupt that it was sent. */
static int empty(unsigned hart)
{
	uint64_t deadline = time_now() + time_from_us(EMPTY_TIMEOUT_US);

	while (!sched_is_idle(hart)) {
		if (time_now() >= deadline)
			return -ETIMEDOUT;
		task_sleep_until(time_now() + time_from_us(POLL_US));
	}
	timer_adopt(hart);
	return smp_call(hart, quieten, NULL);
}

static int take(unsigned hart, const char *owner)
{
	int error;

	set_owner(hart, owner);
	error = empty(hart);
	if (error) {
		log_error("hart %u does not leave its task '%s': it is not reserved", hart, harts[hart].current->name);
		set_owner(hart, NULL);
		return error;
	}
	log_info("hart %u: reserved for %s", hart, owner);
	return 0;
}

int smp_reserve(unsigned hart, const char *owner)
{
	int error;

	change_begin();
	error = check(hart);
	if (!error)
		error = take(hart, owner);
	change_end();
	return error;
}

void smp_release(unsigned hart)
{
	change_begin();
	log_info("hart %u: no longer reserved for %s", hart, owners[hart]);
	set_owner(hart, NULL);
	change_end();
}

const char *smp_owner(unsigned hart)
{
	return __atomic_load_n(&owners[hart], __ATOMIC_SEQ_CST);
}
