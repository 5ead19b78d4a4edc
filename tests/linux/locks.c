/* flock(), call by call, as files.c does it for others. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "say.h"

static void locks(void)
{
	int a = open("f", O_RDWR), b = open("f", O_RDONLY), other = open("f3", O_RDONLY), copy = dup(a), ends[2];
	char byte;

	puts("--- locks");
	TRY(flock(a, LOCK_SH));
	TRY(flock(b, LOCK_SH | LOCK_NB));
	TRY(flock(b, LOCK_EX | LOCK_NB));
	TRY(flock(a, LOCK_UN));
	TRY(flock(b, LOCK_EX | LOCK_NB));
	TRY(flock(a, LOCK_SH | LOCK_NB));
	TRY(flock(other, LOCK_EX | LOCK_NB));
	TRY(flock(b, LOCK_UN));
	TRY(flock(a, LOCK_EX));
	TRY(flock(copy, LOCK_EX | LOCK_NB));
	close(a);
	TRY(flock(b, LOCK_SH | LOCK_NB));
	TRY(flock(b, 0));
	TRY(flock(b, LOCK_SH | LOCK_EX));
	TRY(flock(99, LOCK_SH));
	TRY(pipe(ends));
	fflush(stdout);
	if (fork() == 0) { /* it waits until the other one has let go */
		close(copy);
		_exit(write(ends[1], "", 1) != 1 || flock(b, LOCK_EX) || write(ends[1], "l", 1) != 1);
	}
	TRY(read(ends[0], &byte, 1));
	TRY(close(copy));
	TRY(read(ends[0], &byte, 1));
	printf("%c\n", byte);
	TRY(wait(NULL) > 0);
	close(b);
	close(other);
	close(ends[0]);
	close(ends[1]);
}

static void *lock_often(void *fd)
{
	for (unsigned i = 0; i < 2000; i++)
		flock(*(int *)fd, LOCK_SH);
	return NULL;
}

/* Threads that lock by one descriptor at the same time: when it is unlocked, it is. */
static void locks_of_threads(void)
{
	int a = open("f", O_RDWR), b = open("f", O_RDONLY);
	pthread_t other;

	puts("--- locks of threads");
	TRY(pthread_create(&other, NULL, lock_often, &a));
	lock_often(&a);
	TRY(pthread_join(other, NULL));
	TRY(flock(a, LOCK_UN));
	TRY(flock(b, LOCK_EX | LOCK_NB));
	close(a);
	close(b);
}

int main(void)
{
	if (begin())
		return 1;
	make("f", "one");
	make("f3", "another");
	locks();
	locks_of_threads();
	return end();
}
