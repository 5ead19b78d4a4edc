/* tmpfs and symbolic links: files, names, links that lead anywhere, a full memory; anything beside the host's own file system. */
// sources: fs/vfs_path.c fs/vfs_follow.c fs/vfs_link.c fs/vfs_mount.c fs/vfs_path_ops.c fs/vfs_file.c fs/tmpfs/tmpfs.c fs/tmpfs/mount.c fs/tmpfs/node.c fs/tmpfs/data.c
#include <errno.h>
#include <stdlib.h>

#include <caisson/mm.h>
#include <caisson/rtc.h>
#include <caisson/vfs.h>
#include <mem.h>
#include <test.h>

extern void (*const __constructors_start[])(void);
extern void (*const __constructors_end[])(void);

uint64_t rtc_wall_ns(void)
{
	return UINT64_C(1700000000) * 1000000000;
}

static int setup(void **state)
{
	(void)state;
	mock_alloc_fail_at = 0;
	mock_frames_total = BIT(20);
	assert_int_equal(vfs_mount("tmpfs", "", "/", 0), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mock_alloc_fail_at = 0;
	assert_int_equal(vfs_unmount("/"), 0);
	assert_int_equal(mock_frames_used, 0);
	assert_int_equal(heap_in_use(), 0);
	return 0;
}

static void put(const char *path, unsigned flags, const char *text)
{
	struct vfs_file *f;

	assert_int_equal(vfs_open(path, VFS_WRITE | VFS_CREATE | flags, &f), 0);
	assert_int_equal(vfs_write(f, text, strlen(text)), strlen(text));
	assert_int_equal(vfs_close(f), 0);
}

static const char *get(const char *path)
{
	static char text[512];
	struct vfs_file *f;
	int64_t n;

	assert_int_equal(vfs_open(path, VFS_READ, &f), 0);
	n = vfs_read(f, text, sizeof(text) - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	assert_int_equal(vfs_close(f), 0);
	return text;
}

static int open_error(const char *path, unsigned flags)
{
	struct vfs_file *f;
	int err = vfs_open(path, flags, &f);

	if (!err)
		assert_int_equal(vfs_close(f), 0);
	return err;
}

static void files(void **state)
{
	struct vfs_stat st;

	(void)state;
	put("/a", 0, "hello");
	put("/a", VFS_APPEND, " world");
	assert_string_equal(get("/a"), "hello world");
	put("/a", VFS_TRUNCATE, "x");
	assert_string_equal(get("/a"), "x");
	assert_int_equal(vfs_stat("/a", &st), 0);
	assert_int_equal(st.size, 1);
	assert_int_equal(st.links, 1);
	assert_int_equal(st.mtime, 1700000000);
	assert_int_equal(open_error("/a/b", VFS_READ), -ENOTDIR);
	assert_int_equal(open_error("/b", VFS_READ), -ENOENT);
	assert_int_equal(open_error("/", VFS_READ), -EISDIR);
}

static void holes_read_as_zeros(void **state)
{
	struct vfs_file *f;
	char byte = 'x';

	(void)state;
	assert_int_equal(vfs_open("/f", VFS_READ | VFS_WRITE | VFS_CREATE, &f), 0);
	assert_int_equal(vfs_seek(f, 100000, VFS_SEEK_SET), 100000);
	assert_int_equal(vfs_write(f, "y", 1), 1);
	assert_int_equal(mock_frames_used, 1);
	assert_int_equal(vfs_read_at(f, &byte, 1, 50000), 1);
	assert_int_equal(byte, 0);
	assert_int_equal(vfs_truncate(f, 10), 0);
	assert_int_equal(mock_frames_used, 0);
	assert_int_equal(vfs_truncate(f, 100001), 0);
	assert_int_equal(vfs_read_at(f, &byte, 1, 100000), 1);
	assert_int_equal(byte, 0); /* what was cut off does not come back */
	assert_int_equal(vfs_close(f), 0);
}

static void an_open_file_outlives_its_name(void **state)
{
	struct vfs_file *f;
	char text[8];

	(void)state;
	put("/a", 0, "old");
	assert_int_equal(vfs_open("/a", VFS_READ, &f), 0);
	assert_int_equal(vfs_unlink("/a"), 0);
	put("/a", 0, "new");
	assert_int_equal(vfs_read(f, text, sizeof(text)), 3);
	assert_memory_equal(text, "old", 3);
	assert_int_equal(vfs_close(f), 0);
	assert_string_equal(get("/a"), "new");
}

static void links(void **state)
{
	struct vfs_stat st;
	char target[64];

	(void)state;
	assert_int_equal(vfs_mkdir("/d"), 0);
	assert_int_equal(vfs_mkdir("/d/e"), 0);
	put("/d/f", 0, "text");
	assert_int_equal(vfs_symlink("d/f", "/relative"), 0);
	assert_int_equal(vfs_symlink("/d", "/absolute"), 0);
	assert_int_equal(vfs_symlink("../f", "/d/e/up"), 0);
	assert_int_equal(vfs_symlink("nothing", "/dangling"), 0);
	assert_string_equal(get("/relative"), "text");
	assert_string_equal(get("/absolute/f"), "text");
	assert_string_equal(get("/absolute/e/up"), "text");
	assert_string_equal(get("/absolute/e/../f"), "text");
	assert_int_equal(open_error("/dangling", VFS_READ), -ENOENT);
	put("/dangling", 0, "made"); /* what it names is made */
	assert_string_equal(get("/nothing"), "made");
	assert_int_equal(vfs_lstat("/relative", &st), 0);
	assert_int_equal(st.kind, VFS_LINK);
	assert_int_equal(st.size, 3);
	assert_int_equal(vfs_stat("/relative", &st), 0);
	assert_int_equal(st.kind, VFS_FILE);
	assert_int_equal(vfs_readlink("/absolute", target, sizeof(target)), 2);
	assert_memory_equal(target, "/d", 2);
	assert_int_equal(vfs_readlink("/d/f", target, sizeof(target)), -EINVAL);
	assert_int_equal(open_error("/relative", VFS_READ | VFS_NO_FOLLOW), -ELOOP);
	assert_int_equal(vfs_unlink("/relative"), 0); /* itself */
	assert_string_equal(get("/d/f"), "text");
	assert_int_equal(vfs_symlink("x", "/d/f"), -EEXIST);
	assert_int_equal(vfs_symlink("", "/new"), -ENOENT);
}

static void loops_of_links(void **state)
{
	char path[VFS_PATH_MAX];

	(void)state;
	assert_int_equal(vfs_symlink("b", "/a"), 0);
	assert_int_equal(vfs_symlink("a", "/b"), 0);
	assert_int_equal(vfs_symlink(".", "/here"), 0);
	assert_int_equal(vfs_symlink("self/self", "/self"), 0);
	assert_int_equal(open_error("/a", VFS_READ), -ELOOP);
	assert_int_equal(open_error("/a/x", VFS_READ), -ELOOP);
	assert_int_equal(open_error("/self", VFS_READ), -ELOOP);
	path[0] = '\0';
	for (unsigned i = 0; i < VFS_LINKS_MAX; i++)
		strcat(path, "/here");
	assert_int_equal(open_error(path, VFS_READ), -EISDIR);
	strcat(path, "/here");
	assert_int_equal(open_error(path, VFS_READ), -ELOOP);
}

static void long_paths_and_names(void **state)
{
	char path[2 * VFS_PATH_MAX];

	(void)state;
	path[0] = '/';
	memset(path + 1, 'n', VFS_NAME_MAX);
	path[1 + VFS_NAME_MAX] = '\0';
	put(path, 0, "x");
	strcat(path, "n");
	assert_int_equal(open_error(path, VFS_WRITE | VFS_CREATE), -ENAMETOOLONG);
	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(open_error(path, VFS_READ), -ENAMETOOLONG);
	memset(path + 1, 'a', 900);
	path[901] = '\0';
	assert_int_equal(vfs_symlink(path, "/l"), 0);
	assert_int_equal(vfs_symlink("l", "/l2"), 0);
	memset(path + 3, 'b', 300);
	memcpy(path, "/l/", 3);
	path[200] = '\0';
	assert_int_equal(open_error(path, VFS_READ), -ENAMETOOLONG);
}

static void names_of_one_file(void **state)
{
	struct vfs_stat st;

	(void)state;
	put("/a", 0, "one");
	assert_int_equal(vfs_link("/a", "/b"), 0);
	put("/b", VFS_APPEND, "two");
	assert_string_equal(get("/a"), "onetwo");
	assert_int_equal(vfs_stat("/a", &st), 0);
	assert_int_equal(st.links, 2);
	assert_int_equal(vfs_unlink("/a"), 0);
	assert_string_equal(get("/b"), "onetwo");
	assert_int_equal(vfs_mkdir("/d"), 0);
	assert_int_equal(vfs_link("/d", "/e"), -EPERM);
	assert_int_equal(vfs_link("/b", "/d"), -EEXIST);
}

/* A folder has a link for each folder in it, and 20 bytes for each entry; "." and ".." count. */
static void expect_folder(const char *path, unsigned entries, unsigned folders)
{
	struct vfs_stat st;

	assert_int_equal(vfs_stat(path, &st), 0);
	assert_int_equal(st.links, 2 + folders);
	assert_int_equal(st.size, 20 * (2 + entries));
}

static void renaming(void **state)
{
	(void)state;
	put("/a", 0, "a");
	put("/b", 0, "b");
	assert_int_equal(vfs_rename("/a", "/b"), 0);
	assert_string_equal(get("/b"), "a");
	assert_int_equal(open_error("/a", VFS_READ), -ENOENT);
	assert_int_equal(vfs_mkdir("/d"), 0);
	assert_int_equal(vfs_mkdir("/d/e"), 0);
	assert_int_equal(vfs_rename("/d", "/d/e/f"), -EINVAL);
	assert_int_equal(vfs_rename("/d", "/b"), -ENOTDIR);
	assert_int_equal(vfs_rename("/b", "/d"), -EISDIR);
	assert_int_equal(vfs_mkdir("/x"), 0);
	assert_int_equal(vfs_rename("/x", "/d"), -ENOTEMPTY);
	assert_int_equal(vfs_rename("/d", "/x"), 0);
	assert_int_equal(vfs_rename("/x/e", "/x/e"), 0);
	assert_int_equal(vfs_rename_to_new("/x/e", "/b"), -EEXIST);
	assert_int_equal(vfs_rename_to_new("/x/e", "/"), -EEXIST);
	assert_int_equal(vfs_rename_to_new("/x/e", "/x/f"), 0);
	assert_int_equal(vfs_rename_to_new("/x/f", "/x/e"), 0);
	assert_int_equal(vfs_rmdir("/x"), -ENOTEMPTY);
	assert_int_equal(vfs_mkdir("/x/g"), 0);
	put("/x/h", 0, "h");
	expect_folder("/x", 3, 2);
	assert_int_equal(vfs_rename("/x/e", "/x/g"), 0);
	expect_folder("/x", 2, 1);
	assert_int_equal(vfs_rename("/x/h", "/h"), 0);
	assert_int_equal(vfs_rename("/x/g", "/g"), 0);
	expect_folder("/x", 0, 0);
	expect_folder("/", 4, 2);
	assert_int_equal(vfs_rmdir("/g"), 0);
	assert_int_equal(vfs_rmdir("/x"), 0);
	expect_folder("/", 2, 0);
}

static void devices_and_attributes(void **state)
{
	struct vfs_stat st = { .mode = 0600, .mtime = 5 };

	(void)state;
	assert_int_equal(vfs_mknod("/null", VFS_DEVICE, 0666, 0x103), 0);
	assert_int_equal(vfs_stat("/null", &st), 0);
	assert_int_equal(st.kind, VFS_DEVICE);
	assert_int_equal(st.device, 0x103);
	assert_int_equal(st.mode, 0666);
	assert_int_equal(open_error("/null", VFS_READ), -ENOTSUP);
	put("/f", 0, "x");
	st = (struct vfs_stat){ .mode = 04755, .mtime = 5 };
	assert_int_equal(vfs_set("/f", &st, VFS_SET_MODE), 0);
	assert_int_equal(vfs_stat("/f", &st), 0);
	assert_int_equal(st.mode, 04755);
	assert_int_equal(st.mtime, 1700000000);
}

static void a_directory_that_changes_while_it_is_read(void **state)
{
	struct vfs_file *d;
	struct vfs_dirent e;
	unsigned seen = 0;

	(void)state;
	for (char c = 'a'; c <= 'f'; c++)
		put((char[]){ '/', c, '\0' }, 0, "x");
	assert_int_equal(vfs_open("/", VFS_DIRECTORY, &d), 0);
	while (vfs_readdir(d, &e) == 1) {
		seen++;
		assert_int_equal(vfs_unlink((char[]){ '/', e.name[0], '\0' }), 0);
	}
	assert_int_equal(seen, 6);
	assert_int_equal(vfs_close(d), 0);
}

static void half_of_memory_is_the_most(void **state)
{
	static char page[PAGE_SIZE];
	struct vfs_file *f;
	unsigned n = 0;

	(void)state;
	assert_int_equal(vfs_unmount("/"), 0);
	mock_frames_total = 100;
	assert_int_equal(vfs_mount("tmpfs", "", "/", 0), 0);
	assert_int_equal(vfs_open("/f", VFS_WRITE | VFS_CREATE, &f), 0);
	while (vfs_write(f, page, sizeof(page)) == PAGE_SIZE)
		n++;
	assert_int_equal(n, 50);
	assert_int_equal(vfs_write(f, page, 1), -ENOSPC);
	assert_int_equal(vfs_close(f), 0);
	assert_int_equal(vfs_unlink("/f"), 0);
	assert_int_equal(mock_frames_used, 0);
}

static void options_say_how_much(void **state)
{
	static const char *const bad[] = { "size=", "size=12x", "size=-1", "mode=9", "mode=10000", "nr_inodes=a", "x", "size=1k,y",
					   "size=99999999999999999999g" };
	struct vfs_statfs room;
	struct vfs_file *f;
	struct vfs_stat st;
	char link[600];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(vfs_mount_with("tmpfs", "", "/m", 0, bad[i], NULL), -EINVAL);
	assert_int_equal(vfs_mount_with("tmpfs", "", "/m", 0, "size=16k,nr_inodes=4,mode=1777", NULL), 0);
	assert_int_equal(vfs_stat("/m", &st), 0);
	assert_int_equal(st.mode, 01777);
	assert_int_equal(vfs_open("/m/f", VFS_WRITE | VFS_CREATE, &f), 0);
	assert_int_equal(vfs_reserve(f, 4095, 2), 0);
	assert_int_equal(vfs_fstat(f, &st), 0);
	assert_true(st.size == 0 && st.room == 2 * PAGE_SIZE);
	assert_int_equal(vfs_statfs("/m/f", &room), 0);
	assert_true(room.blocks == 4 && room.blocks_free == 2 && room.files == 4 && room.files_free == 2);
	/* What is not in pages of files counts as well. */
	memset(link, 'x', sizeof(link) - 1);
	link[200] = '/';
	link[400] = '/';
	link[sizeof(link) - 1] = '\0';
	assert_int_equal(vfs_symlink(link, "/m/l"), 0);
	assert_int_equal(vfs_truncate(f, UINT64_C(1) << 30), 0);
	assert_int_equal(vfs_write_at(f, "x", 1, 1 << 28), -ENOSPC);
	assert_int_equal(vfs_reserve(f, 0, 3 * PAGE_SIZE), 0);
	assert_int_equal(vfs_symlink(link, "/m/l2"), -ENOSPC);
	assert_int_equal(vfs_mkdir("/m/d"), 0);
	assert_int_equal(vfs_mkdir("/m/e"), -ENOSPC);
	assert_int_equal(vfs_close(f), 0);
	assert_int_equal(vfs_unlink("/m/l"), 0);
	assert_int_equal(vfs_unlink("/m/f"), 0);
	assert_int_equal(vfs_rmdir("/m/d"), 0);
	assert_int_equal(vfs_statfs("/m", &room), 0);
	assert_true(room.blocks_free == 4 && room.files_free == 3);
	assert_int_equal(vfs_unmount("/m"), 0);
}

/* What cannot be had is refused before any of it is taken; names count; a mapping that finds no room is told what is full. */
static void what_is_too_much_takes_nothing(void **state)
{
	struct vfs_statfs room;
	struct vfs_file *f;
	hpa_t page;

	(void)state;
	assert_int_equal(vfs_mount_with("tmpfs", "", "/m", 0, "size=16k,nr_inodes=4", NULL), 0);
	assert_int_equal(vfs_open("/m/f", VFS_WRITE | VFS_CREATE, &f), 0);
	assert_int_equal(vfs_write_at(f, "x", 1, PAGE_SIZE), 1);
	assert_int_equal(vfs_reserve(f, 0, 5 * PAGE_SIZE), -ENOSPC);
	assert_int_equal(vfs_reserve(f, 1 << 30, PAGE_SIZE), -ENOSPC);
	assert_int_equal(vfs_statfs("/m", &room), 0);
	assert_int_equal(room.blocks_free, 3);
	assert_int_equal(vfs_reserve(f, 0, 4 * PAGE_SIZE), 0); /* one is there already */
	assert_int_equal(vfs_truncate(f, 5 * PAGE_SIZE), 0);
	assert_int_equal(f->ops->page(f, 4 * PAGE_SIZE, &page), -ENOSPC);
	assert_int_equal(vfs_close(f), 0);
	assert_int_equal(vfs_link("/m/f", "/m/g"), 0);
	assert_int_equal(vfs_link("/m/f", "/m/h"), 0);
	assert_int_equal(vfs_link("/m/f", "/m/i"), -ENOSPC);
	assert_int_equal(vfs_rename("/m/h", "/m/i"), 0);
	assert_int_equal(vfs_mkdir("/m/d"), -ENOSPC);
	assert_int_equal(vfs_unlink("/m/f"), 0);
	assert_int_equal(vfs_unlink("/m/g"), 0);
	assert_int_equal(vfs_statfs("/m", &room), 0);
	assert_int_equal(room.files_free, 2);
	assert_int_equal(vfs_unlink("/m/i"), 0);
	assert_int_equal(vfs_statfs("/m", &room), 0);
	assert_true(room.files_free == 3 && room.blocks_free == 4);
	assert_int_equal(vfs_unmount("/m"), 0);
}

static void times_and_owners(void **state)
{
	struct vfs_stat st = { .mtime = 7, .mtime_ns = 8, .atime = 9, .uid = 10, .gid = 11, .mode = 0 };
	struct vfs_file *f;

	(void)state;
	put("/f", 0, "x");
	assert_int_equal(vfs_open("/f", VFS_READ, &f), 0);
	assert_int_equal(vfs_symlink("f", "/l"), 0);
	assert_int_equal(vfs_lset("/l", &st, VFS_SET_UID), 0);
	assert_int_equal(vfs_unlink("/f"), 0);
	assert_int_equal(vfs_fset(f, &st, VFS_SET_MTIME | VFS_SET_GID), 0);
	assert_int_equal(vfs_fstat(f, &st), 0);
	assert_true(st.mtime == 7 && st.mtime_ns == 8 && st.gid == 11 && st.uid == 0 && st.atime == 1700000000 && st.links == 0);
	assert_int_equal(vfs_close(f), 0);
	assert_int_equal(vfs_lstat("/l", &st), 0);
	assert_int_equal(st.uid, 10);
	assert_int_equal(vfs_mkdir("/d"), 0);
	assert_int_equal(vfs_mkdir("/d/e"), 0);
	assert_int_equal(vfs_stat("/d", &st), 0);
	assert_int_equal(st.links, 3);
}

static void pages_for_others(void **state)
{
	struct vfs_file *f;
	hpa_t page;

	(void)state;
	put("/f", 0, "shown");
	assert_int_equal(vfs_open("/f", VFS_READ, &f), 0);
	assert_int_equal(f->ops->page(f, 0, &page), 0);
	assert_memory_equal(hpa_to_kva(page), "shown", 5);
	assert_int_equal(f->ops->page(f, PAGE_SIZE, &page), -ENXIO);
	assert_int_equal(vfs_close(f), 0);
	assert_int_equal(vfs_unlink("/f"), 0);
	assert_int_equal(mock_frames_used, 1); /* as long as somebody has it */
	frame_put(page);
}

static void out_of_memory_at_any_point(void **state)
{
	(void)state;
	for (unsigned n = 1; n < 30; n++) {
		struct vfs_file *f;

		mock_alloc_fail_at = n;
		if (vfs_mkdir("/d") == 0 && vfs_symlink("d", "/l") == 0 &&
		    vfs_open("/l/f", VFS_WRITE | VFS_CREATE, &f) == 0) {
			(void)!vfs_write(f, "text", 4);
			(void)!vfs_close(f);
		}
		mock_alloc_fail_at = 0;
		(void)!vfs_unlink("/d/f");
		(void)!vfs_unlink("/l");
		(void)!vfs_rmdir("/d");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(files), T(holes_read_as_zeros), T(an_open_file_outlives_its_name), T(links), T(loops_of_links),
		T(long_paths_and_names), T(names_of_one_file), T(renaming), T(devices_and_attributes),
		T(a_directory_that_changes_while_it_is_read), T(half_of_memory_is_the_most), T(options_say_how_much), T(what_is_too_much_takes_nothing),
		T(times_and_owners), T(pages_for_others),
		T(out_of_memory_at_any_point),
	};

	for (void (*const *c)(void) = __constructors_start; c < __constructors_end; c++)
		(*c)();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
