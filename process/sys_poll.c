/* Waiting for several descriptors: ppoll and pselect6. */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>
#include <caisson/time.h>

#include "syscalls.h"
#include "watch.h"

#define ALWAYS (POLL_ERR | POLL_HUP | POLL_INVALID)
#define SET_BITS 1024

struct linux_pollfd {
	int32_t fd;
	uint16_t events, found;
};

/** Files that somebody waits for. */
struct poll {
	struct thread *thread;
	struct linux_pollfd *fds;
	unsigned n;
	struct watch_wait wait;
	struct watched { struct open_file *file; struct watcher watcher; } watched[];
};

/* What a descriptor is ready for, of what was asked. */
static unsigned ready(struct open_file *f, const struct linux_pollfd *p)
{
	unsigned found = POLL_IN | POLL_OUT; /* what cannot wait is ready */

	if (p->fd < 0)
		return 0;
	if (!f)
		return POLL_INVALID;
	if (f->ops->poll)
		found = f->ops->poll(f);
	return found & (p->events | ALWAYS);
}

static unsigned look(struct poll *p)
{
	unsigned count = 0;

	for (unsigned i = 0; i < p->n; i++) {
		p->fds[i].found = (uint16_t)ready(p->watched[i].file, &p->fds[i]);
		count += p->fds[i].found != 0;
	}
	return count;
}

static bool has_changed(void *arg)
{
	const struct poll *p = arg;

	return __atomic_load_n(&p->wait.changed, __ATOMIC_ACQUIRE) || thread_interrupted(p->thread);
}

/* @return how many are ready; -ERESTART_QUIET */
static int64_t watch(struct poll *p, uint64_t deadline)
{
	for (unsigned i = 0; i < p->n; i++)
		watch_add(&p->watched[i].watcher, p->watched[i].file ? p->watched[i].file->changes : NULL, &p->wait);
	for (;;) {
		unsigned count;

		__atomic_store_n(&p->wait.changed, false, __ATOMIC_SEQ_CST);
		count = look(p);
		if (count)
			return count;
		if (thread_interrupted(p->thread))
			return -ERESTART_QUIET;
		if (waitq_wait(&p->wait.queue, has_changed, p, deadline))
			return look(p);
	}
}

static int64_t look_or_watch(struct poll *p, uint64_t deadline)
{
	int64_t result;

	for (unsigned i = 0; i < p->n; i++)
		if (p->fds[i].fd >= 0)
			p->watched[i].file = fd_get(p->thread->process->files, (uint64_t)p->fds[i].fd);
	result = look(p);
	if (result == 0 && time_now() < deadline) {
		result = watch(p, deadline);
		for (unsigned i = 0; i < p->n; i++)
			watch_remove(&p->watched[i].watcher);
	}
	for (unsigned i = 0; i < p->n; i++)
		open_file_put(p->watched[i].file);
	return result;
}

/* @return how many are ready; -ENOMEM; -ERESTART_QUIET: a signal came first */
static int64_t wait_for(struct thread *t, struct linux_pollfd *fds, unsigned n, uint64_t deadline)
{
	struct poll *p = kzalloc(sizeof(*p) + n * sizeof(p->watched[0]));
	int64_t result;

	if (!p)
		return -ENOMEM;
	p->thread = t;
	p->fds = fds;
	p->n = n;
	watch_wait_init(&p->wait);
	deadline = thread_deadline(t, deadline);
	result = look_or_watch(p, deadline);
	kfree(p);
	return result;
}

static int deadline_of(struct thread *t, uint64_t at, uint64_t *deadline)
{
	uint64_t ns;
	int error;

	*deadline = UINT64_MAX;
	error = at ? time_from_user(t, at, &ns) : 0;
	if (at && !error)
		*deadline = time_now() + time_ticks(ns);
	return error;
}

/* A mask of signals for the time of the call; it stays until a handler has run. */
static int use_mask(struct thread *t, uint64_t at)
{
	uint64_t set;

	if (!at)
		return 0;
	if (copy_from_user(t->process->mm, &set, at, sizeof(set)))
		return -EFAULT;
	t->saved_blocked = t->blocked;
	t->has_saved_blocked = true;
	signal_set_blocked(t, set);
	return 0;
}

/* Once an answer is known, a signal that waits finds the mask that was there before. */
static void restore_mask(struct thread *t, int64_t result)
{
	if (result == -ERESTART_QUIET || !t->has_saved_blocked)
		return;
	t->has_saved_blocked = false;
	signal_set_blocked(t, t->saved_blocked);
}

int64_t sys_ppoll(struct thread *t, const uint64_t *arg)
{
	uint64_t n = arg[1], deadline;
	struct linux_pollfd *fds;
	int64_t result;

	if (n > FDS_MAX)
		return -EINVAL;
	result = deadline_of(t, arg[2], &deadline);
	fds = result ? NULL : kalloc(MAX(n, UINT64_C(1)) * sizeof(*fds));
	if (!fds)
		return result ? result : -ENOMEM;
	result = copy_from_user(t->process->mm, fds, arg[0], n * sizeof(*fds));
	if (!result)
		result = use_mask(t, arg[3]);
	if (!result)
		result = wait_for(t, fds, (unsigned)n, deadline);
	restore_mask(t, result);
	if (result >= 0 && copy_to_user(t->process->mm, arg[0], fds, n * sizeof(*fds)))
		result = -EFAULT;
	kfree(fds);
	return result;
}

/* --- pselect6: sets of descriptors --- */

struct sets {
	uint64_t bits[3][SET_BITS / 64]; /* to read, to write, exceptions */
	struct linux_pollfd fds[SET_BITS];
};

static int read_sets(struct thread *t, const uint64_t *arg, struct sets *s)
{
	for (unsigned k = 0; k < 3; k++)
		if (arg[1 + k] && copy_from_user(t->process->mm, s->bits[k], arg[1 + k], (arg[0] + 63) / 64 * 8))
			return -EFAULT;
	return 0;
}

static unsigned to_list(struct sets *s, unsigned n)
{
	static const uint16_t events[] = { POLL_IN, POLL_OUT, 0 };
	unsigned count = 0;

	for (unsigned fd = 0; fd < n; fd++) {
		uint16_t wanted = 0;
		bool any = false;

		for (unsigned k = 0; k < 3; k++)
			if (s->bits[k][fd / 64] >> fd % 64 & 1) {
				wanted |= events[k];
				any = true;
			}
		if (any)
			s->fds[count++] = (struct linux_pollfd){ .fd = (int32_t)fd, .events = wanted };
	}
	return count;
}

static int64_t from_list(struct sets *s, unsigned n)
{
	int64_t count = 0;

	memset(s->bits, 0, sizeof(s->bits));
	for (unsigned i = 0; i < n; i++) {
		unsigned fd = (unsigned)s->fds[i].fd, found = s->fds[i].found;

		if (found & POLL_INVALID)
			return -EBADF;
		if ((s->fds[i].events & POLL_IN) && (found & (POLL_IN | POLL_HUP | POLL_ERR))) {
			s->bits[0][fd / 64] |= BIT(fd % 64);
			count++;
		}
		if ((s->fds[i].events & POLL_OUT) && (found & (POLL_OUT | POLL_ERR))) {
			s->bits[1][fd / 64] |= BIT(fd % 64);
			count++;
		}
	}
	return count;
}

static int64_t select_sets(struct thread *t, const uint64_t *arg, struct sets *s, uint64_t deadline)
{
	int64_t result = read_sets(t, arg, s);
	unsigned n;

	if (result)
		return result;
	n = to_list(s, (unsigned)arg[0]);
	result = wait_for(t, s->fds, n, deadline);
	if (result >= 0)
		result = from_list(s, n);
	for (unsigned k = 0; k < 3 && result >= 0; k++)
		if (arg[1 + k] && copy_to_user(t->process->mm, arg[1 + k], s->bits[k], (arg[0] + 63) / 64 * 8))
			result = -EFAULT;
	return result;
}

int64_t sys_pselect6(struct thread *t, const uint64_t *arg)
{
	uint64_t deadline, mask[2] = { 0 };
	struct sets *s;
	int64_t result;

	if (arg[0] > SET_BITS)
		return -EINVAL;
	result = deadline_of(t, arg[4], &deadline);
	if (!result && arg[5] && copy_from_user(t->process->mm, mask, arg[5], sizeof(mask)))
		result = -EFAULT;
	s = result ? NULL : kzalloc(sizeof(*s));
	if (!s)
		return result ? result : -ENOMEM;
	result = use_mask(t, mask[0]);
	if (!result)
		result = select_sets(t, arg, s, deadline);
	restore_mask(t, result);
	kfree(s);
	return result;
}
