/* What mmap and its relatives do, one line for each: the same on Linux. Runs the parts that its arguments name, or all. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096

static sigjmp_buf back;
static volatile int got_signal, got_code;
static volatile uintptr_t got_address;

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)context;
	got_signal = signal;
	got_code = info->si_code;
	got_address = (uintptr_t)info->si_addr;
	siglongjmp(back, 1);
}

/* Touch an address: 0, or the signal times 100 and its code; the address must be the one. */
static int access_at(volatile char *at, int write)
{
	got_signal = 0;
	if (sigsetjmp(back, 1) == 0) {
		if (write)
			*at = 1;
		else
			(void)*at;
		return 0;
	}
	if (got_address != (uintptr_t)at)
		printf("wrong address\n");
	return got_signal * 100 + got_code;
}

static int reading(const void *at) { return access_at((char *)(uintptr_t)at, 0); }
static int writing(void *at) { return access_at(at, 1); }

static const char *error_name(int failed)
{
	static const struct { int number; const char *name; } names[] = {
		{ EINVAL, "EINVAL" }, { ENOMEM, "ENOMEM" }, { EEXIST, "EEXIST" }, { EACCES, "EACCES" }, { EBADF, "EBADF" },
		{ EFAULT, "EFAULT" }, { ENODEV, "ENODEV" }, { EPERM, "EPERM" }, { EOVERFLOW, "EOVERFLOW" },
	};

	if (!failed)
		return "0";
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].number == errno)
			return names[i].name;
	return strerror(errno);
}

#define RESULT(what) printf("%s: %s\n", #what, error_name((what) != 0))
#define MAPPING(...) printf("mmap(%s): %s\n", #__VA_ARGS__, error_name(mmap(__VA_ARGS__) == MAP_FAILED))

static char *map(size_t pages, int prot, int flags)
{
	char *at = mmap(NULL, pages * PAGE, prot, flags | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED) {
		printf("no memory\n");
		exit(1);
	}
	return at;
}

#define RW (PROT_READ | PROT_WRITE)

static int child_status(void (*body)(void *), void *arg)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		body(arg);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

/* --- */

static void signals(void)
{
	char *m = map(4, RW, MAP_PRIVATE);

	mprotect(m + PAGE, PAGE, PROT_READ);
	mprotect(m + 2 * PAGE, PAGE, PROT_NONE);
	munmap(m + 3 * PAGE, PAGE);
	printf("written: %d, read-only: %d %d, no access: %d %d, unmapped: %d %d\n", writing(m), reading(m + PAGE),
	       writing(m + PAGE), reading(m + 2 * PAGE), writing(m + 2 * PAGE + 5), reading(m + 3 * PAGE), writing(m + 3 * PAGE));
	printf("null: %d, the kernel: %d\n", reading((char *)8), reading((char *)0xffffffff80000000));
	mprotect(m, PAGE, PROT_READ);
	printf("no longer: %d", writing(m));
	mprotect(m, PAGE, RW);
	printf(", again: %d, still %d\n", writing(m), *m);
}

static void put_both(void *arg)
{
	char **m = arg;

	m[0][0] = m[1][0] = 2;
	m[0][PAGE] = 3;
}

static void shared(void)
{
	char *both[] = { map(2, RW, MAP_SHARED), map(2, RW, MAP_PRIVATE) };

	both[0][0] = both[1][0] = 1;
	child_status(put_both, both);
	printf("shared %d %d, private %d\n", both[0][0], both[0][PAGE], both[1][0]);
	madvise(both[0], PAGE, MADV_DONTNEED);
	madvise(both[1], PAGE, MADV_DONTNEED);
	printf("dropped: shared %d, private %d\n", both[0][0], both[1][0]);
}

static void fixed(void)
{
	char *m = map(8, RW, MAP_PRIVATE), *n;

	memset(m, 7, 8 * PAGE);
	n = mmap(m + 2 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	printf("in its place: %d, %d %d %d, %d\n", n == m + 2 * PAGE, m[PAGE], n[0], m[3 * PAGE], writing(n));
	MAPPING(m + PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	munmap(m + 4 * PAGE, PAGE);
	MAPPING(m + 4 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	MAPPING(m + 1, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	MAPPING((void *)-PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	MAPPING((void *)(1ul << 62), 16 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	MAPPING(NULL, 0, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MAPPING(NULL, -1ul, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MAPPING(NULL, 1ul << 46, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	MAPPING(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0);
	MAPPING(NULL, PAGE, RW, MAP_PRIVATE, 77, 0);
	n = mmap(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_NORESERVE | MAP_STACK, -1, 0);
	printf("with other flags: %d\n", n != MAP_FAILED && writing(n) == 0);
	RESULT(munmap(m + 1, PAGE));
	RESULT(munmap(m, 0));
	RESULT(munmap(m, -1ul));
	RESULT(munmap(m, 100 * PAGE));
	RESULT(mprotect(m, PAGE, PROT_READ));
	RESULT(mprotect(m + 1, PAGE, PROT_READ));
	RESULT(mprotect(NULL, 0, PROT_READ));
	RESULT(mprotect((void *)0x3ffffff000, 2 * PAGE, PROT_READ));
	RESULT(munmap(NULL, PAGE));
	RESULT(munmap((void *)PAGE, PAGE + 1));
	RESULT(munmap((void *)1, PAGE));
	RESULT(mprotect(m + 4 * PAGE, PAGE, 0x40));
}

static void moving(void)
{
	char *m = map(6, RW, MAP_PRIVATE), *n, *room;

	for (int i = 0; i < 6; i++)
		m[i * PAGE] = (char)(i + 1);
	n = mremap(m, 6 * PAGE, 4 * PAGE, 0);
	printf("smaller: %d, %d, %d\n", n == m, m[3 * PAGE], reading(m + 4 * PAGE));
	n = mremap(m, 4 * PAGE, 5 * PAGE, 0);
	printf("larger again: %d, %d, %d\n", n == m, m[3 * PAGE], m[4 * PAGE]);
	mmap(m + 5 * PAGE, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	printf("no room: %s\n", error_name(mremap(m, 5 * PAGE, 6 * PAGE, 0) == MAP_FAILED));
	n = mremap(m, 5 * PAGE, 20 * PAGE, MREMAP_MAYMOVE);
	printf("moved: %d, %d %d %d, the old place %d\n", n != m, n[0], n[3 * PAGE], n[19 * PAGE], reading(m));
	room = map(8, RW, MAP_PRIVATE);
	m = mremap(n + PAGE, 3 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room + 4 * PAGE);
	printf("to an address: %d, %d %d, %d, %d %d %d\n", m == room + 4 * PAGE, m[0], m[PAGE], m[2 * PAGE], n[0],
	       reading(n + PAGE), reading(n + 3 * PAGE));
	printf("%s", error_name(mremap(m, PAGE, 0, 0) == MAP_FAILED));
	printf(" %s", error_name(mremap(m + 1, PAGE, PAGE, 0) == MAP_FAILED));
	printf(" %s", error_name(mremap(n + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED));
	printf(" %s", error_name(mremap(m, PAGE, PAGE, MREMAP_FIXED, n) == MAP_FAILED));
	printf(" %s\n", error_name(mremap(m, 2 * PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, m) == MAP_FAILED));
	m = map(2, RW, MAP_SHARED);
	m[PAGE] = 9;
	n = mremap(m, 0, 2 * PAGE, MREMAP_MAYMOVE);
	n[0] = 8;
	printf("twice: %d, %d %d\n", n != m, m[0], n[PAGE]);
}

static void advice(void)
{
	char *m = map(4, RW, MAP_PRIVATE);
	unsigned char there[5] = { 9, 9, 9, 9, 9 };

	memset(m, 5, 2 * PAGE);
	printf("mincore %d:", mincore(m, 4 * PAGE - 1, there));
	printf(" %d %d %d %d %d\n", there[0] & 1, there[1] & 1, there[2] & 1, there[3] & 1, there[4]);
	RESULT(mincore(m + 1, PAGE, there));
	RESULT(mincore(m, PAGE, NULL));
	RESULT(madvise(m, PAGE, MADV_DONTNEED));
	printf("%d %d\n", m[0], m[PAGE]);
	RESULT(madvise(m, PAGE, MADV_WILLNEED));
	RESULT(madvise(m, 2 * PAGE, MADV_FREE));
	RESULT(madvise(m, PAGE, 12345));
	RESULT(madvise(m + 1, PAGE, MADV_DONTNEED));
	RESULT(mlock(m + 5, PAGE));
	RESULT(munlock(m, 2 * PAGE));
	munmap(m + PAGE, PAGE);
	RESULT(madvise(m, 3 * PAGE, MADV_DONTNEED));
	RESULT(mlock(m, 3 * PAGE));
	RESULT(msync(m, PAGE, MS_SYNC));
	RESULT(msync(m, 3 * PAGE, MS_ASYNC));
	RESULT(msync(m, PAGE, MS_SYNC | MS_ASYNC));
	RESULT(mlockall(MCL_CURRENT));
	RESULT(munlockall());
}

static void heap(void)
{
	char *end = sbrk(0);

	printf("heap: %d", sbrk(100 * PAGE) == end);
	end[100 * PAGE - 1] = 1;
	printf(" %d", end[50 * PAGE]);
	sbrk(-100 * PAGE);
	printf(" %d %d", sbrk(0) == end, reading(end + 10 * PAGE));
	printf(" %s", error_name(sbrk(1l << 45) == (void *)-1));
	printf(" %d\n", sbrk(0) == end);
}

static void limits(void)
{
	char *m = map(16, RW, MAP_PRIVATE), *end = sbrk(0);
	struct rlimit limit = { 0, RLIM_INFINITY };

	setrlimit(RLIMIT_AS, &limit);
	printf("%s", error_name(mremap(m, 16 * PAGE, 100 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED));
	MAPPING(NULL, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	printf(" %d", sbrk(4 * PAGE) == (void *)-1);
	printf(" %d %s", mremap(m, 16 * PAGE, 8 * PAGE, 0) == m, error_name(mprotect(m, PAGE, PROT_READ)));
	limit.rlim_cur = RLIM_INFINITY;
	setrlimit(RLIMIT_AS, &limit);
	printf(" %d\n", sbrk(4 * PAGE) == end);
}

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*run)(void); } parts[] = {
		{ "signals", signals }, { "shared", shared }, { "fixed", fixed }, { "moving", moving }, { "advice", advice },
		{ "heap", heap }, { "limits", limits },
	};
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		for (int n = argc > 1 ? 1 : 0; n < argc; n++) {
			if (argc > 1 && strcmp(argv[n], parts[i].name))
				continue;
			printf("--- %s\n", parts[i].name);
			parts[i].run();
			break;
		}
	}
	return 0;
}
