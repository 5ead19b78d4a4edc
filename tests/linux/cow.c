/* How much memory a fork takes, and what is written after it: in pages, by /proc/meminfo. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define PAGES 4096 /* 16 MiB */

static long free_pages(void)
{
	char line[100];
	long kib = -1;
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemFree: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib / 4;
}

static void say(const char *what, long n, long least, long most)
{
	if (n >= least && n <= most)
		printf("%s: %ld to %ld pages\n", what, least, most);
	else
		printf("%s: %ld pages!\n", what, n);
}

static void child(char *data, long before)
{
	long forked = free_pages();

	say("the fork", before - forked, 0, 80);
	for (int i = 0; i < PAGES; i++)
		if (data[(size_t)i * PAGE] != 7)
			printf("wrong\n");
	say("reading", forked - free_pages(), 0, 16);
	for (int i = 0; i < 1000; i++)
		data[(size_t)i * 4 * PAGE] = 8;
	say("a thousand pages written", forked - free_pages(), 1000, 1016);
	for (int i = 0; i < 1000; i++)
		data[(size_t)i * 4 * PAGE + 1] = 9;
	say("once more", forked - free_pages(), 1000, 1016);
}

int main(void)
{
	char *data = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile char *zeros = mmap(NULL, (size_t)PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long start = free_pages(), before;
	char all = 0;
	int status;

	setvbuf(stdout, NULL, _IONBF, 0);
	memset(data, 7, (size_t)PAGES * PAGE);
	before = free_pages();
	say("16 MiB written", start - before, PAGES, PAGES + 32);
	for (int i = 0; i < PAGES; i++)
		all |= zeros[(size_t)i * PAGE];
	say("16 MiB of zeros read", before - free_pages(), 0, 32);
	before = free_pages();
	if (fork() == 0) {
		child(data, before);
		_exit(0);
	}
	wait(&status);
	say("afterwards", before - free_pages(), -32, 32);
	before = free_pages();
	for (int i = 0; i < PAGES; i++)
		data[(size_t)i * PAGE] = 1;
	say("written by the only owner", before - free_pages(), -16, 16);
	munmap(data, (size_t)PAGES * PAGE);
	say("unmapped", free_pages() - before, PAGES - 16, PAGES + 32);
	return all | status;
}
