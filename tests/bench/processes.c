/*
 * For Linux or the monolith, without a C library: what system calls, faults and processes cost, by the time counter.
 * Under the instruction counter a tick is a hundred instructions. Prints "row NAME N.N" (instructions per operation,
 * the loop's own too), and powers the machine off if it is process 1 of a kernel that lets it.
 */
#include <stddef.h>
#include <stdint.h>

#define TICK 100
#define PAGE 4096
#define CALLS 1000
#define PAGES 1000
#define FORKS 100
#define WARM_UP 20
#define SETTLE_S 20

enum { SYS_MKDIRAT = 34, SYS_OPENAT = 56, SYS_CLOSE = 57, SYS_PIPE2 = 59, SYS_LSEEK = 62, SYS_READ = 63, SYS_WRITE = 64,
       SYS_NEWFSTATAT = 79, SYS_EXIT = 93, SYS_NANOSLEEP = 101, SYS_YIELD = 124, SYS_KILL = 129, SYS_RT_SIGACTION = 134, SYS_REBOOT = 142,
       SYS_GETPID = 172, SYS_GETPPID = 173, SYS_MUNMAP = 215, SYS_CLONE = 220, SYS_EXECVE = 221, SYS_MMAP = 222,
       SYS_MADVISE = 233, SYS_WAIT4 = 260 };
enum { AT_FDCWD = -100, O_RDWR_CREAT = 0102, PROT_READ_WRITE = 3, MAP_PRIVATE_ANONYMOUS = 0x22, MADV_NO_HUGE_PAGE = 15, SIGCHLD = 17,
       SIGUSR1 = 10 };

typedef int (*operation_t)(void);

static long call(long number, long a, long b, long c, long d, long e, long f)
{
	register long a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c, a3 __asm__("a3") = d;
	register long a4 __asm__("a4") = e, a5 __asm__("a5") = f, a7 __asm__("a7") = number;

	__asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7) : "memory");
	return a0;
}

#define CALL0(n) call(n, 0, 0, 0, 0, 0, 0)
#define CALL1(n, a) call(n, (long)(a), 0, 0, 0, 0, 0)
#define CALL2(n, a, b) call(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define CALL3(n, a, b, c) call(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define CALL4(n, a, b, c, d) call(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

/* GCC makes calls of these out of loops and initialisers. */
void *memset(void *to, int byte, size_t n)
{
	for (volatile char *at = to; n > 0; n--)
		*at++ = (char)byte;
	return to;
}

static uint64_t now(void)
{
	uint64_t t;

	__asm__ volatile("rdtime %0" : "=r"(t)::"memory");
	return t;
}

/* --- output --- */

static void print(const char *s)
{
	long n = 0;

	while (s[n])
		n++;
	CALL3(SYS_WRITE, 1, s, n);
}

static void print_number(uint64_t n)
{
	char digits[21], *at = &digits[20];

	*at = 0;
	do
		*--at = (char)('0' + n % 10);
	while (n /= 10);
	print(at);
}

static void row(const char *name, uint64_t ticks, uint64_t operations)
{
	uint64_t tenths = ticks * TICK * 10 / operations;

	print("row ");
	print(name);
	print(" ");
	print_number(tenths / 10);
	print(".");
	print_number(tenths % 10);
	print("\n");
}

static void failed(const char *name)
{
	print("FAIL ");
	print(name);
	print("\n");
}

/* An operation gives 0, or it failed. */
static void measure(const char *name, operation_t op, unsigned rounds)
{
	uint64_t start;
	int error = 0;

	for (unsigned i = 0; i < WARM_UP; i++)
		error |= op();
	start = now();
	for (unsigned i = 0; i < rounds; i++)
		error |= op();
	row(name, now() - start, rounds);
	if (error)
		failed(name);
}

/* --- calls --- */

static const char *self; /* this program's path */

static int null_call(void)
{
	return CALL0(SYS_GETPPID) < 0;
}

static int open_and_close(void)
{
	long fd = CALL4(SYS_OPENAT, AT_FDCWD, "/tmp/bench", O_RDWR_CREAT, 0600);

	return fd < 0 || CALL1(SYS_CLOSE, fd);
}

static int stat_path(void)
{
	char buffer[256];

	return CALL4(SYS_NEWFSTATAT, AT_FDCWD, "/tmp/bench", buffer, 0) != 0;
}

static char page[PAGE];
static long file;

static int read_page(void)
{
	return CALL3(SYS_LSEEK, file, 0, 0) != 0 || CALL3(SYS_READ, file, page, PAGE) != PAGE;
}

static int write_page(void)
{
	return CALL3(SYS_LSEEK, file, 0, 0) != 0 || CALL3(SYS_WRITE, file, page, PAGE) != PAGE;
}

static void files(void)
{
	CALL3(SYS_MKDIRAT, AT_FDCWD, "/tmp", 0777); /* or it is there */
	measure("open-close", open_and_close, CALLS);
	measure("stat", stat_path, CALLS);
	file = CALL4(SYS_OPENAT, AT_FDCWD, "/tmp/bench", O_RDWR_CREAT, 0600);
	measure("write-4k", write_page, CALLS);
	measure("read-4k", read_page, CALLS);
	CALL1(SYS_CLOSE, file);
}

/* --- memory --- */

static char *map(size_t size)
{
	long at = call(SYS_MMAP, 0, (long)size, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);

	CALL3(SYS_MADVISE, at, size, MADV_NO_HUGE_PAGE);
	return (char *)at;
}

static void touch(char *at, unsigned pages)
{
	for (unsigned i = 0; i < pages; i++)
		*(volatile char *)(at + (size_t)i * PAGE) = 1;
}

static int map_and_unmap(void)
{
	long at = call(SYS_MMAP, 0, PAGE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);

	if (at < 0)
		return 1;
	*(volatile char *)at = 1;
	return CALL2(SYS_MUNMAP, at, PAGE) != 0;
}

static long fork(void)
{
	return CALL1(SYS_CLONE, SIGCHLD);
}

static int join(long pid)
{
	int code;

	return pid <= 0 || CALL4(SYS_WAIT4, pid, &code, 0, 0) != pid || code != 0;
}

/* A child that waits for the pipe's end, and so keeps its share of all pages. */
static long fork_holder(int out[2])
{
	long pid;

	if (CALL2(SYS_PIPE2, out, 0))
		return -1;
	pid = fork();
	if (pid == 0) {
		char byte;

		CALL1(SYS_CLOSE, out[1]);
		CALL3(SYS_READ, out[0], &byte, 1);
		CALL1(SYS_EXIT, 0);
	}
	return pid;
}

static void faults(void)
{
	const size_t size = (size_t)(PAGES + WARM_UP) * PAGE;
	char *at = map(size);
	uint64_t start;
	int hold[2];
	long pid;

	touch(at, WARM_UP);
	start = now();
	touch(at + WARM_UP * PAGE, PAGES);
	row("first-touch", now() - start, PAGES);

	pid = fork_holder(hold);
	touch(at, WARM_UP);
	start = now();
	touch(at + WARM_UP * PAGE, PAGES);
	row("copy-on-write", now() - start, PAGES);
	CALL1(SYS_CLOSE, hold[0]);
	CALL1(SYS_CLOSE, hold[1]);
	if (join(pid))
		failed("copy-on-write");
	CALL2(SYS_MUNMAP, at, size);
	measure("mmap-munmap", map_and_unmap, CALLS);
}

/* --- processes --- */

static int fork_exit(void)
{
	long pid = fork();

	if (pid == 0)
		CALL1(SYS_EXIT, 0);
	return join(pid);
}

static int fork_exec(void)
{
	const char *argv[] = { self, "exit", NULL }, *envp[] = { NULL };
	long pid = fork();

	if (pid == 0) {
		CALL3(SYS_EXECVE, self, argv, envp);
		CALL1(SYS_EXIT, 1);
	}
	return join(pid);
}

/* What a process that has touched 4 MiB pays for a fork. */
static void fork_large(void)
{
	const size_t size = (size_t)PAGES * PAGE;
	char *at = map(size);

	touch(at, PAGES);
	measure("fork-exit-large", fork_exit, FORKS);
	CALL2(SYS_MUNMAP, at, size);
}

/* --- two processes --- */

static int there[2], back[2];

static int ping(void)
{
	char byte = 1;

	return CALL3(SYS_WRITE, there[1], &byte, 1) != 1 || CALL3(SYS_READ, back[0], &byte, 1) != 1;
}

static void answer(void)
{
	char byte;

	CALL1(SYS_CLOSE, there[1]);
	while (CALL3(SYS_READ, there[0], &byte, 1) == 1)
		CALL3(SYS_WRITE, back[1], &byte, 1);
	CALL1(SYS_EXIT, 0);
}

static void round_trip(void)
{
	long pid = CALL2(SYS_PIPE2, there, 0) || CALL2(SYS_PIPE2, back, 0) ? -1 : fork();

	if (pid == 0)
		answer();
	measure("pipe-round-trip", ping, CALLS);
	CALL1(SYS_CLOSE, there[1]);
	if (join(pid))
		failed("pipe-round-trip");
}

static int yield(void)
{
	return CALL0(SYS_YIELD) != 0;
}

/* Both give the hart away all the time: two switches for each of our rounds. */
static void switches(void)
{
	long pid;

	measure("yield-alone", yield, CALLS);
	pid = fork();
	while (pid == 0)
		yield();
	measure("yield-to-other", yield, CALLS);
	CALL2(SYS_KILL, pid, 9);
	call(SYS_WAIT4, pid, 0, 0, 0, 0, 0);
}

/* --- signals --- */

static volatile unsigned handled;

static void handler(int signal)
{
	(void)signal;
	handled++;
}

static long own_pid;

static int signal_self(void)
{
	unsigned before = handled;

	return CALL2(SYS_KILL, own_pid, SIGUSR1) != 0 || handled != before + 1;
}

static void signals(void)
{
	struct { void (*handler)(int); unsigned long flags, mask; } action = { handler, 0, 0 };

	own_pid = CALL0(SYS_GETPID);
	if (CALL4(SYS_RT_SIGACTION, SIGUSR1, &action, 0, 8))
		failed("signal");
	else
		measure("signal", signal_self, CALLS);
}

/* A kernel that has just started init has other things to do, too. Sleeping costs no instructions. */
static void settle(void)
{
	const int64_t seconds[2] = { SETTLE_S, 0 };

	CALL2(SYS_NANOSLEEP, seconds, 0);
}

static void all(void)
{
	settle();
	measure("null-call", null_call, CALLS);
	files();
	faults();
	measure("fork-exit", fork_exit, FORKS);
	fork_large();
	measure("fork-exec", fork_exec, FORKS);
	round_trip();
	switches();
	signals();
}

/* stack: argc, argv[0], ... */
void run(const long *stack);
void run(const long *stack)
{
	if (stack[0] > 1)
		CALL1(SYS_EXIT, 0);
	self = (const char *)stack[1];
	all();
	if (CALL0(SYS_GETPID) == 1)
		CALL4(SYS_REBOOT, 0xfee1dead, 0x28121969, 0x4321fedc, 0);
	CALL1(SYS_EXIT, 0);
}

__asm__(".globl _start\n"
	"_start:\n"
	".option push\n"
	".option norelax\n"
	"	la gp, __global_pointer$\n"
	".option pop\n"
	"	mv a0, sp\n"
	"	andi sp, sp, -16\n"
	"	call run\n");
