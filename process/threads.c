/* Threads of a process: making them, their ends, and what ends all of them. */
#include <errno.h>

#include <arch/cpu.h>
#include <caisson/log.h>
#include <caisson/mm.h>

#include "futex.h"
#include "thread.h"

#define LOG_NAME "process"

/* What stands in the list of threads changes under both of its locks. */
static irqflags_t lock(struct process *p)
{
	irqflags_t flags = tree_lock();

	spin_lock(&p->signals->lock);
	return flags;
}

static void unlock(struct process *p, irqflags_t flags)
{
	spin_unlock(&p->signals->lock);
	tree_unlock(flags);
}

/* --- making --- */

struct thread *thread_new(struct process *p)
{
	struct thread *t = kzalloc(sizeof(*t));

	if (!t)
		return NULL;
	t->process = p;
	list_init(&t->node);
	signal_queue_init(&t->queue);
	return t;
}

void thread_free(struct thread *t)
{
	if (t)
		signal_queue_drop(&t->queue, UINT64_MAX);
	kfree(t);
}

int thread_enter(struct thread *t, const struct thread *caller)
{
	struct process *p = t->process;
	irqflags_t flags = lock(p);
	int error = caller->leaving ? -ERESTART_ALWAYS : tree_room(p);

	if (!error) {
		t->tid = tree_number();
		list_push_back(&p->threads, &t->node);
		p->n_threads++;
	}
	unlock(p, flags);
	return error;
}

static void take_out(struct thread *t)
{
	list_del(&t->node);
	t->process->n_threads--;
}

void thread_cancel(struct thread *t)
{
	struct process *p = t->process;
	irqflags_t flags = lock(p);

	take_out(t);
	tree_tell(p); /* somebody may wait to be the last */
	unlock(p, flags);
	thread_free(t);
}

void thread_start(struct thread *t)
{
	spinlock_t *signals = &t->process->signals->lock;
	irqflags_t flags = spin_lock_irqsave(signals);

	t->started = true;
	spin_unlock_irqrestore(signals, flags);
	task_wake(t->task);
}

/* --- looking --- */

bool thread_interrupted(const struct thread *t)
{
	return signal_waits(t) || __atomic_load_n(&t->leaving, __ATOMIC_RELAXED);
}

bool thread_is_ending(const struct thread *t)
{
	return __atomic_load_n(&t->leaving, __ATOMIC_RELAXED) || signal_will_end(t);
}

bool process_is_asleep(const struct process *p)
{
	list_for_each(t, &p->threads, struct thread, node)
		if (t->task && t->task->state != TASK_BLOCKED)
			return false;
	return true;
}

/* --- ending several --- */

/* The lock of the signal table is held. */
static void end_all_but(struct process *p, const struct thread *survivor)
{
	list_for_each(t, &p->threads, struct thread, node) {
		if (t == survivor)
			continue;
		__atomic_store_n(&t->leaving, true, __ATOMIC_RELAXED);
		thread_nudge(t);
	}
}

/* Who ends it first says how. */
static void end_with(struct process *p, int status, unsigned signal)
{
	irqflags_t flags = spin_lock_irqsave(&p->signals->lock);

	if (!p->ending) {
		p->ending = true;
		p->status = status;
		p->died_of = signal;
		p->stopped_by = 0;
		end_all_but(p, NULL);
	}
	spin_unlock_irqrestore(&p->signals->lock, flags);
}

void process_end(struct process *p, int status)
{
	end_with(p, status, 0);
}

void process_die(struct process *p, unsigned signal)
{
	end_with(p, 128 + (int)signal, signal);
}

static bool is_alone(void *arg)
{
	const struct thread *t = arg;

	return __atomic_load_n(&t->process->n_threads, __ATOMIC_RELAXED) == 1 || __atomic_load_n(&t->leaving, __ATOMIC_RELAXED);
}

int thread_end_others(struct thread *t)
{
	struct process *p = t->process;
	irqflags_t flags = spin_lock_irqsave(&p->signals->lock);

	if (!t->leaving)
		end_all_but(p, t);
	spin_unlock_irqrestore(&p->signals->lock, flags);
	process_wait_until(is_alone, t);
	if (t->leaving)
		return -EINTR;
	flags = lock(p);
	t->tid = p->pid;
	unlock(p, flags);
	threads_sweep(p);
	return 0;
}

/* --- ending one --- */

void thread_end(struct thread *t, int status)
{
	struct process *p = t->process;
	irqflags_t flags = spin_lock_irqsave(&p->signals->lock);

	if (!p->ending && t->tid == p->pid)
		p->status = status;
	__atomic_store_n(&t->leaving, true, __ATOMIC_RELAXED);
	spin_unlock_irqrestore(&p->signals->lock, flags);
}

/* Only who shares the memory can look at the number (CLONE_CHILD_CLEARTID); at locks, others too. */
void thread_release_memory(struct thread *t)
{
	const struct process *p = t->process;

	if (t->robust_list)
		futex_leave_robust(t, t->robust_list);
	if (t->clear_tid && (p->n_threads > 1 || __atomic_load_n(&p->mm->refs, __ATOMIC_RELAXED) > 1))
		futex_clear(t, t->clear_tid);
	t->robust_list = t->clear_tid = 0;
}

static void leave_mm(struct thread *t)
{
	irqflags_t flags = irq_save();

	mm_unload(t->mm);
	t->mm = NULL;
	irq_restore(flags);
}

/* Its storage and its stack are needed until its task has left the hart: the next one frees them. */
void threads_sweep(struct process *p)
{
	for (;;) {
		struct thread *t = NULL;
		irqflags_t flags = tree_lock();

		if (!list_empty(&p->gone)) {
			t = list_first(&p->gone, struct thread, node);
			list_del(&t->node);
		}
		tree_unlock(flags);
		if (!t)
			return;
		(void)task_join(t->task);
		thread_free(t);
	}
}

void thread_leave(struct thread *t)
{
	struct process *p = t->process;
	irqflags_t flags;
	bool last;

	signal_pass_on(t);
	thread_release_memory(t);
	leave_mm(t);
	threads_sweep(p);
	flags = lock(p);
	take_out(t);
	list_push_back(&p->gone, &t->node);
	usage_add_thread(&p->gone_usage, t);
	last = list_empty(&p->threads);
	tree_tell(p);
	unlock(p, flags);
	if (!last)
		return;
	log_debug("process %u (%s): ended with status %d", p->pid, p->name, p->status);
	process_leave(p);
}
