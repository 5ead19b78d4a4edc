/*
 * The initrd: a reader of cpio archives in the "newc" format (cpio(5), "New ASCII Format").
 *
 * An archive is a row of entries: a header of hexadecimal text, the name, the
 * data; name and data are padded to 4 bytes, counted from the archive's start.
 * The archive comes from outside, so every number in it is checked against what is left.
 */
#include <caisson/fs.h>

#include <errno.h>
#include <string.h>

struct cpio_header {
	char magic[6];
	char ino[8], mode[8], nlink[8], uid[8], gid[8], mtime[8], filesize[8];
	char devmajor[8], devminor[8], rdevmajor[8], rdevminor[8], namesize[8], check[8];
};

_Static_assert(sizeof(struct cpio_header) == 110, "newc header");

#define CPIO_TRAILER "TRAILER!!!"

struct cpio_entry {
	struct initrd_entry entry;
	bool trailer;
	uint64_t next;         /* offset of the entry that follows */
};

static struct {
	const char *start;
	uint64_t size;
} archive;

static bool hex_digit(char c, uint32_t *digit)
{
	if (c >= '0' && c <= '9')
		*digit = (uint32_t)(c - '0');
	else if (c >= 'a' && c <= 'f')
		*digit = (uint32_t)(c - 'a') + 10;
	else if (c >= 'A' && c <= 'F')
		*digit = (uint32_t)(c - 'A') + 10;
	else
		return false;
	return true;
}

static bool hex_field(const char field[8], uint32_t *value)
{
	uint32_t digit;

	*value = 0;
	for (unsigned i = 0; i < 8; i++) {
		if (!hex_digit(field[i], &digit))
			return false;
		*value = *value << 4 | digit;
	}
	return true;
}

/** Sizes are compared with what is left, so that no sum can wrap. */
static bool fits(uint64_t offset, uint64_t size)
{
	return offset <= archive.size && size <= archive.size - offset;
}

static bool magic_known(const struct cpio_header *h)
{
	/* 070702 is the same format with a checksum, which few write and nobody needs. */
	return !memcmp(h->magic, "070701", 6) || !memcmp(h->magic, "070702", 6);
}

/** "./a/b" and "/a/b" are names of the same file as "a/b". */
static const char *strip_root(const char *path)
{
	for (;;) {
		if (path[0] == '/')
			path++;
		else if (path[0] == '.' && path[1] == '/')
			path += 2;
		else
			return path;
	}
}

/** @return 0 or -EINVAL. */
static int entry_read(uint64_t offset, struct cpio_entry *e)
{
	const struct cpio_header *h = (const void *)(archive.start + offset);
	uint64_t name_at = offset + sizeof(*h), data_at;
	uint32_t mode, mtime, size, name_size;

	if (!fits(offset, sizeof(*h)) || !magic_known(h))
		return -EINVAL;
	if (!hex_field(h->mode, &mode) || !hex_field(h->filesize, &size) ||
	    !hex_field(h->namesize, &name_size) || !hex_field(h->mtime, &mtime))
		return -EINVAL;

	/* Some writers pad the name with zeros to align the data: only its end counts. */
	if (name_size == 0 || !fits(name_at, name_size) ||
	    archive.start[name_at + name_size - 1] != '\0')
		return -EINVAL;
	data_at = ALIGN_UP(name_at + name_size, 4);
	e->trailer = !strcmp(archive.start + name_at, CPIO_TRAILER);
	if (e->trailer)
		return 0;
	if (!fits(data_at, size))
		return -EINVAL;

	e->entry.file = (struct file){ strip_root(archive.start + name_at), archive.start + data_at, size };
	e->entry.mode = mode;
	e->entry.mtime = mtime;
	e->next = ALIGN_UP(data_at + size, 4);
	return 0;
}

int initrd_for_each_entry(bool (*fn)(const struct initrd_entry *e, void *arg), void *arg)
{
	struct cpio_entry e;
	int err;

	for (uint64_t offset = 0;; offset = e.next) {
		err = entry_read(offset, &e);
		if (err)
			return err;
		if (e.trailer)
			return 0;
		if (!fn(&e.entry, arg))
			return 1;
	}
}

struct file_walk {
	bool (*fn)(const struct file *f, void *arg);
	void *arg;
};

static bool walk_entry(const struct initrd_entry *e, void *arg)
{
	struct file_walk *w = arg;

	return (e->mode & INITRD_TYPE) != INITRD_REGULAR || w->fn(&e->file, w->arg);
}

/** As initrd_for_each_entry, for each regular file. */
static int walk(bool (*fn)(const struct file *f, void *arg), void *arg)
{
	struct file_walk w = { fn, arg };

	return initrd_for_each_entry(walk_entry, &w);
}

bool initrd_present(void)
{
	return archive.start != NULL;
}

static bool count_file(const struct file *f, void *arg)
{
	int *count = arg;

	(void)f;
	(*count)++;
	return true;
}

int initrd_init(const void *start, uint64_t size)
{
	int count = 0, err;

	archive.start = start;
	archive.size = start ? size : 0;
	err = walk(count_file, &count);
	return err ? err : count;
}

struct search {
	const char *path;
	struct file *found;
};

static bool match_file(const struct file *f, void *arg)
{
	struct search *s = arg;

	if (strcmp(f->path, s->path) != 0)
		return true;
	*s->found = *f;
	return false;
}

int initrd_open(const char *path, struct file *out)
{
	struct search s = { .path = strip_root(path), .found = out };
	int ret = walk(match_file, &s);

	if (ret < 0)
		return ret;
	return ret ? 0 : -ENOENT;
}

void initrd_for_each(bool (*fn)(const struct file *f, void *arg), void *arg)
{
	/* initrd_init has told of damage; here its files up to there are served. */
	(void)walk(fn, arg);
}
