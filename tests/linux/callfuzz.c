/*
 * Random system calls: `callfuzz SEED PROCESSES CALLS [FIRST]`. Each process makes CALLS calls with arguments out of what
 * tends to be interesting, in a folder of its own making, and may die of them. The same seed makes the same calls, FIRST
 * begins with a later process. What must be left at the end: a system that works, with its memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define FOLDER "/tmp/fuzz"
#define NUDGES 5 /* that a process gets when it stands still, 50 ms apart: some calls wait for ever */

/*
 * Numbers that are worth it: what Linux has for processes, files and memory. Not there: what ends the process, changes
 * the whole machine (mounts, clocks, reboot), and what takes a process out of its group.
 */
static const short numbers[] = {
	17, 19, 20, 21, 22, 23, 24, 25, 29, 32, 33, 34, 35, 36, 37, 43, 44, 45, 46, 47, 48, 49, 50, 52, 53, 54, 55, 56, 57, 59,
	61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 87, 88, 95, 96,
	98, 99, 100, 101, 102, 103, 107, 108, 109, 110, 111, 113, 114, 115, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127,
	129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 140, 141, 143, 144, 145, 146, 147, 148, 150, 153, 155, 156, 158,
	159, 160, 163, 165, 166, 167, 168, 169, 172, 173, 174, 175, 176, 177, 178, 179, 198, 199, 200, 203, 206, 207,
	213, 214, 215, 216, 220, 221, 222, 223, 226, 227, 228, 229, 230, 231, 232, 233, 260, 261, 267, 276, 278, 279, 281, 283,
	285, 286, 287, 291, 293, 424, 434, 435, 436, 437, 439, 440, 441,
};

static uint64_t state;
static char *buffer, *edge, *read_only, *no_access;
static pid_t self;
static unsigned long *made; /* calls, by all processes */

static uint64_t draw(void)
{
	uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t below(uint64_t n)
{
	return draw() % n;
}

static uint64_t a_number(void)
{
	static const uint64_t values[] = {
		0, 1, 2, 3, 4, 7, 8, 9, 10, 16, 31, 32, 63, 64, 100, 255, 256, 511, 1023, 1024, 4095, 4096, 4097, 65536, 1 << 20,
		0x7fffffff, 0x80000000, 0xffffffff, UINT64_C(1) << 32, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX - 1,
		UINT64_MAX - 4095, UINT64_MAX - 99 /* AT_FDCWD */, UINT64_MAX - 99,
	};

	switch (below(4)) {
	case 0:
		return UINT64_C(1) << below(64);
	case 1:
		return below(16);
	default:
		return values[below(sizeof(values) / sizeof(values[0]))];
	}
}

static uint64_t a_bad_pointer(void)
{
	static const uint64_t values[] = {
		0, 1, 0x1000, 0xffffffff80000000, 0xffffffffc0000000, 0xffffffc000000000, 0x3000000000, 0x3ffffff000, 0x4000000000,
		0x3fffffffff, UINT64_C(1) << 62, UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX - 7,
	};

	switch (below(4)) {
	case 0:
		return (uint64_t)edge + PAGE - below(32);
	case 1:
		return (uint64_t)read_only + below(PAGE);
	case 2:
		return (uint64_t)no_access + below(2) * PAGE - below(16);
	default:
		return values[below(sizeof(values) / sizeof(values[0]))];
	}
}

static uint64_t a_path(void)
{
	static const char *const paths[] = {
		"", ".", "..", "/", "f0", "f1", "f2", "d0", "d0/f3", "d0/../f0", "l0", "l1", "l0/x", "/tmp/fuzz/f4", "f0/x", "//", "f5/",
		"/proc/self/maps", "/proc/self/fd/3", "/proc/self", "/proc", "/proc/meminfo", "/proc/1/stat", "././././.",
		"pipe", "\xff\xfe", "f0 with spaces", "/tmp/fuzz/d0/d1/d2/d3",
	};
	char *at = buffer + below(8) * 512;
	unsigned n = (unsigned)below(sizeof(paths) / sizeof(paths[0]) + 2);

	if (n < sizeof(paths) / sizeof(paths[0]))
		strcpy(at, paths[n]);
	else
		memset(at, n % 2 ? 'a' : '/', below(6000)); /* whatever is behind ends it */
	return (uint64_t)at;
}

static uint64_t argument(void);

/* Memory with some words in it that mean something. */
static uint64_t a_structure(void)
{
	uint64_t *at = (uint64_t *)(buffer + 8192 + below(8) * 512);

	for (unsigned i = 0; i < 16; i++)
		at[i] = below(3) ? a_number() : below(2) ? (uint64_t)buffer + below(4096) : a_bad_pointer();
	if (below(4) == 0)
		memset(at, 0, 512);
	return (uint64_t)at + (below(8) == 0);
}

static uint64_t argument(void)
{
	switch (below(12)) {
	case 0: case 1: case 2:
		return below(14); /* a descriptor */
	case 3: case 4:
		return a_number();
	case 5:
		return a_bad_pointer();
	case 6: case 7:
		return a_path();
	case 8: case 9: case 10:
		return a_structure();
	default:
		return draw();
	}
}

/* The first argument is mostly a descriptor or a path, and signals go nowhere else. */
static void choose(long *number, uint64_t *a)
{
	*number = below(40) ? numbers[below(sizeof(numbers) / sizeof(numbers[0]))] : (long)(450 + below(1000));
	for (unsigned i = 0; i < 6; i++)
		a[i] = argument();
	if (below(2))
		a[0] = below(4) ? below(14) : (uint64_t)-100;
	if (below(3) == 0)
		a[1] = below(2) ? a_path() : a_structure();
	if (below(3) == 0)
		a[2] = a_number();
	if (*number == 129 || *number == 130 || *number == 131 || *number == 138 || *number == 240)
		a[0] = (uint64_t)self;
	if (*number == 220 && below(2))
		a[0] = SIGCHLD | (below(2) ? UINT64_C(1) << (8 + below(24)) : 0), a[1] = below(3) ? 0 : a[1];
	/* What takes itself to another process's limits or priority stays at home. */
	if (*number == 140 || *number == 261)
		a[0] = *number == 261 ? 0 : a[0], a[1] = *number == 140 ? (uint64_t)self : a[1];
}

/* These mostly end it: with its memory or its registers gone. */
static int is_deadly(long number)
{
	return number == 139 || number == 214 || number == 215 || number == 216 || number == 222 || number == 226 || number == 221;
}

static void one_call(void)
{
	uint64_t a[6];
	long number;

	do
		choose(&number, a);
	while (is_deadly(number) && below(8));
	++*made;
	(void)syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if ((pid_t)syscall(SYS_getpid) != self)
		_exit(0); /* its child */
}

static char *two_pages(int protection)
{
	char *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED || mprotect(at + PAGE, PAGE, PROT_NONE) || mprotect(at, PAGE, protection))
		abort();
	return at;
}

static void limit(int what, rlim_t value)
{
	setrlimit(what, &(struct rlimit){ value, value });
}

/* Descriptors 3 to 13, of many kinds. */
static void open_some(void)
{
	int ends[2];

	(void)!open("f0", O_RDWR | O_CREAT, 0600);
	(void)!open("f1", O_RDWR | O_CREAT | O_APPEND, 0600);
	(void)!open(".", O_RDONLY | O_DIRECTORY);
	(void)!pipe(ends);
	(void)!open("/dev/zero", O_RDWR);
	(void)!open("/proc/self/maps", O_RDONLY);
	(void)!syscall(SYS_eventfd2, 0, O_NONBLOCK);
	(void)!syscall(SYS_timerfd_create, 1, 0);
	(void)!syscall(SYS_epoll_create1, 0);
}

static void nudged(int signal)
{
	(void)signal;
}

static void process(uint64_t seed, unsigned n, unsigned calls)
{
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	close(null);
	setpgid(0, 0);
	limit(RLIMIT_AS, 64 << 20);
	limit(RLIMIT_FSIZE, 1 << 20);
	limit(RLIMIT_NPROC, 40);
	for (int i = 1; i < 65; i++)
		signal(i, SIG_IGN);
	sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = nudged }, NULL);
	state = seed * 1000003 + n;
	self = getpid();
	open_some();
	for (unsigned i = 0; i < calls; i++)
		one_call();
	_exit(0);
}

/* --- the parent --- */

static void rest(long ns)
{
	nanosleep(&(struct timespec){ 0, ns }, NULL);
}

/* Its group may have more in it than itself. @return its status; -1: it had to be killed */
static int wait_for(pid_t pid)
{
	unsigned long seen = *made;
	int status;

	for (unsigned i = 0, nudges = 0; nudges < NUDGES; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid) {
			kill(-pid, SIGKILL);
			return status;
		}
		rest(5000000);
		if (i % 10 == 9 && *made == seen) {
			kill(pid, SIGUSR1);
			nudges++;
		}
		if (*made != seen)
			nudges = 0;
		seen = *made;
	}
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	for (unsigned i = 0; i < 2000; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return -1;
		rest(10000000);
	}
	printf("bad: process %d cannot be killed\n", pid);
	exit(1);
}

/* What everybody needs. */
static int works(void)
{
	char text[6] = "";
	int ends[2], status;
	pid_t pid;

	if (pipe(ends))
		return 0;
	pid = fork();
	if (pid == 0) {
		int fd = open("/tmp/sound", O_RDWR | O_CREAT | O_TRUNC, 0600);

		_exit(write(fd, "sound", 5) == 5 && lseek(fd, 0, SEEK_SET) == 0 && read(fd, text, 5) == 5 && write(ends[1], text, 5) == 5 ? 9 : 1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 9 << 8 || read(ends[0], text, 5) != 5)
		return 0;
	close(ends[0]);
	close(ends[1]);
	return strcmp(text, "sound") == 0;
}

static long memory_free(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long kib = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemFree: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

static void remove_folder(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/busybox", "busybox", "rm", "-rf", FOLDER, NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

static void make_folder(void)
{
	remove_folder();
	if (mkdir(FOLDER, 0777) || chdir(FOLDER) || mkdir("d0", 0777) || symlink("f0", "l0") || symlink("l1", "l1"))
		printf("the folder could not be made: %s\n", strerror(errno));
}

static unsigned killed, signalled;

static void start(uint64_t seed, unsigned n, unsigned calls)
{
	pid_t pid;
	int status;

	if (n % 16 == 0)
		make_folder();
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		printf("bad: no process: %s\n", strerror(errno));
		exit(1);
	}
	if (pid == 0)
		process(seed, n, calls);
	status = wait_for(pid);
	killed += status < 0;
	signalled += status >= 0 && WIFSIGNALED(status);
	if (n % 16 == 15 && !works()) {
		printf("bad: after process %u of seed %llu the system does not work\n", n, (unsigned long long)seed);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
	unsigned processes = argc > 2 ? (unsigned)atoi(argv[2]) : 100, calls = argc > 3 ? (unsigned)atoi(argv[3]) : 200;
	unsigned first = argc > 4 ? (unsigned)atoi(argv[4]) : 0;
	long before = 0, after;

	mkdir("/tmp", 0777);
	buffer = mmap(NULL, 17 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(buffer + 16 * PAGE, PAGE, PROT_NONE);
	made = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	edge = two_pages(PROT_READ | PROT_WRITE);
	read_only = two_pages(PROT_READ);
	no_access = two_pages(PROT_NONE);
	for (unsigned n = first; n < first + processes; n++) {
		if (n == first + 16)
			before = memory_free(); /* what is kept for later use is there by now */
		start(seed, n, calls);
	}
	(void)!chdir("/");
	remove_folder();
	after = memory_free();
	fprintf(stderr, "seed %llu: %u processes, %lu calls, %u died of a signal, %u had to be killed; %ld KiB free, %ld at the end\n",
		(unsigned long long)seed, processes, *made, signalled, killed, before, after);
	if (before && after < before - 512)
		printf("bad: %ld KiB of memory are gone\n", before - after);
	puts(works() ? "PASS" : "bad: nothing works any more");
	return 0;
}
