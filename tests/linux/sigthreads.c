/* Signals that meet threads, stops and SIGCONT: see tests/system/test_signals.py for what this prints. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 50

static sigset_t set_of(int a, int b)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, a);
	sigaddset(&set, b);
	return set;
}

/* --- two wait for the same signals --- */

static pthread_barrier_t both;

static void *wait_for_one(void *unused)
{
	sigset_t set = set_of(SIGUSR1, SIGUSR2);
	int signal;

	(void)unused;
	do
		signal = sigwaitinfo(&set, NULL);
	while (signal < 0); /* so Linux says when the other one was faster */
	pthread_barrier_wait(&both); /* who was first does nothing for the other one */
	return (void *)(intptr_t)signal;
}

static void waiting(void)
{
	sigset_t set = set_of(SIGUSR1, SIGUSR2);
	int right = 0;

	sigprocmask(SIG_BLOCK, &set, NULL);
	pthread_barrier_init(&both, NULL, 2);
	for (int i = 0; i < ROUNDS; i++) {
		pthread_t a, b;
		void *first, *second;

		pthread_create(&a, NULL, wait_for_one, NULL);
		pthread_create(&b, NULL, wait_for_one, NULL);
		usleep(2000); /* both wait, most likely */
		kill(getpid(), SIGUSR1);
		kill(getpid(), SIGUSR2);
		pthread_join(a, &first);
		pthread_join(b, &second);
		right += (intptr_t)first + (intptr_t)second == SIGUSR1 + SIGUSR2;
	}
	printf("waiting: %d rounds of %d\n", right, ROUNDS);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* --- a pipe that nobody reads --- */

static void *write_to_nobody(void *unused)
{
	sigset_t set = set_of(SIGPIPE, SIGPIPE);
	struct timespec none = { 0, 0 };
	int ends[2], n, error;

	(void)unused;
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (pipe(ends))
		exit(1);
	close(ends[0]);
	n = (int)write(ends[1], "x", 1);
	error = errno;
	printf("writing: %d, EPIPE: %d, then signal %d\n", n, error == EPIPE, sigtimedwait(&set, NULL, &none));
	close(ends[1]);
	return NULL;
}

static void writing(void)
{
	pthread_t t;

	pthread_create(&t, NULL, write_to_nobody, NULL);
	pthread_join(t, NULL);
}

/* --- stops and SIGCONT --- */

static void flushing(void)
{
	sigset_t set = set_of(SIGTSTP, SIGCONT), pending;

	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGTSTP);
	kill(getpid(), SIGCONT);
	sigpending(&pending);
	printf("flushing: %d %d", sigismember(&pending, SIGTSTP), sigismember(&pending, SIGCONT));
	raise(SIGTSTP);
	sigpending(&pending);
	printf(", %d %d\n", sigismember(&pending, SIGTSTP), sigismember(&pending, SIGCONT));
	raise(SIGCONT);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void stopping(void)
{
	atomic_long *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child = fork();
	long before;

	if (child == 0)
		for (;;)
			atomic_fetch_add(shared, 1);
	while (!atomic_load(shared))
		usleep(100);
	for (int i = 0; i < 3000; i++) {
		kill(child, SIGSTOP);
		for (volatile int wait = 0; wait < i % 300; wait++)
			;
		kill(child, SIGCONT);
	}
	before = atomic_load(shared);
	for (int i = 0; i < 10000 && atomic_load(shared) == before; i++)
		usleep(1000);
	printf("stopping: it %s\n", atomic_load(shared) == before ? "is still stopped" : "goes on");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static pid_t stopped_child(void)
{
	pid_t child = fork();
	siginfo_t info;

	if (child == 0) {
		raise(SIGSTOP);
		_exit(0);
	}
	waitid(P_PID, (id_t)child, &info, WSTOPPED | WNOWAIT);
	return child;
}

static void killing(void)
{
	pid_t child = stopped_child();
	siginfo_t info;
	int status;

	kill(child, SIGKILL);
	waitid(P_PID, (id_t)child, &info, WEXITED | WCONTINUED);
	printf("killing: %d", info.si_code == CLD_KILLED);
	child = stopped_child();
	kill(child, SIGKILL);
	waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
	waitpid(child, &status, WUNTRACED);
	printf(" %d\n", WIFSIGNALED(status));
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(100);
	flushing();
	killing();
	writing();
	stopping();
	waiting();
	return 0;
}
