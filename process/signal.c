/* Signals: sending, waiting, taking (signal.h). */
#include <errno.h>
#include <string.h>

#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/smp.h>

#include "jobs.h"
#include "thread.h"

#define LOG_NAME "process"

enum { SIG_DFL = 0, SIG_IGN = 1 };
enum { SA_NOCLDSTOP = 1, SA_NOCLDWAIT = 2, SA_RESTART = 0x10000000, SA_NODEFER = 0x40000000 };
#define SA_RESETHAND UINT64_C(0x80000000)

#define STOPS (SIG_BIT(SIGSTOP) | SIG_BIT(SIGTSTP) | SIG_BIT(SIGTTIN) | SIG_BIT(SIGTTOU))
#define IGNORED_BY_DEFAULT (SIG_BIT(SIGCHLD) | SIG_BIT(SIGCONT) | SIG_BIT(SIGURG) | SIG_BIT(SIGWINCH))

/* --- tables of actions --- */

struct signal_table *signal_table_new(void)
{
	struct signal_table *t = kzalloc(sizeof(*t));

	if (t)
		t->refs = 1;
	return t;
}

struct signal_table *signal_table_copy(struct signal_table *from)
{
	struct signal_table *t = signal_table_new();
	irqflags_t flags;

	if (!t)
		return NULL;
	flags = spin_lock_irqsave(&from->lock);
	memcpy(t->actions, from->actions, sizeof(t->actions));
	spin_unlock_irqrestore(&from->lock, flags);
	return t;
}

void signal_table_put(struct signal_table *t)
{
	if (__atomic_fetch_sub(&t->refs, 1, __ATOMIC_ACQ_REL) == 1)
		kfree(t);
}

void signal_table_reset(struct signal_table *t)
{
	irqflags_t flags = spin_lock_irqsave(&t->lock);

	for (unsigned i = 0; i < SIGNALS; i++)
		t->actions[i] = (struct signal_action){ .handler = t->actions[i].handler == SIG_IGN ? SIG_IGN : SIG_DFL };
	spin_unlock_irqrestore(&t->lock, flags);
}

static struct signal_action action_of(struct signal_table *t, unsigned signal)
{
	irqflags_t flags = spin_lock_irqsave(&t->lock);
	struct signal_action a = t->actions[signal - 1];

	spin_unlock_irqrestore(&t->lock, flags);
	return a;
}

bool signal_ignores_children(struct signal_table *t)
{
	struct signal_action a = action_of(t, SIGCHLD);

	return a.handler == SIG_IGN || (a.flags & SA_NOCLDWAIT);
}

bool signal_ignores_stops(struct signal_table *t)
{
	return action_of(t, SIGCHLD).flags & SA_NOCLDSTOP;
}

bool signal_is_refused(const struct thread *t, unsigned signal)
{
	return (t->blocked & SIG_BIT(signal)) || action_of(t->process->signals, signal).handler == SIG_IGN;
}

bool signal_will_end(const struct thread *t)
{
	const struct signal_action *actions = t->process->signals->actions;
	uint64_t deadly = signal_pending(t) & ~(STOPS | IGNORED_BY_DEFAULT);

	for (; deadly; deadly &= deadly - 1)
		if (__atomic_load_n(&actions[__builtin_ctzll(deadly)].handler, __ATOMIC_RELAXED) == SIG_DFL)
			return true;
	return false;
}

/* --- sending --- */

static bool is_ignored(const struct signal_table *table, unsigned signal)
{
	uint64_t handler = table->actions[signal - 1].handler;

	return handler == SIG_IGN || (handler == SIG_DFL && (SIG_BIT(signal) & IGNORED_BY_DEFAULT));
}

/*
 * In the kernel it looks when it leaves it; asleep it looks now; in U-mode the interrupt is the trap where it does. The
 * table's lock is held, so that the task does not go.
 */
void thread_nudge(struct thread *t)
{
	if (!t->started || t->task == task_current())
		return;
	task_interrupt(t->task);
	ipi_send(t->task->hart, IPI_RESCHED);
}

static void nudge_all(struct process *p)
{
	list_for_each(t, &p->threads, struct thread, node)
		thread_nudge(t);
}

/* The table's lock is held. */
static void drop_all(struct process *p, uint64_t set)
{
	signal_queue_drop(&p->queue, set);
	list_for_each(t, &p->threads, struct thread, node)
		signal_queue_drop(&t->queue, set);
}

/* A stop and SIGCONT undo each other, whatever is done with them otherwise. The table's lock is held. */
static void undo_opposite(struct process *p, unsigned signal)
{
	if (SIG_BIT(signal) & STOPS)
		drop_all(p, SIG_BIT(SIGCONT));
	if (signal != SIGCONT && signal != SIGKILL)
		return;
	if (signal == SIGCONT) {
		drop_all(p, STOPS);
		p->continued |= p->stopped_by != 0;
	}
	p->stop_is_due = false;
	p->stopped_by = 0;
}

/* Who takes a signal of the whole process: the oldest that does not block it, or waits for it. @return NULL: all are gone */
static struct thread *taker(struct process *p, unsigned signal)
{
	list_for_each(t, &p->threads, struct thread, node)
		if (!t->leaving && (!(t->blocked & SIG_BIT(signal)) || (t->awaited & SIG_BIT(signal))))
			return t;
	return list_empty(&p->threads) ? NULL : list_first(&p->threads, struct thread, node);
}

/* The table's lock is held. */
static int send(struct process *p, struct thread *t, struct signal_queue *q, unsigned signal, const struct signal_info *info)
{
	bool wanted = !is_ignored(p->signals, signal) || ((t->blocked | t->awaited) & SIG_BIT(signal));
	int error;

	undo_opposite(p, signal);
	error = wanted ? signal_queue_put(q, signal, info) : 0;
	if (signal == SIGCONT || signal == SIGKILL) /* whoever was stopped goes on */
		nudge_all(p);
	else if (wanted)
		thread_nudge(t);
	return error;
}

int signal_send(struct process *p, unsigned signal, const struct signal_info *info)
{
	irqflags_t flags = spin_lock_irqsave(&p->signals->lock);
	struct thread *t = taker(p, signal);
	int error = t ? send(p, t, &p->queue, signal, info) : 0;

	spin_unlock_irqrestore(&p->signals->lock, flags);
	return error;
}

int signal_send_tid(struct process *p, unsigned tid, unsigned signal, const struct signal_info *info)
{
	irqflags_t flags = spin_lock_irqsave(&p->signals->lock);
	int error = 0;

	list_for_each(t, &p->threads, struct thread, node)
		if (t->tid == tid)
			error = send(p, t, &t->queue, signal, info);
	spin_unlock_irqrestore(&p->signals->lock, flags);
	return error;
}

int signal_send_thread(struct thread *t, unsigned signal, const struct signal_info *info)
{
	irqflags_t flags = spin_lock_irqsave(&t->process->signals->lock);
	int error = send(t->process, t, &t->queue, signal, info);

	spin_unlock_irqrestore(&t->process->signals->lock, flags);
	return error;
}

void signal_pass_on(struct thread *t)
{
	struct process *p = t->process;
	irqflags_t flags;

	if (__atomic_load_n(&p->n_threads, __ATOMIC_RELAXED) == 1)
		return;
	flags = spin_lock_irqsave(&p->signals->lock);
	list_for_each(other, &p->threads, struct thread, node)
		if (other != t && (p->queue.pending & (~other->blocked | other->awaited)))
			thread_nudge(other);
	spin_unlock_irqrestore(&p->signals->lock, flags);
}

/* A signal may be on its way: its sender has seen what was blocked before, or signal_pass_on sees the signal. */
void signal_set_blocked(struct thread *t, uint64_t set)
{
	t->blocked = set & ~NEVER_BLOCKED;
	signal_pass_on(t);
}

void signal_fault(struct thread *t, unsigned signal, const struct signal_info *info)
{
	struct signal_table *table = t->process->signals;
	irqflags_t flags = spin_lock_irqsave(&table->lock);
	struct signal_action *a = &table->actions[signal - 1];

	if (a->handler == SIG_IGN || (t->blocked & SIG_BIT(signal)))
		a->handler = SIG_DFL;
	t->blocked &= ~SIG_BIT(signal);
	(void)signal_queue_put(&t->queue, signal, info);
	spin_unlock_irqrestore(&table->lock, flags);
}

/* --- what is done with them --- */

void signal_set_action(struct process *p, unsigned signal, const struct signal_action *new, struct signal_action *old)
{
	struct signal_table *table = p->signals;
	irqflags_t flags = spin_lock_irqsave(&table->lock);

	*old = table->actions[signal - 1];
	if (new)
		table->actions[signal - 1] = *new;
	if (new && is_ignored(table, signal))
		drop_all(p, SIG_BIT(signal));
	spin_unlock_irqrestore(&table->lock, flags);
}

/* --- taking --- */

/* A fault's before all others. The lock is held. @return 0: none */
static unsigned next(struct thread *t, uint64_t set, struct signal_info *info)
{
	unsigned signal = signal_queue_take(&t->queue, set, info);

	return signal ? signal : signal_queue_take(&t->process->queue, set, info);
}

static bool goes_on(void *arg)
{
	const struct thread *t = arg;

	return !__atomic_load_n(&t->process->stopped_by, __ATOMIC_RELAXED) || __atomic_load_n(&t->leaving, __ATOMIC_RELAXED);
}

/* The first thread that takes the signal tells the parent, and the others, which stop on their way to the program. */
static void stop(struct thread *t, unsigned signal)
{
	struct process *p = t->process;
	irqflags_t flags = spin_lock_irqsave(&p->signals->lock);
	bool first = p->stop_is_due && !p->stopped_by && !t->leaving &&
		     !((p->queue.pending | t->queue.pending) & SIG_BIT(SIGKILL));

	if (first) {
		p->stopped_by = signal;
		p->continued = 0;
		nudge_all(p);
	}
	spin_unlock_irqrestore(&p->signals->lock, flags);
	if (!first)
		return;
	process_tell_parent(p, signal);
	process_wait_until(goes_on, t);
	if (__atomic_exchange_n(&p->continued, 0, __ATOMIC_RELAXED))
		process_tell_parent(p, SIGCONT);
}

static void take_default(struct thread *t, unsigned signal)
{
	if (SIG_BIT(signal) & IGNORED_BY_DEFAULT)
		return;
	if (signal == SIGSTOP || ((SIG_BIT(signal) & STOPS) && !group_is_orphaned(t->process->group)))
		stop(t, signal);
	else if (!(SIG_BIT(signal) & STOPS))
		process_die(t->process, signal);
}

/* A call that was interrupted: EINTR if the handler says so, else it is done again after it. */
static void settle_call(struct thread *t, bool again)
{
	if (!t->restart)
		return;
	t->restart = false;
	if (again) {
		t->ctx.x[REG_A0] = t->first_argument;
		t->ctx.pc -= ECALL_SIZE;
	} else {
		t->ctx.x[REG_A0] = (uint64_t)-EINTR;
	}
}

uint64_t thread_deadline(struct thread *t, uint64_t deadline)
{
	if (!t->again)
		t->deadline = deadline;
	return t->deadline;
}

static void run_handler(struct thread *t, unsigned signal, const struct signal_info *info, const struct signal_action *a)
{
	settle_call(t, (a->flags & SA_RESTART) && !t->restart_quiet);
	t->again = false;
	if (signal_push_frame(t, signal, info, a)) {
		if (signal != SIGSEGV) { /* that one's handler may have a stack of its own */
			signal_fault(t, SIGSEGV, &(struct signal_info){ .code = SI_KERNEL });
			return;
		}
		log_warn("process %u (%s): no stack for a signal's handler: killed", t->process->pid, t->process->name);
		process_die(t->process, SIGSEGV);
		return;
	}
	signal_set_blocked(t, t->blocked | a->mask | (a->flags & SA_NODEFER ? 0 : SIG_BIT(signal)));
}

static bool take_one(struct thread *t)
{
	struct signal_table *table = t->process->signals;
	irqflags_t flags = spin_lock_irqsave(&table->lock);
	struct signal_action a = { .handler = SIG_DFL };
	struct signal_info info;
	unsigned signal = next(t, ~t->blocked | NEVER_BLOCKED, &info);

	if (signal)
		a = table->actions[signal - 1];
	if (signal && (a.flags & SA_RESETHAND))
		table->actions[signal - 1].handler = SIG_DFL;
	if (signal && (SIG_BIT(signal) & STOPS)) /* the lock is let go before it stops */
		t->process->stop_is_due = true;
	spin_unlock_irqrestore(&table->lock, flags);
	if (!signal)
		return false;
	if (a.handler == SIG_DFL)
		take_default(t, signal);
	else if (a.handler != SIG_IGN)
		run_handler(t, signal, &info, &a);
	return true;
}

static bool has_come(void *arg)
{
	const struct thread *t = arg;

	return ((t->process->queue.pending | t->queue.pending) & t->awaited) || thread_interrupted(t);
}

/* With the lock: who sends knows of it, or has put the signal where has_come() looks. */
static void set_awaited(struct thread *t, uint64_t set)
{
	spinlock_t *lock = &t->process->signals->lock;
	irqflags_t flags = spin_lock_irqsave(lock);

	t->awaited = set & ~NEVER_BLOCKED;
	spin_unlock_irqrestore(lock, flags);
}

static unsigned take_awaited(struct thread *t, struct signal_info *info)
{
	spinlock_t *lock = &t->process->signals->lock;
	irqflags_t flags = spin_lock_irqsave(lock);
	unsigned signal = next(t, t->awaited, info);

	spin_unlock_irqrestore(lock, flags);
	return signal;
}

int signal_wait(struct thread *t, uint64_t set, uint64_t deadline, struct signal_info *info)
{
	struct waitq nobody = WAITQ_INIT(nobody);
	unsigned signal;
	bool late;

	set_awaited(t, set);
	do { /* again, if another thread was faster */
		late = waitq_wait(&nobody, has_come, t, deadline) == -ETIMEDOUT;
		signal = take_awaited(t, info);
	} while (!signal && !late && !thread_interrupted(t));
	set_awaited(t, 0);
	signal_pass_on(t);
	return signal ? (int)signal : thread_interrupted(t) ? -EINTR : -EAGAIN;
}

void signal_take(struct thread *t)
{
	do {
		if (unlikely(t->process->stopped_by))
			process_wait_until(goes_on, t);
	} while (!t->leaving && take_one(t));
	t->again |= t->restart;
	settle_call(t, true);
	if (t->has_saved_blocked) { /* rt_sigsuspend, and no handler ran */
		t->has_saved_blocked = false;
		signal_set_blocked(t, t->saved_blocked);
	}
}
