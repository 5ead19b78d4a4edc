/* System calls on descriptors. Data goes through a frame of the kernel's, page by page. */
#include <errno.h>
#include <string.h>

#include <caisson/mm.h>

#include "pipe.h"
#include "syscalls.h"

#define IOV_MAX 1024
#define LITTLE 128        /* bytes: a power of two */
#define COUNT_MAX 0x7ffff000u /* what Linux moves at most in one call */

enum { F_DUPFD = 0, F_GETFD = 1, F_SETFD = 2, F_GETFL = 3, F_SETFL = 4, F_DUPFD_CLOEXEC = 1030, F_SETPIPE_SZ = 1031,
       F_GETPIPE_SZ = 1032, FD_CLOEXEC = 1 };
#define SETTABLE (O_APPEND | O_NONBLOCK)

/** The kernel's side of a transfer. */
struct bounce {
	char *data;
	size_t size;
	uint64_t pos;      /* where in the file, for those that say so */
	bool some;         /* something was moved */
};

typedef int64_t (*transfer_t)(struct user_mm *mm, struct open_file *f, uint64_t user, size_t n, struct bounce *b);

/* A page or less each way. @return bytes or negative errno */
static int64_t read_piece(struct user_mm *mm, struct open_file *f, uint64_t user, size_t n, struct bounce *b)
{
	int64_t done = f->ops->read(f, b->data, n);

	if (done > 0 && copy_to_user(mm, user, b->data, (size_t)done))
		return -EFAULT;
	return done;
}

static int64_t write_piece(struct user_mm *mm, struct open_file *f, uint64_t user, size_t n, struct bounce *b)
{
	if (copy_from_user(mm, b->data, user, n))
		return -EFAULT;
	return f->ops->write(f, b->data, n);
}

static int64_t read_at_piece(struct user_mm *mm, struct open_file *f, uint64_t user, size_t n, struct bounce *b)
{
	int64_t done = f->ops->read_at(f, b->data, n, b->pos);

	if (done > 0 && copy_to_user(mm, user, b->data, (size_t)done))
		return -EFAULT;
	b->pos += (uint64_t)MAX(done, 0);
	return done;
}

static int64_t write_at_piece(struct user_mm *mm, struct open_file *f, uint64_t user, size_t n, struct bounce *b)
{
	int64_t done = copy_from_user(mm, b->data, user, n) ? -EFAULT : f->ops->write_at(f, b->data, n, b->pos);

	b->pos += (uint64_t)MAX(done, 0);
	return done;
}

/* Who has read something does not wait for more. */
static bool may_go_on(struct open_file *f, transfer_t piece, const struct bounce *b)
{
	return !b->some || piece != read_piece || !f->ops->poll || (!f->ops->reads_once && (f->ops->poll(f) & POLL_IN));
}

/* Who has moved something stops for a signal where the rest might have to be waited for; of a file it comes at once. */
static bool is_to_stop(struct thread *t, const struct open_file *f)
{
	return f->ops->poll ? thread_interrupted(t) : thread_is_ending(t);
}

/* What was moved before something went wrong counts. What may wait is moved in whole pages, so that they stay together. */
static int64_t transfer(struct thread *t, struct open_file *f, uint64_t user, uint64_t n, transfer_t piece, struct bounce *b)
{
	int64_t done = 0;

	while (n > 0 && !(done && is_to_stop(t, f)) && may_go_on(f, piece, b)) {
		size_t want = MIN(n, f->ops->poll ? b->size : b->size - user % b->size);
		int64_t moved = piece(t->process->mm, f, user, want, b);

		if (moved <= 0)
			return done ? done : moved;
		b->some = true;
		done += moved;
		user += (uint64_t)moved;
		n -= (uint64_t)moved;
		if ((size_t)moved < want)
			break;
	}
	return done;
}

/* All of a vector; `f` is open for it. */
static int64_t transfer_vector(struct thread *t, struct open_file *f, const struct linux_iovec *iov, unsigned n,
			       transfer_t piece, struct bounce *b)
{
	int64_t done = 0;

	for (unsigned i = 0; i < n; i++) {
		int64_t moved = transfer(t, f, iov[i].base, MIN(iov[i].len, COUNT_MAX - (uint64_t)done), piece, b);

		if (moved < 0 && done == 0)
			done = moved;
		if (moved < 0)
			break;
		done += moved;
		if ((uint64_t)moved < iov[i].len)
			break;
	}
	return done;
}

/* Through a page, if it is worth one; without memory for it in small steps, so that a program can still say so. */
static int64_t move_through(struct thread *t, struct open_file *f, const struct linux_iovec *iov, unsigned n, transfer_t piece,
			    uint64_t pos)
{
	char little[LITTLE];
	struct bounce b = { .data = little, .size = sizeof(little), .pos = pos };
	bool whole;
	int64_t done;
	hpa_t page;

	whole = (n != 1 || iov[0].len > LITTLE) && frame_alloc(0, 0, &page) == 0;
	if (whole)
		b = (struct bounce){ .data = hpa_to_kva(page), .size = PAGE_SIZE, .pos = pos };
	done = transfer_vector(t, f, iov, n, piece, &b);
	if (whole)
		frame_free(page, 0);
	return done;
}

/** A call that reads or writes. */
struct transfer {
	bool write, at;    /* at: at a place of the file, not where it is */
	uint64_t pos;
};

static transfer_t piece_of(const struct open_file *f, const struct transfer *how)
{
	if (how->at)
		return how->write ? f->ops->write_at ? write_at_piece : NULL : f->ops->read_at ? read_at_piece : NULL;
	return how->write ? f->ops->write ? write_piece : NULL : f->ops->read ? read_piece : NULL;
}

static int64_t move(struct thread *t, uint64_t fd, const struct linux_iovec *iov, unsigned n, const struct transfer *how)
{
	struct open_file *f = fd_get(t->process->files, fd);
	unsigned access = f ? f->flags & O_ACCMODE : 0;
	transfer_t piece = f ? piece_of(f, how) : NULL;
	int64_t result;

	if (!f)
		return -EBADF;
	if (how->at && !f->ops->seek)
		result = -ESPIPE;
	else if (access == (how->write ? O_RDONLY : O_WRONLY) || (f->flags & O_PATH))
		result = -EBADF;
	else
		result = piece ? move_through(t, f, iov, n, piece, how->pos) : -EINVAL;
	open_file_put(f);
	return result;
}

int64_t sys_read(struct thread *t, const uint64_t *arg)
{
	return move(t, arg[0], &(struct linux_iovec){ arg[1], arg[2] }, 1, &(struct transfer){ .write = false });
}

int64_t sys_write(struct thread *t, const uint64_t *arg)
{
	return move(t, arg[0], &(struct linux_iovec){ arg[1], arg[2] }, 1, &(struct transfer){ .write = true });
}

static int64_t move_at(struct thread *t, const uint64_t *arg, bool write)
{
	if ((int64_t)arg[3] < 0)
		return -EINVAL;
	return move(t, arg[0], &(struct linux_iovec){ arg[1], arg[2] }, 1, &(struct transfer){ write, true, arg[3] });
}

int64_t sys_pread64(struct thread *t, const uint64_t *arg)
{
	return move_at(t, arg, false);
}

int64_t sys_pwrite64(struct thread *t, const uint64_t *arg)
{
	return move_at(t, arg, true);
}

static int64_t move_vector(struct thread *t, const uint64_t *arg, const struct transfer *how)
{
	uint64_t n = arg[2];
	struct linux_iovec *iov;
	int64_t result = -EFAULT;

	if (n == 0 || n > IOV_MAX)
		return n ? -EINVAL : 0;
	iov = kalloc(n * sizeof(*iov));
	if (!iov)
		return -ENOMEM;
	if (copy_from_user(t->process->mm, iov, arg[1], n * sizeof(*iov)) == 0)
		result = move(t, arg[0], iov, (unsigned)n, how);
	kfree(iov);
	return result;
}

int64_t sys_readv(struct thread *t, const uint64_t *arg)
{
	return move_vector(t, arg, &(struct transfer){ .write = false });
}

int64_t sys_writev(struct thread *t, const uint64_t *arg)
{
	return move_vector(t, arg, &(struct transfer){ .write = true });
}

int64_t sys_preadv(struct thread *t, const uint64_t *arg)
{
	return (int64_t)arg[3] < 0 ? -EINVAL : move_vector(t, arg, &(struct transfer){ false, true, arg[3] });
}

int64_t sys_pwritev(struct thread *t, const uint64_t *arg)
{
	return (int64_t)arg[3] < 0 ? -EINVAL : move_vector(t, arg, &(struct transfer){ true, true, arg[3] });
}

int64_t sys_lseek(struct thread *t, const uint64_t *arg)
{
	struct open_file *f = fd_get(t->process->files, arg[0]);
	int64_t result = -ESPIPE;

	if (!f)
		return -EBADF;
	if (arg[2] > 2)
		result = -EINVAL;
	else if (f->ops->seek)
		result = f->ops->seek(f, (int64_t)arg[1], (enum vfs_whence)arg[2]);
	open_file_put(f);
	return result;
}

int64_t sys_close(struct thread *t, const uint64_t *arg)
{
	return fd_close(t->process->files, arg[0]);
}

/* --- more names for an open file --- */

static int64_t duplicate(struct thread *t, uint64_t fd, uint64_t from, bool close_on_exec)
{
	struct open_file *f = fd_get(t->process->files, fd);
	int64_t result;

	if (!f)
		return -EBADF;
	result = from < FDS_MAX ? fd_add(t->process->files, f, (unsigned)from, close_on_exec) : -EINVAL;
	if (result < 0)
		open_file_put(f);
	return result;
}

int64_t sys_dup(struct thread *t, const uint64_t *arg)
{
	return duplicate(t, arg[0], 0, false);
}

int64_t sys_dup3(struct thread *t, const uint64_t *arg)
{
	struct open_file *f;
	int error;

	if (arg[0] == arg[1] || (arg[2] & ~(uint64_t)O_CLOEXEC))
		return -EINVAL;
	f = fd_get(t->process->files, arg[0]);
	if (!f || arg[1] >= FDS_MAX) {
		open_file_put(f);
		return -EBADF;
	}
	error = fd_place(t->process->files, (unsigned)arg[1], f, arg[2] & O_CLOEXEC);
	if (error)
		open_file_put(f);
	return error ? error : (int64_t)arg[1];
}

static int64_t flags_of(struct thread *t, uint64_t fd, bool set, uint64_t flags)
{
	struct open_file *f = fd_get(t->process->files, fd);
	int64_t result = 0;

	if (!f)
		return -EBADF;
	if (set)
		f->flags = (f->flags & ~(unsigned)SETTABLE) | (flags & SETTABLE);
	else
		result = f->flags;
	open_file_put(f);
	return result;
}

/* A pipe has the room that it has: who wants no more is told so, and who wants more may not. */
static int64_t room_of(struct thread *t, uint64_t fd, uint64_t wanted)
{
	struct open_file *f = fd_get(t->process->files, fd);
	uint32_t room = f ? pipe_room(f) : 0;

	open_file_put(f);
	return !f || !room ? -EBADF : wanted <= room ? (int64_t)room : -EPERM;
}

int64_t sys_fcntl(struct thread *t, const uint64_t *arg)
{
	bool close_on_exec;
	int error;

	switch (arg[1]) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return duplicate(t, arg[0], arg[2], arg[1] == F_DUPFD_CLOEXEC);
	case F_GETFD:
		error = fd_close_on_exec(t->process->files, arg[0], &close_on_exec);
		return error ? error : close_on_exec ? FD_CLOEXEC : 0;
	case F_SETFD:
		return fd_set_close_on_exec(t->process->files, arg[0], arg[2] & FD_CLOEXEC);
	case F_SETPIPE_SZ:
	case F_GETPIPE_SZ:
		return room_of(t, arg[0], arg[1] == F_SETPIPE_SZ ? arg[2] : 0);
	case F_GETFL:
	case F_SETFL:
		return flags_of(t, arg[0], arg[1] == F_SETFL, arg[2]);
	default:
		return -EINVAL;
	}
}

int64_t sys_ioctl(struct thread *t, const uint64_t *arg)
{
	struct open_file *f = fd_get(t->process->files, arg[0]);
	int64_t result = -ENOTTY;

	if (!f)
		return -EBADF;
	if (f->ops->ioctl)
		result = f->ops->ioctl(f, t, arg[1], arg[2]);
	open_file_put(f);
	return result;
}

int64_t sys_fstat(struct thread *t, const uint64_t *arg)
{
	struct open_file *f = fd_get(t->process->files, arg[0]);
	struct linux_stat st;
	int error;

	if (!f)
		return -EBADF;
	error = f->ops->stat ? f->ops->stat(f, &st) : -EINVAL;
	open_file_put(f);
	return error ? error : copy_to_user(t->process->mm, arg[1], &st, sizeof(st));
}

int64_t sys_ftruncate(struct thread *t, const uint64_t *arg)
{
	struct open_file *f = fd_get(t->process->files, arg[0]);
	int64_t result = -EINVAL;

	if (!f)
		return -EBADF;
	if (f->ops->truncate && (int64_t)arg[1] >= 0)
		result = f->ops->truncate(f, arg[1]);
	open_file_put(f);
	return result == -EBADF ? -EINVAL : result;
}

int64_t sys_fsync(struct thread *t, const uint64_t *arg)
{
	struct open_file *f = fd_get(t->process->files, arg[0]);
	int64_t result = f && f->ops->sync ? f->ops->sync(f) : -EINVAL;

	open_file_put(f);
	return f ? result : -EBADF;
}

int64_t sys_fallocate(struct thread *t, const uint64_t *arg)
{
	enum { KEEP_SIZE = 1 };
	struct open_file *f = fd_get(t->process->files, arg[0]);
	int64_t pos = (int64_t)arg[2], n = (int64_t)arg[3], result;

	if (!f)
		return -EBADF;
	if (arg[1] & ~(uint64_t)KEEP_SIZE)
		result = -ENOTSUP;
	else if (pos < 0 || n <= 0)
		result = -EINVAL;
	else if ((f->flags & O_ACCMODE) == O_RDONLY)
		result = -EBADF;
	else
		result = f->ops->reserve ? f->ops->reserve(f, arg[2], arg[3], !(arg[1] & KEEP_SIZE)) : f->ops->seek ? -ENODEV : -ESPIPE;
	open_file_put(f);
	return result;
}

/* Advice about what will be read: nothing is kept or fetched in advance. */
int64_t sys_fadvise64(struct thread *t, const uint64_t *arg)
{
	struct open_file *f = fd_get(t->process->files, arg[0]);

	open_file_put(f);
	return f ? 0 : -EBADF;
}

/* It has no way to say that it failed; that of one file system has. */
int64_t sys_sync(struct thread *t, const uint64_t *arg)
{
	(void)t;
	(void)arg;
	(void)!vfs_sync_all();
	return 0;
}

int64_t sys_syncfs(struct thread *t, const uint64_t *arg)
{
	struct open_file *f = fd_get(t->process->files, arg[0]);

	open_file_put(f);
	return f ? vfs_sync_all() : -EBADF;
}

/* --- pipes --- */

int64_t sys_pipe2(struct thread *t, const uint64_t *arg)
{
	struct open_file *ends[2];
	int fds[2] = { -1, -1 }, error;

	if (arg[1] & ~(uint64_t)(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	error = pipe_open(arg[1] & O_NONBLOCK, &ends[0], &ends[1]);
	for (unsigned i = 0; i < 2 && !error; i++) {
		fds[i] = fd_add(t->process->files, ends[i], 0, arg[1] & O_CLOEXEC);
		error = MIN(fds[i], 0);
		if (error)
			open_file_put(ends[i]);
		if (error && i == 0)
			open_file_put(ends[1]);
	}
	if (!error && copy_to_user(t->process->mm, arg[0], fds, sizeof(fds)))
		error = -EFAULT;
	for (unsigned i = 0; i < 2 && error; i++)
		if (fds[i] >= 0)
			(void)!fd_close(t->process->files, (uint64_t)fds[i]);
	return error;
}

/* Programs that copy fall back to read and write. */
int64_t sys_sendfile(struct thread *t, const uint64_t *arg)
{
	(void)t;
	(void)arg;
	return -EINVAL;
}

/* --- directories --- */

struct listing {
	struct thread *t;
	uint64_t to, room;
	int64_t done;
};

static int put_entry(struct listing *l, const struct vfs_dirent *d)
{
	static const uint8_t kinds[] = { [VFS_FILE] = 8, [VFS_DIR] = 4, [VFS_LINK] = 10, [VFS_DEVICE] = 2, [VFS_BLOCK] = 6, [VFS_FIFO] = 1,
					[VFS_OTHER] = 0 };
	size_t name = strlen(d->name) + 1, size = ALIGN_UP(sizeof(struct linux_dirent) + name, 8);
	struct linux_dirent entry = { .ino = d->ino ? d->ino : 1, .off = (int64_t)d->next, .reclen = (uint16_t)size, .type = kinds[d->kind] };
	struct user_mm *mm = l->t->process->mm;

	if (size > l->room)
		return -EINVAL;
	if (copy_to_user(mm, l->to, &entry, sizeof(entry)) || copy_to_user(mm, l->to + sizeof(entry), d->name, name))
		return -EFAULT;
	l->to += size;
	l->room -= size;
	l->done += (int64_t)size;
	return 0;
}

/* The VFS cannot step back: an entry is asked for only if any name has room. */
static int64_t list(struct listing *l, struct open_file *f)
{
	struct vfs_dirent *d = kalloc(sizeof(*d));
	int error = d ? 0 : -ENOMEM;

	while (!error && l->room >= sizeof(struct linux_dirent) + VFS_NAME_MAX + 8) {
		error = f->ops->readdir(f, d);
		if (error <= 0)
			break;
		error = put_entry(l, d);
	}
	kfree(d);
	return error < 0 && l->done == 0 ? error : l->done;
}

int64_t sys_getdents64(struct thread *t, const uint64_t *arg)
{
	struct open_file *f = fd_get(t->process->files, arg[0]);
	struct listing l = { .t = t, .to = arg[1], .room = arg[2] };
	int64_t result = -ENOTDIR;

	if (!f)
		return -EBADF;
	if (l.room < sizeof(struct linux_dirent) + VFS_NAME_MAX + 8)
		result = -EINVAL;
	else if (f->ops->readdir)
		result = list(&l, f);
	open_file_put(f);
	return result;
}
