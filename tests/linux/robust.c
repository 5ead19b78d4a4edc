/* A robust lock, whose owner ends: a thread, or a process that shares the memory. One test by its name, as in threads.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void make_robust(pthread_mutex_t *m)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(m, &attr);
}

static void say_owner_dead(pthread_mutex_t *m)
{
	printf("its owner has died: %s\n", pthread_mutex_lock(m) == EOWNERDEAD ? "said so" : "not said");
	pthread_mutex_consistent(m);
	pthread_mutex_unlock(m);
}

static atomic_int locked;

static void *lock_and_end(void *m)
{
	pthread_mutex_lock(m);
	locked = 1;
	usleep(20000);
	return NULL;
}

static void test_robust(void)
{
	static pthread_mutex_t m;
	pthread_t t;

	make_robust(&m);
	pthread_create(&t, NULL, lock_and_end, &m);
	while (!locked)
		sched_yield();
	say_owner_dead(&m); /* waits for it, and is woken */
	pthread_join(t, NULL);
}

static void test_shared(void)
{
	pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child;

	make_robust(m);
	pthread_mutex_lock(m);
	child = fork();
	if (child == 0) {
		pthread_mutex_lock(m);
		_exit(0);
	}
	usleep(20000);
	pthread_mutex_unlock(m); /* which wakes it */
	waitpid(child, NULL, 0);
	say_owner_dead(m);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (!strcmp(name, "robust"))
		test_robust();
	else if (!strcmp(name, "shared"))
		test_shared();
	else
		return 2;
	return 0;
}
