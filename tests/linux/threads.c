/* Threads of either C library: locks, conditions, barriers, thread-local variables, joining, ends. One test by its name. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
#define ROUNDS 2000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_t threads[THREADS];
static __thread int mine = 5;
static volatile long counter;

static void check(int ok, const char *what)
{
	if (ok)
		return;
	printf("FAIL %s\n", what);
	exit(1);
}

static void start_all(void *(*fn)(void *))
{
	for (long i = 0; i < THREADS; i++)
		check(pthread_create(&threads[i], NULL, fn, (void *)i) == 0, "pthread_create");
}

static long join_all(void)
{
	long sum = 0;

	for (int i = 0; i < THREADS; i++) {
		void *result;

		check(pthread_join(threads[i], &result) == 0, "pthread_join");
		sum += (long)result;
	}
	return sum;
}

static int is_over(void *flag)
{
	return atomic_load((atomic_int *)flag);
}

/* --- one counter, one lock --- */

static void *count(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		mine++;
		pthread_mutex_unlock(&mutex);
		if (i % 500 == (long)arg)
			sched_yield();
	}
	return (void *)(long)mine;
}

static void test_mutex(void)
{
	start_all(count);
	check(join_all() == THREADS * (ROUNDS + 5), "thread-local counters");
	printf("counted %ld, mine is still %d\n", counter, mine);
}

/* --- a queue of one --- */

static int full;

static void *consume(void *arg)
{
	long taken = 0;

	(void)arg;
	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&mutex);
		while (!full)
			pthread_cond_wait(&cond, &mutex);
		full = 0;
		taken++;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mutex);
	}
	return (void *)taken;
}

static void test_cond(void)
{
	start_all(consume);
	for (int i = 0; i < THREADS * 200; i++) {
		pthread_mutex_lock(&mutex);
		while (full)
			pthread_cond_wait(&cond, &mutex);
		full = 1;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mutex);
	}
	printf("taken %ld\n", join_all());
}

static void test_timeout(void)
{
	struct timespec until;
	int error;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 20000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&mutex);
	error = pthread_cond_timedwait(&cond, &mutex, &until);
	pthread_mutex_unlock(&mutex);
	printf("condition: %s\n", error == ETIMEDOUT ? "timed out" : "did not");
	pthread_mutex_lock(&mutex);
	error = pthread_mutex_timedlock(&mutex, &until);
	printf("mutex: %s\n", error == ETIMEDOUT ? "timed out" : "did not");
}

/* --- barriers, semaphores, once --- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static sem_t tokens;
static atomic_int onces, inside, most;

static void only_once(void)
{
	onces++;
}

static void *meet(void *arg)
{
	long serial = 0;

	(void)arg;
	for (int i = 0; i < 50; i++) {
		int now, was;

		pthread_once(&once, only_once);
		sem_wait(&tokens);
		now = ++inside;
		was = most;
		while (now > was && !atomic_compare_exchange_weak(&most, &was, now))
			;
		inside--;
		sem_post(&tokens);
		serial += pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
	}
	return (void *)serial;
}

static void test_barrier(void)
{
	pthread_barrier_init(&barrier, NULL, THREADS);
	sem_init(&tokens, 0, 3);
	start_all(meet);
	printf("rounds %ld, once %d, at most %s inside\n", join_all(), onces, most <= 3 ? "3" : "more than 3");
}

/* --- detached ones: thousands, one after the other, leave nothing --- */

static sem_t done;

static void *short_life(void *arg)
{
	(void)arg;
	sem_post(&done);
	return NULL;
}

static void test_detached(void)
{
	pthread_attr_t attr;

	sem_init(&done, 0, 0);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < 300; i++) {
		pthread_t t;

		check(pthread_create(&t, &attr, short_life, NULL) == 0, "a detached thread");
		sem_wait(&done);
	}
	puts("300 came and went");
}

/* --- FP registers --- */

static void *add_up(void *arg)
{
	double x = 1.0 + (double)(long)arg, sum = 0;

	for (int i = 0; i < 20000; i++) {
		sum += x;
		if (i % 1000 == 0)
			sched_yield();
	}
	return (void *)(long)(sum == 20000 * x);
}

static void test_fp(void)
{
	start_all(add_up);
	printf("right sums %ld\n", join_all());
}

/* --- harts --- */

static atomic_ullong harts;

static void *where(void *arg)
{
	pthread_barrier_wait(&barrier);
	while (!atomic_load(&counter) && __builtin_popcountll(harts) < (long)arg)
		harts |= 1ull << sched_getcpu();
	return NULL;
}

/* Until threads were seen on all harts that there are. */
static void test_harts(int n)
{
	pthread_t t[THREADS];
	cpu_set_t set;

	pthread_barrier_init(&barrier, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		check(pthread_create(&t[i], NULL, where, (void *)(long)n) == 0, "pthread_create");
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	sched_getaffinity(0, sizeof(set), &set);
	printf("ran on %d harts of %d\n", __builtin_popcountll(harts), CPU_COUNT(&set));
	CPU_ZERO(&set);
	CPU_SET(n - 1, &set);
	check(pthread_setaffinity_np(pthread_self(), sizeof(set), &set) == 0, "setaffinity");
	printf("now on hart %d\n", sched_getcpu());
}

/* --- ends --- */

static void *spin(void *arg)
{
	while (counter >= 0)
		counter++;
	return arg;
}

static void *sleep_in_kernel(void *arg)
{
	int pipes[2];
	char c;

	switch ((long)arg % 4) {
	case 0:
		pause();
		break;
	case 1:
		check(pipe(pipes) == 0 && read(pipes[0], &c, 1), "pipe");
		break;
	case 2:
		sem_wait(&done);
		break;
	default:
		sleep(100000);
	}
	return NULL;
}

static void start_sleepers_and_spinners(void)
{
	pthread_t t;

	sem_init(&done, 0, 0);
	start_all(sleep_in_kernel);
	for (int i = 0; i < 3; i++)
		check(pthread_create(&t, NULL, spin, NULL) == 0, "pthread_create");
	while (!counter)
		sched_yield();
}

static void test_exit(void)
{
	start_sleepers_and_spinners();
	puts("main returns");
}

static void *replace(void *arg)
{
	execl("/proc/self/exe", "threads", "say", arg, NULL);
	return NULL;
}

static void test_exec(void)
{
	pthread_t t;
	char pid[20];

	start_sleepers_and_spinners();
	sprintf(pid, "%d", getpid());
	fflush(stdout);
	pthread_create(&t, NULL, replace, pid);
	pause();
}

static void test_say(const char *pid)
{
	printf("executed by the process %s, thread %s\n", atoi(pid) == getpid() ? "it was" : "another",
	       syscall(SYS_gettid) == getpid() ? "one" : "another");
}

static void *goes_on(void *arg)
{
	while (!counter)
		sched_yield();
	check(pthread_join(*(pthread_t *)arg, NULL) == 0, "joining main");
	puts("main has gone, and I have joined it");
	exit(6);
}

static void test_main_leaves(void)
{
	static pthread_t self;
	pthread_t t;

	self = pthread_self();
	check(pthread_create(&t, NULL, goes_on, &self) == 0, "pthread_create");
	counter = 1;
	pthread_exit(NULL);
}

static void test_fork(void)
{
	int status;
	pid_t child;

	start_sleepers_and_spinners();
	fflush(stdout);
	child = fork();
	if (child == 0) {
		long seen = counter;

		for (int i = 0; i < 1000; i++)
			check(counter == seen, "a spinner in the child");
		_exit(3);
	}
	check(waitpid(child, &status, 0) == child, "waitpid");
	printf("the child had one thread and ended with %d\n", WEXITSTATUS(status));
}

static void *crash(void *arg)
{
	*(volatile int *)arg = 1;
	return NULL;
}

static void test_crash(void)
{
	pthread_t t;

	start_sleepers_and_spinners();
	pthread_create(&t, NULL, crash, NULL);
	pthread_join(t, NULL);
	puts("not reached");
}

/* --- pages that go while others use them --- */

static volatile long *page;
static atomic_long replaced, stale, faults, writable;

static void *read_page(void *arg)
{
	while (!is_over(arg)) {
		long least = replaced, seen = *page;

		if (seen && seen < least)
			stale++;
	}
	return NULL;
}

static void on_fault(int signal)
{
	(void)signal;
	faults++;
	while (!writable)
		sched_yield();
}

static void *write_page(void *arg)
{
	while (!is_over(arg))
		(*page)++;
	return NULL;
}

/* What was unmapped or protected is so for threads on other harts too. */
static void test_tlb(void)
{
	static atomic_int end;
	int changed = 0;

	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, read_page, &end);
	for (long i = 1; i < 500; i++) {
		mmap((void *)page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		replaced = i;
		*page = i;
	}
	end = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	printf("%ld of a page that was gone\n", (long)stale);
	end = 0;
	signal(SIGSEGV, on_fault);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, write_page, &end);
	for (int i = 0; i < 50; i++) {
		long before;

		writable = 0;
		mprotect((void *)page, 4096, PROT_READ);
		before = *page;
		for (int j = 0; j < 20; j++) {
			sched_yield();
			changed += *page != before;
		}
		while (i == 0 && faults < 3)
			sched_yield();
		mprotect((void *)page, 4096, PROT_READ | PROT_WRITE);
		writable = 1;
	}
	end = 1;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	printf("%d changes of a page that could only be read\n", changed);
}

/* --- all threads stop, and go on --- */

static void test_stop(void)
{
	volatile long *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long before;
	int status, same = 1;
	pid_t child = fork();

	if (child == 0) {
		static atomic_int never;

		page = shared;
		for (int i = 0; i < 3; i++)
			pthread_create(&threads[i], NULL, write_page, &never);
		pause();
	}
	while (*shared < 1000)
		sched_yield();
	kill(child, SIGSTOP);
	check(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status), "it stopped");
	usleep(50000); /* each on its way */
	before = *shared;
	for (int i = 0; i < 50; i++) {
		usleep(1000);
		same &= *shared == before;
	}
	printf("stopped: %s\n", same ? "all" : "not all");
	kill(child, SIGCONT);
	check(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status), "it went on");
	while (*shared == before)
		sched_yield();
	kill(child, SIGSTOP);
	waitpid(child, &status, WUNTRACED);
	kill(child, SIGKILL);
	check(waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGKILL, "it ended");
	puts("went on, and ended when it was stopped");
}

/* --- signals --- */

static atomic_int who;

static void on_signal(int signal)
{
	(void)signal;
	who = (int)syscall(SYS_gettid);
}

static atomic_int tid;

static void *takes_signals(void *arg)
{
	sigset_t set;

	tid = (int)syscall(SYS_gettid);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	if (arg)
		pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	for (int i = 0; !who && i < 1000; i++)
		usleep(1000);
	return NULL;
}

static void test_signals(void)
{
	pthread_t t;
	sigset_t set;

	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, on_signal);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_create(&t, NULL, takes_signals, &set);
	while (!tid)
		sched_yield();
	kill(getpid(), SIGUSR1);
	pthread_join(t, NULL);
	printf("for the process: %s\n", who == tid ? "the thread that does not block it" : "another");
	who = tid = 0;
	pthread_create(&t, NULL, takes_signals, NULL);
	while (!tid)
		sched_yield();
	pthread_kill(t, SIGUSR2);
	pthread_join(t, NULL);
	printf("for a thread: %s\n", who == tid ? "that one" : "another");
	printf("for a thread that is gone: %s\n",
	       syscall(SYS_tgkill, getpid(), tid, SIGUSR2) == -1 && errno == ESRCH ? "no such one" : "sent");
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (!strcmp(name, "mutex"))
		test_mutex();
	else if (!strcmp(name, "cond"))
		test_cond();
	else if (!strcmp(name, "timeout"))
		test_timeout();
	else if (!strcmp(name, "barrier"))
		test_barrier();
	else if (!strcmp(name, "detached"))
		test_detached();
	else if (!strcmp(name, "fp"))
		test_fp();
	else if (!strcmp(name, "harts"))
		test_harts(atoi(argv[2]));
	else if (!strcmp(name, "exit"))
		test_exit();
	else if (!strcmp(name, "exec"))
		test_exec();
	else if (!strcmp(name, "say"))
		test_say(argv[2]);
	else if (!strcmp(name, "main-leaves"))
		test_main_leaves();
	else if (!strcmp(name, "fork"))
		test_fork();
	else if (!strcmp(name, "tlb"))
		test_tlb();
	else if (!strcmp(name, "stop"))
		test_stop();
	else if (!strcmp(name, "crash"))
		test_crash();
	else if (!strcmp(name, "signals"))
		test_signals();
	else
		return 2;
	return 0;
}
