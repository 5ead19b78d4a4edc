/* Character devices by number, as Linux has them: the console and the simple ones. */
#include <errno.h>
#include <string.h>

#include <caisson/random.h>

#include "device.h"
#include "linux_abi.h"
#include "tty.h"

static int64_t read_nothing(struct open_file *f, void *data, size_t n)
{
	(void)f;
	(void)data;
	(void)n;
	return 0;
}

static int64_t read_zeros(struct open_file *f, void *data, size_t n)
{
	(void)f;
	memset(data, 0, n);
	return (int64_t)n;
}

static int64_t read_random(struct open_file *f, void *data, size_t n)
{
	(void)f;
	random_bytes(data, n);
	return (int64_t)n;
}

static int64_t write_away(struct open_file *f, const void *data, size_t n)
{
	(void)f;
	(void)data;
	return (int64_t)n;
}

static int64_t write_full(struct open_file *f, const void *data, size_t n)
{
	(void)f;
	(void)data;
	(void)n;
	return -ENOSPC;
}

static int64_t seek_nowhere(struct open_file *f, int64_t offset, enum vfs_whence whence)
{
	(void)f;
	(void)offset;
	(void)whence;
	return 0;
}

static int device_stat(struct open_file *f, struct linux_stat *out)
{
	struct vfs_stat st;
	int error = vfs_stat(f->path, &st);

	if (!error)
		stat_from_vfs(&st, f->path, out);
	return error;
}

static int zero_source(struct open_file *f, struct page_source **out)
{
	(void)f;
	*out = NULL;
	return 0;
}

static const struct open_file_ops null_ops = { .read = read_nothing, .write = write_away, .seek = seek_nowhere, .stat = device_stat };
static const struct open_file_ops zero_ops = { .read = read_zeros, .write = write_away, .seek = seek_nowhere, .stat = device_stat,
					       .source = zero_source };
static const struct open_file_ops full_ops = { .read = read_zeros, .write = write_full, .seek = seek_nowhere, .stat = device_stat };
static const struct open_file_ops random_ops = { .read = read_random, .write = write_away, .seek = seek_nowhere,
						 .stat = device_stat };

static const struct {
	uint64_t number;
	const struct open_file_ops *ops;
} devices[] = {
	{ DEVICE(1, 3), &null_ops }, { DEVICE(1, 5), &zero_ops }, { DEVICE(1, 7), &full_ops },
	{ DEVICE(1, 8), &random_ops }, { DEVICE(1, 9), &random_ops },
};

int device_open(uint64_t device, unsigned flags, const char *path, struct open_file **out)
{
	if (device == DEVICE(5, 0))
		return tty_open(flags, true, out);
	if (device == DEVICE(5, 1))
		return console_open(flags, false, out);
	if (IS_ENABLED(CONFIG_DEBUG_FAIL_ALLOC) && device == FAIL_DEVICE) {
		*out = open_file_new(&failalloc_ops, flags, NULL, path);
		return *out ? 0 : -ENOMEM;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(devices); i++) {
		if (devices[i].number != device)
			continue;
		*out = open_file_new(devices[i].ops, flags, NULL, path);
		return *out ? 0 : -ENOMEM;
	}
	return -ENXIO;
}
