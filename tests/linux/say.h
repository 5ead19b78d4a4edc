/* Saying what came of calls, for programs whose lines are compared with Linux's. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

/* The result of a call, or why it failed. */
static inline void say(const char *what, long result)
{
	if (result < 0)
		printf("%s: %s\n", what, strerrorname_np(errno));
	else
		printf("%s: %ld\n", what, result);
}

#define TRY(call) say(#call, (long)(call))

/* Descriptors do not tell much: 0 if it went well, and it is closed. */
static inline int opened(int fd)
{
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

#define OPEN(...) say("open(" #__VA_ARGS__ ")", opened(open(__VA_ARGS__)))

static inline void make(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd))
		say(path, -1);
}

static inline void show(const char *path)
{
	char text[64];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0) {
		say(path, -1);
		return;
	}
	text[n] = '\0';
	printf("%s: \"%s\"\n", path, text);
	close(fd);
}

static inline void describe(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		say(path, -1);
	else
		printf("%s: mode %o, %d links, %lld bytes\n", path, st.st_mode, (int)st.st_nlink,
		       S_ISDIR(st.st_mode) ? 0LL : (long long)st.st_size);
}

/* An empty tmpfs to work in, with /proc and /dev as the monolith has them. */
static inline int begin(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	mkdir("/proc", 0755);
	mkdir("/dev", 0755);
	if (getpid() == 1) { /* on Linux; the monolith has mounted them */
		mount("none", "/dev", "devtmpfs", 0, NULL);
		mount("none", "/proc", "proc", 0, NULL);
	}
	mkdir("/work", 0755);
	mount("none", "/work", "tmpfs", 0, NULL);
	return chdir("/work");
}

/* As process 1 of a Linux that is there for this alone it turns the machine off. */
static inline int end(void)
{
	puts("--- end");
	if (access("/halt", F_OK) == 0)
		reboot(RB_POWER_OFF);
	return 0;
}
