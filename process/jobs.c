/* Jobs (jobs.h). */
#include "jobs.h"

#include "thread.h"
#include "tty.h"

/* --- one group --- */

struct post { unsigned group, signal; };

static bool send_to_member(struct process *p, void *arg)
{
	const struct post *post = arg;

	if (p->group == post->group && !p->zombie)
		signal_send(p, post->signal, &(struct signal_info){ .code = SI_KERNEL });
	return true;
}

void group_signal(unsigned group, unsigned signal)
{
	process_for_each(send_to_member, &(struct post){ group, signal });
}

struct question {
	unsigned group, session;
	const struct process *but; /* this one does not count any more */
	bool yes;
};

static bool is_in(struct process *p, void *arg)
{
	struct question *q = arg;

	q->yes = p->group == q->group && p->session == q->session;
	return !q->yes;
}

bool group_is_in(unsigned group, unsigned session)
{
	struct question q = { .group = group, .session = session };

	process_for_each(is_in, &q);
	return q.yes;
}

static bool is_looked_after(struct process *p, void *arg)
{
	struct question *q = arg;
	const struct process *parent = p->parent;

	q->yes = p->group == q->group && !p->zombie && p != q->but && parent && parent != q->but && !parent->zombie &&
		 parent->group != p->group && parent->session == p->session;
	return !q->yes;
}

static bool is_orphaned(unsigned group, const struct process *but)
{
	struct question q = { .group = group, .but = but };

	process_for_each(is_looked_after, &q);
	return !q.yes;
}

bool group_is_orphaned(unsigned group)
{
	return is_orphaned(group, NULL);
}

/* --- ends --- */

struct search {
	const struct process *leaving;
	unsigned after;  /* groups up to this number have been looked at */
	unsigned group;  /* found: it has stopped, and may depend on the one that leaves; 0: none */
};

/* The next group by number that has somebody who has stopped. */
static bool find_stopped(struct process *p, void *arg)
{
	struct search *s = arg;

	if (p != s->leaving && !p->zombie && p->stopped_by && p->session == s->leaving->session && p->group > s->after &&
	    (p->group == s->leaving->group || p->parent == s->leaving) && (!s->group || p->group < s->group))
		s->group = p->group;
	return true;
}

static void let_stopped_go(const struct process *p)
{
	struct search s = { .leaving = p };

	for (;;) {
		s.group = 0;
		process_for_each(find_stopped, &s);
		if (!s.group)
			return;
		if (is_orphaned(s.group, p)) {
			group_signal(s.group, SIGHUP);
			group_signal(s.group, SIGCONT);
		}
		s.after = s.group;
	}
}

void jobs_leave(struct process *p)
{
	if (p->pid == p->session)
		tty_leave(p->session);
	let_stopped_go(p);
}
