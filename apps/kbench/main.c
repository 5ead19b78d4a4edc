/*
 * What the base costs: instructions per operation, on one hart. Run it with --icount, under each class;
 * `./caisson bench` puts the rows beside one another.
 */
#include <errno.h>

#include <arch/cpu.h>
#include <arch/csr.h>
#include <arch/trap.h>
#include <caisson/aspace.h>
#include <caisson/hart.h>
#include <caisson/init.h>
#include <caisson/mm.h>
#include <caisson/print.h>
#include <caisson/smp.h>
#include <caisson/task.h>
#include <caisson/time.h>

#define ROUNDS 1000
#define WARM_UP 10
#define LAZY_START UINT64_C(0x10000000)
#define LAZY_SIZE ((ROUNDS + WARM_UP) * PAGE_SIZE)

static void show(const char *name, uint64_t instructions, uint64_t operations)
{
	print("row %s %lu.%lu\n", name, (unsigned long)(instructions / operations),
	      (unsigned long)(instructions * 10 / operations % 10));
}

/* Run an operation many times. @return the instructions of all rounds, the loop's own too. */
static uint64_t count(void (*op)(void))
{
	uint64_t start;

	for (unsigned i = 0; i < WARM_UP; i++)
		op();
	start = cpu_instret();
	for (unsigned i = 0; i < ROUNDS; i++)
		op();
	return cpu_instret() - start;
}

static void do_nothing(void)
{
	__asm__ volatile("");
}

static uint64_t loop_cost;

static void bench(const char *name, void (*op)(void))
{
	show(name, count(op) - loop_cost, ROUNDS);
}

/* --- memory --- */

static void heap_round(void)
{
	kfree(kalloc(64));
}

static void frame_round(void)
{
	hpa_t frame;

	if (frame_alloc(0, 0, &frame) == 0)
		frame_free(frame, 0);
}

static struct aspace space;
static uint64_t next_page = LAZY_START;
static unsigned unresolved;

static void fault_round(void)
{
	unresolved += aspace_fault(&space, next_page, PERM_W) != FAULT_RESOLVED;
	next_page += PAGE_SIZE;
}

static int bench_faults(void)
{
	int error = aspace_init(&space, &pt_sv39, 0, BIT(38) - 1);

	if (error)
		return error;
	error = aspace_map_alloc(&space, LAZY_START, LAZY_SIZE, PERM_R | PERM_W, 0);
	if (!error)
		bench("page-fault", fault_round);
	aspace_destroy(&space);
	return error ? error : unresolved ? -ENOMEM : 0;
}

/* --- traps, time, calls --- */

static bool skip_breakpoint(struct trap_frame *frame)
{
	frame->pc += 4;
	return true;
}

static void trap_round(void)
{
	__asm__ volatile(".option push\n.option norvc\nebreak\n.option pop" ::: "memory");
}

static struct timer timer;

static void never(struct timer *t)
{
	(void)t;
}

static void timer_round(void)
{
	timer_arm(&timer, UINT64_MAX - 1);
	timer_cancel(&timer);
}

static void called(void *arg)
{
	(void)arg;
}

/* By IPI to the own hart: queueing, the interrupt, the function, the way back; but no wait for another hart. */
static void call_round(void)
{
	struct smp_call call = { .fn = called };

	if (smp_call_async(this_hart()->index, &call) == 0)
		smp_call_wait(&call);
}

/* --- tasks --- */

static void end_at_once(void *arg)
{
	(void)arg;
}

static void join_round(void)
{
	struct task *t = task_create("brief", end_at_once, NULL, NULL);

	if (t)
		task_join(t);
}

static bool over;

static void yield_until_over(void *arg)
{
	(void)arg;
	while (!over)
		task_yield();
}

/* Two tasks that give way to one another: each round is two switches. */
static void bench_switch(void)
{
	struct task *other = task_create("other", yield_until_over, NULL, NULL);

	if (!other)
		return;
	show("switch", count(task_yield) - loop_cost, 2 * ROUNDS);
	over = true;
	task_join(other);
}

static struct waitq wq = WAITQ_INIT(wq);
static unsigned notified;        /* how often the sleeper was woken */
static uint64_t notified_at, wake_cost;

static bool is_notified(void *seen)
{
	return notified != *(unsigned *)seen;
}

static void be_woken(void *arg)
{
	unsigned seen = 0;

	(void)arg;
	for (unsigned i = 0; i < ROUNDS; i++) {
		waitq_wait(&wq, is_notified, &seen, UINT64_MAX);
		wake_cost += cpu_instret() - notified_at;
		seen = notified;
	}
}

/* From the notify to the woken task, the waker giving way at once. */
static void bench_wake(void)
{
	struct task *sleeper = task_create("sleeper", be_woken, NULL, NULL);

	if (!sleeper)
		return;
	for (unsigned i = 0; i < ROUNDS; i++) {
		task_sleep_until(time_now() + time_from_us(100)); /* until it sleeps */
		notified++;
		notified_at = cpu_instret();
		waitq_notify_one(&wq);
		task_yield();
	}
	task_join(sleeper);
	show("wake-up", wake_cost, ROUNDS);
}

int main(void)
{
	print("ticks-at-main %lu\n", (unsigned long)time_now()); /* first of all; bench takes the firmware's off */
	trap_register(CAUSE_BREAKPOINT, skip_breakpoint);
	timer_init(&timer, never);
	loop_cost = count(do_nothing);
	show("empty-call", loop_cost, ROUNDS);
	bench("null-trap", trap_round);
	bench("timer-arm", timer_round);
	bench("heap", heap_round);
	bench("frame", frame_round);
	if (bench_faults())
		return 1;
	bench_switch();
	bench_wake();
	bench("ipi-call", call_round);
	bench("create-join", join_round);
	return 0;
}
