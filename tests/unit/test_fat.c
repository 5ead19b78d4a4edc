/* FAT through the VFS: images made by ordinary tools, changed by us, checked and read back by these tools. */
// sources: fs/vfs_path.c fs/vfs_follow.c fs/vfs_link.c fs/vfs_mount.c fs/vfs_path_ops.c fs/vfs_file.c drivers/block/claim.c fs/fat/fat.c fs/fat/disk.c fs/fat/names.c fs/fat/file.c fs/fat/dir.c fs/fat/library.c fs/fat/unicode.c
#include <errno.h>

#include <caisson/mm.h>
#include <caisson/vfs.h>

#include <block_ram.h>
#include <fat_image.h>
#include <mem.h>
#include <test.h>

/* Each kind, the first three with clusters of one sector. */
static const struct kind {
	const char *name, *options;
	unsigned kib;
} kinds[] = {
	{ "FAT12", "-F 12 -s 1", 1440 },
	{ "FAT16", "-F 16 -s 1", 4200 },
	{ "FAT32", "-F 32 -s 1", 36000 },
	{ "FAT16 with large clusters", "-F 16 -s 16", 36000 },
};

#define FOR_EACH_KIND(k) for (const struct kind *k = kinds; k < kinds + ARRAY_SIZE(kinds); k++)

static size_t used_before;

static void begin(const struct kind *k)
{
	image_make(k->options, k->kib);
	used_before = heap_in_use();
	image_mount(0);
}

static void end(void)
{
	image_unmount_clean();
	assert_int_equal(heap_in_use(), used_before);
}

static struct vfs_file *opened(const char *path, unsigned flags)
{
	struct vfs_file *f = NULL;

	assert_int_equal(vfs_open(path, flags, &f), 0);
	return f;
}

static void put(const char *path, unsigned flags, const char *text)
{
	struct vfs_file *f = opened(path, flags | VFS_WRITE);

	assert_int_equal(vfs_write(f, text, strlen(text)), strlen(text));
	assert_int_equal(vfs_close(f), 0);
}

static const char *get(const char *path)
{
	static char text[512];
	struct vfs_file *f = opened(path, VFS_READ);
	int64_t n = vfs_read(f, text, sizeof(text) - 1);

	assert_true(n >= 0);
	text[n] = '\0';
	assert_int_equal(vfs_close(f), 0);
	return text;
}

static int64_t size_of(const char *path)
{
	struct vfs_stat st;

	assert_int_equal(vfs_stat(path, &st), 0);
	return (int64_t)st.size;
}

/* Names in a directory, in its order, each followed by a space; directories with a slash. */
static const char *listing(const char *path)
{
	static char text[4096];
	struct vfs_file *f = opened(path, VFS_DIRECTORY);
	struct vfs_dirent d;
	int more;

	text[0] = '\0';
	while ((more = vfs_readdir(f, &d)) > 0) {
		strcat(text, d.name);
		strcat(text, d.kind == VFS_DIR ? "/ " : " ");
	}
	assert_int_equal(more, 0);
	assert_int_equal(vfs_close(f), 0);
	return text;
}

static char pattern(uint64_t i)
{
	return (char)(i * 7 + i / 251);
}

static void U_mount_reads_what_mtools_wrote(void **state)
{
	(void)state;
	FOR_EACH_KIND(k) {
		image_make(k->options, k->kib);
		assert_int_equal(shell("printf 'hello disk' >h && mmd -i image ::/sub && mcopy -i image h ::/sub/h.txt && "
				       "mcopy -i image h '::/A long name, ä ü €.text'"), 0);
		mock_disk_load(shell_output("realpath image | tr -d '\\n'"));
		image_mount(0);
		assert_string_equal(get("/sub/h.txt"), "hello disk");
		assert_string_equal(get("/a LONG name, Ä ü €.text"), "hello disk");
		assert_string_equal(listing("/"), "sub/ A long name, ä ü €.text ");
		assert_int_equal(size_of("/sub/../sub/./h.txt"), 10);
		end();
	}
}

static void U_mount_writes_what_mtools_reads(void **state)
{
	(void)state;
	FOR_EACH_KIND(k) {
		begin(k);
		assert_int_equal(vfs_mkdir("/dir"), 0);
		put("/dir/An Äpfel file.txt", VFS_CREATE, "one ");
		put("/dir/An Äpfel file.txt", VFS_APPEND, "two");
		put("/SHORT.TXT", VFS_CREATE | VFS_EXCLUSIVE, "short");
		assert_int_equal(vfs_rename("/dir/An Äpfel file.txt", "/dir/renamed"), 0);
		end();
		assert_string_equal(shell_output("mtype -i image ::/dir/renamed"), "one two");
		assert_string_equal(shell_output("mtype -i image ::/short.txt"), "short");
		assert_string_equal(shell_output("mdir -b -i image ::/"), "::/dir/\n::/SHORT.TXT\n");
	}
}

/* Reads and writes of all lengths at all places, against a plain array. */
static void random_accesses(struct vfs_file *f, char *model, size_t room)
{
	static char buffer[20000];
	uint64_t seed = 5, size = 0;

	for (unsigned i = 0; i < 600; i++) {
		size_t n = mock_random(&seed) % (i % 3 ? 700 : sizeof(buffer));
		uint64_t pos = mock_random(&seed) % room;

		n = MIN(n, room - pos);
		assert_int_equal(vfs_seek(f, (int64_t)pos, VFS_SEEK_SET), pos);
		if (mock_random(&seed) % 8 == 0) {
			assert_int_equal(vfs_truncate(f, pos), 0);
			memset(model + MIN(pos, size), 0, room - MIN(pos, size));
			size = pos;
		} else if (mock_random(&seed) % 2) {
			for (size_t j = 0; j < n; j++)
				buffer[j] = model[pos + j] = pattern(mock_random(&seed));
			assert_int_equal(vfs_write(f, buffer, n), n);
			size = n ? MAX(size, pos + n) : size;
		} else {
			int64_t expected = pos < size ? (int64_t)MIN(n, size - pos) : 0;

			assert_int_equal(vfs_read(f, buffer, n), expected);
			assert_memory_equal(buffer, model + pos, expected);
		}
		assert_int_equal(vfs_seek(f, 0, VFS_SEEK_END), size);
	}
}

static void U_mount_any_access_reads_what_was_written(void **state)
{
	size_t room = 100000;
	char *model = calloc(1, room), *back = malloc(room);

	(void)state;
	FOR_EACH_KIND(k) {
		struct vfs_file *f;
		int64_t size;

		begin(k);
		memset(model, 0, room);
		f = opened("/data", VFS_READ | VFS_WRITE | VFS_CREATE);
		random_accesses(f, model, room);
		size = vfs_seek(f, 0, VFS_SEEK_END);
		assert_int_equal(size_of("/data"), size);
		assert_int_equal(vfs_close(f), 0);
		assert_int_equal(size_of("/data"), size);
		f = opened("/data", VFS_READ);
		assert_int_equal(vfs_read(f, back, room), size);
		assert_memory_equal(back, model, size);
		assert_int_equal(vfs_close(f), 0);
		end();
	}
	free(model);
	free(back);
}

static void a_file_opened_twice_is_one_file(void **state)
{
	struct vfs_file *a, *b;
	char text[16] = { 0 };

	(void)state;
	begin(&kinds[0]);
	a = opened("/f", VFS_WRITE | VFS_CREATE);
	b = opened("/F", VFS_READ | VFS_WRITE);
	assert_int_equal(vfs_write(a, "0123456789", 10), 10);
	assert_int_equal(vfs_read(b, text, 4), 4);
	assert_string_equal(text, "0123");
	assert_int_equal(size_of("/f"), 10);
	assert_int_equal(vfs_unlink("/f"), -EBUSY);
	assert_int_equal(vfs_rename("/f", "/g"), -EBUSY);
	assert_int_equal(vfs_unmount("/"), -EBUSY);
	assert_int_equal(vfs_truncate(b, 3), 0);
	assert_int_equal(vfs_close(b), 0);
	assert_int_equal(vfs_write(a, "x", 1), 1);
	assert_int_equal(vfs_close(a), 0);
	assert_int_equal(size_of("/f"), 11);
	assert_int_equal(vfs_unlink("/f"), 0);
	end();
}

static void flags_say_what_may_be_done(void **state)
{
	struct vfs_file *f;
	char c;

	(void)state;
	begin(&kinds[1]);
	assert_int_equal(vfs_open("/f", 0, &f), -EINVAL);
	assert_int_equal(vfs_open("/f", VFS_READ | VFS_TRUNCATE, &f), -EINVAL);
	assert_int_equal(vfs_open("/f", VFS_READ | 256, &f), -EINVAL);
	assert_int_equal(vfs_open("f", VFS_READ, &f), -EINVAL);
	assert_int_equal(vfs_open("/f", VFS_READ, &f), -ENOENT);
	assert_int_equal(vfs_open("/none/f", VFS_WRITE | VFS_CREATE, &f), -ENOENT);
	put("/f", VFS_CREATE, "text");
	assert_int_equal(vfs_open("/f", VFS_WRITE | VFS_CREATE | VFS_EXCLUSIVE, &f), -EEXIST);
	assert_int_equal(vfs_open("/f", VFS_DIRECTORY, &f), -ENOTDIR);
	assert_int_equal(vfs_open("/", VFS_READ, &f), -EISDIR);
	assert_int_equal(vfs_open("/f/g", VFS_READ, &f), -ENOTDIR);
	f = opened("/f", VFS_READ);
	assert_int_equal(vfs_write(f, "x", 1), -EBADF);
	assert_int_equal(vfs_truncate(f, 0), -EBADF);
	assert_int_equal(vfs_seek(f, -1, VFS_SEEK_CUR), -EINVAL);
	assert_int_equal(vfs_seek(f, INT64_MAX, VFS_SEEK_SET), INT64_MAX);
	assert_int_equal(vfs_seek(f, 1, VFS_SEEK_CUR), -EINVAL);
	assert_int_equal(vfs_read(f, &c, 1), 0);
	assert_int_equal(vfs_close(f), 0);
	f = opened("/f", VFS_WRITE);
	assert_int_equal(vfs_read(f, &c, 1), -EBADF);
	assert_int_equal(vfs_seek(f, UINT32_MAX, VFS_SEEK_SET), UINT32_MAX);
	assert_int_equal(vfs_write(f, "x", 1), -EFBIG);
	assert_int_equal(vfs_truncate(f, (uint64_t)UINT32_MAX + 1), -EFBIG);
	assert_int_equal(vfs_close(f), 0);
	put("/f", VFS_TRUNCATE, "x");
	assert_string_equal(get("/f"), "x");
	f = opened("/", VFS_DIRECTORY);
	assert_int_equal(vfs_read(f, &c, 1), -EISDIR);
	assert_int_equal(vfs_close(f), 0);
	end();
}

static void names_that_fat_cannot_have(void **state)
{
	static const char *const bad[] = { "/a\\b", "/a\nb", "/a:b", "/a*", "/a?", "/<", "/\"", "/|", "/...", "/\xff\xfe" };
	char path[600] = "/";
	struct vfs_file *f;

	(void)state;
	begin(&kinds[1]);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(vfs_open(bad[i], VFS_WRITE | VFS_CREATE, &f), -EINVAL);
		assert_int_equal(vfs_mkdir(bad[i]), -EINVAL);
	}
	memset(path + 1, 'n', VFS_NAME_MAX);
	put(path, VFS_CREATE, "long");
	assert_string_equal(get(path), "long");
	strcat(path, "n");
	assert_int_equal(vfs_open(path, VFS_READ, &f), -ENAMETOOLONG);
	assert_int_equal(strlen(listing("/")), VFS_NAME_MAX + 1);
	end();
}

static void directories(void **state)
{
	struct vfs_file *f;

	(void)state;
	FOR_EACH_KIND(k) {
		char path[64];

		begin(k);
		assert_int_equal(vfs_mkdir("/d"), 0);
		assert_int_equal(vfs_mkdir("/D"), -EEXIST);
		assert_int_equal(vfs_mkdir("/"), -EEXIST);
		assert_int_equal(vfs_mkdir("/no/d"), -ENOENT);
		for (unsigned i = 0; i < 150; i++) {
			snprintf(path, sizeof(path), "/d/file with number %u", i);
			put(path, VFS_CREATE, "x");
		}
		assert_int_equal(vfs_unlink("/d"), -EISDIR);
		assert_int_equal(vfs_rmdir("/d/file with number 3"), -ENOTDIR);
		assert_int_equal(vfs_rmdir("/d"), -ENOTEMPTY);
		for (unsigned i = 0; i < 150; i++) {
			snprintf(path, sizeof(path), "/d/file with number %u", i);
			assert_int_equal(vfs_unlink(path), 0);
		}
		f = opened("/d", VFS_DIRECTORY);
		assert_int_equal(vfs_rmdir("/d"), -EBUSY);
		assert_int_equal(vfs_close(f), 0);
		assert_int_equal(vfs_rmdir("/d"), 0);
		assert_int_equal(vfs_rmdir("/d"), -ENOENT);
		assert_int_equal(vfs_rmdir("/"), -EBUSY);
		assert_string_equal(listing("/"), "");
		end();
	}
}

static void renaming(void **state)
{
	(void)state;
	FOR_EACH_KIND(k) {
		begin(k);
		put("/a", VFS_CREATE, "a");
		put("/b", VFS_CREATE, "b");
		assert_int_equal(vfs_mkdir("/long directory"), 0);
		assert_int_equal(vfs_mkdir("/long directory/inner"), 0);
		assert_int_equal(vfs_mkdir("/empty"), 0);
		assert_int_equal(vfs_rename("/a", "/b"), 0);
		assert_string_equal(get("/b"), "a");
		assert_int_equal(vfs_rename("/b", "/B"), 0);
		assert_int_equal(vfs_rename("/B", "/B"), 0);
		assert_int_equal(vfs_rename("/none", "/x"), -ENOENT);
		assert_int_equal(vfs_rename("/B", "/empty"), -EISDIR);
		assert_int_equal(vfs_rename("/empty", "/B"), -ENOTDIR);
		assert_int_equal(vfs_rename("/empty", "/long directory"), -ENOTEMPTY);
		assert_int_equal(vfs_rename("/long directory", "/Long Directory/inner/x"), -EINVAL);
		assert_int_equal(vfs_rename("/long directory", "/LONGDI~1/x"), -EINVAL);
		assert_int_equal(vfs_rename("/", "/x"), -EBUSY);
		assert_int_equal(vfs_rename("/long directory/inner", "/empty"), 0);
		assert_int_equal(vfs_rename("/B", "/empty/B"), 0);
		assert_int_equal(vfs_rename("/empty", "/long directory/e"), 0);
		assert_string_equal(get("/long directory/e/b"), "a");
		assert_string_equal(listing("/"), "long directory/ ");
		end();
	}
}

static void disk_full(void **state)
{
	static char block[10000];

	(void)state;
	FOR_EACH_KIND(k) {
		struct vfs_file *f;
		int64_t n, total = 0;

		if (k->kib > 5000)
			continue;
		begin(k);
		put("/keep", VFS_CREATE, "kept");
		f = opened("/big", VFS_WRITE | VFS_CREATE);
		while ((n = vfs_write(f, block, sizeof(block))) > 0)
			total += n;
		assert_int_equal(n, -ENOSPC);
		/* A file that cannot become so long stays as it was, also where there is room for a part. */
		total -= 20000;
		assert_int_equal(vfs_truncate(f, (uint64_t)total), 0);
		assert_int_equal(vfs_truncate(f, (uint64_t)total + 40000), -ENOSPC);
		assert_int_equal(size_of("/big"), total);
		assert_int_equal(vfs_seek(f, total + 30000, VFS_SEEK_SET), total + 30000);
		assert_int_equal(vfs_write(f, "x", 1), -ENOSPC);
		assert_int_equal(size_of("/big"), total);
		assert_int_equal(vfs_seek(f, 0, VFS_SEEK_END), total);
		while (vfs_write(f, block, 500) > 0)
			;
		assert_int_equal(vfs_mkdir("/dir"), -ENOSPC);
		assert_int_equal(vfs_close(f), 0);
		end();
		image_mount(0);
		assert_int_equal(vfs_unlink("/big"), 0);
		assert_int_equal(vfs_mkdir("/dir"), 0);
		assert_string_equal(get("/keep"), "kept");
		end();
	}
}

static void root_directory_full(void **state)
{
	struct vfs_file *f;
	char path[32];
	int err = 0;

	(void)state;
	begin(&kinds[0]);
	for (unsigned i = 0; !err; i++) {
		snprintf(path, sizeof(path), "/F%u", i);
		err = vfs_open(path, VFS_WRITE | VFS_CREATE, &f);
		if (!err)
			assert_int_equal(vfs_close(f), 0);
	}
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(vfs_mkdir("/dir"), -ENOSPC);
	end();
}

static void check_read_only(void)
{
	struct vfs_file *f;

	assert_string_equal(get("/f"), "text");
	assert_int_equal(vfs_open("/f", VFS_WRITE, &f), -EROFS);
	assert_int_equal(vfs_open("/new", VFS_READ | VFS_CREATE, &f), -EROFS);
	assert_int_equal(vfs_open("/f", VFS_READ | VFS_CREATE, &f), 0);
	assert_int_equal(vfs_close(f), 0);
	assert_int_equal(vfs_unlink("/f"), -EROFS);
	assert_int_equal(vfs_mkdir("/d"), -EROFS);
	assert_int_equal(vfs_rmdir("/d"), -EROFS);
	assert_int_equal(vfs_rename("/f", "/g"), -EROFS);
	assert_int_equal(vfs_sync_all(), 0);
}

static void read_only(void **state)
{
	unsigned char *before;
	size_t size;

	(void)state;
	begin(&kinds[2]);
	put("/f", VFS_CREATE, "text");
	end();
	size = mock_disk.n_sectors * BLOCK_SECTOR;
	before = malloc(size);
	memcpy(before, mock_disk_image, size);
	image_mount(VFS_READ_ONLY);
	check_read_only();
	assert_int_equal(vfs_unmount("/"), 0);
	mock_disk.read_only = true;
	image_mount(0);
	check_read_only();
	assert_int_equal(vfs_unmount("/"), 0);
	assert_memory_equal(before, mock_disk_image, size);
	free(before);
}

static void a_file_marked_read_only(void **state)
{
	struct vfs_file *f;

	(void)state;
	image_make("-F 12", 720);
	assert_int_equal(shell("printf x >x && mcopy -i image x ::/x && mattrib +r -i image ::/x"), 0);
	mock_disk_load(shell_output("realpath image | tr -d '\\n'"));
	image_mount(0);
	assert_string_equal(get("/x"), "x");
	assert_int_equal(vfs_open("/x", VFS_WRITE, &f), -EACCES);
	assert_int_equal(vfs_unlink("/x"), -EACCES);
	image_unmount_clean();
}

static void sync_puts_it_on_the_medium(void **state)
{
	struct vfs_file *f;

	(void)state;
	begin(&kinds[2]);
	f = opened("/f", VFS_WRITE | VFS_CREATE);
	assert_int_equal(vfs_write(f, "synced", 6), 6);
	assert_int_equal(vfs_sync(f), 0);
	assert_int_equal(image_check(), 0);
	assert_string_equal(shell_output("mtype -i image ::/f"), "synced");
	assert_int_equal(vfs_write(f, " twice", 6), 6);
	assert_int_equal(vfs_sync_all(), 0);
	assert_int_equal(image_check(), 0);
	assert_string_equal(shell_output("mtype -i image ::/f"), "synced twice");
	assert_int_equal(vfs_close(f), 0);
	end();
}

static void dates(void **state)
{
	struct vfs_stat st;

	(void)state;
	image_make("-F 12", 720);
	assert_int_equal(shell("printf x >x && TZ=UTC touch -d '2024-02-29 13:14:16' x && TZ=UTC mcopy -m -i image x ::/x"), 0);
	mock_disk_load(shell_output("realpath image | tr -d '\\n'"));
	image_mount(0);
	assert_int_equal(vfs_stat("/x", &st), 0);
	assert_int_equal(st.mtime, 1709212456);
	put("/x", 0, "y");
	assert_int_equal(vfs_stat("/x", &st), 0);
	assert_int_equal(st.mtime, 1735689600);
	image_unmount_clean();
}

static void the_disk_of_a_file_system_is_claimed(void **state)
{
	struct block_claim c, other;

	(void)state;
	begin(&kinds[0]);
	assert_int_equal(block_claim(&c, &mock_disk, BLOCK_SHARED, "a VM"), -EBUSY);
	end();
	assert_int_equal(block_claim(&c, &mock_disk, BLOCK_SHARED, "a VM"), 0);
	assert_int_equal(vfs_mount("fat", "vda", "/", 0), -EBUSY);
	image_mount(VFS_READ_ONLY);
	assert_int_equal(block_claim(&other, &mock_disk, BLOCK_SHARED, "another"), 0);
	block_release(&other);
	block_release(&c);
	assert_int_equal(vfs_unmount("/"), 0);
	assert_int_equal(block_claim(&c, &mock_disk, BLOCK_EXCLUSIVE, "a VM"), 0);
	block_release(&c);
	mock_disk_poke(510, 0); /* no file system: nothing stays claimed */
	assert_int_not_equal(vfs_mount("fat", "vda", "/", 0), 0);
	assert_int_equal(block_claim(&c, &mock_disk, BLOCK_EXCLUSIVE, "a VM"), 0);
	block_release(&c);
	assert_int_equal(heap_in_use(), used_before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(U_mount_reads_what_mtools_wrote),
		cmocka_unit_test(U_mount_writes_what_mtools_reads),
		cmocka_unit_test(U_mount_any_access_reads_what_was_written),
		cmocka_unit_test(a_file_opened_twice_is_one_file),
		cmocka_unit_test(flags_say_what_may_be_done),
		cmocka_unit_test(names_that_fat_cannot_have),
		cmocka_unit_test(directories),
		cmocka_unit_test(renaming),
		cmocka_unit_test(disk_full),
		cmocka_unit_test(root_directory_full),
		cmocka_unit_test(read_only),
		cmocka_unit_test(a_file_marked_read_only),
		cmocka_unit_test(sync_puts_it_on_the_medium),
		cmocka_unit_test(dates),
		cmocka_unit_test(the_disk_of_a_file_system_is_claimed),
	};

	return cmocka_run_group_tests(tests, image_folder, image_folder_remove);
}
