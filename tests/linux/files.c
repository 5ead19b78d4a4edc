/*
 * Paths and files, call by call: each line says what was done and what came of it, which on the monolith has to be what it
 * is on Linux.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

static void opening(void)
{
	puts("--- opening");
	make("f", "text");
	TRY(mkdir("d", 0755));
	TRY(symlink("f", "lf"));
	TRY(symlink("d", "ld"));
	TRY(symlink("nothing", "dangling"));
	OPEN("", O_RDONLY);
	OPEN("none", O_RDONLY);
	OPEN("none/", O_RDWR | O_CREAT, 0644);
	OPEN("f/", O_RDONLY);
	OPEN("f/x", O_RDONLY);
	OPEN("f/..", O_RDONLY);
	OPEN("none/..", O_RDONLY);
	OPEN("d/../f", O_RDONLY);
	OPEN("d", O_WRONLY);
	OPEN("d", O_RDWR);
	OPEN("d", O_RDONLY | O_CREAT, 0644);
	OPEN("d/", O_RDONLY | O_DIRECTORY);
	OPEN("f", O_RDONLY | O_DIRECTORY);
	OPEN("lf", O_RDONLY | O_NOFOLLOW);
	OPEN("lf", O_RDONLY);
	OPEN("ld", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	OPEN("ld/", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	OPEN("f", O_RDWR | O_CREAT | O_EXCL, 0644);
	OPEN("dangling", O_RDWR | O_CREAT | O_EXCL, 0644);
	OPEN("dangling", O_RDONLY);
	OPEN("dangling", O_RDWR | O_CREAT, 0644);
	describe("nothing");
	OPEN("d", O_RDWR | O_CREAT | O_DIRECTORY, 0644);
	TRY(unlink("nothing"));
	OPEN("/dev/null", O_RDWR | O_DIRECTORY);
	OPEN("/dev/null/", O_RDWR);
	TRY(close(100));
	TRY(close(-1));
	TRY(fcntl(1000000, F_GETFD));
	TRY(dup2(0, 1 << 30));
}

static void descriptors_of_folders(void)
{
	int pipes[2], fd = open("f", O_RDONLY), folder = open("d", O_RDONLY | O_DIRECTORY), name, back;
	struct stat st;

	puts("--- openat");
	TRY(pipe(pipes));
	make("d/inner", "inside");
	TRY(opened(openat(folder, "inner", O_RDONLY)));
	TRY(opened(openat(fd, "inner", O_RDONLY)));
	TRY(opened(openat(pipes[0], "inner", O_RDONLY)));
	TRY(opened(openat(pipes[0], "/dev/null", O_RDONLY)));
	TRY(opened(openat(77, "inner", O_RDONLY)));
	TRY(opened(openat(folder, "../f", O_RDONLY)));
	TRY(faccessat(folder, "inner", R_OK | W_OK, 0));
	TRY(faccessat(folder, "inner", X_OK, 0));
	TRY(syscall(SYS_faccessat, folder, "inner", 16));
	TRY(fstatat(folder, "", &st, AT_EMPTY_PATH));
	TRY(fstatat(folder, "", &st, 0));
	TRY(fstatat(folder, "inner", &st, 0x10000));
	TRY(unlinkat(folder, "inner", 1));
	TRY(unlinkat(folder, "inner", AT_REMOVEDIR));
	TRY(unlinkat(folder, "inner", 0));
	name = open("lf", O_PATH | O_NOFOLLOW);
	TRY(fstat(name, &st));
	printf("a link by itself: %d\n", S_ISLNK(st.st_mode));
	TRY(read(name, &st, 1));
	close(name);
	back = open(".", O_RDONLY);
	TRY(fchdir(folder));
	OPEN("../f", O_RDONLY);
	TRY(fchdir(fd));
	TRY(fchdir(pipes[1]));
	TRY(fchdir(back));
	TRY(read(folder, &st, 1));
	TRY(write(folder, &st, 1));
	TRY(read(pipes[1], &st, 1));
	TRY(write(pipes[0], &st, 1));
	TRY(write(fd, &st, 1));
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
	close(folder);
	close(back);
}

static void lengths_and_loops(void)
{
	static char path[10000];
	struct stat st;
	char target[8];

	puts("--- lengths, loops");
	memset(path, 'n', sizeof(path) - 1);
	path[256] = '\0';
	say("open(256 bytes)", opened(open(path, O_RDWR | O_CREAT, 0644)));
	say("mkdir(256 bytes)", mkdir(path, 0755));
	say("stat(256 bytes)", stat(path, &st));
	say("symlink(256 bytes)", symlink("x", path));
	path[255] = '\0';
	say("open(255 bytes)", opened(open(path, O_RDWR | O_CREAT, 0644)));
	say("unlink(255 bytes)", unlink(path));
	for (unsigned i = 0; i < sizeof(path) - 1; i++)
		path[i] = i % 2 ? '/' : '.';
	path[4096] = '\0';
	say("stat(4096 bytes)", stat(path, &st));
	say("open(4096 bytes)", opened(open(path, O_RDONLY)));
	say("unlink(4096 bytes)", unlink(path));
	say("chdir(4096 bytes)", chdir(path));
	say("rename(4096 bytes)", rename(path, "x"));
	say("rename(, 4096 bytes)", rename("f", path));
	say("symlink(4096 bytes)", symlink(path, "x"));
	say("execve(4096 bytes)", execve(path, (char *[]){ NULL }, (char *[]){ NULL }));
	path[3000] = '\0';
	say("stat(3000 bytes)", stat(path, &st));
	TRY(symlink("loop2", "loop1"));
	TRY(symlink("loop1", "loop2"));
	OPEN("loop1", O_RDONLY);
	OPEN("loop1/x", O_RDONLY);
	TRY(stat("loop1", &st));
	TRY(lstat("loop1", &st));
	TRY(chdir("loop1"));
	TRY(readlink("loop1", target, sizeof(target)));
	TRY(readlink("loop1", target, 2));
	TRY(readlink("f", target, sizeof(target)));
	TRY(readlink("loop1", target, 0));
	TRY(symlink("", "empty"));
	TRY(stat((char *)8, &st));
	TRY(stat("f", (struct stat *)8));
	TRY(unlink("loop1"));
	TRY(unlink("loop2"));
}

static void names(void)
{
	struct stat st;

	puts("--- names");
	TRY(mkdir("d", 0755));
	TRY(mkdir("new/", 0755));
	TRY(mkdir("none/new", 0755));
	TRY(mkdir("f/new", 0755));
	TRY(mkdir("f/", 0755));
	TRY(mkdir(".", 0755));
	TRY(mkdir("/", 0755));
	TRY(mkdir("dangling", 0755));
	TRY(rmdir("new/."));
	TRY(rmdir("new/.."));
	TRY(rmdir("new/"));
	TRY(rmdir("f"));
	TRY(rmdir("ld"));
	TRY(rmdir("none"));
	TRY(unlink("d"));
	TRY(unlink("f/"));
	TRY(unlink("none"));
	TRY(unlink(""));
	TRY(unlink("d/.."));
	TRY(link("f", "f2"));
	TRY(link("f", "f2"));
	TRY(link("d", "d2"));
	TRY(link("none", "x"));
	TRY(link("lf", "lf2"));
	describe("lf2");
	TRY(linkat(AT_FDCWD, "lf", AT_FDCWD, "f3", AT_SYMLINK_FOLLOW));
	describe("f3");
	TRY(symlink("a", "f"));
	TRY(symlink("a", "new/"));
	TRY(mknod("made", S_IFREG | 0600, 0));
	describe("made");
	TRY(mkdir("d/e", 0700));
	make("d/e/g", "g");
	TRY(rename("d", "d/e/x"));
	TRY(rename("d", "f"));
	TRY(rename("f", "d"));
	TRY(rename("f", "f2"));
	TRY(rename("f/", "x"));
	TRY(rename("f", "x/"));
	TRY(rename("none", "x"));
	TRY(rename("d", "."));
	TRY(rename("d/.", "x"));
	TRY(mkdir("empty", 0755));
	TRY(rename("empty", "d"));
	TRY(rename("d/e", "empty"));
	describe("d");
	describe("empty");
	TRY(rename("empty/", "d/e/"));
	show("d/e/g");
	TRY(rename("lf", "moved"));
	describe("moved");
	TRY(rename("moved", "lf"));
	TRY(renameat2(AT_FDCWD, "made", AT_FDCWD, "f", RENAME_NOREPLACE));
	TRY(renameat2(AT_FDCWD, "none", AT_FDCWD, "f", RENAME_NOREPLACE));
	TRY(renameat2(AT_FDCWD, "made", AT_FDCWD, "made", RENAME_NOREPLACE));
	TRY(rename("made", "f3"));
	TRY(stat("made", &st));
	describe("f");
	TRY(rmdir("d"));
	TRY(rename("f", "/dev/x"));
	TRY(rmdir("/proc"));
	TRY(rmdir("/"));
	TRY(unlink("/"));
}

static void removed_folders(void)
{
	char cwd[100];
	int folder, fd;
	struct stat st;

	puts("--- removed while in use");
	TRY(mkdir("gone", 0755));
	folder = open("gone", O_RDONLY);
	TRY(chdir("gone"));
	TRY(rmdir("../gone"));
	say("getcwd", getcwd(cwd, sizeof(cwd)) ? 0 : -1);
	OPEN("x", O_RDWR | O_CREAT, 0644);
	TRY(mkdir("x", 0755));
	TRY(opened(openat(folder, "x", O_RDWR | O_CREAT, 0644)));
	TRY(chdir("/work"));
	close(folder);
	make("short", "still there");
	fd = open("short", O_RDWR);
	TRY(unlink("short"));
	TRY(fstat(fd, &st));
	printf("links %d, bytes %d\n", (int)st.st_nlink, (int)st.st_size);
	TRY(fchmod(fd, 0600));
	TRY(pread(fd, cwd, sizeof(cwd), 6));
	TRY(lseek(fd, 0, SEEK_END));
	close(fd);
	TRY(getcwd(cwd, 3) ? 0 : -1);
}

static void places(void)
{
	char data[32] = { 0 };
	struct iovec iov[2] = { { data, 2 }, { data + 2, 3 } };
	int fd = open("p", O_RDWR | O_CREAT | O_TRUNC, 0644), pipes[2];
	struct stat st;

	puts("--- places");
	TRY(pwrite(fd, "abcdef", 6, 10));
	TRY(lseek(fd, 0, SEEK_CUR));
	TRY(pread(fd, data, 4, 12));
	printf("%.4s\n", data);
	TRY(pread(fd, data, 4, 100));
	TRY(pread(fd, data, 4, -1));
	TRY(preadv(fd, iov, 2, 11));
	printf("%.5s\n", data);
	TRY(pwritev(fd, iov, 2, 0));
	TRY(fstat(fd, &st));
	printf("bytes %d\n", (int)st.st_size);
	TRY(lseek(fd, 3, SEEK_SET));
	TRY(write(fd, "X", 1));
	TRY(lseek(fd, -100, SEEK_CUR));
	TRY(lseek(fd, 0, 99));
	TRY(fcntl(fd, F_SETFL, O_APPEND));
	TRY(lseek(fd, 0, SEEK_SET));
	TRY(write(fd, "end", 3));
	TRY(lseek(fd, 0, SEEK_CUR));
	TRY(ftruncate(fd, 5));
	TRY(ftruncate(fd, -1));
	TRY(truncate("p", 8));
	TRY(truncate("d", 8));
	TRY(truncate("none", 8));
	TRY(read(fd, data, 8));
	printf("%d%d%d\n", data[3], data[5], data[7]);
	TRY(fallocate(fd, 0, 4096, 4096));
	TRY(fstat(fd, &st));
	printf("bytes %d, blocks %d\n", (int)st.st_size, (int)st.st_blocks);
	TRY(fallocate(fd, 1, 20000, 1));
	TRY(fstat(fd, &st));
	printf("bytes %d, blocks %d\n", (int)st.st_size, (int)st.st_blocks);
	TRY(fallocate(fd, 0, -1, 1));
	TRY(fallocate(fd, 0, 0, 0));
	TRY(fsync(fd));
	TRY(fdatasync(fd));
	TRY(syncfs(fd));
	TRY(pipe(pipes));
	TRY(pread(pipes[0], data, 1, 0));
	TRY(lseek(pipes[0], 0, SEEK_SET));
	TRY(fsync(pipes[0]));
	TRY(ftruncate(pipes[1], 0));
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
	fd = open("p", O_RDONLY);
	TRY(ftruncate(fd, 0));
	TRY(pwrite(fd, "x", 1, 0));
	TRY(ioctl(fd, TIOCGWINSZ, data));
	close(fd);
}

static void attributes(void)
{
	struct timespec times[2] = { { 1000, 5 }, { 2000, 7 } };
	struct statx stx;
	struct stat st;
	int fd;

	puts("--- attributes");
	umask(027);
	OPEN("m", O_RDWR | O_CREAT, 0666);
	describe("m");
	TRY(mkdir("md", 07777));
	describe("md");
	umask(022);
	TRY(chmod("m", 04751));
	describe("m");
	TRY(chmod("none", 0));
	TRY(fchmodat(AT_FDCWD, "m", 0640, AT_SYMLINK_NOFOLLOW));
	TRY(fchmodat(AT_FDCWD, "lf", 0600, AT_SYMLINK_NOFOLLOW));
	describe("m");
	TRY(chmod("m", 04751));
	TRY(chown("m", 3, 4));
	TRY(chown("m", -1, 5));
	TRY(lchown("lf", 6, 7));
	TRY(stat("m", &st));
	printf("owner %d %d\n", (int)st.st_uid, (int)st.st_gid);
	TRY(lstat("lf", &st));
	printf("owner %d %d\n", (int)st.st_uid, (int)st.st_gid);
	TRY(utimensat(AT_FDCWD, "m", times, 0));
	TRY(stat("m", &st));
	printf("%ld.%ld %ld.%ld\n", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec, (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	times[0].tv_nsec = UTIME_OMIT;
	times[1] = (struct timespec){ 3000, 9 };
	fd = open("m", O_RDONLY);
	TRY(futimens(fd, times));
	TRY(fstat(fd, &st));
	printf("%ld.%ld %ld.%ld\n", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec, (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	times[1].tv_nsec = UTIME_NOW;
	TRY(futimens(fd, times));
	TRY(fstat(fd, &st));
	printf("%ld, now: %d\n", (long)st.st_atim.tv_sec, st.st_mtim.tv_sec > 3000);
	close(fd);
	times[0] = (struct timespec){ 1, 1000000000 };
	TRY(utimensat(AT_FDCWD, "m", times, 0));
	times[0] = times[1] = (struct timespec){ 4000, 1 };
	TRY(utimensat(AT_FDCWD, "dangling", times, AT_SYMLINK_NOFOLLOW));
	TRY(utimensat(AT_FDCWD, "dangling", times, 0));
	TRY(lstat("dangling", &st));
	printf("%ld\n", (long)st.st_mtim.tv_sec);
	TRY(statx(AT_FDCWD, "m", 0, STATX_BASIC_STATS, &stx));
	printf("%o %d %d\n", stx.stx_mode, (int)stx.stx_size, (int)stx.stx_uid);
	TRY(statx(AT_FDCWD, "none", 0, STATX_BASIC_STATS, &stx));
	TRY(syscall(SYS_statx, AT_FDCWD, "m", 0x10000, STATX_BASIC_STATS, &stx));
	TRY(access("m", X_OK));
	TRY(chmod("m", 0600));
	TRY(access("m", X_OK));
	TRY(access("m", 8));
	TRY(access("d", X_OK | W_OK));
	TRY(access("none", F_OK));
}

static void folders(void)
{
	struct dirent *e;
	unsigned n = 0, again = 0, dots = 0;
	long middle = 0;
	char name[32];
	struct stat a, b;
	DIR *d;

	puts("--- folders");
	TRY(mkdir("many", 0755));
	for (unsigned i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "many/%u", i);
		make(name, "x");
	}
	d = opendir("many");
	while ((e = readdir(d))) {
		dots += e->d_name[0] == '.';
		if (++n == 100)
			middle = telldir(d);
	}
	printf("%u entries, %u dots\n", n, dots);
	rewinddir(d);
	for (n = 0; readdir(d); n++)
		;
	seekdir(d, middle);
	while (readdir(d))
		again++;
	printf("%u again, %u from the middle\n", n, again);
	rewinddir(d);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	TRY(rmdir("many"));
	TRY(stat("f", &a));
	TRY(stat("f2", &b));
	printf("same: %d\n", a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	TRY(stat("m", &b));
	printf("same: %d\n", a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	TRY(stat("/dev", &b));
	printf("same file system: %d\n", a.st_dev == b.st_dev);
	TRY(stat("./d/../f", &b));
	printf("same: %d\n", a.st_ino == b.st_ino && a.st_dev == b.st_dev);
}

static void mounts(void)
{
	struct statfs st;
	struct stat root, below;
	int fd;

	puts("--- mounts");
	TRY(mkdir("mnt", 0755));
	TRY(mount("none", "mnt", "nonsense", 0, NULL));
	TRY(mount("none", "none", "tmpfs", 0, NULL));
	TRY(mount("none", "f", "tmpfs", 0, NULL));
	TRY(mount("none", "mnt", "tmpfs", 0, "colour=red"));
	TRY(mount("none", "mnt", "tmpfs", 0, "size=64k"));
	TRY(umount("f"));
	TRY(umount("none"));
	TRY(umount("d"));
	TRY(statfs("mnt", &st));
	printf("tmpfs: %d, %d pages, %d free\n", st.f_type == 0x01021994, (int)st.f_blocks, (int)st.f_bfree);
	make("mnt/x", "in it");
	TRY(rename("mnt/x", "x"));
	TRY(link("mnt/x", "x"));
	TRY(rename("mnt", "mnt2"));
	TRY(rmdir("mnt"));
	fd = open("mnt/x", O_RDONLY);
	TRY(umount("mnt"));
	TRY(fstatfs(fd, &st));
	TRY(umount2("mnt", 1 << 20));
	TRY(stat(".", &root));
	TRY(stat("mnt/..", &below));
	printf("same: %d\n", root.st_ino == below.st_ino);
	TRY(umount2("mnt", MNT_DETACH));
	OPEN("mnt/x", O_RDONLY);
	TRY(read(fd, &st, 5));
	close(fd);
	TRY(umount("mnt"));
	TRY(mount("none", "mnt", "tmpfs", MS_RDONLY, NULL));
	OPEN("mnt/x", O_RDWR | O_CREAT, 0644);
	TRY(mkdir("mnt/x", 0755));
	TRY(access("mnt", W_OK));
	TRY(mount("none", "mnt", "tmpfs", MS_REMOUNT, NULL));
	TRY(mkdir("mnt/x", 0755));
	TRY(chmod("mnt/x", 0700));
	TRY(mount("none", "mnt", "tmpfs", MS_REMOUNT | MS_RDONLY, NULL));
	TRY(chmod("mnt/x", 0755));
	TRY(rmdir("mnt/x"));
	TRY(chdir("mnt/x"));
	TRY(umount("/work/mnt"));
	TRY(chdir("/work"));
	TRY(umount("mnt"));
	TRY(mount("none", "mnt", "tmpfs", 0, "size=16k"));
	fd = open("mnt/full", O_RDWR | O_CREAT, 0644);
	for (int i = 0; i < 6; i++)
		TRY(pwrite(fd, &st, 1, i * 4096));
	close(fd);
	TRY(unlink("mnt/full"));
	make("mnt/room", "again");
	show("mnt/room");
	TRY(umount("mnt"));
}

static void about_itself(void)
{
	char text[200], path[40];
	ssize_t n;
	FILE *file;
	int fd = open("./d/../f2", O_RDONLY), pipes[2];

	puts("--- /proc");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink("/proc/self/cwd", text, sizeof(text));
	printf("%.*s\n", (int)n, text);
	n = readlink(path, text, sizeof(text));
	printf("%.*s\n", (int)n, text);
	TRY(rename("f2", "f2-away"));
	make("f2", "another one");
	n = readlink(path, text, sizeof(text));
	printf("another: %d\n", n != 8);
	TRY(rename("f2-away", "f2"));
	file = fopen("/proc/self/cmdline", "r");
	n = (ssize_t)fread(text, 1, sizeof(text), file);
	printf("a NUL at the end: %d\n", n > 0 && text[n - 1] == '\0');
	fclose(file);
	TRY(opened(open(path, O_RDONLY)));
	TRY(opened(open("/proc/self/fd/999", O_RDONLY)));
	TRY(opened(open("/proc/999999", O_RDONLY)));
	TRY(opened(open("/proc/self/status/x", O_RDONLY)));
	TRY(access("/proc/self/task", F_OK));
	TRY(access("/proc/thread-self/comm", F_OK));
	TRY(access("/proc/0", F_OK));
	TRY(access("/proc/01", F_OK));
	TRY(readlink("/proc/self/maps", text, sizeof(text)));
	TRY(pipe(pipes));
	TRY(write(pipes[1], "through", 7));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", pipes[0]);
	TRY(dup2(open(path, O_RDONLY), 20));
	n = read(20, text, sizeof(text));
	printf("%.*s\n", (int)n, text);
	file = fopen("/proc/self/stat", "r");
	n = (ssize_t)fread(text, 1, sizeof(text), file);
	printf("state %c\n", *(strrchr(text, ')') + 2));
	fclose(file);
}

static void refused(void)
{
	puts("--- polite refusals");
	TRY(syscall(SYS_getxattr, "f", "user.none", NULL, 0) < 0 ? 0 : 1);
	TRY(opened(open(".", O_TMPFILE | O_RDWR, 0600)) ? 0 : 0);
	TRY(syscall(9999));
	TRY(syscall(SYS_close, -1));
}

int main(void)
{
	if (begin())
		return 1;
	opening();
	descriptors_of_folders();
	lengths_and_loops();
	names();
	removed_folders();
	places();
	attributes();
	folders();
	mounts();
	about_itself();
	refused();
	return end();
}
