/* The file tree: paths, the table of mounts, and the initrd in it. */
// sources: fs/vfs_path.c fs/vfs_follow.c fs/vfs_link.c fs/vfs_mount.c fs/vfs_path_ops.c fs/vfs_file.c fs/cpio.c fs/initrd.c drivers/block/claim.c fs/fat/fat.c fs/fat/disk.c fs/fat/names.c fs/fat/file.c fs/fat/dir.c fs/fat/library.c fs/fat/unicode.c
#include <errno.h>

#include <caisson/fs.h>
#include <caisson/mm.h>
#include <caisson/vfs.h>

#include <block_ram.h>
#include <fat_image.h>
#include <mem.h>
#include <test.h>

static char *archive;
static size_t archive_size;

/* An archive as cpio writes it from a folder, in a block of exactly its size. */
static void pack(const char *commands)
{
	FILE *in;

	free(archive);
	assert_int_equal(shell("rm -rf t && mkdir t && cd t && %s && find . | LC_ALL=C sort | cpio --quiet -o -H newc >../cpio",
			       commands), 0);
	in = popen(shell_output("realpath cpio | sed 's/^/cat /'"), "r");
	assert_non_null(in);
	archive = malloc(1 << 16);
	archive_size = fread(archive, 1, 1 << 16, in);
	assert_int_equal(pclose(in), 0);
	archive = realloc(archive, archive_size);
	assert_true(initrd_init(archive, archive_size) >= 0);
}

static const char *listing(const char *path)
{
	static char text[4096];
	struct vfs_file *f;
	struct vfs_dirent d;
	int more;

	assert_int_equal(vfs_open(path, VFS_DIRECTORY, &f), 0);
	text[0] = '\0';
	while ((more = vfs_readdir(f, &d)) > 0) {
		strcat(text, d.name);
		strcat(text, d.kind == VFS_DIR ? "/ " : d.kind == VFS_OTHER ? "? " : d.kind == VFS_LINK ? "@ " : " ");
	}
	assert_int_equal(more, 0);
	assert_int_equal(vfs_close(f), 0);
	return text;
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

static void paths_are_resolved(void **state)
{
	static const struct { const char *path, *resolved; } cases[] = {
		{ "/", "" }, { "//", "" }, { "/.", "" }, { "/..", "" }, { "/a/..", "" }, { "/../../a", "/a" },
		{ "/a//./b/../c/", "/a/c" }, { "/...", "/..." }, { "/.a/..b/", "/.a/..b" }, { "/a/b/../../c", "/c" },
	};
	char out[VFS_PATH_MAX], *path = malloc(2 * VFS_PATH_MAX);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(vfs_resolve(cases[i].path, out), 0);
		assert_string_equal(out, cases[i].resolved);
	}
	assert_int_equal(vfs_resolve("", out), -EINVAL);
	assert_int_equal(vfs_resolve("a/b", out), -EINVAL);
	/* The longest path there is, and one that is longer. */
	for (unsigned i = 0; i < 2 * VFS_PATH_MAX - 1; i++)
		path[i] = i % 2 ? 'x' : '/';
	path[VFS_PATH_MAX] = '\0';
	assert_int_equal(vfs_resolve(path, out), -ENAMETOOLONG);
	path[VFS_PATH_MAX - 2] = '\0';
	assert_int_equal(vfs_resolve(path, out), 0);
	assert_string_equal(path, out);
	free(path);
}

static void initrd_is_a_tree(void **state)
{
	struct vfs_stat st;
	struct vfs_file *f;
	char part[4] = { 0 };

	(void)state;
	pack("mkdir -p a/b a-b empty && printf one >a/one && printf two >a/b/two && printf x >a-b/x && printf z >z && "
	     "chmod 0640 z && ln -s z link && TZ=UTC touch -d '2024-02-29 13:14:16' z");
	assert_int_equal(vfs_mount("initrd", "initrd", "/", 0), 0);
	assert_string_equal(listing("/"), "a/ a-b/ empty/ link@ z ");
	assert_string_equal(listing("/a"), "b/ one ");
	assert_string_equal(listing("/a/b"), "two ");
	assert_string_equal(listing("/empty"), "");
	assert_string_equal(get("/a/b/../one"), "one");
	assert_int_equal(vfs_stat("/z", &st), 0);
	assert_int_equal(st.mode, 0640);
	assert_int_equal(st.mtime, 1709212456);
	assert_int_equal(st.size, 1);
	assert_int_equal(vfs_stat("/a", &st), 0);
	assert_int_equal(st.kind, VFS_DIR);
	assert_int_equal(vfs_stat("/a/b/tw", &st), -ENOENT);
	assert_int_equal(vfs_stat("/zz", &st), -ENOENT);
	assert_int_equal(vfs_open("/link", VFS_READ | VFS_NO_FOLLOW, &f), -ELOOP);
	assert_string_equal(get("/link"), get("/z"));
	assert_int_equal(vfs_open("/a", VFS_READ, &f), -EISDIR);
	assert_int_equal(vfs_open("/z", VFS_DIRECTORY, &f), -ENOTDIR);
	assert_int_equal(vfs_open("/z", VFS_WRITE, &f), -EROFS);
	assert_int_equal(vfs_unlink("/z"), -EROFS);
	assert_int_equal(vfs_open("/a/b/two", VFS_READ, &f), 0);
	assert_int_equal(vfs_seek(f, -2, VFS_SEEK_END), 1);
	assert_int_equal(vfs_read(f, part, 1), 1);
	assert_int_equal(vfs_read(f, part + 1, 3), 1);
	assert_int_equal(vfs_read(f, part + 2, 1), 0);
	assert_string_equal(part, "wo");
	assert_int_equal(vfs_sync(f), 0);
	assert_int_equal(vfs_close(f), 0);
	assert_int_equal(vfs_unmount("/"), 0);
}

/* Only files, as some writers do: their directories are there all the same. Also what cannot be reached. */
static void initrd_directories_that_are_implied(void **state)
{
	struct vfs_stat st;

	(void)state;
	pack("mkdir -p d/e && printf 1 >d/e/one && printf 2 >d/two");
	assert_int_equal(shell("cd t && printf '%%s\\n' d/e/one d/two d/../x d//two | cpio --quiet -o -H newc >../cpio 2>/dev/null; true"), 0);
	free(archive);
	archive = malloc(1 << 16);
	archive_size = 0;
	{
		FILE *in = popen(shell_output("realpath cpio | sed 's/^/cat /'"), "r");

		archive_size = fread(archive, 1, 1 << 16, in);
		assert_int_equal(pclose(in), 0);
	}
	assert_true(initrd_init(archive, archive_size) >= 2);
	assert_int_equal(vfs_mount("initrd", "", "/", 0), 0);
	assert_string_equal(listing("/"), "d/ ");
	assert_string_equal(listing("/d"), "e/ two ");
	assert_string_equal(get("/d/e/one"), "1");
	assert_int_equal(vfs_stat("/d/e", &st), 0);
	assert_int_equal(st.kind, VFS_DIR);
	assert_int_equal(vfs_unmount("/"), 0);
}

/* Whatever is cut off or changed: what is served is inside the archive (the sanitizer looks). */
static void walk(const char *path, unsigned depth)
{
	struct vfs_dirent d;
	struct vfs_file *f;
	char below[VFS_PATH_MAX + VFS_NAME_MAX + 2], byte;

	if (vfs_open(*path ? path : "/", VFS_DIRECTORY, &f))
		return;
	for (unsigned i = 0; i < 50 && vfs_readdir(f, &d) == 1; i++) {
		snprintf(below, sizeof(below), "%s/%s", path, d.name);
		if (d.kind == VFS_DIR && depth < 6)
			walk(below, depth + 1);
		if (d.kind == VFS_FILE) {
			struct vfs_file *file;

			if (vfs_open(below, VFS_READ, &file))
				continue;
			while (vfs_read(file, &byte, 1) == 1)
				;
			assert_int_equal(vfs_close(file), 0);
		}
	}
	assert_int_equal(vfs_close(f), 0);
}

static void initrd_damaged(void **state)
{
	size_t before;

	(void)state;
	pack("mkdir -p a/b && printf one >a/one && printf two >a/b/two && printf z >z");
	before = heap_in_use();
	for (uint64_t seed = 0, i = 0; i < 3000; i++) {
		size_t size = i % 4 ? archive_size : (size_t)(mock_random(&seed) % archive_size);
		char *copy = malloc(size + 1);
		int files;

		memcpy(copy, archive, size);
		for (uint64_t n = mock_random(&seed) % 6; n > 0 && size; n--)
			copy[mock_random(&seed) % size] = (char)("/.\0000a"[mock_random(&seed) % 5]);
		files = initrd_init(copy, size);
		assert_true(files >= 0 || files == -EINVAL);
		assert_int_equal(vfs_mount("initrd", "", "/", 0), 0);
		walk("", 0);
		assert_int_equal(vfs_unmount("/"), 0);
		assert_int_equal(heap_in_use(), before);
		free(copy);
	}
	assert_true(initrd_init(NULL, 0) < 0);
	assert_int_equal(vfs_mount("initrd", "", "/", 0), -ENODEV);
}

static bool count(const struct vfs_mount *m, void *arg)
{
	(void)m;
	return ++*(unsigned *)arg < 2;
}

static void mounts_hide_what_is_below(void **state)
{
	struct vfs_file *f;
	struct vfs_stat st;
	unsigned n = 0;

	(void)state;
	pack("mkdir -p disk/inner && printf hidden >disk/hello && printf root >root");
	image_make("-F 12", 720);
	assert_int_equal(vfs_stat("/", &st), -ENOENT);
	assert_int_equal(vfs_mount("initrd", "", "/", 0), 0);
	assert_string_equal(get("/disk/hello"), "hidden");
	assert_int_equal(vfs_mount("fat", "vda", "/disk/", 0), 0);
	assert_int_equal(vfs_mount("initrd", "", "//disk/./", 0), -EBUSY);
	assert_int_equal(vfs_open("/disk/hello", VFS_READ, &f), -ENOENT);
	assert_string_equal(get("/disk/../root"), "root");
	/* "/disk2" is not below "/disk". */
	assert_int_equal(vfs_mkdir("/disk2"), -EROFS);
	assert_int_equal(vfs_mkdir("/disk/d"), 0);
	assert_int_equal(vfs_mount("initrd", "", "/disk/d", 0), 0);
	assert_string_equal(get("/disk/d/disk/hello"), "hidden");
	vfs_for_each_mount(count, &n);
	assert_int_equal(n, 2);
	assert_int_equal(vfs_rename("/disk/d/root", "/disk/root"), -EXDEV);
	assert_int_equal(vfs_rename("/disk/d", "/disk/e"), -EBUSY);
	assert_int_equal(vfs_rmdir("/disk/d"), -EBUSY);
	assert_int_equal(vfs_unmount("/disk"), -EBUSY);
	assert_int_equal(vfs_unmount("/"), -EBUSY);
	assert_int_equal(vfs_unmount("/disk/d"), 0);
	assert_int_equal(vfs_unmount("/disk/d"), -EINVAL);
	assert_int_equal(vfs_open("/disk/f", VFS_WRITE | VFS_CREATE, &f), 0);
	assert_int_equal(vfs_unmount("/disk"), -EBUSY);
	assert_int_equal(vfs_sync_all(), 0);
	assert_int_equal(vfs_close(f), 0);
	assert_int_equal(vfs_unmount("/disk"), 0);
	assert_int_equal(image_check(), 0);
	assert_int_equal(vfs_unmount("/"), 0);
	assert_int_equal(heap_in_use(), 0);
}

static bool find_name(const struct fs_type *type, void *arg)
{
	*(unsigned *)arg += !strcmp(type->name, "vfat");
	return true;
}

static void mounts_that_change_and_leave(void **state)
{
	struct vfs_statfs room;
	struct vfs_file *f;
	struct vfs_stat st;
	unsigned n = 0;
	char text[4];

	(void)state;
	pack("mkdir disk && printf hidden >disk/hello");
	image_make("-F 12", 720);
	vfs_for_each_type(find_name, &n);
	assert_int_equal(n, 1);
	assert_int_equal(vfs_mount("initrd", "", "/", 0), 0);
	assert_int_equal(vfs_mount_with("vfat", "vda", "/disk", 0, "colour=red", NULL), -EINVAL);
	assert_int_equal(vfs_mount_with("vfat", "vda", "/disk", 0, "utf8", "/dev/vda"), 0);
	assert_true(vfs_is_mount("/disk") && vfs_is_mount("") && !vfs_is_mount("/disk/x"));
	assert_int_equal(vfs_statfs("/disk", &room), 0);
	assert_true(room.blocks > 300 && room.blocks_free == room.blocks && !room.read_only);
	assert_int_equal(vfs_statfs("/disk/none", &room), -ENOENT);
	/* Read-only only when nobody writes. */
	assert_int_equal(vfs_open("/disk/f", VFS_READ | VFS_WRITE | VFS_CREATE, &f), 0);
	assert_int_equal(vfs_write(f, "abc", 3), 3);
	assert_int_equal(vfs_remount("/disk", true), -EBUSY);
	assert_int_equal(vfs_close(f), 0);
	assert_int_equal(vfs_remount("/disk", true), 0);
	assert_int_equal(vfs_mkdir("/disk/d"), -EROFS);
	assert_int_equal(vfs_mkdir("/disk/f"), -EEXIST);
	assert_int_equal(vfs_unlink("/disk/f"), -EROFS);
	assert_int_equal(vfs_remount("/disk", false), 0);
	assert_int_equal(vfs_mkdir("/disk/d"), 0);
	assert_int_equal(vfs_remount("/nothing", false), -EINVAL);
	/* A mount that was detached ends with its last user. */
	assert_int_equal(vfs_open("/disk/f", VFS_READ, &f), 0);
	assert_int_equal(vfs_unmount("/disk"), -EBUSY);
	assert_int_equal(vfs_unmount_with("/disk", VFS_DETACH), 0);
	assert_string_equal(get("/disk/hello"), "hidden");
	assert_int_equal(vfs_mount("fat", "vda", "/disk", 0), -EBUSY);
	assert_int_equal(vfs_fstat(f, &st), 0);
	assert_int_equal(vfs_read(f, text, 4), 3);
	assert_int_equal(vfs_close(f), 0);
	assert_int_equal(vfs_mount("fat", "vda", "/disk", 0), 0);
	assert_string_equal(get("/disk/f"), "abc");
	/* What was mounted below is hidden by what comes later above, and there again afterwards. */
	assert_int_equal(vfs_mkdir("/disk/d/e"), 0);
	assert_int_equal(vfs_mount("initrd", "", "/disk/d/e", 0), 0);
	assert_int_equal(vfs_mount("initrd", "", "/disk/d", 0), 0);
	assert_int_equal(vfs_stat("/disk/d/e", &st), -ENOENT);
	assert_false(vfs_is_mount("/disk/d/e"));
	assert_int_equal(vfs_unmount("/disk/d"), 0);
	assert_string_equal(get("/disk/d/e/disk/hello"), "hidden");
	/* What is below leaves too. */
	assert_int_equal(vfs_unmount_with("/", VFS_DETACH), 0);
	assert_int_equal(vfs_stat("/", &st), -ENOENT);
	assert_int_equal(image_check(), 0);
	assert_int_equal(heap_in_use(), 0);
}

static void components_are_looked_at(void **state)
{
	static const struct { const char *path; int error; } cases[] = {
		{ "/f/", -ENOTDIR }, { "/f/.", -ENOTDIR }, { "/f/..", -ENOTDIR }, { "/none/..", -ENOENT }, { "/none/../f", -ENOENT },
		{ "/d/", 0 }, { "/d/.", 0 }, { "/d/../f", 0 }, { "/l/", 0 }, { "/l/../f", -ENOENT }, { "/lf", 0 }, { "/lf/", -ENOTDIR },
		{ "/ls", -ENOTDIR }, { "/d/e/f", -ENOTDIR },
	};
	struct vfs_stat st;
	struct vfs_file *f;

	(void)state;
	pack("mkdir -p d/e2 && printf 1 >f && printf 2 >d/e && ln -s d/e2 l && ln -s f lf && ln -s f/ ls");
	assert_int_equal(vfs_mount("initrd", "", "/", 0), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(vfs_stat(cases[i].path, &st), cases[i].error);
	assert_int_equal(vfs_lstat("/l", &st), 0);
	assert_int_equal(st.kind, VFS_LINK);
	assert_int_equal(vfs_lstat("/l/", &st), 0);
	assert_int_equal(st.kind, VFS_DIR);
	assert_int_equal(vfs_mkdir("/."), -EEXIST);
	assert_int_equal(vfs_rmdir("/d/."), -EINVAL);
	assert_int_equal(vfs_rmdir("/d/.."), -ENOTEMPTY);
	assert_int_equal(vfs_unlink("/d/.."), -EISDIR);
	assert_int_equal(vfs_unlink("/f/"), -ENOTDIR);
	assert_int_equal(vfs_rmdir("/l/"), -ENOTDIR);
	assert_int_equal(vfs_symlink("x", "/new/"), -EROFS);
	assert_int_equal(vfs_open("/none/", VFS_READ | VFS_CREATE, &f), -EISDIR);
	assert_int_equal(vfs_unmount("/"), 0);
}

static void M1_memory_that_is_out(void **state)
{
	struct vfs_file *f;
	struct vfs_stat st;

	(void)state;
	pack("mkdir -p a && printf one >a/one");
	for (uint64_t n = 1, past = 0; !past; n++) {
		int err;

		mock_alloc_fail_at = n;
		err = vfs_mount("initrd", "", "/", 0);
		if (!err) {
			err = vfs_open("/a/one", VFS_READ, &f);
			if (!err)
				assert_int_equal(vfs_close(f), 0);
			err = err ? err : vfs_open("/a", VFS_DIRECTORY, &f);
			if (!err)
				assert_int_equal(vfs_close(f), 0);
			err = err ? err : vfs_stat("/a", &st);
			past = mock_alloc_fail_at != 0;
			mock_alloc_fail_at = 0;
			assert_int_equal(vfs_unmount("/"), 0);
		}
		assert_int_equal(err, past ? 0 : -ENOMEM);
		assert_int_equal(heap_in_use(), 0);
	}
}

static int end(void **state)
{
	free(archive);
	return image_folder_remove(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_resolved),
		cmocka_unit_test(initrd_is_a_tree),
		cmocka_unit_test(initrd_directories_that_are_implied),
		cmocka_unit_test(initrd_damaged),
		cmocka_unit_test(mounts_hide_what_is_below),
		cmocka_unit_test(mounts_that_change_and_leave),
		cmocka_unit_test(components_are_looked_at),
		cmocka_unit_test(M1_memory_that_is_out),
	};

	return cmocka_run_group_tests(tests, image_folder, end);
}
