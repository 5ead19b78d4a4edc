/* Threads write to a page all the time while it is protected, replaced, dropped, moved and forked: what is taken away is gone on every hart. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define RW (PROT_READ | PROT_WRITE)
#define WRITERS 3
#define ROUNDS 20

static volatile uint64_t *page; /* a counter for each writer */
static volatile int stop;
static uint64_t faults;

static void wait_for_page(int signal)
{
	(void)signal; /* the store is done again, until the page allows it */
	__atomic_fetch_add(&faults, 1, __ATOMIC_RELAXED);
}

static void *write_all_the_time(void *arg)
{
	volatile uint64_t *counter = page + (uintptr_t)arg;

	while (!stop)
		++*counter;
	return NULL;
}

static void sleep_a_bit(void)
{
	usleep(2000);
}

static uint64_t sum(const volatile uint64_t *p)
{
	uint64_t all = 0;

	for (int i = 0; i < WRITERS; i++)
		all += p[i];
	return all;
}

/* Until every writer has written since. */
static void wait_until_all_write(void)
{
	uint64_t old[WRITERS];

	for (int i = 0; i < WRITERS; i++)
		old[i] = page[i];
	for (int i = 0; i < WRITERS; i++)
		while (page[i] == old[i])
			usleep(100);
}

static int protecting(void)
{
	uint64_t before, after;

	mprotect((void *)page, PAGE, PROT_READ);
	before = sum(page);
	sleep_a_bit();
	after = sum(page);
	mprotect((void *)page, PAGE, RW);
	return before != after;
}

/* Another page at the same address: the old one, still seen elsewhere, changes no more. */
static int replacing(void)
{
	volatile uint64_t *old = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	volatile uint64_t *other = mremap((void *)old, 0, PAGE, MREMAP_MAYMOVE);
	uint64_t before, after;

	mremap((void *)old, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)page);
	wait_until_all_write();
	mmap((void *)page, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	before = sum(other);
	sleep_a_bit();
	after = sum(other);
	munmap((void *)other, PAGE);
	return before == 0 || before != after;
}

/* A mapping that has moved away does not change where it is now. */
static int moving(void)
{
	volatile uint64_t *away = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t before, after;

	mremap((void *)page, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)away);
	before = sum(away);
	sleep_a_bit();
	after = sum(away);
	mmap((void *)page, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	munmap((void *)away, PAGE);
	return before == 0 || before != after;
}

static int forking(void)
{
	uint64_t before;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		before = sum(page);
		sleep_a_bit();
		_exit(before != sum(page));
	}
	wait_until_all_write();
	waitpid(pid, &status, 0);
	return status;
}

static int dropping(void)
{
	madvise((void *)page, PAGE, MADV_DONTNEED);
	return 0;
}

int main(void)
{
	static const struct { const char *name; int (*run)(void); } things[] = {
		{ "protecting", protecting }, { "replacing", replacing }, { "moving", moving }, { "forking", forking }, { "dropping", dropping },
	};
	pthread_t threads[WRITERS];

	signal(SIGSEGV, wait_for_page);
	page = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (uintptr_t i = 0; i < WRITERS; i++)
		pthread_create(&threads[i], NULL, write_all_the_time, (void *)i);
	for (unsigned i = 0; i < sizeof(things) / sizeof(things[0]); i++) {
		int wrong = 0;

		for (int round = 0; round < ROUNDS; round++) {
			wait_until_all_write();
			wrong += things[i].run() != 0;
		}
		printf("%s: %d wrong\n", things[i].name, wrong);
		fflush(stdout);
	}
	stop = 1;
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	printf("faults: %s\n", faults ? "some" : "none");
	return 0;
}
