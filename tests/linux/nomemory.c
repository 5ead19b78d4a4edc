/*
 * Each allocation that the kernel does for a program fails once (/dev/failalloc of a test build, number 1,200): whatever it
 * was, the program that asked is refused or killed, and its parent has lost nothing. One line for each piece of work.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define RW (PROT_READ | PROT_WRITE)

enum { FAIL_AT = 1, IS_PENDING = 2 };
enum { DONE = 0, REFUSED = 1, NOTHING_FAILED = 2, WRONG = 3 };

static int device;

/* 0, or what to answer: no memory is a proper answer, others are none. */
static int check(int failed)
{
	if (!failed)
		return 0;
	return errno == ENOMEM || errno == EAGAIN || errno == ENOSPC || errno == ENFILE ? REFUSED : WRONG;
}

#define TRY(call) do { int answer_ = check((call) < 0); if (answer_) { failed = #call; return answer_; } } while (0)
#define TRY_MAP(m, ...) do { (m) = mmap(__VA_ARGS__); int answer_ = check((m) == MAP_FAILED); if (answer_) { failed = "mmap"; return answer_; } } while (0)

static const char *failed;

static int touching(void)
{
	char *m;

	TRY_MAP(m, NULL, 64 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 64; i += 7)
		m[i * PAGE] = 1;
	(void)*(volatile char *)(m + PAGE);
	TRY(mprotect(m + 3 * PAGE, PAGE, PROT_READ));
	TRY(munmap(m + 10 * PAGE, 3 * PAGE));
	m = mremap(m, 3 * PAGE, 1000 * PAGE, MREMAP_MAYMOVE);
	TRY(m == MAP_FAILED ? -1 : 0);
	m[999 * PAGE] = 1;
	TRY_MAP(m, (void *)0x3000000000, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	*m = 1;
	return DONE;
}

static int growing(void)
{
	TRY(sbrk(50 * PAGE) == (void *)-1 ? -1 : 0);
	memset((char *)sbrk(0) - 50 * PAGE, 1, 50 * PAGE);
	return DONE;
}

static int forking(void)
{
	static char data[20 * PAGE];
	int status;
	pid_t pid;

	memset(data, 1, sizeof(data));
	TRY(pid = fork());
	if (pid == 0) {
		memset(data, 2, sizeof(data));
		_exit(data[0] == 2 ? DONE : WRONG);
	}
	TRY(waitpid(pid, &status, 0));
	if (data[5 * PAGE] != 1)
		return WRONG;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? REFUSED : WEXITSTATUS(status);
}

static int executing(void)
{
	char *const argv[] = { "/proc/self/exe", "nothing", NULL };

	TRY(execv(argv[0], argv));
	return WRONG;
}

static int files(void)
{
	char name[] = "/tmp/fileXXXXXX", *m;
	static char data[3 * PAGE];
	ssize_t n;
	int fd;

	TRY(fd = mkstemp(name));
	if (unlink(name) < 0)
		return check(1);
	TRY(n = write(fd, data, sizeof(data)));
	if (n < (ssize_t)sizeof(data))
		return REFUSED;
	TRY_MAP(m, NULL, sizeof(data), RW, MAP_SHARED, fd, 0);
	m[PAGE] = 1;
	TRY_MAP(m, NULL, sizeof(data), RW, MAP_PRIVATE, fd, 0);
	m[PAGE] = 2;
	TRY(ftruncate(fd, PAGE));
	TRY(close(fd));
	return DONE;
}

static int pipes(void)
{
	char buffer[6000];
	int ends[2];

	TRY(pipe(ends));
	memset(buffer, 1, sizeof(buffer));
	TRY(write(ends[1], buffer, sizeof(buffer)));
	TRY(read(ends[0], buffer, sizeof(buffer)));
	return DONE;
}

static void *run(void *arg)
{
	return arg;
}

static int threads(void)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, run, NULL);
	TRY(errno ? -1 : 0);
	errno = pthread_join(thread, NULL);
	TRY(errno ? -1 : 0);
	return DONE;
}

static void handle(int signal)
{
	(void)signal;
}

static int handlers(void)
{
	stack_t stack = { .ss_size = SIGSTKSZ };
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_ONSTACK };

	TRY_MAP(stack.ss_sp, NULL, SIGSTKSZ, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	TRY(sigaltstack(&stack, NULL));
	TRY(sigaction(SIGUSR1, &action, NULL));
	TRY(raise(SIGUSR1));
	return DONE;
}

/* In a child: with the n-th allocation failing. @return how it ended */
static int try_one(int (*work)(void), int n)
{
	pid_t pid = fork();
	int status, answer;

	if (pid == 0) {
		ioctl(device, FAIL_AT, n);
		answer = work();
		if (ioctl(device, IS_PENDING, 0))
			_exit(NOTHING_FAILED);
		if (answer == WRONG)
			fprintf(stderr, "allocation %d: %s: errno %d\n", n, failed ? failed : "?", errno);
		_exit(answer);
	}
	waitpid(pid, &status, 0);
	answer = ioctl(device, IS_PENDING, 0);
	ioctl(device, FAIL_AT, 0);
	if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || (work == handlers && WTERMSIG(status) == SIGSEGV)))
		return REFUSED; /* a handler without room for its frame is SIGSEGV */
	if (WIFSIGNALED(status))
		fprintf(stderr, "allocation %d: signal %d\n", n, WTERMSIG(status));
	if (WIFSIGNALED(status))
		return WRONG;
	return answer ? NOTHING_FAILED : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	static const struct { const char *name; int (*work)(void); } works[] = {
		{ "touching", touching }, { "growing", growing }, { "forking", forking }, { "executing", executing }, { "files", files },
		{ "pipes", pipes }, { "threads", threads }, { "handlers", handlers },
	};

	if (argc > 1) /* what executing() runs */
		return strcmp(argv[1], "nothing") ? WRONG : DONE;
	if (mknod("/tmp/failalloc", S_IFCHR | 0600, makedev(1, 200)) || (device = open("/tmp/failalloc", O_RDWR)) < 0) {
		printf("no device: %s\n", strerror(errno));
		return 1;
	}
	for (unsigned i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		int counts[4] = { 0 }, n = 0, answer;

		do {
			answer = try_one(works[i].work, ++n);
			counts[answer & 3]++;
		} while (answer != NOTHING_FAILED && n < 2000);
		printf("%s: refused %d, wrong %d\n", works[i].name, counts[REFUSED], counts[WRONG]);
		fflush(stdout);
	}
	return 0;
}
