/* A program that wants too much, of what its first argument names. It says how far it came. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *name_of(int error)
{
	return error == EAGAIN ? "EAGAIN" : error == EMFILE ? "EMFILE" : error == ENFILE ? "ENFILE" : error == ENOMEM ? "ENOMEM" :
	       strerror(error);
}

/* Children that do not end. */
static void forks(void)
{
	int n = 0, child;

	while ((child = fork()) > 0)
		n++;
	if (child == 0) {
		signal(SIGTERM, SIG_DFL);
		for (;;)
			pause();
	}
	printf("%d processes, then %s\n", n + 1, name_of(errno));
	fflush(stdout);
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	while (wait(NULL) > 0)
		n--;
	printf("%d are left\n", n);
}

/* Each child forks on and on, until nobody can; they end by the signal to their group. */
static void bomb(void)
{
	setpgid(0, 0);
	for (;;)
		fork();
}

static void opens(void)
{
	int n = 3;

	while (open("/dev/null", O_RDONLY) >= 0)
		n++;
	printf("%d files, then %s\n", n, name_of(errno));
}

/* Beyond what one process may open. */
static void all_opens(void)
{
	sigset_t set;
	int got, fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 12; i++) {
		if (fork())
			continue;
		while (open("/dev/null", O_RDONLY) >= 0)
			;
		if (errno == ENFILE)
			kill(getppid(), SIGUSR1);
		for (;;)
			pause();
	}
	sigwait(&set, &got);
	fd = open("/dev/null", O_RDONLY);
	printf("a child got ENFILE, and so does its parent: %s\n", fd >= 0 ? "no" : name_of(errno));
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
	while (wait(NULL) > 0)
		;
	printf("it can open again: %s\n", open("/dev/null", O_RDONLY) >= 0 ? "yes" : "no");
}

/* Of one process each as many as its descriptors allow, in several. */
static void pipes(void)
{
	int fds[2], n = 0;

	while (pipe(fds) == 0)
		n++;
	if (errno != EMFILE) {
		printf("pipes: then %s\n", name_of(errno));
		return;
	}
	fflush(stdout);
	if (fork() == 0) { /* which has those too, and now room for others */
		for (int fd = 3; fd < 1024; fd++)
			close(fd);
		pipes();
		_exit(0);
	}
	wait(NULL);
}

static void *forever(void *arg)
{
	pause();
	return arg;
}

static void threads(void)
{
	pthread_attr_t attr;
	pthread_t t;
	int n = 1, error;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 32768);
	while ((error = pthread_create(&t, &attr, forever, NULL)) == 0)
		n++;
	printf("%d threads, then %s\n", n, name_of(error));
}

static void memory(void)
{
	size_t size = 1 << 20, n = 0;
	char *p;

	while ((p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED) {
		memset(p, 1, size);
		n++;
	}
	printf("%s\n", name_of(errno));
}

static void recursion(volatile char *above)
{
	char here[4096];

	here[0] = *above;
	if (here[0] != 'x')
		recursion(here);
	*above = here[0];
}

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*fn)(void); } tests[] = {
		{ "forks", forks }, { "bomb", bomb }, { "opens", opens }, { "all-opens", all_opens }, { "pipes", pipes },
		{ "threads", threads }, { "memory", memory },
	};
	char c = 0;

	for (unsigned i = 0; argc > 1 && i < sizeof(tests) / sizeof(tests[0]); i++)
		if (!strcmp(argv[1], tests[i].name)) {
			tests[i].fn();
			return 0;
		}
	if (argc > 1 && !strcmp(argv[1], "stack"))
		recursion(&c);
	return 2;
}
