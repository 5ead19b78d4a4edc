/* Processes' numbers go round: those that are in use are passed over. See tests/system/test_limits.py. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEPT 20
#define ROUNDS 33500 /* more than there are numbers */

/* One that is gone again. */
static pid_t __attribute__((noinline)) number(void)
{
	pid_t child = vfork();

	if (child == 0)
		_exit(0);
	return child;
}

int main(void)
{
	pid_t kept[KEPT], last = 0;
	int twice = 0, round = 0;

	for (int i = 0; i < KEPT; i++) {
		kept[i] = fork();
		if (kept[i] == 0)
			for (;;)
				pause();
	}
	for (int i = 0; i < ROUNDS; i++) {
		pid_t child = number();

		for (int k = 0; k < KEPT; k++)
			twice += child == kept[k];
		twice += child <= 0 || child == getpid();
		round += child < last;
		last = child;
		waitpid(child, NULL, 0);
	}
	printf("round %d, twice %d\n", round, twice);
	for (int i = 0; i < KEPT; i++)
		kill(kept[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	return 0;
}
