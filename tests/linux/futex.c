/* Calls of threads as they are, without a C library's wrappers: futex and its errors, robust lists, numbers, scheduling. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define N 6

static uint32_t word, other;
static volatile int results[N];
static volatile int tids[N];

static long futex(void *at, int op, uint32_t value, const void *timeout, void *at2, uint32_t value3)
{
	long result = syscall(SYS_futex, at, op, value, timeout, at2, value3);

	return result < 0 ? -errno : result;
}

static void say(const char *what, long result)
{
	if (result < 0)
		printf("%s: %s\n", what, strerror((int)-result));
	else
		printf("%s: %ld\n", what, result);
}

static void *waiter(void *arg)
{
	long i = (long)arg;

	tids[i] = (int)syscall(SYS_gettid);
	results[i] = (int)futex(&word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 1u << i) + 1;
	return NULL;
}

/* Until it sleeps: as many as that are in line. */
static void in_line(unsigned n)
{
	for (int i = 0; i < 5000; i++) {
		if (futex(&word, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 0, (void *)1000, &word, 0) == (long)n)
			return;
		usleep(1000);
	}
	puts("FAIL they do not wait");
	exit(1);
}

static void test_wake(void)
{
	pthread_t t[N];

	for (long i = 0; i < N; i++) {
		pthread_create(&t[i], NULL, waiter, (void *)i);
		in_line((unsigned)i + 1);
	}
	say("wake one by its bit", futex(&word, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, 10, NULL, NULL, 1 << 4));
	say("wake by a bit that nobody has", futex(&word, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, 10, NULL, NULL, 1 << 20));
	say("wake one", futex(&word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0));
	say("at another key", futex(&other, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 10, NULL, NULL, 0));
	say("requeue, with another value", futex(&word, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 1, (void *)1, &other, 5));
	say("requeue: one wakes, two move", futex(&word, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 1, (void *)2, &other, 0));
	say("the moved ones", futex(&other, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 10, NULL, NULL, 0));
	other = 10;
	say("wake_op adds, and wakes both", futex(&word, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 10, (void *)10, &other,
						  FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 10)));
	printf("it is %u now\n", other);
	for (int i = 0; i < N; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < N; i++)
		printf("%d", results[i]);
	puts("");
	say("or", futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &other, FUTEX_OP(FUTEX_OP_OR, 0x10, FUTEX_OP_CMP_LT, 1)));
	say("andn", futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &other, FUTEX_OP(FUTEX_OP_ANDN, 0xf, FUTEX_OP_CMP_GE, 1)));
	say("xor", futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &other, FUTEX_OP(FUTEX_OP_XOR, 1, FUTEX_OP_CMP_NE, 1)));
	printf("it is %u now\n", other);
	say("set", futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &other, FUTEX_OP(FUTEX_OP_SET, 0xfff, FUTEX_OP_CMP_NE, 1)));
	printf("it is %x now\n", other);
}

static void test_errors(void)
{
	struct timespec bad = { 0, 1000000000 }, soon = { 0, 1000000 };
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(page + 4096, 4096);
	say("another value", futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0));
	say("time is up", futex(&word, FUTEX_WAIT, 0, &soon, NULL, 0));
	say("it was, long ago", futex(&word, FUTEX_WAIT_BITSET, 0, &soon, NULL, 1));
	say("also by the wall clock", futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &soon, NULL, 1));
	say("no bits", futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0));
	say("no bits to wake", futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
	say("no time", futex(&word, FUTEX_WAIT, 0, &bad, NULL, 0));
	say("unaligned", futex((char *)&word + 2, FUTEX_WAIT, 0, NULL, NULL, 0));
	say("no memory", futex(page + 4096, FUTEX_WAIT, 0, NULL, NULL, 0));
	say("a bad time-out", futex(&word, FUTEX_WAIT, 0, page + 4096, NULL, 0));
	say("wake where nothing is, privately", futex(page + 4096, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0));
	say("and not", futex(page + 4096, FUTEX_WAKE, 1, NULL, NULL, 0));
	say("requeue to nothing", futex(&word, FUTEX_REQUEUE, 1, (void *)1, page + 4096, 0));
	say("fewer than none", futex(&word, FUTEX_REQUEUE, 1, (void *)-1, &other, 0));
	say("no such operation", futex(&word, 99, 1, NULL, NULL, 0));
	page[0] = 0;
	mprotect(page, 4096, PROT_READ);
	say("wake_op on what may only be read", futex(&word, FUTEX_WAKE_OP, 1, (void *)1, page, FUTEX_OP(0, 1, 0, 1)));
	say("wait there", futex(page, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, &soon, NULL, 0));
}

/* --- signals --- */

static void on_alarm(int signal)
{
	(void)signal;
}

static void test_interrupt(void)
{
	struct sigaction a = { .sa_handler = on_alarm };
	struct timespec long_time = { 1000, 0 };

	sigaction(SIGALRM, &a, NULL);
	ualarm(20000, 20000); /* again and again: the first may come before the wait */
	say("a handler ran", futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0));
	a.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &a, NULL);
	say("with a time-out", futex(&word, FUTEX_WAIT, 0, &long_time, NULL, 0));
	ualarm(0, 0);
}

/* --- memory that processes share --- */

static void test_shared(void)
{
	uint32_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long woken = 0;
	int status;

	fflush(stdout);
	if (fork() == 0) {
		char *elsewhere = mremap(shared, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, (char *)shared + 0x100000);

		_exit(futex(elsewhere + 8, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 ? 9 : 1);
	}
	while (woken == 0) {
		woken = futex(shared + 2, FUTEX_WAKE, 5, NULL, NULL, 0);
		usleep(1000);
	}
	wait(&status);
	printf("woken %ld, status %d\n", woken, WEXITSTATUS(status));
}

/* Threads of one process may say that nobody else waits, wherever the word is. */
static void *private_waiter(void *arg)
{
	struct timespec long_enough = { 20, 0 };

	return (void *)futex(arg, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, &long_enough, NULL, 0);
}

static void test_private_in_shared(void)
{
	uint32_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long woken = 0, moved = 0;
	void *result;
	pthread_t t;

	pthread_create(&t, NULL, private_waiter, shared);
	for (int i = 0; i < 5000 && !moved; i++) {
		moved = futex(shared, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 0, (void *)1, shared + 1, 0);
		usleep(1000);
	}
	woken = futex(shared + 1, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 5, NULL, NULL, 0);
	pthread_join(t, &result);
	printf("private, in shared memory: moved %ld, woken %ld, result %ld\n", moved, woken, (long)result);
}

/* --- robust lists that lie --- */

static struct { uint64_t first; int64_t offset; uint64_t pending; } head;
static uint64_t entries[4];

/* A child of this shape ends; its list must do it no harm, nor us. */
static void lie(const char *what, uint64_t first, int64_t offset, uint64_t pending)
{
	int status;

	fflush(stdout);
	if (fork() == 0) {
		head.first = first;
		head.offset = offset;
		head.pending = pending;
		syscall(SYS_set_robust_list, &head, 24);
		_exit(4);
	}
	wait(&status);
	printf("%s: status %d\n", what, WEXITSTATUS(status));
}

static void test_robust(void)
{
	void *got;
	size_t size;
	uint64_t here = (uintptr_t)&head;

	entries[0] = (uintptr_t)&entries[1];
	entries[1] = (uintptr_t)&entries[0];
	lie("an empty list", here, 0, 0);
	lie("a ring without its head", (uintptr_t)&entries[0], 8, 0);
	lie("nothing there", 8, 0, 0);
	lie("the kernel's", 0xffffffc000000000, 16, 0xffffffd000000000);
	lie("an offset beyond all", (uintptr_t)&entries[0], INT64_MIN, (uintptr_t)&entries[2]);
	lie("unaligned", (uintptr_t)&entries[0] + 3, 1, 3);
	syscall(SYS_set_robust_list, &head, 24);
	say("its own", syscall(SYS_get_robust_list, 0, &got, &size) ? -errno : got == &head && size == 24);
	say("a wrong size", syscall(SYS_set_robust_list, &head, 23) ? -errno : 0);
	say("nobody's", syscall(SYS_get_robust_list, 30000, &got, &size) ? -errno : 0);
}

/* --- numbers and scheduling --- */

static void test_numbers(void)
{
	struct sched_param one = { 1 }, none = { 0 };
	unsigned long mask[16];
	unsigned cpu = 99, node = 99;
	pid_t pid = getpid();

	say("tid is pid", syscall(SYS_gettid) == pid && syscall(SYS_set_tid_address, NULL) == pid);
	say("tgkill, signal 0", syscall(SYS_tgkill, pid, pid, 0) ? -errno : 0);
	say("tgkill, another process", syscall(SYS_tgkill, 1 + pid, pid, 0) ? -errno : 0);
	say("tgkill, no process", syscall(SYS_tgkill, -1, pid, 0) ? -errno : 0);
	say("tgkill, no signal", syscall(SYS_tgkill, pid, pid, 65) ? -errno : 0);
	say("tkill, no thread", syscall(SYS_tkill, 30000, 0) ? -errno : 0);
	say("getcpu", syscall(SYS_getcpu, &cpu, &node, NULL) ? -errno : cpu < 64 && node == 0);
	say("getcpu, bad", syscall(SYS_getcpu, 8, NULL, NULL) ? -errno : 0);
	say("policy", syscall(SYS_sched_getscheduler, 0));
	say("policy of nobody", syscall(SYS_sched_getscheduler, 30000) < 0 ? -errno : 0);
	say("set other", syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &none) ? -errno : 0);
	say("set other with a priority", syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &one) ? -errno : 0);
	say("set nothing known", syscall(SYS_sched_setscheduler, 0, 77, &one) ? -errno : 0);
	say("param", syscall(SYS_sched_getparam, 0, &one) ? -errno : one.sched_priority);
	say("most of fifo", syscall(SYS_sched_get_priority_max, SCHED_FIFO));
	say("least of rr", syscall(SYS_sched_get_priority_min, SCHED_RR));
	say("most of other", syscall(SYS_sched_get_priority_max, SCHED_OTHER));
	say("most of nothing", syscall(SYS_sched_get_priority_max, 77) < 0 ? -errno : 0);
	say("affinity, odd size", syscall(SYS_sched_getaffinity, 0, 3, mask) < 0 ? -errno : 0);
	say("affinity", syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask) < 0 ? -errno : (long)(mask[0] & 1));
	memset(mask, 0, sizeof(mask));
	say("no harts", syscall(SYS_sched_setaffinity, 0, sizeof(mask), mask) ? -errno : 0);
	mask[0] = 1;
	say("hart 0", syscall(SYS_sched_setaffinity, 0, 8, mask) ? -errno : 0);
	say("of nobody", syscall(SYS_sched_setaffinity, 30000, 8, mask) ? -errno : 0);
	say("priority", syscall(SYS_getpriority, 0, 0));
	say("nice 5", syscall(SYS_setpriority, 0, 0, 5) ? -errno : syscall(SYS_getpriority, 0, pid));
	say("nicer than can be", syscall(SYS_setpriority, 0, 0, 1000) ? -errno : syscall(SYS_getpriority, 0, 0));
	say("back", syscall(SYS_setpriority, 0, 0, -20) ? -errno : syscall(SYS_getpriority, 0, 0));
	say("priority of nobody", syscall(SYS_getpriority, 0, 30000) < 0 ? -errno : 0);
	say("priority of what", syscall(SYS_setpriority, 3, 0, 1) < 0 ? -errno : 0);
	say("clone: signals without memory", syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0) < 0 ? -errno : 0);
	say("clone: a thread without signals", syscall(SYS_clone, CLONE_VM | CLONE_THREAD, 0, 0, 0, 0) < 0 ? -errno : 0);
}

int main(void)
{
	test_wake();
	test_errors();
	test_interrupt();
	test_shared();
	test_private_in_shared();
	test_robust();
	test_numbers();
	return 0;
}
