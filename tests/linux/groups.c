/* Process groups and sessions: see tests/system/test_signals.py for what this prints. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, long result)
{
	printf("%s: %s\n", what, result >= 0 ? "yes" : errno == EPERM ? "EPERM" : errno == ESRCH ? "ESRCH" : errno == EINVAL ? "EINVAL" : "?");
}

/* In a group of its own; until it is killed. */
static pid_t sleeper(void)
{
	pid_t child = fork();

	if (child == 0) {
		setpgid(0, 0);
		for (;;)
			pause();
	}
	setpgid(child, child);
	return child;
}

static void end(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void joining(pid_t other)
{
	pid_t dead = fork();
	siginfo_t info;

	if (dead == 0) {
		setpgid(0, 0);
		_exit(0);
	}
	waitid(P_PID, (id_t)dead, &info, WEXITED | WNOWAIT);
	say("a group of its own", setpgid(0, 0));
	say("another's", setpgid(0, other));
	printf("it is there: %d, of the same session: %d\n", getpgid(0) == other, getsid(other) == getsid(0));
	say("whose leader has ended", setpgid(0, dead));
	waitpid(dead, NULL, 0);
	say("that nobody has", setpgid(0, 30000));
	say("below 0", setpgid(0, -1));
	say("of nobody", setpgid(30000, 0));
	say("asked of nobody", getpgid(30000));
	say("session of nobody", getsid(30000));
}

static void sessions(pid_t other)
{
	pid_t child;

	setpgid(0, 0);
	say("a leader's session", setsid());
	child = fork();
	if (child == 0)
		for (;;)
			pause();
	setpgid(0, other);
	say("of who has left its group to others", setsid());
	end(child);
	say("when they have gone", setsid());
	say("a session's leader into a group", setpgid(0, 0));
	say("into a group of another session", setpgid(0, other));
	printf("number, group and session are one: %d\n", getpid() == getpgid(0) && getpid() == getsid(0));
}

static void in_child(void (*fn)(pid_t other), pid_t other)
{
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		fn(other);
		fflush(stdout);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

int main(void)
{
	pid_t other = sleeper();

	in_child(joining, other);
	in_child(sessions, other);
	end(other);
	return 0;
}
