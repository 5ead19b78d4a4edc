/* FAT, bad input: images without a volume, cut short, damaged at random; devices and memory that fail. */
// sources: fs/vfs_path.c fs/vfs_follow.c fs/vfs_link.c fs/vfs_mount.c fs/vfs_path_ops.c fs/vfs_file.c drivers/block/claim.c fs/fat/fat.c fs/fat/disk.c fs/fat/names.c fs/fat/file.c fs/fat/dir.c fs/fat/library.c fs/fat/unicode.c
#include <errno.h>
#include <unistd.h>

#include <caisson/mm.h>
#include <caisson/vfs.h>

#include <block_ram.h>
#include <fat_image.h>
#include <mem.h>
#include <test.h>

/* fs/fat/disk.c: 0, or 1 for an error. */
unsigned disk_read(void *drv, unsigned char *data, uint32_t sector, unsigned n);
unsigned disk_write(void *drv, const unsigned char *data, uint32_t sector, unsigned n);

#define FILE_BYTES 5000
#define PARTITION 64            /* its first sector */

static unsigned char text[FILE_BYTES];

/* --- a sequence of operations that says only how often it got through --- */

static int write_file(const char *path, unsigned flags, size_t n)
{
	struct vfs_file *f;
	int64_t done;
	int err = vfs_open(path, flags | VFS_WRITE, &f);

	if (err)
		return err;
	done = vfs_write(f, text, n);
	if (done >= 0 && (size_t)done < n)
		done = -ENOSPC;
	err = vfs_close(f);
	return done < 0 ? (int)done : err;
}

static int read_file(const char *path, uint64_t most)
{
	static char buffer[3000];
	struct vfs_file *f;
	int64_t n = 1;
	int err = vfs_open(path, VFS_READ, &f);

	if (err)
		return err;
	for (uint64_t done = 0; n > 0 && done < most; done += (uint64_t)n)
		n = vfs_read(f, buffer, sizeof(buffer));
	err = vfs_close(f);
	return n < 0 ? (int)n : err;
}

/* Everything in a directory is looked at; of a directory that never ends, a part. */
static int walk(const char *path, unsigned depth)
{
	char below[VFS_PATH_MAX];
	struct vfs_dirent d;
	struct vfs_file *f;
	struct vfs_stat st;
	int err = vfs_open(*path ? path : "/", VFS_DIRECTORY, &f), more = 1, first = 0;

	if (err)
		return err;
	for (unsigned i = 0; i < 40 && (more = vfs_readdir(f, &d)) > 0; i++) {
		if (snprintf(below, sizeof(below), "%s/%s", path, d.name) >= (int)sizeof(below))
			break;
		err = vfs_stat(below, &st);
		if (!err && st.kind == VFS_DIR && depth < 4)
			err = walk(below, depth + 1);
		else if (!err && st.kind == VFS_FILE)
			err = read_file(below, 60000);
		first = first ? first : err;
	}
	err = vfs_close(f);
	return first ? first : more < 0 ? more : err;
}

static int cut(const char *path, uint64_t size)
{
	struct vfs_file *f;
	int err = vfs_open(path, VFS_WRITE, &f), closed;

	if (err)
		return err;
	err = vfs_truncate(f, size);
	closed = vfs_close(f);
	return err ? err : closed;
}

/* @return the first error. Later steps are tried all the same. */
static int use_it(void)
{
	int errors[] = {
		walk("", 0),
		write_file("/new file", VFS_CREATE, 3000),
		write_file("/a/one", VFS_APPEND, 1500),
		cut("/a/long name of a file", 700),
		cut("/a/one", 12000),
		vfs_mkdir("/a/made"),
		vfs_rename("/a/one", "/a/made/one"),
		vfs_rename("/a/b", "/b"),
		vfs_unlink("/a/made/one"),
		vfs_rmdir("/a/made"),
		write_file("/b/two", VFS_CREATE | VFS_TRUNCATE, 900),
		vfs_sync_all(),
		walk("", 0),
	};

	for (unsigned i = 0; i < ARRAY_SIZE(errors); i++) {
		assert_in_range(-errors[i], 0, 4095);
		if (errors[i])
			return errors[i];
	}
	return 0;
}

/* A volume with some files in two directories. */
static void make_volume(const char *options, unsigned kib)
{
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (unsigned char)(i * 31 >> 3);
	image_make(options, kib);
	image_mount(0);
	assert_int_equal(vfs_mkdir("/a"), 0);
	assert_int_equal(vfs_mkdir("/a/b"), 0);
	assert_int_equal(write_file("/a/one", VFS_CREATE, 5000), 0);
	assert_int_equal(write_file("/a/long name of a file", VFS_CREATE, 2000), 0);
	assert_int_equal(write_file("/a/b/two", VFS_CREATE, 600), 0);
	assert_int_equal(write_file("/last", VFS_CREATE, 5000), 0);
	image_unmount_clean();
}

/* --- no volume at all --- */

static void assert_no_volume(int expected)
{
	size_t before = heap_in_use();

	assert_int_equal(vfs_mount("fat", "vda", "/", 0), expected);
	assert_int_equal(heap_in_use(), before);
}

static void no_volume(void **state)
{
	static unsigned char image[4096];

	(void)state;
	mock_disk_set(image, 0);
	assert_no_volume(-EINVAL);
	mock_disk_set(image, sizeof(image));
	assert_no_volume(-EINVAL);
	memset(image, 0xff, sizeof(image));
	mock_disk_set(image, sizeof(image));
	assert_no_volume(-EINVAL);
	image[510] = 0x55;
	image[511] = 0xaa;
	mock_disk_set(image, sizeof(image));
	assert_no_volume(-EINVAL);
	assert_int_equal(vfs_mount("fat", "vdb", "/", 0), -ENODEV);
	assert_int_equal(vfs_mount("ext4", "vda", "/", 0), -ENODEV);
}

static void mounted_once(void **state)
{
	(void)state;
	make_volume("-F 12", 720);
	image_mount(0);
	assert_int_equal(vfs_mount("fat", "vda", "/", 0), -EBUSY);
	assert_int_equal(vfs_mount("fat", "vda", "/other", 0), -EBUSY);
	image_unmount_clean();
	assert_int_equal(vfs_unmount("/"), -EINVAL);
	assert_int_equal(vfs_mkdir("/a"), -ENOENT);
}

/* --- images cut short --- */

static void cut_short(void **state)
{
	(void)state;
	make_volume("-F 12", 720);
	mock_disk_keep();
	for (uint64_t n = 0; n < 1440; n += n < 80 ? 1 : 97) {
		mock_disk.n_sectors = n;
		assert_no_volume(-EINVAL);
	}
	mock_disk_restore();
	image_mount(0);
	image_unmount_clean();
}

/* --- things that fail --- */

static void devices_that_fail(void **state)
{
	static const int errors[] = { -EIO, -ETIMEDOUT };

	(void)state;
	make_volume("-F 12 -s 1", 720);
	mock_disk_keep();
	for (uint64_t n = 1, past = 0; !past; n++) {
		int err;

		mock_disk_error = errors[n % ARRAY_SIZE(errors)];
		mock_disk_fail_at = n;
		err = vfs_mount("fat", "vda", "/", 0);
		if (!err) {
			err = use_it();
			past = mock_disk_fail_at != 0;
			mock_disk_fail_at = 0;
			assert_true(!err || !past);
			assert_in_range(-vfs_unmount("/"), 0, 4095);
		} else {
			assert_int_equal(err, mock_disk_error);
		}
		assert_int_equal(mock_disk_fail_at, 0);
		mock_disk_restore();
	}
}

/* Memory that is out costs the operation, not the volume. */
static void M1_memory_that_is_out(void **state)
{
	size_t before = heap_in_use();

	(void)state;
	make_volume("-F 12 -s 1", 720);
	before = heap_in_use();
	mock_disk_keep();
	for (uint64_t n = 1, past = 0; !past; n++) {
		int err;

		mock_alloc_fail_at = n;
		err = vfs_mount("fat", "vda", "/", 0);
		if (!err) {
			err = use_it();
			past = mock_alloc_fail_at != 0;
			mock_alloc_fail_at = 0;
			assert_int_equal(err, past ? 0 : -ENOMEM);
			if (n % 16 == 0)
				image_unmount_clean();
			else
				assert_int_equal(vfs_unmount("/"), 0);
		} else {
			assert_int_equal(err, -ENOMEM);
		}
		assert_int_equal(heap_in_use(), before);
		mock_disk_restore();
	}
}

/* --- damage at random --- */

static uint64_t seed;

static uint64_t below(uint64_t n)
{
	return mock_random(&seed) % n;
}

static bool is_file_data(const unsigned char *sector)
{
	for (size_t i = 0; i + BLOCK_SECTOR <= sizeof(text); i += BLOCK_SECTOR)
		if (!memcmp(sector, text + i, BLOCK_SECTOR))
			return true;
	return false;
}

/* Where the volume says something: bytes that are not zero, outside the files. */
static uint64_t *telling_bytes(uint64_t from, uint64_t *n)
{
	uint64_t *bytes = NULL;

	*n = 0;
	for (uint64_t s = from; s < mock_disk.n_sectors; s++) {
		const unsigned char *sector = mock_disk_image + s * BLOCK_SECTOR;

		if (is_file_data(sector))
			continue;
		for (unsigned i = 0; i < BLOCK_SECTOR; i++) {
			if (!sector[i])
				continue;
			bytes = realloc(bytes, (*n + 1) * sizeof(*bytes));
			bytes[(*n)++] = s * BLOCK_SECTOR + i;
		}
	}
	return bytes;
}

/* One to four bytes at or just after a telling one become a number that is likely to be wrong. */
static void damage(const uint64_t *bytes, uint64_t n)
{
	static const uint32_t numbers[] = { 0, 1, 2, 3, 0x7f, 0x80, 0xff, 0x100, 0xfff, 0xffff, 0xfffffff, 0x10000000,
					    0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff8 };
	uint64_t at = bytes[below(n)] + below(3);
	uint32_t value = below(2) ? numbers[below(ARRAY_SIZE(numbers))] : (uint32_t)below(below(2) ? 40 : BIT(32));
	unsigned size = (unsigned)(1 << below(3));

	if (at + size > mock_disk.n_sectors * BLOCK_SECTOR)
		return;
	if (below(3) == 0)
		mock_disk_poke(at, mock_disk_image[at] ^ (unsigned char)(1 << below(8)));
	else
		for (unsigned i = 0; i < size; i++)
			mock_disk_poke(at + i, (unsigned char)(value >> 8 * i));
}

static unsigned fuzz_rounds(unsigned usual)
{
	const char *factor = getenv("CAISSON_FUZZ");

	return factor ? usual * (unsigned)atoi(factor) : usual;
}

/* start: the volume's first sector. What is before it is not the volume's business. */
static void fuzz(unsigned rounds, uint64_t start)
{
	uint64_t n_bytes, mounted = 0, whole = 0, most_calls = 0;
	uint64_t *bytes = telling_bytes(start, &n_bytes);
	size_t before = heap_in_use();

	mock_disk_keep();
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t calls = mock_disk_calls;

		seed = i;
		alarm(20); /* whoever hangs is killed */
		for (uint64_t n = 1 + below(below(2) ? 2 : 20); n > 0; n--)
			damage(bytes, n_bytes);
		if (below(16) == 0)
			mock_disk.n_sectors = below(mock_disk.n_sectors);
		if (vfs_mount("fat", "vda", "/", below(8) ? 0 : VFS_READ_ONLY) == 0) {
			mounted++;
			whole += use_it() == 0;
			assert_in_range(-vfs_unmount("/"), 0, 4095);
		}
		assert_int_equal(heap_in_use(), before);
		assert_false(mock_disk_changed_below(start));
		most_calls = MAX(most_calls, mock_disk_calls - calls);
		mock_disk_restore();
	}
	alarm(0);
	free(bytes);
	print_message("%u images: %u mounted, %u without an error; at most %u accesses to the device\n", rounds,
		      (unsigned)mounted, (unsigned)whole, (unsigned)most_calls);
	/* The damage is of the kind that matters: neither harmless nor always refused at once. */
	assert_true(mounted > rounds / 4);
	assert_true(whole < mounted * 3 / 4);
}

static void damaged_fat12(void **state)
{
	(void)state;
	make_volume("-F 12 -s 1", 360);
	fuzz(fuzz_rounds(5000), 0);
}

static void damaged_fat16(void **state)
{
	(void)state;
	make_volume("-F 16 -s 1", 2500);
	fuzz(fuzz_rounds(3000), 0);
}

static void damaged_fat32(void **state)
{
	(void)state;
	make_volume("-F 32 -s 1", 34000);
	fuzz(fuzz_rounds(2000), 0);
}

/* The volume in the first partition of a disk, with as much again behind it. */
static void make_partition(void)
{
	size_t size, before = PARTITION * BLOCK_SECTOR;
	unsigned char *disk;

	make_volume("-F 12 -s 1", 360);
	size = mock_disk.n_sectors * BLOCK_SECTOR;
	disk = calloc(1, before + 2 * size);
	assert_non_null(disk);
	memcpy(disk + before, mock_disk_image, size);
	/* One entry of a partition table: its type, first sector and length. */
	disk[446 + 4] = 1;
	disk[446 + 8] = PARTITION;
	disk[446 + 12] = (unsigned char)mock_disk.n_sectors;
	disk[446 + 13] = (unsigned char)(mock_disk.n_sectors >> 8);
	disk[510] = 0x55;
	disk[511] = 0xaa;
	mock_disk_set(disk, before + 2 * size);
	free(disk);
}

/* Nothing is written before it. */
static void damaged_in_a_partition(void **state)
{
	(void)state;
	make_partition();
	fuzz(fuzz_rounds(3000), PARTITION);
}

static bool take_volume(const struct vfs_mount *m, void *arg)
{
	*(void **)arg = m->data;
	return false;
}

/* What the library calls; numbers that lead out of a volume need a device of a terabyte. */
static void nothing_is_written_outside_the_volume(void **state)
{
	static unsigned char sectors[2 * BLOCK_SECTOR];
	uint64_t end = PARTITION + 720;
	void *volume = NULL;

	(void)state;
	make_partition();
	image_mount(0);
	vfs_for_each_mount(take_volume, &volume);
	assert_int_equal(disk_read(volume, sectors, (uint32_t)end - 1, 1), 0);
	assert_int_equal(disk_write(volume, sectors, (uint32_t)end - 1, 1), 0);
	assert_int_equal(disk_write(volume, sectors, (uint32_t)end - 1, 2), 1);
	assert_int_equal(disk_write(volume, sectors, (uint32_t)end, 1), 1);
	assert_int_equal(disk_write(volume, sectors, PARTITION - 1, 1), 1);
	assert_int_equal(disk_write(volume, sectors, PARTITION - 1, 2), 1);
	assert_int_equal(disk_write(volume, sectors, UINT32_MAX, 2), 1);
	assert_int_equal(vfs_unmount("/"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_volume),
		cmocka_unit_test(mounted_once),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(devices_that_fail),
		cmocka_unit_test(M1_memory_that_is_out),
		cmocka_unit_test(damaged_fat12),
		cmocka_unit_test(damaged_fat16),
		cmocka_unit_test(damaged_fat32),
		cmocka_unit_test(damaged_in_a_partition),
		cmocka_unit_test(nothing_is_written_outside_the_volume),
	};

	return cmocka_run_group_tests(tests, image_folder, image_folder_remove);
}
