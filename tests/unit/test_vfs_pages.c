/* Files that are mapped, read and written at the same time: on FAT (copies) and tmpfs (its own frames), beside a plain array. */
// sources: fs/vfs_path.c fs/vfs_follow.c fs/vfs_link.c fs/vfs_mount.c fs/vfs_path_ops.c fs/vfs_file.c fs/vfs_pages.c core/mm/page_set.c core/lib/rbtree.c drivers/block/claim.c fs/fat/fat.c fs/fat/disk.c fs/fat/names.c fs/fat/file.c fs/fat/dir.c fs/fat/library.c fs/fat/unicode.c fs/tmpfs/tmpfs.c fs/tmpfs/mount.c fs/tmpfs/node.c fs/tmpfs/data.c
#include <errno.h>
#include <stdlib.h>

#include <caisson/aspace.h>
#include <caisson/mm.h>
#include <caisson/vfs.h>

#include <block_ram.h>
#include <fat_image.h>
#include <mem.h>
#include <test.h>

uint64_t rtc_wall_ns(void)
{
	return 0;
}

#define SIZE_MOST (6 * PAGE_SIZE)

static struct {
	const char *path;
	char bytes[SIZE_MOST + PAGE_SIZE];
	uint64_t size;
	struct vfs_file *file;
	struct page_source *source;   /* NULL: not mapped */
	unsigned references;
	uint64_t cut;                 /* where the last one was; UINT64_MAX: none since */
	unsigned cuts;
} model;

static void cut(struct page_source *s, uint64_t from)
{
	assert_ptr_equal(s, model.source);
	model.cut = from;
	model.cuts++;
}

static unsigned pick(unsigned n)
{
	return (unsigned)rand() % n;
}

static void check(uint64_t pos, size_t n)
{
	static char data[SIZE_MOST];
	uint64_t left = pos < model.size ? model.size - pos : 0;

	assert_int_equal(vfs_read_at(model.file, data, n, pos), MIN(n, left));
	assert_memory_equal(data, model.bytes + pos, MIN(n, left));
}

static void try_write(uint64_t pos, size_t n)
{
	static char data[SIZE_MOST];

	n = MIN(n, SIZE_MOST - pos);
	for (size_t i = 0; i < n; i++)
		data[i] = (char)rand();
	assert_int_equal(vfs_write_at(model.file, data, n, pos), n);
	if (n == 0)
		return;
	memcpy(model.bytes + pos, data, n);
	model.size = MAX(model.size, pos + n);
}

static void try_truncate(uint64_t size, bool by_opening)
{
	struct vfs_file *other;
	unsigned cuts = model.cuts;

	if (by_opening) {
		size = 0;
		assert_int_equal(vfs_open(model.path, VFS_WRITE | VFS_TRUNCATE, &other), 0);
		assert_int_equal(vfs_close(other), 0);
	} else {
		assert_int_equal(vfs_truncate(model.file, size), 0);
	}
	if (model.source && (size < model.size || by_opening)) {
		assert_int_equal(model.cuts, cuts + 1);
		assert_int_equal(model.cut, ALIGN_UP(size, PAGE_SIZE));
	} else {
		assert_int_equal(model.cuts, cuts);
	}
	if (size < model.size)
		memset(model.bytes + size, 0, model.size - size);
	model.size = size;
}

static void try_map(void)
{
	struct page_source *s;

	assert_int_equal(vfs_source(model.file, model.path, &s), 0);
	assert_true(!model.source || s == model.source);
	model.source = s;
	model.references++;
}

static void try_unmap(void)
{
	if (!model.source)
		return;
	page_source_put(model.source);
	if (--model.references == 0)
		model.source = NULL;
}

/* As a program does through a shared mapping; behind the end of the file, too, where nobody else sees it. */
static void try_touch(uint64_t pos, bool write)
{
	uint64_t offset = ALIGN_DOWN(pos, PAGE_SIZE);
	hpa_t frame;
	char *at;
	int err;

	if (!model.source)
		return;
	err = model.source->ops->page(model.source, offset, &frame);
	assert_int_equal(err, offset < model.size ? 0 : -ENXIO);
	if (err)
		return;
	at = (char *)hpa_to_kva(frame) + pos % PAGE_SIZE;
	if (pos < model.size)
		assert_int_equal(*at, model.bytes[pos]);
	if (write) {
		if (model.source->ops->dirty)
			assert_int_equal(model.source->ops->dirty(model.source, offset), 0);
		*at = (char)rand();
		if (pos < model.size)
			model.bytes[pos] = *at;
	}
	frame_put(frame);
}

static void reopen(void)
{
	assert_int_equal(vfs_close(model.file), 0);
	assert_int_equal(vfs_open(model.path, VFS_READ | VFS_WRITE | VFS_CREATE, &model.file), 0);
}

static void try_sync(void)
{
	if (pick(2))
		assert_int_equal(vfs_sync(model.file), 0);
	else if (pick(2))
		assert_int_equal(vfs_sync_all(), 0);
	else if (model.source && model.source->ops->sync)
		assert_int_equal(model.source->ops->sync(model.source, 0, SIZE_MOST), 0);
}

static void walk(const char *path, unsigned steps)
{
	memset(&model, 0, sizeof(model));
	model.path = path;
	srand(99);
	page_source_on_cut(cut);
	assert_int_equal(vfs_open(path, VFS_READ | VFS_WRITE | VFS_CREATE, &model.file), 0);
	for (unsigned step = 0; step < steps; step++) {
		uint64_t pos = pick(SIZE_MOST);

		switch (pick(16)) {
		case 0: try_map(); break;
		case 1: try_unmap(); break;
		case 2: reopen(); break;
		case 3: try_sync(); break;
		case 4: try_truncate(pos, pick(4) == 0); break;
		case 5: case 6: try_write(pos, pick(3 * PAGE_SIZE)); break;
		case 7: case 8: case 9: check(pos, pick(SIZE_MOST)); break;
		case 10: case 11: try_touch(pos, false); break;
		default: try_touch(pos, true);
		}
	}
	while (model.source)
		try_unmap();
	check(0, SIZE_MOST);
	assert_int_equal(vfs_close(model.file), 0);
}

static void the_same_file_by_mapping_and_by_reading_on_fat(void **state)
{
	size_t before;
	struct vfs_file *f;

	(void)state;
	image_make("-F 16 -s 1", 4200);
	before = heap_in_use();
	image_mount(0);
	walk("/f", 4000);
	image_unmount_clean();
	image_mount(0);
	assert_int_equal(vfs_open("/f", VFS_READ, &f), 0);
	model.file = f;
	check(0, SIZE_MOST);     /* and so it is on the disk */
	assert_int_equal(vfs_close(f), 0);
	image_unmount_clean();
	assert_int_equal(mock_frames_used, 0);
	assert_int_equal(heap_in_use(), before);
}

static void the_same_file_by_mapping_and_by_reading_on_tmpfs(void **state)
{
	size_t before = heap_in_use();

	(void)state;
	assert_int_equal(vfs_mount("tmpfs", "none", "/", 0), 0);
	walk("/f", 4000);
	assert_int_equal(vfs_unmount("/"), 0);
	assert_int_equal(mock_frames_used, 0);
	assert_int_equal(heap_in_use(), before);
}

static void try_write_all(struct vfs_file *f, size_t n)
{
	static const char zeros[SIZE_MOST];

	assert_int_equal(vfs_write(f, zeros, n), n);
}

static void a_mapped_file_keeps_its_mount(void **state)
{
	struct page_source *s;
	struct vfs_file *f;
	hpa_t frame;

	(void)state;
	image_make("-F 16 -s 1", 4200);
	image_mount(0);
	assert_int_equal(vfs_open("/f", VFS_READ | VFS_WRITE | VFS_CREATE, &f), 0);
	assert_int_equal(vfs_write(f, "before", 6), 6);
	assert_int_equal(vfs_source(f, "/f", &s), 0);
	assert_int_equal(vfs_close(f), 0);
	assert_int_equal(vfs_unmount("/"), -EBUSY);
	assert_int_equal(s->ops->page(s, 0, &frame), 0);
	assert_int_equal(s->ops->dirty(s, 0), 0);
	memcpy(hpa_to_kva(frame), "after!", 6);
	frame_put(frame);
	page_source_put(s);              /* written back with the last mapping */
	image_unmount_clean();
	image_mount(0);
	assert_int_equal(vfs_open("/f", VFS_READ, &f), 0);
	memset(&model, 0, sizeof(model));
	strcpy(model.bytes, "after!");
	model.size = 6;
	model.file = f;
	check(0, PAGE_SIZE);
	assert_int_equal(vfs_close(f), 0);
	image_unmount_clean();
}

static void who_may_write_takes_over(void **state)
{
	struct vfs_file *reader, *writer;
	struct page_source *s, *t;
	hpa_t frame;

	(void)state;
	image_make("-F 16 -s 1", 4200);
	image_mount(0);
	assert_int_equal(vfs_open("/f", VFS_WRITE | VFS_CREATE, &writer), 0);
	assert_int_equal(vfs_write(writer, "x", 1), 1);
	assert_int_equal(vfs_open("/f", VFS_READ, &reader), 0);
	assert_int_equal(vfs_source(reader, "/f", &s), 0);
	assert_int_equal(vfs_source(writer, "/f", &t), 0);
	assert_ptr_equal(s, t);
	assert_int_equal(vfs_close(writer), 0);
	assert_int_equal(vfs_close(reader), 0);
	assert_int_equal(vfs_remount("/", true), -EBUSY); /* something may still be written */
	assert_int_equal(s->ops->page(s, 0, &frame), 0);
	frame_put(frame);
	page_source_put(s);
	page_source_put(t);
	assert_int_equal(vfs_remount("/", true), 0);
	image_unmount_clean();
}

static struct page_source *mapped(struct vfs_file **f)
{
	struct page_source *s;

	assert_int_equal(vfs_open("/f", VFS_READ | VFS_WRITE | VFS_CREATE, f), 0);
	assert_int_equal(vfs_source(*f, "/f", &s), 0);
	return s;
}

static void errors_of_the_disk_reach_who_asks(void **state)
{
	struct page_source *s;
	struct vfs_file *f;
	hpa_t frame;

	(void)state;
	image_make("-F 16 -s 1", 4200);
	image_mount(0);
	s = mapped(&f);
	try_write_all(f, 3 * PAGE_SIZE);
	mock_disk_error = -EIO;
	mock_disk_fail_at = 1;
	assert_int_equal(s->ops->page(s, PAGE_SIZE, &frame), -EIO);
	assert_int_equal(mock_disk_fail_at, 0);
	assert_int_equal(mock_frames_used, 0);
	page_source_put(s);
	(void)!vfs_close(f);
	s = mapped(&f); /* FAT lets nobody go on with a file that had an error, until it is opened again */
	assert_int_equal(s->ops->page(s, PAGE_SIZE, &frame), 0);
	assert_int_equal(s->ops->dirty(s, PAGE_SIZE), 0);
	assert_int_equal(s->ops->dirty(s, 0), -ENXIO); /* that page was never given */
	frame_put(frame);
	mock_disk_fail_at = 1;
	assert_int_equal(s->ops->sync(s, 0, 3 * PAGE_SIZE), -EIO);
	assert_int_not_equal(vfs_sync(f), 0);
	page_source_put(s); /* what is lost is said in the log */
	(void)!vfs_close(f);
	assert_int_equal(mock_frames_used, 0);
	(void)!vfs_unmount("/");
}

static void memory_out(void **state)
{
	struct page_source *s;
	struct vfs_file *f;
	hpa_t frame;

	(void)state;
	image_make("-F 16 -s 1", 4200);
	image_mount(0);
	assert_int_equal(vfs_open("/f", VFS_READ | VFS_WRITE | VFS_CREATE, &f), 0);
	assert_int_equal(vfs_write(f, "x", 1), 1);
	mock_alloc_fail_at = 1;
	assert_int_equal(vfs_source(f, "/f", &s), -ENOMEM);
	mock_alloc_fail_at = 0;
	assert_int_equal(vfs_source(f, "/f", &s), 0);
	for (unsigned n = 1; n <= 2; n++) {
		mock_alloc_fail_at = n;
		assert_int_equal(s->ops->page(s, 0, &frame), -ENOMEM);
	}
	mock_alloc_fail_at = 0;
	assert_int_equal(mock_frames_used, 0);
	assert_int_equal(s->ops->page(s, 0, &frame), 0);
	frame_put(frame);
	page_source_put(s);
	assert_int_equal(vfs_close(f), 0);
	image_unmount_clean();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_file_by_mapping_and_by_reading_on_fat),
		cmocka_unit_test(the_same_file_by_mapping_and_by_reading_on_tmpfs), cmocka_unit_test(a_mapped_file_keeps_its_mount),
		cmocka_unit_test(who_may_write_takes_over), cmocka_unit_test(memory_out),
		cmocka_unit_test(errors_of_the_disk_reach_who_asks),
	};

	return cmocka_run_group_tests(tests, image_folder, image_folder_remove);
}
