/*
 * Bad pointers for every system call. First the calls of a table: all arguments good but one pointer, which is each of the
 * bad values in turn, must be an error and no success. Then every number from 0 to 600 with each bad value in all arguments:
 * whatever it answers, this program and the system go on. A process of its own for each call takes what may happen to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define NUMBERS 601
#define ARGUMENTS 6
#define CWD (-100)
#define LONGEST 20 /* seconds that a call may take */

enum kind {
	NONE,     /* the value as it is */
	IN, OUT,  /* size bytes are read there, or written */
	IN_OPT, OUT_OPT, /* or NULL */
	STR,      /* a path */
	PATH_OPT, /* or NULL */
	IOV,      /* one struct iovec */
};

struct argument {
	enum kind kind;
	long value; /* or size in bytes */
	const char *text;
};

#define V(n) { NONE, n, NULL }
#define I(n) { IN, n, NULL }
#define O(n) { OUT, n, NULL }
#define IO_(n) { IN_OPT, n, NULL }
#define OO(n) { OUT_OPT, n, NULL }
#define S(text) { STR, 0, text }

/* Descriptors that are open while the calls of the table are tried. */
enum { FILE_FD = 20, FOLDER_FD, PIPE_IN, PIPE_OUT, EPOLL_FD, EVENT_FD };

static const struct call {
	int number;
	const char *name;
	struct argument arguments[ARGUMENTS];
} calls[] = {
	{ 17, "getcwd", { O(100), V(100) } },
	{ 21, "epoll_ctl", { V(EPOLL_FD), V(1), V(EVENT_FD), I(16) } },
	{ 25, "fcntl(F_GETLK)", { V(FILE_FD), V(5), I(32) } },
	{ 25, "fcntl(F_SETLK)", { V(FILE_FD), V(6), I(32) } },
	{ 29, "ioctl(FIONREAD)", { V(PIPE_IN), V(0x541b), O(4) } },
	{ 33, "mknodat", { V(CWD), S("/tmp/bp/new"), V(0010600) } },
	{ 34, "mkdirat", { V(CWD), S("/tmp/bp/new"), V(0700) } },
	{ 35, "unlinkat", { V(CWD), S("/tmp/bp/old"), V(0) } },
	{ 36, "symlinkat", { S("target"), V(CWD), S("/tmp/bp/new") } },
	{ 37, "linkat", { V(CWD), S("/tmp/bp/file"), V(CWD), S("/tmp/bp/new"), V(0) } },
	{ 39, "umount2", { S("/tmp/bp"), V(0) } },
	{ 40, "mount", { { PATH_OPT, 0, "tmpfs" }, S("/tmp/bp/mount"), S("tmpfs"), V(0), V(0) } },
	{ 43, "statfs", { S("/tmp"), O(120) } },
	{ 44, "fstatfs", { V(FILE_FD), O(120) } },
	{ 45, "truncate", { S("/tmp/bp/file"), V(100) } },
	{ 48, "faccessat", { V(CWD), S("/tmp"), V(0) } },
	{ 49, "chdir", { S("/tmp") } },
	{ 51, "chroot", { S("/tmp") } },
	{ 53, "fchmodat", { V(CWD), S("/tmp/bp/file"), V(0600) } },
	{ 54, "fchownat", { V(CWD), S("/tmp/bp/file"), V(0), V(0), V(0) } },
	{ 56, "openat", { V(CWD), S("/tmp"), V(0) } },
	{ 59, "pipe2", { O(8), V(0) } },
	{ 61, "getdents64", { V(FOLDER_FD), O(1024), V(1024) } },
	{ 63, "read", { V(FILE_FD), O(100), V(100) } },
	{ 64, "write", { V(FILE_FD), I(100), V(100) } },
	{ 64, "write to a pipe", { V(PIPE_OUT), I(100), V(100) } },
	{ 65, "readv", { V(FILE_FD), { IOV, 0, NULL }, V(1) } },
	{ 66, "writev", { V(FILE_FD), { IOV, 0, NULL }, V(1) } },
	{ 67, "pread64", { V(FILE_FD), O(100), V(100), V(0) } },
	{ 68, "pwrite64", { V(FILE_FD), I(100), V(100), V(0) } },
	{ 69, "preadv", { V(FILE_FD), { IOV, 0, NULL }, V(1), V(0), V(0) } },
	{ 70, "pwritev", { V(FILE_FD), { IOV, 0, NULL }, V(1), V(0), V(0) } },
	{ 71, "sendfile", { V(PIPE_OUT), V(FILE_FD), IO_(8), V(10) } },
	{ 72, "pselect6", { V(30), IO_(8), IO_(8), IO_(8), IO_(16), IO_(16) } },
	{ 73, "ppoll", { I(8), V(1), IO_(16), IO_(8), V(8) } },
	{ 74, "signalfd4", { V(-1), I(8), V(8), V(0) } },
	{ 78, "readlinkat", { V(CWD), S("/proc/self/exe"), O(100), V(100) } },
	{ 79, "newfstatat", { V(CWD), S("/tmp"), O(128), V(0) } },
	{ 80, "fstat", { V(FILE_FD), O(128) } },
	{ 86, "timerfd_settime", { V(26), V(0), I(32), OO(32) } },
	{ 87, "timerfd_gettime", { V(26), O(32) } },
	{ 88, "utimensat", { V(FILE_FD), { PATH_OPT, 0, "/tmp/bp/file" }, IO_(32), V(0) } },
	{ 98, "futex(FUTEX_WAIT)", { I(4), V(0), V(7), IO_(16) } },
	{ 100, "get_robust_list", { V(0), O(8), O(8) } },
	{ 101, "nanosleep", { I(16) } },
	{ 102, "getitimer", { V(0), O(32) } },
	{ 103, "setitimer", { V(0), IO_(32), OO(32) } },
	{ 107, "timer_create", { V(0), IO_(64), O(4) } },
	{ 112, "clock_settime", { V(0), I(16) } },
	{ 113, "clock_gettime", { V(0), O(16) } },
	{ 114, "clock_getres", { V(0), OO(16) } },
	{ 115, "clock_nanosleep", { V(1), V(0), I(16) } },
	{ 118, "sched_setparam", { V(0), I(4) } },
	{ 119, "sched_setscheduler", { V(0), V(0), I(4) } },
	{ 121, "sched_getparam", { V(0), O(4) } },
	{ 122, "sched_setaffinity", { V(0), V(8), I(8) } },
	{ 123, "sched_getaffinity", { V(0), V(8), O(8) } },
	{ 127, "sched_rr_get_interval", { V(0), O(16) } },
	{ 132, "sigaltstack", { IO_(24), OO(24) } },
	{ 134, "rt_sigaction", { V(10), IO_(24), OO(24), V(8) } },
	{ 135, "rt_sigprocmask", { V(0), IO_(8), OO(8), V(8) } },
	{ 136, "rt_sigpending", { O(8), V(8) } },
	{ 137, "rt_sigtimedwait", { I(8), OO(128), IO_(16), V(8) } },
	{ 153, "times", { OO(32) } },
	{ 159, "setgroups", { V(1), I(4) } },
	{ 160, "uname", { O(390) } },
	{ 161, "sethostname", { I(4), V(4) } },
	{ 163, "getrlimit", { V(7), O(16) } },
	{ 164, "setrlimit", { V(4), I(16) } },
	{ 165, "getrusage", { V(0), O(144) } },
	{ 168, "getcpu", { OO(4), OO(4) } },
	{ 169, "gettimeofday", { OO(16) } },
	{ 170, "settimeofday", { IO_(16) } },
	{ 179, "sysinfo", { O(112) } },
	{ 221, "execve", { S("/proc/self/exe"), IO_(16), IO_(16) } },
	{ 232, "mincore", { V(0), V(4096), O(1) } },
	{ 261, "prlimit64", { V(0), V(4), IO_(16), OO(16) } },
	{ 276, "renameat2", { V(CWD), S("/tmp/bp/file"), V(CWD), S("/tmp/bp/file2"), V(0) } },
	{ 278, "getrandom", { O(16), V(16), V(0) } },
	{ 279, "memfd_create", { S("name"), V(0) } },
	{ 281, "execveat", { V(CWD), S("/proc/self/exe"), IO_(16), IO_(16), V(0) } },
	{ 291, "statx", { V(CWD), S("/tmp"), V(0), V(0x7ff), O(256) } },
	{ 435, "clone3", { I(88), V(88) } },
	{ 437, "openat2", { V(CWD), S("/tmp"), I(24), V(24) } },
	{ 439, "faccessat2", { V(CWD), S("/tmp"), V(0), V(0) } },
};

/* A page whose successor cannot be accessed, and pages with less than all rights. */
static char *edge, *read_only, *no_access;

struct bad {
	const char *name;
	uint64_t value;
};

static unsigned bad_values(struct bad *out, size_t size, int writes)
{
	unsigned n = 0;

	out[n++] = (struct bad){ "NULL", 0 };
	out[n++] = (struct bad){ "near NULL", 0x11 };
	out[n++] = (struct bad){ "the kernel's image", 0xffffffff80000000 };
	out[n++] = (struct bad){ "the kernel's memory", 0xffffffc000000000 };
	out[n++] = (struct bad){ "linear memory of Linux", 0xffffffd600000000 };
	out[n++] = (struct bad){ "no page", 0x3000000000 };
	out[n++] = (struct bad){ "the end of user space", 0x4000000000 };
	out[n++] = (struct bad){ "no canonical address", UINT64_C(1) << 62 };
	out[n++] = (struct bad){ "2^63", UINT64_C(1) << 63 };
	out[n++] = (struct bad){ "2^64-1", UINT64_MAX };
	out[n++] = (struct bad){ "2^64-4096", UINT64_MAX - 4095 };
	out[n++] = (struct bad){ "a page without access", (uint64_t)no_access };
	if (size > 1)
		out[n++] = (struct bad){ "the last byte of a page", (uint64_t)edge + PAGE - 1 };
	if (writes)
		out[n++] = (struct bad){ "a page that is read-only", (uint64_t)read_only };
	return n;
}

static long call(long number, const uint64_t *a)
{
	long result = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);

	return result == -1 ? -errno : result;
}

static char good[ARGUMENTS][PAGE];
static struct iovec vector;

/* A value with which the call would do. */
static uint64_t good_value(const struct argument *a, unsigned i)
{
	memset(good[i], 0, PAGE);
	switch (a->kind) {
	case NONE:
		return (uint64_t)a->value;
	case STR:
	case PATH_OPT:
		strcpy(good[i], a->text);
		return (uint64_t)good[i];
	case IOV:
		vector = (struct iovec){ good[i], 100 };
		return (uint64_t)&vector;
	default:
		return (uint64_t)good[i];
	}
}

static void place_good(const struct call *c, uint64_t *values)
{
	for (unsigned i = 0; i < ARGUMENTS; i++)
		values[i] = good_value(&c->arguments[i], i);
	/* What must not be all zero. */
	if (c->number == 25)
		((short *)good[2])[0] = F_RDLCK;
	if (c->number == 73)
		((int *)good[0])[0] = FILE_FD;
	if (c->number == 435)
		((uint64_t *)good[0])[4] = SIGCHLD;
	if (c->number == 221 || c->number == 281) {
		unsigned first = c->number == 281;

		/* So that it would end at once. */
		((char **)good[first + 1])[0] = "again";
		values[first + 1] = (uint64_t)good[first + 1];
	}
}

static unsigned cases, failures, absent;

static void complain(const char *name, unsigned i, const char *what, long result)
{
	printf("bad: %s, argument %u is %s: %ld\n", name, i, what, result);
	failures++;
}

static void move(int fd, int to)
{
	if (fd < 0 || dup2(fd, to) != to)
		abort();
	close(fd);
}

static void rewind_all(void)
{
	lseek(FILE_FD, 0, SEEK_SET);
	move(open("/tmp/bp", O_RDONLY | O_DIRECTORY), FOLDER_FD);
}

/* Reading and writing may end where what they have ends. */
static int is_part(const struct call *c, const char *what, long result)
{
	return (c->number == 63 || c->number == 64 || c->number == 67 || c->number == 68 || c->number == 278) && result == 1 &&
	       strcmp(what, "the last byte of a page") == 0;
}

static void try(const struct call *c, unsigned i, const char *what, uint64_t value)
{
	uint64_t values[ARGUMENTS];
	long result;

	place_good(c, values);
	if (c->arguments[i].kind == IOV && what[0] == '*')
		vector = (struct iovec){ (void *)value, 100 };
	else
		values[i] = value;
	rewind_all();
	result = call(c->number, values);
	cases++;
	if ((result >= 0 || result < -4095) && !is_part(c, what, result))
		complain(c->name, i, what, result);
}

static void try_argument(const struct call *c, unsigned i)
{
	const struct argument *a = &c->arguments[i];
	int writes = a->kind == OUT || a->kind == OUT_OPT;
	struct bad bad[20];
	unsigned n = bad_values(bad, a->kind == STR || a->kind == PATH_OPT ? 2 : a->kind == IOV ? 16 : (size_t)a->value, writes);
	int may_be_null = a->kind == IN_OPT || a->kind == OUT_OPT || a->kind == PATH_OPT;

	if (a->kind == STR || a->kind == PATH_OPT)
		edge[PAGE - 1] = 'x';
	for (unsigned k = may_be_null ? 1 : 0; k < n; k++)
		try(c, i, bad[k].name, bad[k].value);
	for (unsigned k = 0; a->kind == IOV && k < n; k++)
		if (strcmp(bad[k].name, "the last byte of a page")) {
			char name[60];

			snprintf(name, sizeof(name), "*%s", bad[k].name);
			try(c, i, name, bad[k].value);
		}
}

/* In a process of its own. */
static void try_call(const struct call *c)
{
	uint64_t values[ARGUMENTS];

	place_good(c, values);
	if (c->number != 221 && c->number != 281 && c->number != 435 && c->number != 51 && call(c->number, values) == -ENOSYS) {
		absent++;
		return;
	}
	for (unsigned i = 0; i < ARGUMENTS; i++)
		if (c->arguments[i].kind != NONE)
			try_argument(c, i);
}

/* What would wait for ever, rightly: select, poll, suspend. */
static int waits(long number, uint64_t value)
{
	return value == 0 && (number == 72 || number == 73 || number == 133);
}

static void sweep(long number)
{
	struct bad bad[20];
	unsigned n = bad_values(bad, 2, 1);

	for (unsigned k = 0; k < n; k++) {
		uint64_t values[ARGUMENTS];

		for (unsigned i = 0; i < ARGUMENTS; i++)
			values[i] = bad[k].value;
		if (!waits(number, bad[k].value))
			(void)call(number, values);
		cases++;
	}
}

/* Each pointer-like value in one argument, small numbers in the others. */
static void sweep_each(long number)
{
	struct bad bad[20];
	unsigned n = bad_values(bad, 2, 1);

	for (unsigned i = 0; i < ARGUMENTS; i++)
		for (unsigned k = 1; k < n; k++) {
			uint64_t values[ARGUMENTS] = { FILE_FD, FILE_FD, FILE_FD, FILE_FD, FILE_FD, FILE_FD };

			values[i] = bad[k].value;
			(void)call(number, values);
			cases++;
		}
}

struct report {
	unsigned cases, failures, absent;
};

/* Wait for it, but not for ever. @return its status; -1: it had to be killed */
static int wait_for(pid_t pid)
{
	int status;

	for (unsigned i = 0; i < LONGEST * 100; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		nanosleep(&(struct timespec){ 0, i < 20 ? 1000000 : 10000000 }, NULL);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -1;
}

/* @return the process's status as wait_for; what it counted is added. */
static int in_child(void (*function)(const void *), const void *what)
{
	struct report report = { 0, 0, 0 };
	int to_parent[2], status;
	pid_t pid;

	if (pipe(to_parent))
		abort();
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		printf("bad: no process: %s\n", strerror(errno));
		exit(1);
	}
	if (pid == 0) {
		cases = failures = absent = 0;
		setpgid(0, 0);
		function(what);
		fflush(stdout);
		report = (struct report){ cases, failures, absent };
		if (write(to_parent[1], &report, sizeof(report)) != sizeof(report))
			_exit(2);
		_exit(0);
	}
	close(to_parent[1]);
	status = wait_for(pid);
	if (read(to_parent[0], &report, sizeof(report)) == sizeof(report)) {
		cases += report.cases;
		failures += report.failures;
		absent += report.absent;
	}
	close(to_parent[0]);
	return status;
}

static void child_call(const void *what)
{
	try_call(what);
}

/* Its own standard streams are not at stake. */
static void silence(void)
{
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
}

static void child_sweep(const void *what)
{
	silence();
	sweep(*(const long *)what);
}

/* Numbers of processes among the arguments could be our own. */
static int sends_signals(long number)
{
	return (number >= 129 && number <= 131) || number == 138 || number == 240;
}

static void child_sweep_each(const void *what)
{
	silence();
	if (!sends_signals(*(const long *)what))
		sweep_each(*(const long *)what);
}

/* exit, exit_group and rt_sigreturn, as they should. */
static int ends_the_process(long number)
{
	return number == 93 || number == 94 || number == 139;
}

static char *pages(int protection)
{
	char *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED || mprotect(at + PAGE, PAGE, PROT_NONE) || mprotect(at, PAGE, protection))
		abort();
	return at;
}

static void prepare(void)
{
	int ends[2];

	mkdir("/tmp", 0777);
	mkdir("/tmp/bp", 0777);
	mkdir("/tmp/bp/mount", 0777);
	edge = pages(PROT_READ | PROT_WRITE);
	read_only = pages(PROT_READ);
	no_access = pages(PROT_NONE);
	move(open("/tmp/bp/file", O_RDWR | O_CREAT, 0600), FILE_FD);
	if (ftruncate(FILE_FD, 1000))
		abort();
	move(open("/tmp/bp", O_RDONLY | O_DIRECTORY), FOLDER_FD);
	if (pipe(ends))
		abort();
	move(ends[0], PIPE_IN);
	move(ends[1], PIPE_OUT);
	ends[0] = (int)syscall(20, 0);
	if (ends[0] >= 0)
		move(ends[0], EPOLL_FD);
	ends[0] = (int)syscall(19, 0, 0);
	if (ends[0] >= 0)
		move(ends[0], EVENT_FD);
	ends[0] = (int)syscall(85, 1, 0);
	if (ends[0] >= 0)
		move(ends[0], 26);
}

static void check_table(void)
{
	for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		int status = in_child(child_call, &calls[i]);

		if (status) {
			printf("bad: %s: the process ended with %x\n", calls[i].name, (unsigned)status);
			failures++;
		}
	}
	printf("table: %zu calls, %u absent, %u cases, %u bad\n", sizeof(calls) / sizeof(calls[0]), absent, cases, failures);
}

static void check_numbers(void (*sweep_with)(const void *), const char *what)
{
	unsigned before = failures;

	cases = 0;
	for (long number = 0; number < NUMBERS; number++) {
		int status = in_child(sweep_with, &number);

		if (status < 0 && number != 133) {
			printf("bad: number %ld did not return\n", number);
			failures++;
		} else if (status && WIFEXITED(status) && !ends_the_process(number)) {
			printf("bad: number %ld: the process ended with %x\n", number, (unsigned)status);
			failures++;
		}
	}
	printf("%s: %d numbers, %u bad\n", what, NUMBERS, failures - before);
}

int main(int argc, char **argv)
{
	if (strcmp(argv[0], "again") == 0 || argc == 0)
		return 0; /* an execve that should have been an error: its parent has a status without a report */
	prepare();
	check_table();
	check_numbers(child_sweep, "the same in all arguments");
	if (argc > 1)
		check_numbers(child_sweep_each, "one in each argument");
	puts(failures ? "FAIL" : "PASS");
	return failures != 0;
}
