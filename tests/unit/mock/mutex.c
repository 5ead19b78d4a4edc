/* Mutexes without tasks: they only notice who takes one twice or gives back what is not taken. */
#include <caisson/mutex.h>
#include <test.h>

static struct task nobody;

void mutex_init(struct mutex *m)
{
	m->owner = NULL;
}

void mutex_lock(struct mutex *m)
{
	assert_null(m->owner);
	m->owner = &nobody;
}

void mutex_unlock(struct mutex *m)
{
	assert_non_null(m->owner);
	m->owner = NULL;
}
