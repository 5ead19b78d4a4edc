/* Locks of whole files that programs agree on: flock(2). One has it who has the open file, by whatever descriptor. */
#include <errno.h>

#include <caisson/mm.h>

#include "syscalls.h"

enum { LOCK_SH = 1, LOCK_EX = 2, LOCK_NB = 4, LOCK_UN = 8 };

struct file_lock {
	struct list node;
	uint64_t dev, ino;
	const struct open_file *owner;
	bool exclusive;
};

static struct waitq changes = WAITQ_INIT(changes); /* its lock guards the list */
static struct list locks = LIST_INIT(locks);

/** Who wants one. */
struct wish {
	struct file_lock *lock;
	const struct thread *thread;
	bool got;
};

static bool in_the_way(const struct file_lock *other, const struct file_lock *lock)
{
	return other->dev == lock->dev && other->ino == lock->ino && other->owner != lock->owner && (other->exclusive || lock->exclusive);
}

/* The lock of `changes` is held. */
static bool try(void *arg)
{
	struct wish *w = arg;

	list_for_each(other, &locks, struct file_lock, node)
		if (in_the_way(other, w->lock))
			return thread_interrupted(w->thread);
	list_push_back(&locks, &w->lock->node);
	w->got = true;
	return true;
}

/* The lock of `changes` is held. @return what it had, for kfree, or NULL */
static struct file_lock *take_away(const struct open_file *owner)
{
	list_for_each(lock, &locks, struct file_lock, node) {
		if (lock->owner != owner)
			continue;
		list_del(&lock->node);
		return lock;
	}
	return NULL;
}

/* There can be two: of threads that locked at the same time. */
void flock_release(struct open_file *f)
{
	struct file_lock *lock;
	irqflags_t flags;

	do {
		flags = spin_lock_irqsave(&changes.lock);
		lock = take_away(f);
		spin_unlock_irqrestore(&changes.lock, flags);
		kfree(lock);
		if (lock)
			waitq_notify_all(&changes);
	} while (lock);
}

static int take(struct thread *t, struct file_lock *lock, bool wait)
{
	struct wish w = { .lock = lock, .thread = t };
	irqflags_t flags;

	if (wait) {
		waitq_wait(&changes, try, &w, UINT64_MAX);
	} else {
		flags = spin_lock_irqsave(&changes.lock);
		(void)try(&w);
		spin_unlock_irqrestore(&changes.lock, flags);
	}
	return w.got ? 0 : wait ? -ERESTART : -EAGAIN;
}

/* One that there is goes first: changing its kind is not one step, nor is it on Linux. */
static int lock_file(struct thread *t, struct open_file *f, uint64_t how)
{
	struct linux_stat st;
	struct file_lock *lock;
	int error = f->ops->stat ? f->ops->stat(f, &st) : -EINVAL;

	if (error)
		return error;
	lock = kalloc(sizeof(*lock));
	if (!lock)
		return -ENOMEM;
	*lock = (struct file_lock){ .dev = st.dev, .ino = st.ino, .owner = f, .exclusive = how & LOCK_EX };
	flock_release(f);
	f->locked = true;
	error = take(t, lock, !(how & LOCK_NB));
	if (error)
		kfree(lock);
	return error;
}

int64_t sys_flock(struct thread *t, const uint64_t *arg)
{
	struct open_file *f = fd_get(t->process->files, arg[0]);
	uint64_t kind = arg[1] & ~(uint64_t)LOCK_NB;
	int error = 0;

	if (!f)
		return -EBADF;
	if (kind == LOCK_UN)
		flock_release(f);
	else if (f->flags & O_PATH)
		error = -EBADF;
	else
		error = kind == LOCK_SH || kind == LOCK_EX ? lock_file(t, f, arg[1]) : -EINVAL;
	open_file_put(f);
	return error;
}
