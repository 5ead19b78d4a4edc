/* Mutexes without tasks: they only notice who takes one twice or gives back what is not taken. */
#include <caisson/mutex.h>
#include <test.h>

void mutex_init(struct mutex *m)
{
	m->owner = 0;
}

void mutex_lock(struct mutex *m)
{
	assert_int_equal(m->owner, 0);
	m->owner = 1;
}

void mutex_unlock(struct mutex *m)
{
	assert_int_equal(m->owner, 1);
	m->owner = 0;
}
