/* Timers, clocks and what has been used: see tests/system/test_polling.py for what this prints. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t count, code, value, overrun;

static void on_signal(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	count++;
	code = info->si_code;
	value = info->si_value.sival_int;
	overrun = info->si_overrun;
}

static void handle(int signal)
{
	struct sigaction a = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };

	sigaction(signal, &a, NULL);
	count = 0;
}

static void intervals(void)
{
	struct itimerval v = { { 0, 2000 }, { 0, 2000 } }, old;

	handle(SIGALRM);
	setitimer(ITIMER_REAL, &v, NULL);
	while (count < 5)
		pause();
	memset(&v, 0, sizeof(v));
	setitimer(ITIMER_REAL, &v, &old);
	printf("interval %ld\n", old.it_interval.tv_usec);
	alarm(1000);
	printf("alarm: %d left\n", (int)(alarm(0) > 990));
	v.it_value.tv_usec = 1000000;
	printf("%d %s\n", setitimer(ITIMER_REAL, &v, NULL), strerror(errno));
	printf("%d %s\n", setitimer(7, NULL, NULL), strerror(errno));
}

static void created(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 4711 };
	struct itimerspec v = { { 0, 1000000 }, { 0, 1 } };
	sigset_t set;
	timer_t t;

	handle(SIGUSR1);
	if (timer_create(CLOCK_MONOTONIC, &e, &t))
		perror("timer_create");
	timer_settime(t, 0, &v, NULL);
	while (count < 3)
		pause();
	printf("code %d value %d\n", code, value);
	timer_gettime(t, &v);
	printf("period %ld\n", v.it_interval.tv_nsec);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	timer_delete(t);
	printf("%d %s\n", timer_gettime(t, &v), strerror(errno));
}

static volatile int in_thread;

static void tick(union sigval v)
{
	in_thread = v.sival_int;
}

/* The library's thread is told, not the process. */
static void to_a_thread(void)
{
	struct sigevent e = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = tick, .sigev_value.sival_int = 77 };
	struct itimerspec v = { { 0, 0 }, { 0, 1000000 } };
	timer_t t;

	if (timer_create(CLOCK_MONOTONIC, &e, &t))
		perror("timer_create");
	timer_settime(t, 0, &v, NULL);
	while (!in_thread)
		usleep(1000);
	timer_delete(t);
	printf("in a thread: %d\n", in_thread);
}

static void clocks(void)
{
	struct timespec ts, rest, past = { 1, 0 }, bad = { 0, 1000000000 };
	struct timeval tv;

	clock_gettime(CLOCK_REALTIME, &ts);
	gettimeofday(&tv, NULL);
	printf("same second: %d\n", (int)(tv.tv_sec - ts.tv_sec <= 1));
	printf("resolution %d\n", clock_getres(CLOCK_MONOTONIC, &ts) == 0 && ts.tv_sec == 0 && ts.tv_nsec > 0);
	printf("%d %s\n", clock_settime(CLOCK_MONOTONIC, &past), strerror(errno));
	printf("%d\n", clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &past, NULL));
	printf("%s\n", strerror(clock_nanosleep(CLOCK_MONOTONIC, 0, &bad, NULL)));
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_nsec += 20000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_nsec -= 1000000000;
		ts.tv_sec++;
	}
	printf("%d", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL));
	clock_gettime(CLOCK_MONOTONIC, &rest);
	printf(" later: %d\n", rest.tv_sec > ts.tv_sec || (rest.tv_sec == ts.tv_sec && rest.tv_nsec >= ts.tv_nsec));
	handle(SIGALRM);
	ualarm(20000, 0);
	ts = (struct timespec){ 100, 0 };
	printf("%d %s", nanosleep(&ts, &rest), strerror(errno));
	printf(", rest %ld\n", rest.tv_sec);
}

static void used(void)
{
	struct rusage own, child;
	struct timespec cpu;
	struct sysinfo info;
	struct tms tms;
	int status;

	if (fork() == 0) {
		do
			clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
		while (cpu.tv_nsec < 50000000 && !cpu.tv_sec);
		_exit(3);
	}
	wait4(-1, &status, 0, &child);
	getrusage(RUSAGE_CHILDREN, &own);
	printf("child %d used %d, known %d\n", WEXITSTATUS(status), child.ru_utime.tv_sec + child.ru_stime.tv_sec || child.ru_utime.tv_usec + child.ru_stime.tv_usec >= 49000,
	       own.ru_utime.tv_usec == child.ru_utime.tv_usec);
	getrusage(RUSAGE_SELF, &own);
	printf("faults %d size %d\n", own.ru_minflt > 0, own.ru_maxrss > 0);
	printf("times %d %d\n", times(&tms) != -1, tms.tms_cutime + tms.tms_cstime >= 4);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
	printf("thread %d\n", cpu.tv_sec || cpu.tv_nsec);
	printf("sysinfo %d %d\n", sysinfo(&info), info.totalram * info.mem_unit > info.freeram && info.procs >= 1);
}

int main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	intervals();
	created();
	to_a_thread();
	clocks();
	used();
	return 0;
}
