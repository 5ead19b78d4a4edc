/*
 * Several tasks write at once: each a file of its own, and all of them lines of one log,
 * which must arrive whole. They read back what they wrote; the test's host tools do too.
 */
#include "many.h"

#include <string.h>

#include <caisson/print.h>
#include <caisson/task.h>
#include <caisson/vfs.h>

#define WRITERS 6
#define PIECES 40

static const char log_path[] = "/disk/log";

/* Piece i of the file of writer n. */
static void fill(char *piece, size_t size, unsigned n, unsigned i)
{
	memset(piece, 'a' + (int)((n * 7 + i) % 26), size);
	piece[size - 1] = '\n';
}

static int append_line(unsigned n)
{
	char line[] = "writer 0 was here\n";
	struct vfs_file *f;
	int64_t done;
	int err = vfs_open(log_path, VFS_WRITE | VFS_CREATE | VFS_APPEND, &f);

	if (err)
		return err;
	line[7] = (char)('0' + n);
	done = vfs_write(f, line, sizeof(line) - 1);
	err = vfs_close(f);
	return done < 0 ? (int)done : err;
}

static int write_pieces(struct vfs_file *f, unsigned n)
{
	char piece[300];
	int err = 0;

	for (unsigned i = 0; i < PIECES && !err; i++) {
		fill(piece, sizeof(piece), n, i);
		if (vfs_write(f, piece, sizeof(piece)) != (int64_t)sizeof(piece))
			return -1;
		task_yield();
		err = append_line(n);
	}
	return err;
}

static int check_pieces(struct vfs_file *f, unsigned n)
{
	char piece[300], found[300];

	if (vfs_seek(f, 0, VFS_SEEK_SET) != 0)
		return -1;
	for (unsigned i = 0; i < PIECES; i++) {
		fill(piece, sizeof(piece), n, i);
		if (vfs_read(f, found, sizeof(found)) != (int64_t)sizeof(found) || memcmp(piece, found, sizeof(piece)))
			return -1;
	}
	return 0;
}

static void writer(void *arg)
{
	unsigned n = (unsigned)(uintptr_t)arg;
	char path[] = "/disk/file 0";
	struct vfs_file *f;
	int err;

	path[11] = (char)('0' + n);
	err = vfs_open(path, VFS_READ | VFS_WRITE | VFS_CREATE, &f);
	if (err)
		task_exit(1);
	err = write_pieces(f, n);
	if (!err)
		err = check_pieces(f, n);
	if (vfs_close(f))
		err = -1;
	task_exit(err ? 1 : 0);
}

int write_many(void)
{
	struct task *tasks[WRITERS];
	int failed = 0;

	for (unsigned i = 0; i < WRITERS; i++)
		tasks[i] = task_create("writer", writer, (void *)(uintptr_t)i, &(struct task_attr){ 0 });
	for (unsigned i = 0; i < WRITERS; i++)
		failed |= tasks[i] ? task_join(tasks[i]) : 1;
	print("%u tasks have written %u pieces each: %s\n", WRITERS, PIECES,
	      failed ? "not all arrived" : "all arrived");
	return failed;
}
