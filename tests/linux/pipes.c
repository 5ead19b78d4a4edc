/* Pipes with and without names: see tests/system/test_pipes.py for what this prints. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITERS 4
#define RECORDS 200
#define RECORD 3000

static char page[RECORD];
static char area[8192] __attribute__((aligned(4096)));
static volatile sig_atomic_t broken;

static void on_pipe(int signal)
{
	(void)signal;
	broken++;
}

static void ends(void)
{
	int p[2], status;
	long n;

	if (pipe(p))
		exit(1);
	close(p[0]);
	if (fork() == 0) {
		(void)!write(p[1], "x", 1);
		_exit(0);
	}
	wait(&status);
	printf("killed by %d", WTERMSIG(status));
	signal(SIGPIPE, on_pipe);
	n = write(p[1], "x", 1);
	printf(", %ld (%d), told %d\n", n, errno, broken);
	close(p[1]);
}

/* Records that lie across two pages stay whole. */
static void whole_records(void)
{
	char *record = area + 4096 - 1000;
	int p[2], mixed = 0, total = 0;

	if (pipe(p))
		exit(1);
	fflush(stdout);
	for (int w = 0; w < WRITERS; w++)
		if (fork() == 0) {
			memset(record, 'a' + w, RECORD);
			for (int i = 0; i < RECORDS; i++)
				if (write(p[1], record, RECORD) != RECORD)
					_exit(1);
			_exit(0);
		}
	close(p[1]);
	for (;;) {
		int got = 0, n = 1;

		while (got < RECORD && (n = (int)read(p[0], record + got, (size_t)(RECORD - got))) > 0)
			got += n;
		if (n <= 0)
			break;
		total++;
		for (int i = 1; i < RECORD; i++)
			if (record[i] != record[0]) {
				mixed++;
				break;
			}
	}
	close(p[0]);
	for (int w = 0; w < WRITERS; w++)
		wait(NULL);
	printf("%d records, %d mixed\n", total, mixed);
}

/* Who has read something does not wait for more. */
static void no_more(void)
{
	struct iovec v[2] = { { page, 3 }, { page + 100, 1000 } };
	int p[2], waiting;
	long n, m;

	if (pipe2(p, 0))
		exit(1);
	(void)!write(p[1], "abc", 3);
	n = readv(p[0], v, 2);
	memset(page, 'x', 700);
	(void)!write(p[1], page, 700);
	ioctl(p[0], FIONREAD, &waiting);
	m = read(p[0], area + 4096 - 700, 800); /* all that there is ends where a page does */
	printf("%ld %ld of %d\n", n, m, waiting);
	printf("room %d %d\n", fcntl(p[1], F_GETPIPE_SZ) >= 4096, fcntl(p[1], F_SETPIPE_SZ, 4096) >= 4096);
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	n = read(p[0], page, 1);
	printf("%ld (%d)\n", n, errno);
}

static void named(void)
{
	struct stat st;
	char text[16] = "";
	int fd, other, status;
	long n;

	printf("%d %d\n", mkfifo("/tmp/fifo", 0600), stat("/tmp/fifo", &st) == 0 && S_ISFIFO(st.st_mode));
	fd = open("/tmp/fifo", O_WRONLY | O_NONBLOCK);
	printf("nobody reads: %d (%d)\n", fd, errno);
	fflush(stdout);
	if (fork() == 0) {
		usleep(50000);
		fd = open("/tmp/fifo", O_WRONLY);
		_exit(write(fd, "through", 7) == 7 ? 0 : 1);
	}
	fd = open("/tmp/fifo", O_RDONLY);
	n = read(fd, text, sizeof(text));
	wait(&status);
	printf("%ld %s, ", n, text);
	n = read(fd, text, sizeof(text));
	printf("then %ld, %d\n", n, status);
	close(fd);
	fd = open("/tmp/fifo", O_RDONLY | O_NONBLOCK);
	other = open("/tmp/fifo", O_RDWR);
	n = write(other, "both", 4);
	n += read(fd, text, sizeof(text));
	printf("%ld, ", n);
	close(other);
	n = read(fd, text, sizeof(text));
	printf("%ld\n", n);
	close(fd);
	unlink("/tmp/fifo");
}

/* Both sides open at the same time, and the writer is gone at once: the reader still finds what it wrote. */
static void meeting(void)
{
	int go[2], n = 0, fd;
	char c;

	if (mkfifo("/tmp/fifo", 0600) || pipe(go))
		exit(1);
	fflush(stdout);
	if (fork() == 0) {
		close(go[1]);
		while (read(go[0], &c, 1) == 1) {
			fd = open("/tmp/fifo", O_WRONLY);
			(void)!write(fd, "x", 1);
			close(fd);
		}
		_exit(0);
	}
	for (int i = 0; i < 300; i++) {
		(void)!write(go[1], "g", 1);
		fd = open("/tmp/fifo", O_RDONLY);
		while (read(fd, &c, 1) == 1)
			n++;
		close(fd);
	}
	close(go[1]);
	wait(NULL);
	printf("met %d times\n", n);
	unlink("/tmp/fifo");
}

/* No two have the same number, and it says nothing of where the kernel has them. */
static void numbers(void)
{
	struct stat a, b;
	int one[2], two[2];

	if (pipe(one) || pipe(two) || fstat(one[0], &a) || fstat(two[0], &b))
		exit(1);
	printf("numbers %d %d\n", a.st_ino != b.st_ino, a.st_ino < 1000000000 && b.st_ino < 1000000000);
}

int main(void)
{
	ends();
	whole_records();
	no_more();
	named();
	meeting();
	numbers();
	return 0;
}
