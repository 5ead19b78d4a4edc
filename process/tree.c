/* The tree of processes: the table of all, parents and children, ends and those who wait for them. */
#include <errno.h>
#include <string.h>

#include <arch/cpu.h>
#include <caisson/mm.h>
#include <caisson/time.h>

#include "jobs.h"
#include "thread.h"

#define NUMBER_MAX 32767

/* Guards the tree. Taken inside the locks of wait queues whose predicates look; then: a signal table's, run queues. */
static spinlock_t lock = SPINLOCK_INIT;
static struct waitq ends = WAITQ_INIT(ends); /* one without a parent has ended: the reaper, and the kernel's tasks */
static struct list all = LIST_INIT(all);
static unsigned last_number;

/* --- making and freeing --- */

static char *copy_string(const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = kalloc(n);

	return copy ? memcpy(copy, s, n) : NULL;
}

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

struct process *process_new(const char *path)
{
	struct process *p = kzalloc(sizeof(*p));

	if (!p)
		return NULL;
	strncpy(p->name, last_component(path), sizeof(p->name) - 1);
	p->umask = 022;
	limits_default(&p->limits);
	list_init(&p->threads);
	list_init(&p->gone);
	list_init(&p->children);
	signal_queue_init(&p->queue);
	p->exe = copy_string(path);
	p->cwd = copy_string("");
	if (p->exe && p->cwd)
		return p;
	process_free(p);
	return NULL;
}

void process_free(struct process *p)
{
	if (p->mm)
		mm_put(p->mm);
	if (p->files)
		fd_table_put(p->files);
	if (p->signals)
		signal_table_put(p->signals);
	signal_queue_drop(&p->queue, UINT64_MAX);
	kfree(p->exe);
	kfree(p->cwd);
	kfree(p);
}

/* --- the tree --- */

irqflags_t tree_lock(void)
{
	return spin_lock_irqsave(&lock);
}

void tree_unlock(irqflags_t flags)
{
	spin_unlock_irqrestore(&lock, flags);
}

/* They are asleep in queues of their own. */
void tree_tell(struct process *p)
{
	list_for_each(t, &p->threads, struct thread, node)
		if (t->started && t->task != task_current())
			task_interrupt(t->task);
}

static bool in_use(unsigned number)
{
	list_for_each(p, &all, struct process, node) {
		if (p->pid == number || p->group == number || p->session == number)
			return true;
		list_for_each(t, &p->threads, struct thread, node)
			if (t->tid == number)
				return true;
	}
	return false;
}

static void mark(uint64_t *used, unsigned number)
{
	used[number / 64] |= BIT(number % 64);
}

/* Many numbers in a row may be in use: all are looked at once, not once for each. */
static unsigned next_free(unsigned number)
{
	static uint64_t used[NUMBER_MAX / 64 + 1];

	memset(used, 0, sizeof(used));
	list_for_each(p, &all, struct process, node) {
		mark(used, p->pid);
		mark(used, p->group);
		mark(used, p->session);
		list_for_each(t, &p->threads, struct thread, node)
			mark(used, t->tid);
	}
	while (used[number / 64] & BIT(number % 64))
		number = number % NUMBER_MAX + 1;
	return number;
}

/* They go up, and round at Linux's usual limit; those in use, which are fewer than there are numbers, are passed over. */
unsigned tree_number(void)
{
	last_number = last_number % NUMBER_MAX + 1;
	if (in_use(last_number))
		last_number = next_free(last_number);
	return last_number;
}

/* Who has ended and has not been waited for counts: it is there. */
int tree_room(const struct process *parent)
{
	uint64_t all_threads = 0, of_group = 0;

	list_for_each(p, &all, struct process, node) {
		unsigned n = MAX(p->n_threads, 1u);

		all_threads += n;
		of_group += p->group == parent->group ? n : 0;
	}
	return all_threads >= limit_threads() || of_group >= parent->limits.of[RLIMIT_NPROC].now ? -EAGAIN : 0;
}

/* Everybody may ask for his parent's number, so that one is read without the lock. */
static void set_parent(struct process *p, struct process *parent)
{
	p->parent = parent;
	__atomic_store_n(&p->parent_pid, parent ? parent->pid : 0, __ATOMIC_RELAXED);
}

/* The lock is held. */
static void enter(struct process *p, struct thread *first, struct process *parent)
{
	p->pid = first->tid = tree_number();
	list_push_back(&p->threads, &first->node);
	p->n_threads = 1;
	p->started = time_now();
	p->group = parent ? parent->group : p->pid;
	p->session = parent ? parent->session : p->pid;
	set_parent(p, parent);
	list_push_back(&all, &p->node);
	if (parent)
		list_push_back(&parent->children, &p->sibling);
}

int process_enter(struct process *p, struct thread *first, const struct thread *caller)
{
	irqflags_t flags = spin_lock_irqsave(&lock);
	int error = 0;

	/* Who signals a whole group holds the lock: it meets the parent before this, or both after it. */
	if (caller && thread_interrupted(caller))
		error = -ERESTART_ALWAYS;
	else if (caller)
		error = tree_room(caller->process);
	if (!error)
		enter(p, first, caller ? caller->process : NULL);
	spin_unlock_irqrestore(&lock, flags);
	return error;
}

void process_cancel(struct process *p)
{
	struct thread *first = list_first(&p->threads, struct thread, node);
	irqflags_t flags = spin_lock_irqsave(&lock);

	list_del(&p->node);
	if (p->parent) {
		list_del(&p->sibling);
		tree_tell(p->parent); /* another thread may wait for this child */
	}
	spin_unlock_irqrestore(&lock, flags);
	thread_free(first);
	process_free(p);
}

void process_for_each(bool (*fn)(struct process *p, void *arg), void *arg)
{
	irqflags_t flags = spin_lock_irqsave(&lock);

	list_for_each(p, &all, struct process, node)
		if (!fn(p, arg))
			break;
	spin_unlock_irqrestore(&lock, flags);
}

uint64_t process_resident(const struct process *p)
{
	return p->mm ? p->mm->space.resident : 0;
}

/* Take it out and give everything back, when its tasks have left their harts. */
static void bury(struct process *p)
{
	irqflags_t flags;

	flags = spin_lock_irqsave(&lock);
	list_del(&p->node);
	spin_unlock_irqrestore(&lock, flags);
	threads_sweep(p);
	process_free(p);
}

/* --- ends --- */

/* Nobody waits for it: the reaper does. The lock is held. */
static void abandon(struct process *child)
{
	list_del(&child->sibling);
	set_parent(child, NULL);
	child->orphan = true;
}

/* One that has ended, whose parent has said that it does not wait for children. The lock is held. */
static void abandon_unwanted(struct process *p)
{
	if (p->zombie && p->parent && signal_ignores_children(p->parent->signals))
		abandon(p);
}

/* Its children have nobody who waits for them: the reaper does. The lock is held. @return did one end before? */
static bool abandon_children(struct process *p)
{
	bool any = false;

	while (!list_empty(&p->children)) {
		struct process *child = list_first(&p->children, struct process, sibling);

		any |= child->zombie;
		abandon(child);
	}
	return any;
}

struct user_mm *process_set_mm(struct process *p, struct user_mm *mm)
{
	irqflags_t flags = spin_lock_irqsave(&lock);
	struct user_mm *old = p->mm;

	p->mm = mm;
	spin_unlock_irqrestore(&lock, flags);
	return old;
}

static void set_string(char **place, char *s)
{
	irqflags_t flags = spin_lock_irqsave(&lock);
	char *old = *place;

	*place = s;
	spin_unlock_irqrestore(&lock, flags);
	kfree(old);
}

void process_set_exe(struct process *p, char *exe)
{
	set_string(&p->exe, exe);
}

void process_set_name(struct process *p, const char *path)
{
	irqflags_t flags = spin_lock_irqsave(&lock);

	memset(p->name, 0, sizeof(p->name));
	strncpy(p->name, last_component(path), sizeof(p->name) - 1);
	spin_unlock_irqrestore(&lock, flags);
}

void process_get_cwd(const struct process *p, char *out)
{
	irqflags_t flags = spin_lock_irqsave(&lock);

	strcpy(out, p->cwd);
	spin_unlock_irqrestore(&lock, flags);
}

/* It may get longer while there is memory looked for. */
char *process_copy_cwd(const struct process *p)
{
	char *copy = NULL;
	bool fits = false;

	while (!fits) {
		irqflags_t flags = spin_lock_irqsave(&lock);
		size_t n = strlen(p->cwd) + 1;

		spin_unlock_irqrestore(&lock, flags);
		kfree(copy);
		copy = kalloc(n);
		if (!copy)
			return NULL;
		flags = spin_lock_irqsave(&lock);
		fits = strlen(p->cwd) < n;
		if (fits)
			strcpy(copy, p->cwd);
		spin_unlock_irqrestore(&lock, flags);
	}
	return copy;
}

void process_set_cwd(struct process *p, char *cwd)
{
	set_string(&p->cwd, cwd);
}

void process_wait_until(bool (*pred)(void *), void *arg)
{
	struct waitq own = WAITQ_INIT(own);

	waitq_wait(&own, pred, arg, UINT64_MAX);
}

/* The lock is held, so that the parent does not go. */
static void send_sigchld(struct process *p, int code, int status)
{
	if (p->parent && !p->parent->zombie)
		signal_send(p->parent, SIGCHLD, &(struct signal_info){ .code = code, .pid = p->pid, .status = status });
}

void process_tell_parent(struct process *p, unsigned signal)
{
	irqflags_t flags = spin_lock_irqsave(&lock);

	p->news = signal;
	if (p->parent && !signal_ignores_stops(p->parent->signals))
		send_sigchld(p, signal == SIGCONT ? CLD_CONTINUED : CLD_STOPPED, (int)signal);
	if (p->parent)
		tree_tell(p->parent);
	spin_unlock_irqrestore(&lock, flags);
}

void process_leave(struct process *p)
{
	struct fd_table *files;
	irqflags_t flags;
	bool orphans;

	timers_release(p);
	p->most_pages = process_resident(p);
	flags = spin_lock_irqsave(&lock);
	files = p->files;
	p->files = NULL;
	spin_unlock_irqrestore(&lock, flags);
	fd_table_put(files);
	mm_put(process_set_mm(p, NULL));
	jobs_leave(p);
	flags = spin_lock_irqsave(&lock);
	orphans = abandon_children(p);
	p->zombie = p->took_off = true;
	send_sigchld(p, p->died_of ? CLD_KILLED : CLD_EXITED, p->died_of ? (int)p->died_of : p->status);
	if (p->parent)
		tree_tell(p->parent);
	abandon_unwanted(p);
	orphans |= !p->parent;
	spin_unlock_irqrestore(&lock, flags);
	/* It may be freed from here on, but not before its tasks have left their harts. */
	if (orphans)
		waitq_notify_all(&ends);
}

struct vfork {
	const struct thread *caller;
	unsigned pid;
};

/* Another thread may have waited for the child, so that it is no more. */
static bool has_taken_off(void *arg)
{
	const struct vfork *v = arg;
	irqflags_t flags = spin_lock_irqsave(&lock);
	bool in_our_memory = false;

	list_for_each(child, &v->caller->process->children, struct process, sibling)
		in_our_memory |= child->pid == v->pid && !child->took_off;
	spin_unlock_irqrestore(&lock, flags);
	return !in_our_memory || __atomic_load_n(&v->caller->leaving, __ATOMIC_RELAXED);
}

void process_take_off(struct process *p)
{
	irqflags_t flags = spin_lock_irqsave(&lock);

	p->took_off = true;
	if (p->parent)
		tree_tell(p->parent);
	spin_unlock_irqrestore(&lock, flags);
}

void process_wait_take_off(unsigned pid)
{
	struct vfork v = { thread_current(), pid };

	process_wait_until(has_taken_off, &v);
}

/* --- waiting --- */

struct waiter {
	struct process *p;
	const struct thread *caller;
	int64_t which;
	unsigned flags;         /* WAIT_* */
	bool any;               /* is there a child that it waits for? */
	struct process *found;  /* it has ended */
	struct process_event *out;
};

static bool has_news(struct waiter *w, struct process *child)
{
	unsigned news = __atomic_load_n(&child->news, __ATOMIC_RELAXED);

	if (!news || child->zombie || !(w->flags & (news == SIGCONT ? WAIT_CONTINUED : WAIT_STOPPED)))
		return false;
	if (!(w->flags & WAIT_KEEP))
		child->news = 0;
	*w->out = (struct process_event){
		.pid = child->pid, .code = news == SIGCONT ? CLD_CONTINUED : CLD_STOPPED, .status = (int)news,
	};
	return true;
}

/* It has ended, and who waits for that takes it. */
static bool has_ended(struct waiter *w, struct process *child)
{
	if (!child->zombie || !(w->flags & WAIT_ENDED))
		return false;
	*w->out = (struct process_event){
		.pid = child->pid, .code = child->died_of ? CLD_KILLED : CLD_EXITED,
		.status = child->died_of ? (int)child->died_of : child->status & 0xff, .usage = usage_of(child),
	};
	usage_add(&w->out->usage, &child->children_usage);
	if (w->flags & WAIT_KEEP)
		return true;
	usage_add(&w->p->children_usage, &w->out->usage);
	w->found = child;
	list_del(&child->sibling);
	return true;
}

static bool is_wanted(const struct waiter *w, const struct process *child)
{
	if (w->which > 0)
		return child->pid == (uint64_t)w->which;
	return w->which == -1 || child->group == (w->which ? (uint64_t)-w->which : w->p->group);
}

static bool look(void *arg)
{
	struct waiter *w = arg;
	irqflags_t flags = spin_lock_irqsave(&lock);

	w->any = false;
	list_for_each(child, &w->p->children, struct process, sibling) {
		if (!is_wanted(w, child))
			continue;
		w->any = true;
		if (has_news(w, child) || has_ended(w, child))
			break;
	}
	spin_unlock_irqrestore(&lock, flags);
	return w->out->pid || !w->any || thread_interrupted(w->caller);
}

int64_t process_wait(struct process *p, int64_t which, unsigned flags, struct process_event *out)
{
	struct waiter w = { .p = p, .caller = thread_current(), .which = which, .flags = flags, .out = out };

	*out = (struct process_event){ .pid = 0 };
	if (!look(&w) && !(flags & WAIT_NO_HANG))
		process_wait_until(look, &w);
	if (w.found)
		bury(w.found);
	if (out->pid)
		return out->pid;
	return !w.any ? -ECHILD : flags & WAIT_NO_HANG ? 0 : -ERESTART;
}

struct usage process_children_usage(struct process *p)
{
	irqflags_t flags = spin_lock_irqsave(&lock);
	struct usage u = p->children_usage;

	spin_unlock_irqrestore(&lock, flags);
	return u;
}

/* --- what the kernel starts --- */

static bool is_zombie(void *arg)
{
	return __atomic_load_n(&((struct process *)arg)->zombie, __ATOMIC_ACQUIRE);
}

int process_join(struct process *p)
{
	int status;

	waitq_wait(&ends, is_zombie, p, UINT64_MAX);
	status = p->status;
	bury(p);
	return status;
}

/* --- orphans --- */

static bool find_orphan(void *arg)
{
	struct process **found = arg;
	irqflags_t flags = spin_lock_irqsave(&lock);

	*found = NULL;
	list_for_each(p, &all, struct process, node) {
		if (!p->orphan || !p->zombie)
			continue;
		*found = p;
		break;
	}
	spin_unlock_irqrestore(&lock, flags);
	return *found;
}

static void reap(void *unused)
{
	struct process *p;

	(void)unused;
	for (;;) {
		waitq_wait(&ends, find_orphan, &p, UINT64_MAX);
		bury(p);
	}
}

int process_start_reaper(void)
{
	return task_create("reaper", reap, NULL, &(struct task_attr){ .detached = true }) ? 0 : -ENOMEM;
}
