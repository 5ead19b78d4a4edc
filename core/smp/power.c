/*
 * Harts that come and go.
 *
 * A hart leaves in three steps. Who sends it away takes it out of the set of
 * online harts: nothing new is queued there, its tasks move. When its idle task
 * finds nothing left to run, the hart says that it goes (until then the other may
 * change its mind), hands its interrupts on, runs the calls it took, and says
 * that it is gone. Then the firmware stops it, and the other takes its timers.
 *
 * It comes back as it came the first time: from _start_secondary, on the stack of
 * its idle task, through smp_hart_up().
 */
#include <caisson/smp.h>

#include <errno.h>

#include <arch/cpu.h>
#include <arch/hart.h>
#include <arch/sbi.h>
#include <caisson/hart.h>
#include <caisson/irq.h>
#include <caisson/log.h>
#include <caisson/task.h>
#include <caisson/time.h>

#include "smp.h"

#define LOG_NAME "smp"
#define START_TIMEOUT_US 1000000
#define LEAVE_TIMEOUT_US 1000000
#define STOP_TIMEOUT_US 1000000
#define POLL_US 50

enum power {
	POWER_OFF,      /* not started, or unusable */
	POWER_ON,
	POWER_LEAVING,  /* asked to go */
	POWER_GOING,    /* its idle task is at it */
	POWER_GONE,     /* it touches nothing of ours any more */
};

static int power[HART_MAX];           /* atomic, enum power */
static bool unusable[HART_MAX];       /* a hook said no, or the firmware does not stop it */
static struct hart_hook *hooks;

/* One change at a time. */
static bool changing;
static struct waitq turn = WAITQ_INIT(turn);

static void set_power(unsigned hart, enum power p)
{
	__atomic_store_n(&power[hart], p, __ATOMIC_SEQ_CST);
}

static bool step(unsigned hart, enum power from, enum power to)
{
	int expected = from;

	return __atomic_compare_exchange_n(&power[hart], &expected, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static enum power get_power(unsigned hart)
{
	return (enum power)__atomic_load_n(&power[hart], __ATOMIC_SEQ_CST);
}

void smp_add_hook(struct hart_hook *hook)
{
	struct hart_hook **end = &hooks;

	while (*end)
		end = &(*end)->next;
	hook->next = NULL;
	__atomic_store_n(end, hook, __ATOMIC_RELEASE);
}

static int run_online_hooks(void)
{
	int error = 0;

	for (struct hart_hook *hook = hooks; hook && !error; hook = hook->next)
		if (hook->online)
			error = hook->online();
	return error;
}

static void run_offline_hooks(void)
{
	for (struct hart_hook *hook = hooks; hook; hook = hook->next)
		if (hook->offline)
			hook->offline();
}

void smp_hart_up(void)
{
	struct hart *h = this_hart();
	int error = run_online_hooks();

	if (error) {
		log_error("hart %lu cannot be used (error %d)", (unsigned long)h->hwid, error);
		__atomic_store_n(&unusable[h->index], true, __ATOMIC_SEQ_CST);
		arch_hart_stop();
		panic("the firmware cannot stop hart %lu", (unsigned long)h->hwid);
	}
	h->resched = false;
	calls_open();
	set_power(h->index, POWER_ON);
}

/* --- going --- */

/* The firmware did not stop us after all. */
static void stay(struct hart *h)
{
	irq_hart_init();
	__atomic_store_n(&unusable[h->index], true, __ATOMIC_SEQ_CST);
	smp_hart_up();
	h->online = true;
}

void smp_idle_leave(void)
{
	struct hart *h = this_hart();
	long error;

	if (!step(h->index, POWER_LEAVING, POWER_GOING)) {
		cpu_relax(); /* it stays after all, and will be online at once */
		return;
	}
	irq_hart_leave();
	run_offline_hooks();
	calls_close();
	log_debug("hart %lu: leaves", (unsigned long)h->hwid);
	set_power(h->index, POWER_GONE);
	error = arch_hart_stop();
	log_error("hart %lu: the firmware does not stop it (SBI error %ld)", (unsigned long)h->hwid, error);
	stay(h);
}

static unsigned count_online(void)
{
	unsigned n = 0;

	for (unsigned h = 0; h < hart_count(); h++)
		n += harts[h].online;
	return n;
}

bool others_are_common(unsigned hart)
{
	for (unsigned h = 0; h < hart_count(); h++)
		if (h != hart && harts[h].online && !harts[h].reserved)
			return true;
	return false;
}

static bool take_turn(void *arg)
{
	(void)arg;
	if (changing)
		return false;
	changing = true;
	return true;
}

void change_begin(void)
{
	waitq_wait(&turn, take_turn, NULL, UINT64_MAX);
}

void change_end(void)
{
	__atomic_store_n(&changing, false, __ATOMIC_RELEASE);
	waitq_notify_one(&turn);
}

/* Sleep until is(hart) is true, so many microseconds at most. @return whether it is. */
static bool wait_until(bool (*is)(unsigned hart), unsigned hart, uint64_t us)
{
	uint64_t deadline = time_now() + time_from_us(us);

	while (!is(hart)) {
		if (time_now() >= deadline)
			return is(hart);
		task_sleep_until(time_now() + time_from_us(POLL_US));
	}
	return true;
}

static bool is_gone(unsigned hart)
{
	return get_power(hart) == POWER_GONE || unusable[hart];
}

static bool is_stopped(unsigned hart)
{
	return unusable[hart] || arch_hart_stopped(&harts[hart]);
}

static bool is_online(unsigned hart)
{
	return harts[hart].online || unusable[hart];
}

/* From here on nothing new comes to the hart; what it has goes away. The caller, too, if it runs there. */
static void send_away(unsigned hart)
{
	irqflags_t flags;

	unusable[hart] = false;
	set_power(hart, POWER_LEAVING);
	__atomic_store_n(&harts[hart].online, false, __ATOMIC_SEQ_CST);
	flags = irq_save();
	sched_vacate(hart);
	if (hart == this_hart()->index)
		sched_check();
	else
		ipi_send(hart, IPI_RESCHED);
	irq_restore(flags);
}

static int wait_gone(unsigned hart)
{
	unsigned long id = (unsigned long)harts[hart].hwid;

	if (!wait_until(is_gone, hart, LEAVE_TIMEOUT_US)) {
		bool stays = step(hart, POWER_LEAVING, POWER_ON);

		if (stays)
			harts[hart].online = true;
		log_error("hart %lu does not leave its task '%s'%s", id, harts[hart].current->name,
			  stays ? ": it stays" : "");
		return -ETIMEDOUT;
	}
	if (!unusable[hart])
		timer_adopt(hart);
	if (!wait_until(is_stopped, hart, STOP_TIMEOUT_US)) {
		log_error("hart %lu has left, but the firmware does not say that it stopped", id);
		return -ETIMEDOUT;
	}
	if (unusable[hart])
		return -ENODEV;
	set_power(hart, POWER_OFF);
	log_info("hart %lu: offline", id);
	return 0;
}

int smp_offline(unsigned hart)
{
	int error = 0;

	if (hart >= hart_count())
		return -EINVAL;
	change_begin();
	if (!harts[hart].online)
		error = -EALREADY;
	else if (harts[hart].reserved || !others_are_common(hart) || !irq_may_leave(hart))
		error = -EBUSY;
	if (!error) {
		send_away(hart);
		error = wait_gone(hart);
	}
	change_end();
	return error;
}

/* --- coming --- */

struct order {
	struct hart *hart;
	long error;
};

static void order_start(void *arg)
{
	struct order *order = arg;

	order->error = arch_hart_start(order->hart);
}

static void order_start_and_wait(void *arg)
{
	struct order *order = arg;
	uint64_t deadline = time_now() + time_from_us(START_TIMEOUT_US);

	order_start(order);
	while (!order->error && !arch_hart_started(order->hart) && time_now() < deadline)
		cpu_relax();
}

static bool ids_have_gaps(void)
{
	for (unsigned h = 0; h < hart_count(); h++)
		if (harts[h].hwid >= hart_count())
			return true;
	return false;
}

/*
 * A hart that starts in OpenSBI 1.5 clears its own IPI by its id where the firmware
 * wants its place among the harts: with gaps in the ids that is another hart, and if an
 * IPI to that one is just on its way, no other ever reaches it: the firmware thinks
 * that it knows already. So nobody sends any until the firmware is through.
 */
static long start_in_firmware(struct hart *h)
{
	struct order order = { .hart = h };

	if (ids_have_gaps())
		smp_run_alone(order_start_and_wait, &order);
	else
		order_start(&order);
	return order.error;
}

static int start(struct hart *h)
{
	unsigned long id = (unsigned long)h->hwid;
	long error;

	h->boot_stack_top = sched_boot_stack(h->index);
	unusable[h->index] = false;
	log_debug("hart %lu: starting, stack below %p", id, h->boot_stack_top);
	error = start_in_firmware(h);
	/* It runs already: perhaps it is one of ours that answers late. */
	if (error && error != SBI_ERR_ALREADY_AVAILABLE) {
		log_error("hart %lu: the firmware does not start it (SBI error %ld)", id, error);
		return -ENODEV;
	}
	if (!wait_until(is_online, h->index, START_TIMEOUT_US)) {
		log_error("hart %lu does not answer%s; going on without it", id,
			  error ? ", though it runs (for somebody else?)" : "");
		return -ETIMEDOUT;
	}
	if (unusable[h->index])
		return -ENODEV;
	log_info("hart %lu: online", id);
	return 0;
}

/* Each hart looks whether the one that it runs belongs to the hart that is back: alone there, it might stay for ever. */
static void send_home(void)
{
	irqflags_t flags = irq_save();

	for (unsigned h = 0; h < hart_count(); h++)
		if (harts[h].online && h != this_hart()->index)
			ipi_send(h, IPI_RESCHED);
	sched_check();
	irq_restore(flags);
}

int smp_online(unsigned hart)
{
	int error = -EALREADY;

	if (hart >= hart_count())
		return -EINVAL;
	change_begin();
	if (!harts[hart].online)
		error = start(&harts[hart]);
	if (!error)
		send_home();
	change_end();
	return error;
}

void smp_start_secondaries(void)
{
	for (unsigned i = 1; i < hart_count(); i++)
		(void)!start(&harts[i]); /* has said why */
	log_info("secondary harts: %u of %u harts online", count_online(), hart_count());
}
