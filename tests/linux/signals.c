/* Signals: see tests/system/test_signals.py for what this prints. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t depth, deepest, count;
static volatile int values[8], n_values;
static char other_stack[32768];
static volatile int was_on_other;

/* The two C libraries have other words for the same numbers. */
static const char *why(void)
{
	static char text[16];

	snprintf(text, sizeof(text), "(%d)", errno);
	return text;
}

static void handle(int signal, void (*fn)(int), int flags)
{
	struct sigaction a = { .sa_handler = fn, .sa_flags = flags };

	sigaction(signal, &a, NULL);
	count = depth = deepest = 0;
}

static void again(int signal)
{
	count++;
	if (++depth > deepest)
		deepest = depth;
	if (count < 3)
		raise(signal);
	depth--;
}

static void nesting(void)
{
	handle(SIGUSR1, again, 0);
	raise(SIGUSR1);
	printf("deferred: %d deep of %d\n", deepest, count);
	handle(SIGUSR1, again, SA_NODEFER);
	raise(SIGUSR1);
	printf("nested: %d deep of %d\n", deepest, count);
}

static void once(int signal)
{
	(void)signal;
	count++;
}

static int status_of(void (*fn)(void))
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		fn();
		_exit(0);
	}
	waitpid(child, &status, 0);
	return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void reset(void)
{
	handle(SIGUSR1, once, SA_RESETHAND);
	raise(SIGUSR1);
	raise(SIGUSR1);
}

/* --- interrupted calls --- */

static void send_later(int signal)
{
	pid_t parent = getpid();

	if (fork() == 0) {
		usleep(50000);
		kill(parent, signal);
		usleep(50000);
		_exit(0);
	}
}

static void restarting(void)
{
	int ends[2];
	char c = 0;
	long n;

	if (pipe(ends))
		exit(1);
	handle(SIGUSR1, once, 0);
	send_later(SIGUSR1);
	n = read(ends[0], &c, 1);
	printf("read: %ld %s", n, why());
	wait(NULL);
	handle(SIGUSR1, once, SA_RESTART);
	send_later(SIGUSR1);
	if (fork() == 0) {
		usleep(150000);
		(void)!write(ends[1], "x", 1);
		_exit(0);
	}
	n = read(ends[0], &c, 1);
	printf(", again: %ld after %d\n", n, count);
	while (wait(NULL) > 0)
		;
}

/* --- stacks --- */

static void on_other(int signal)
{
	char here;

	(void)signal;
	was_on_other = &here >= other_stack && &here < other_stack + sizeof(other_stack);
}

static void use_other_stack(void)
{
	stack_t s = { .ss_sp = other_stack, .ss_size = sizeof(other_stack) };

	sigaltstack(&s, NULL);
}

static void leave(int signal)
{
	on_other(signal);
	_exit(was_on_other ? 42 : 43);
}

static int overflow(int n)
{
	volatile char room[65536];

	room[0] = (char)n;
	return n > 1000000 ? room[0] : overflow(n + 1) + room[0];
}

static void overflow_with_handler(void)
{
	use_other_stack();
	handle(SIGSEGV, leave, SA_ONSTACK);
	overflow(0);
}

static void overflow_without(void)
{
	handle(SIGSEGV, leave, 0);
	overflow(0);
}

static void no_stack(void)
{
	handle(SIGUSR1, once, 0);
	__asm__ volatile("li sp, 16\n\tmv a0, %0\n\tli a1, 10\n\tli a7, 129\n\tecall\n\tli a7, 93\n\tecall" : : "r"((long)getpid()) : "a0", "a1", "a7");
}

static void stacks(void)
{
	stack_t s;

	handle(SIGUSR1, on_other, SA_ONSTACK);
	use_other_stack();
	raise(SIGUSR1);
	printf("on the other stack: %d\n", was_on_other);
	sigaltstack(NULL, &s);
	printf("%d %d\n", s.ss_flags, s.ss_size == sizeof(other_stack));
	s.ss_size = 100;
	printf("%d %s\n", sigaltstack(&s, NULL), why());
	printf("overflow: %d %d, no stack: %d\n", status_of(overflow_with_handler), status_of(overflow_without), status_of(no_stack));
}

/* --- registers --- */

static void spoil(int signal)
{
	double x = signal;

	__asm__ volatile("fmv.d fs0, %0\n\tfmv.d ft3, %0" : : "f"(x) : "fs0", "ft3");
	count++;
}

static void registers(void)
{
	double fs = 1.5, ft = 2.5;
	pid_t me = getpid();

	handle(SIGUSR1, spoil, 0);
	__asm__ volatile("fmv.d fs0, %2\n\tfmv.d ft3, %3\n\tmv a0, %4\n\tli a1, 10\n\tli a7, 129\n\tecall\n\tfmv.d %0, fs0\n\tfmv.d %1, ft3"
			 : "=&f"(fs), "=&f"(ft) : "f"(fs), "f"(ft), "r"((long)me) : "a0", "a1", "a7", "fs0", "ft3", "memory");
	printf("floating point: %.1f %.1f after %d\n", fs, ft, count);
}

/* A handler that changes what it returns to: an address that is odd, a kernel address, a frame out of the blue. */
static uint64_t new_pc;

static void redirect(int signal, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	(void)signal;
	(void)info;
	u->uc_mcontext.__gregs[0] = new_pc;
}

static void landed(void)
{
	_exit(7);
}

static void go_odd(void)
{
	struct sigaction a = { .sa_sigaction = redirect, .sa_flags = SA_SIGINFO };

	new_pc = (uint64_t)landed | 1;
	sigaction(SIGUSR1, &a, NULL);
	raise(SIGUSR1);
}

static void go_to_kernel(void)
{
	struct sigaction a = { .sa_sigaction = redirect, .sa_flags = SA_SIGINFO };

	new_pc = 0xffffffff80200000;
	sigaction(SIGUSR1, &a, NULL);
	raise(SIGUSR1);
}

static void forged(void)
{
	static uint8_t garbage[4096];

	memset(garbage, 0xff, sizeof(garbage));
	__asm__ volatile("mv sp, %0\n\tli a7, 139\n\tecall" : : "r"(garbage));
}

static void frame_nowhere(void)
{
	__asm__ volatile("li sp, 16\n\tli a7, 139\n\tecall");
}

/* --- queues --- */

static void note(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	if (n_values < 8)
		values[n_values++] = info->si_value.sival_int;
}

static void queues(void)
{
	struct sigaction a = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };
	struct timespec none = { 0, 0 }, little = { 0, 20000000 };
	union sigval v;
	siginfo_t info;
	sigset_t set, old;
	int n = 0;

	sigaction(SIGRTMIN, &a, NULL);
	sigaction(SIGUSR2, &a, NULL);
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, &old);
	for (v.sival_int = 1; v.sival_int <= 3; v.sival_int++) {
		sigqueue(getpid(), SIGRTMIN, v);
		sigqueue(getpid(), SIGUSR2, v);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	printf("queued:");
	for (int i = 0; i < n_values; i++)
		printf(" %d", values[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	while (sigqueue(getpid(), SIGRTMIN, v) == 0)
		n++;
	printf(", at most: %s %s\n", n > 100 && n < 100000 ? "some" : "many", why());
	handle(SIGRTMIN, SIG_IGN, 0);
	sigpending(&old);
	printf("ignored: %d", sigismember(&old, SIGRTMIN));
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	n = sigtimedwait(&set, &info, &none);
	printf(", none: %d %s", n, why());
	n = sigtimedwait(&set, &info, &little);
	printf(" %d", n);
	if (fork() == 0)
		_exit(9);
	n = sigtimedwait(&set, &info, NULL);
	printf(", child: %d %d %d\n", n == SIGCHLD, info.si_code == CLD_EXITED, info.si_status);
	wait(NULL);
	sigfillset(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* --- children --- */

static void children(void)
{
	siginfo_t info;
	pid_t child;
	int ends[2], n;

	handle(SIGCHLD, SIG_IGN, 0);
	if (fork() == 0)
		_exit(1);
	printf("ignored: %d %s\n", wait(NULL), why());
	handle(SIGCHLD, once, SA_NOCLDWAIT);
	if (fork() == 0)
		_exit(1);
	n = wait(NULL);
	printf("not waited for: %d %s, told %d\n", n, why(), count);
	child = vfork();
	if (child == 0)
		_exit(1);
	printf("vfork: %d\n", wait(NULL));
	handle(SIGCHLD, once, SA_NOCLDSTOP);
	if (pipe(ends))
		exit(1);
	child = fork();
	if (child == 0) {
		close(ends[1]);
		raise(SIGSTOP);
		(void)!read(ends[0], &child, 1);
		_exit(5);
	}
	waitid(P_PID, child, &info, WSTOPPED);
	printf("stopped: %d %d, told %d", info.si_code == CLD_STOPPED, info.si_status, count);
	kill(child, SIGCONT);
	waitid(P_PID, child, &info, WCONTINUED);
	printf(", goes on: %d %d, told %d", info.si_code == CLD_CONTINUED, info.si_status, count);
	close(ends[1]);
	while (waitid(P_PID, child, &info, WEXITED | WNOWAIT) < 0)
		;
	printf(", ended: %d %d", info.si_code == CLD_EXITED, info.si_status);
	memset(&info, 0, sizeof(info));
	waitid(P_ALL, 0, &info, WEXITED);
	printf(", again: %d, told %d", info.si_pid == child, count);
	n = waitid(P_ALL, 0, &info, WEXITED);
	printf(", none: %d %s\n", n, why());
	n = waitid(P_PID, 1, &info, 0);
	printf("%d %s\n", n, why());
}

static void suspending(void)
{
	sigset_t set, empty;

	sigemptyset(&empty);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	handle(SIGUSR1, once, 0);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	printf("blocked: %d", count);
	sigsuspend(&empty);
	printf(", suspended: %d", count);
	sigprocmask(SIG_BLOCK, NULL, &set);
	printf(", blocked again: %d\n", sigismember(&set, SIGUSR1));
}

static void tick(int signal)
{
	(void)signal;
	count++;
}

/* What is read from a file and written to one is all of it, however many signals come meanwhile. */
static void files_go_on(void)
{
	const size_t size = 4 << 20;
	struct itimerval fast = { { 0, 500 }, { 0, 500 } }, never = { { 0, 0 }, { 0, 0 } };
	char *data = calloc(1, size);
	int fd = open("/tmp/long", O_RDWR | O_CREAT, 0600), parts = 0;

	handle(SIGALRM, tick, 0);
	setitimer(ITIMER_REAL, &fast, NULL);
	while (count < 20) {
		parts += pwrite(fd, data, size, 0) != (ssize_t)size;
		parts += pread(fd, data, size, 0) != (ssize_t)size;
	}
	setitimer(ITIMER_REAL, &never, NULL);
	printf("in parts: %d\n", parts);
	close(fd);
	unlink("/tmp/long");
	free(data);
}

int main(void)
{
	int odd;

	setvbuf(stdout, NULL, _IOLBF, 0);
	nesting();
	printf("reset: %d\n", status_of(reset));
	restarting();
	stacks();
	registers();
	odd = status_of(go_odd); /* hardware ignores that bit, which not every QEMU knows */
	printf("odd: %d, kernel: %d, forged: %d, nowhere: %d\n", odd == 7 || odd == 1000 + SIGSEGV, status_of(go_to_kernel), status_of(forged), status_of(frame_nowhere));
	queues();
	children();
	suspending();
	files_go_on();
	return 0;
}
