/* Files that are mapped, in the folder that the argument names: what is read, written, mapped, cut off. The same on Linux. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define RW (PROT_READ | PROT_WRITE)

static sigjmp_buf back;
static volatile int got;
static volatile uintptr_t got_address;

static void handler(int signal, siginfo_t *info, void *context)
{
	(void)context;
	got = signal * 100 + info->si_code;
	got_address = (uintptr_t)info->si_addr;
	siglongjmp(back, 1);
}

/* 0, or the signal times 100 and its code. */
static int touch(volatile char *at, int write)
{
	if (sigsetjmp(back, 1) == 0) {
		if (write)
			*at = 'w';
		else
			(void)*at;
		return 0;
	}
	if (got_address != (uintptr_t)at)
		printf("wrong address\n");
	return got;
}

static int opened(const char *folder, const char *name, int flags)
{
	char path[100];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, flags, 0644);
	if (fd < 0) {
		printf("%s: %s\n", name, strerror(errno));
		exit(1);
	}
	return fd;
}

/* A file of so many bytes: each page full of its number, from 'a' on. */
static int make(const char *folder, const char *name, size_t size)
{
	int fd = opened(folder, name, O_RDWR | O_CREAT | O_TRUNC);
	char page[PAGE];

	for (size_t done = 0; done < size; done += PAGE) {
		size_t n = size - done < PAGE ? size - done : PAGE;

		memset(page, (char)('a' + done / PAGE), n);
		if (write(fd, page, n) != (ssize_t)n)
			printf("cannot write\n");
	}
	return fd;
}

static char *mapped(int fd, size_t pages, int prot, int flags, size_t first)
{
	char *at = mmap(NULL, pages * PAGE, prot, flags, fd, (off_t)(first * PAGE));

	if (at == MAP_FAILED) {
		printf("mmap: %s\n", strerror(errno));
		exit(1);
	}
	return at;
}

static char byte_of(int fd, off_t at)
{
	char c = '?';

	if (pread(fd, &c, 1, at) != 1)
		c = '-';
	return c;
}

static void sharing(const char *folder)
{
	int fd = make(folder, "share", 3 * PAGE + 100), other = opened(folder, "share", O_RDONLY);
	char *m = mapped(fd, 4, RW, MAP_SHARED, 0), *p = mapped(other, 3, RW, MAP_PRIVATE, 1), *r = mapped(other, 4, PROT_READ, MAP_SHARED, 0);

	printf("pages %c%c%c%c, the second from offset %c%c, behind the end %d %d\n", m[0], m[PAGE], m[2 * PAGE], m[3 * PAGE], p[0],
	       p[PAGE], m[3 * PAGE + 99], m[3 * PAGE + 100]);
	m[PAGE + 5] = 'X';
	printf("written by mapping: read %c, mapped %c, private %c\n", byte_of(other, PAGE + 5), r[PAGE + 5], p[5]);
	p[6] = 'P';
	printf("written privately: read %c, mapped %c, private %c\n", byte_of(fd, PAGE + 6), m[PAGE + 6], p[6]);
	(void)!pwrite(fd, "WW", 2, PAGE - 1);
	printf("written: mapped %c%c and %c%c, private %c\n", m[PAGE - 1], m[PAGE], r[PAGE - 1], r[PAGE], p[0]);
	if (fork() == 0) {
		m[2 * PAGE] = 'C';
		p[2 * PAGE] = 'D';
		_exit(0);
	}
	wait(NULL);
	printf("by a child: %c %c, read %c\n", m[2 * PAGE], p[2 * PAGE], byte_of(fd, 2 * PAGE));
	printf("protections: %d %d", mprotect(r, PAGE, RW), errno == EACCES);
	printf(" %d %d\n", mmap(NULL, PAGE, RW, MAP_SHARED, other, 0) == MAP_FAILED, errno == EACCES);
	printf("msync %d %d\n", msync(m, 4 * PAGE, MS_SYNC), fsync(fd));
	close(fd);
	m[10] = 'Y';
	munmap(m, 4 * PAGE);
	printf("after all: %c %c\n", byte_of(other, 10), r[10]);
	munmap(r, 4 * PAGE);
	munmap(p, 3 * PAGE);
	printf("and unmapped: %c%c\n", byte_of(other, 10), byte_of(other, PAGE + 5));
	close(other);
}

static void ends(const char *folder)
{
	int fd = make(folder, "ends", 2 * PAGE + 10);
	char *m = mapped(fd, 5, RW, MAP_SHARED, 0), *p = mapped(fd, 5, RW, MAP_PRIVATE, 0);
	struct stat st;

	printf("beyond the end: %d %d %d, private %d\n", touch(m + 2 * PAGE + 200, 1), touch(m + 3 * PAGE, 0), touch(m + 4 * PAGE, 1),
	       touch(p + 3 * PAGE, 1));
	fstat(fd, &st);
	printf("size %d\n", (int)st.st_size);
	p[PAGE] = 'p';
	printf("cut %d: ", ftruncate(fd, PAGE / 2));
	printf("%d %d %d, private %d, zeros %d\n", touch(m, 0), touch(m + PAGE, 0), touch(m + 2 * PAGE, 1), touch(p + PAGE, 0),
	       m[PAGE / 2] == 0 && m[PAGE - 1] == 0);
	printf("grown %d: ", ftruncate(fd, 4 * PAGE));
	printf("%d %d, holes %d %d %d\n", touch(m + PAGE, 0), touch(m + 4 * PAGE, 0), m[PAGE / 2], m[PAGE], m[3 * PAGE]);
	m[3 * PAGE] = 'g';
	close(opened(folder, "ends", O_RDWR | O_TRUNC));
	printf("opened anew: %d %d\n", touch(m, 0), touch(m + 3 * PAGE, 0));
	(void)!pwrite(fd, "new", 3, 0);
	printf("%c%c%c %d\n", m[0], m[1], m[2], touch(m + PAGE, 0));
	close(fd);
}

static void kinds(const char *folder)
{
	int fd = make(folder, "kinds", PAGE), only = opened(folder, "kinds", O_WRONLY), dir = open(folder, O_RDONLY), null = open("/dev/null", O_RDWR);

	printf("write-only %d", mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, only, 0) == MAP_FAILED && errno == EACCES);
	printf(" folder %d", mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, 0) == MAP_FAILED && errno == ENODEV);
	printf(" offset %d", mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 100) == MAP_FAILED && errno == EINVAL);
	printf(" null %d", null < 0 || (mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, null, 0) == MAP_FAILED && errno == ENODEV));
	printf(" too far %d\n", mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, -PAGE) == MAP_FAILED && errno == EOVERFLOW);
}

static void dropped(const char *folder)
{
	int fd = make(folder, "dropped", 2 * PAGE);
	char *p = mapped(fd, 2, RW, MAP_PRIVATE, 0), *m = mapped(fd, 2, RW, MAP_SHARED, 0);

	p[0] = '1';
	m[PAGE] = '2';
	madvise(p, 2 * PAGE, MADV_DONTNEED);
	madvise(m, 2 * PAGE, MADV_DONTNEED);
	printf("dropped: private %c, shared %c\n", p[0], m[PAGE]);
	p = mremap(p, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE);
	printf("larger: %c%c %d\n", p[0], p[PAGE], touch(p + 2 * PAGE, 0));
	printf("unlinked while it is mapped: ");
	close(fd);
	munmap(p, 3 * PAGE);
	m[1] = '3';
	printf("%c%c\n", m[1], m[PAGE]);
}

/* What /proc says of a range: permissions, offset, the name without its folder. */
static void say_range(FILE *maps, const char *what, const void *from, size_t pages)
{
	unsigned long start, end, offset;
	char line[300], perms[8], *name;

	printf("%s:", what);
	rewind(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s %lx", &start, &end, perms, &offset) != 4 || start >= (uintptr_t)from + pages * PAGE ||
		    end <= (uintptr_t)from)
			continue;
		name = strpbrk(line, "/[");
		if (name && *name == '/' && strrchr(name, '/') != name && strncmp(name, "/dev/zero", 9))
			name = strrchr(name, '/');
		line[strcspn(line, "\n")] = '\0';
		printf(" %s %lx %s", perms, offset, name ? name : "-");
	}
	printf("\n");
}

static void maps(const char *folder)
{
	int fd = make(folder, "maps", 2 * PAGE);
	char *shared = mapped(fd, 2, RW, MAP_SHARED, 0), *private = mapped(fd, 1, PROT_READ, MAP_PRIVATE, 1);
	char *both = mmap(NULL, 3 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *own = mmap((void *)0x2800000000, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	char *heap = sbrk(0);
	FILE *maps;

	mprotect(own + PAGE, PAGE, PROT_NONE);
	mprotect(shared + PAGE, PAGE, PROT_READ);
	sbrk(PAGE);
	mkdir("/proc", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	maps = fopen("/proc/self/maps", "r");
	if (!maps)
		exit(3);
	say_range(maps, "shared file", shared, 2);
	say_range(maps, "private file", private, 1);
	say_range(maps, "shared", both, 3);
	say_range(maps, "own", own, 4);
	say_range(maps, "heap", heap, 1);
	say_range(maps, "stack", &heap, 0);
	fclose(maps);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	if (argc < 2)
		return 2;
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	sharing(argv[1]);
	ends(argv[1]);
	kinds(argv[1]);
	dropped(argv[1]);
	maps(argv[1]);
	return 0;
}
