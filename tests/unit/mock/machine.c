/* The simulated machine: see machine.h. */
#include <machine.h>

#include <ucontext.h>

#include <arch/context.h>
#include <arch/cpu.h>
#include <arch/hart.h>
#include <arch/layout.h>
#include <arch/sbi.h>
#include <arch/timer.h>
#include <caisson/irq.h>
#include <caisson/kspace.h>
#include <caisson/smp.h>
#include <caisson/task.h>
#include <caisson/time.h>
#include <test.h>

/* The sanitizers make large frames: the block reaches far below what its owner asked for. */
#define HOST_STACK (256 * KiB)

static struct sim_hart {
	ucontext_t fiber;     /* where it goes on when it has its turn */
	bool started, waits;  /* waits: in cpu_wfi */
	bool irq_off;         /* it takes no interrupts now */
	bool soft;            /* software interrupt pending */
	bool deaf;            /* the firmware thinks that one is pending */
	uint64_t compare;     /* the timer's deadline */
	uint64_t last_turn;
	unsigned ipis;
} sim[HART_MAX];

struct hart harts[HART_MAX];
bool arch_has_sstc;
unsigned machine_stacks;
bool machine_no_stacks;
long machine_start_error[HART_MAX], machine_stop_error[HART_MAX];
bool machine_silent[HART_MAX], machine_confuses_harts;
static unsigned n_harts;

unsigned hart_count(void)
{
	return n_harts;
}

/* --- stacks and contexts --- */

void *kstack_alloc(size_t size)
{
	char *block = machine_no_stacks ? NULL : malloc(HOST_STACK);

	if (!block)
		return NULL;
	machine_stacks++;
	return block + HOST_STACK - size;
}

void kstack_free(void *base, size_t size)
{
	machine_stacks--;
	free((char *)base + size - HOST_STACK);
}

/* makecontext passes ints only. */
static void context_entry(unsigned hi, unsigned lo)
{
	struct context *ctx = (struct context *)((uintptr_t)hi << 32 | lo);

	((void (*)(void *))(uintptr_t)ctx->s[0])((void *)(uintptr_t)ctx->s[1]);
	abort();
}

/* The ucontext of a task lives at the low end of its stack's block; ra points there. */
void context_init(struct context *ctx, void (*entry)(void *), void *arg, void *stack_top)
{
	char *block = (char *)stack_top - HOST_STACK;
	ucontext_t *uc = (ucontext_t *)block;

	memset(uc, 0, sizeof(*uc));
	getcontext(uc);
	uc->uc_stack.ss_sp = block + sizeof(*uc);
	uc->uc_stack.ss_size = HOST_STACK - sizeof(*uc);
	ctx->ra = (uintptr_t)uc;
	ctx->s[0] = (uintptr_t)entry;
	ctx->s[1] = (uintptr_t)arg;
	makecontext(uc, (void (*)(void))context_entry, 2, (unsigned)((uintptr_t)ctx >> 32),
		    (unsigned)(uintptr_t)ctx);
}

void context_switch(struct context *from, struct context *to)
{
	static ucontext_t main_context;

	assert_false(mock_irq_on);
	if (!from->ra)
		from->ra = (uintptr_t)&main_context;
	swapcontext((ucontext_t *)(uintptr_t)from->ra, (ucontext_t *)(uintptr_t)to->ra);
	assert_false(mock_irq_on);
}

/* --- timer, IPIs, start of harts --- */

unsigned machine_ipi_calls;

void arch_timer_program(uint64_t deadline)
{
	sim[mock_hart->index].compare = deadline;
}

void arch_timer_mask(void)
{
	sim[mock_hart->index].compare = UINT64_MAX;
}

void sbi_send_ipi(uint64_t mask, uint64_t base)
{
	machine_ipi_calls++;
	for (unsigned h = 0; h < hart_count(); h++)
		if (harts[h].hwid - base < 64 && mask >> (harts[h].hwid - base) & 1) {
			sim[h].soft = !sim[h].deaf;
			sim[h].ipis++;
		}
}

static void lose_ipi(uint64_t hart)
{
	if (hart < hart_count() && sim[hart].soft) {
		sim[hart].soft = false;
		sim[hart].deaf = true;
	}
}

unsigned machine_ipis(unsigned hart)
{
	return sim[hart].ipis;
}

static void secondary(void)
{
	irq_hart_init();
	timer_hart_init();
	smp_hart_up();
	sched_secondary();
}

long arch_hart_start(struct hart *h)
{
	struct sim_hart *s = &sim[h->index];
	char *block = (char *)h->boot_stack_top - HOST_STACK;

	if (machine_start_error[h->index])
		return machine_start_error[h->index];
	if (machine_confuses_harts)
		lose_ipi(h->hwid);
	/* Above the place where the idle task's context is. */
	getcontext(&s->fiber);
	s->fiber.uc_stack.ss_sp = block + sizeof(ucontext_t);
	s->fiber.uc_stack.ss_size = HOST_STACK - sizeof(ucontext_t);
	makecontext(&s->fiber, secondary, 0);
	s->compare = UINT64_MAX;
	s->last_turn = UINT64_MAX;
	s->started = !machine_silent[h->index];
	s->waits = s->irq_off = false;
	return 0;
}

/* The hart is left where it is: its next turn begins in secondary(). */
long arch_hart_stop(void)
{
	assert_false(mock_irq_on);
	if (machine_stop_error[this_hart()->index])
		return machine_stop_error[this_hart()->index];
	sim[this_hart()->index].started = false;
	cpu_wfi();
	fail_msg("a stopped hart runs");
	return 0;
}

bool arch_hart_started(const struct hart *h)
{
	return sim[h->index].started;
}

bool arch_hart_stopped(const struct hart *h)
{
	return !sim[h->index].started;
}

/* --- turns --- */

static bool interrupt_pending(const struct sim_hart *s)
{
	return s->soft || s->compare <= mock_time;
}

/* As the trap path does. */
static void take_interrupts(struct sim_hart *s)
{
	if (!interrupt_pending(s))
		return;
	mock_irq_on = false;
	if (s->soft) {
		s->soft = false;
		irq_dispatch(IRQ_S_SOFT);
	}
	if (s->compare <= mock_time)
		irq_dispatch(IRQ_S_TIMER);
	assert_int_equal(this_hart()->irq_depth, 0);
	if (this_hart()->resched)
		sched_check();
}

static bool wants_turn(const struct sim_hart *s)
{
	bool interrupted = interrupt_pending(s) && (s->waits || !s->irq_off);

	return s->started && (interrupted || (!s->waits && s->last_turn != mock_time));
}

/* Everybody had a turn: on to the next deadline, or one step if somebody computes. */
static void advance_time(void)
{
	uint64_t next = UINT64_MAX;

	for (unsigned h = 0; h < n_harts; h++) {
		if (!sim[h].started)
			continue;
		if (sim[h].compare > mock_time)
			next = MIN(next, sim[h].compare);
		if (!sim[h].waits)
			next = MIN(next, mock_time + MACHINE_STEP);
	}
	if (next == UINT64_MAX)
		fail_msg("all harts wait for ever");
	mock_time = next;
}

static unsigned next_hart(unsigned after)
{
	for (;;) {
		for (unsigned i = 1; i <= n_harts; i++)
			if (wants_turn(&sim[(after + i) % n_harts]))
				return (after + i) % n_harts;
		advance_time();
	}
}

static void wait_turn(bool wfi)
{
	unsigned me = this_hart()->index, next;
	struct sim_hart *s = &sim[me];
	bool irq_on = mock_irq_on;

	s->waits = wfi;
	s->irq_off = !irq_on;
	next = next_hart(me);
	sim[next].last_turn = mock_time;
	if (next != me) {
		mock_hart = &harts[next];
		mock_irq_on = false;
		swapcontext(&s->fiber, &sim[next].fiber);
	}
	assert_ptr_equal(mock_hart, &harts[me]);
	s->waits = false;
	if (wfi || irq_on)
		take_interrupts(s);
	mock_irq_on = irq_on;
}

void machine_busy(uint64_t ticks)
{
	uint64_t end = mock_time + ticks;

	while (mock_time < end)
		wait_turn(false);
}

void machine_start(unsigned n)
{
	n_harts = n;
	for (unsigned h = 0; h < n; h++) {
		harts[h].index = h;
		harts[h].hwid = h;
	}
	sim[0].started = true;
	sim[0].compare = UINT64_MAX;
	mock_hart = &harts[0];
	mock_wait = wait_turn;
	timebase_hz = 10000000;
	mock_time = 1;
	mock_irq_on = false;
	timer_hart_init();
	assert_int_equal(sched_init(), 0);
	smp_init();
	irq_hart_init();
	irq_enable();
	smp_start_secondaries();
}
