/* poll, select and what they cost: see tests/system/test_polling.py for what this prints. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

static int ends[2];
static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
}

static const char *events(short found)
{
	static char text[64];

	snprintf(text, sizeof(text), "%s%s%s%s%s", found & POLLIN ? "in " : "", found & POLLOUT ? "out " : "", found & POLLERR ? "err " : "",
		 found & POLLHUP ? "hup " : "", found & POLLNVAL ? "nval " : "");
	return text;
}

static long switches(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return r.ru_nvcsw;
}

static int look(int fd, short wanted, int ms)
{
	struct pollfd p = { fd, wanted, 0 };
	int n = poll(&p, 1, ms);

	printf("%d %s\n", n, events(p.revents));
	return n;
}

/* A poll of an idle pipe leaves the hart once, and comes back once. */
static void idle(void)
{
	struct pollfd fds[3] = { { ends[0], POLLIN, 0 }, { -1, POLLIN, 0 }, { ends[0], POLLIN, 0 } };
	struct timeval tv = { 0, 500000 };
	fd_set set;
	long before = switches();

	printf("poll %d", poll(fds, 3, 500));
	FD_ZERO(&set);
	FD_SET(ends[0], &set);
	printf(" select %d", select(ends[0] + 1, &set, NULL, NULL, &tv));
	printf(" switches %s\n", switches() - before >= 2 && switches() - before <= 4 ? "few" : "many");
}

/* Somebody else's write wakes. */
static void woken(void)
{
	pid_t child = fork();

	if (child == 0) {
		usleep(50000);
		(void)!write(ends[1], "x", 1);
		_exit(0);
	}
	look(ends[0], POLLIN, -1);
	(void)!read(ends[0], &child, 1);
	wait(NULL);
}

static void edges(void)
{
	char page[4096] = { 0 };
	int other[2];

	look(ends[1], POLLIN | POLLOUT, 0);
	look(77, POLLIN, 0);
	if (pipe2(other, O_NONBLOCK))
		exit(1);
	while (write(other[1], page, sizeof(page)) > 0)
		;
	look(other[1], POLLOUT, 0);
	close(other[0]);
	look(other[1], POLLOUT, -1);
	if (pipe(other))
		exit(1);
	close(other[1]);
	look(other[0], POLLIN, -1);
}

static void interrupted(void)
{
	struct sigaction a = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct timespec forever = { 1000, 0 };
	sigset_t none, alarm_only;

	sigaction(SIGALRM, &a, NULL);
	ualarm(50000, 0);
	printf("%d", poll(NULL, 0, -1));
	printf(" %s\n", strerror(errno));
	sigemptyset(&none);
	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm_only, NULL);
	raise(SIGALRM);
	printf("%d alarms", alarms);
	printf(", ppoll %d", ppoll(NULL, 0, &forever, &none));
	sigprocmask(SIG_BLOCK, NULL, &none);
	printf(", %d alarms, blocked %d\n", alarms, sigismember(&none, SIGALRM));
}

/* A stop does not end a wait, nor make it longer. */
static void stopped(void)
{
	pid_t child = fork();
	int status, n = 0;

	if (child == 0) {
		struct timespec ts = { 0, 200000000 };

		_exit(poll(NULL, 0, 200) == 0 && nanosleep(&ts, NULL) == 0 ? 0 : 1);
	}
	for (; n < 100; n++) {
		usleep(20000);
		kill(child, SIGSTOP);
		waitpid(child, &status, WUNTRACED);
		if (!WIFSTOPPED(status))
			break;
		kill(child, SIGCONT);
	}
	printf("after stops: %d %s\n", status, n < 100 ? "in time" : "late");
}

static void timer_file(void)
{
	struct itimerspec when = { { 0, 1000000 }, { 0, 20000000 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	unsigned long n = 0;

	printf("%zd %s\n", read(fd, &n, 8), strerror(errno));
	timerfd_settime(fd, 0, &when, NULL);
	look(fd, POLLIN, -1);
	usleep(20000);
	printf("%zd", read(fd, &n, 8));
	printf(" %s\n", n > 10 ? "several" : "few");
}

int main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	if (pipe(ends))
		return 1;
	idle();
	woken();
	edges();
	interrupted();
	stopped();
	timer_file();
	return 0;
}
