/* A block device in host memory: see block_ram.h. */
#include <errno.h>

#include <block_ram.h>
#include <test.h>

struct block_device mock_disk = { .name = "vda", .max_sectors = 256, .max_segs = 1, .can_flush = true };
uint64_t mock_disk_fail_at, mock_disk_calls;
int mock_disk_error = -EIO;
unsigned char *mock_disk_image;

/* What was changed since the image was kept. */
static unsigned char *kept;
static uint64_t kept_sectors;
static bool *is_changed;
static uint64_t *changed, n_changed;

static void note_change(uint64_t sector)
{
	if (!kept || is_changed[sector])
		return;
	is_changed[sector] = true;
	changed[n_changed++] = sector;
}

static void forget(void)
{
	free(kept);
	free(is_changed);
	free(changed);
	kept = NULL;
	is_changed = NULL;
	changed = NULL;
}

void mock_disk_keep(void)
{
	forget();
	kept_sectors = mock_disk.n_sectors;
	kept = malloc(kept_sectors * BLOCK_SECTOR);
	is_changed = calloc(kept_sectors, sizeof(*is_changed));
	changed = calloc(kept_sectors, sizeof(*changed));
	assert_true(kept && is_changed && changed);
	memcpy(kept, mock_disk_image, kept_sectors * BLOCK_SECTOR);
	n_changed = 0;
}

void mock_disk_restore(void)
{
	while (n_changed > 0) {
		uint64_t sector = changed[--n_changed];

		is_changed[sector] = false;
		memcpy(mock_disk_image + sector * BLOCK_SECTOR, kept + sector * BLOCK_SECTOR, BLOCK_SECTOR);
	}
	mock_disk.n_sectors = kept_sectors;
}

void mock_disk_poke(uint64_t at, unsigned char byte)
{
	note_change(at / BLOCK_SECTOR);
	mock_disk_image[at] = byte;
}

bool mock_disk_changed_below(uint64_t sector)
{
	for (uint64_t i = 0; i < n_changed; i++)
		if (changed[i] < sector)
			return true;
	return false;
}

void mock_disk_set(const void *image, size_t size)
{
	forget();
	free(mock_disk_image);
	mock_disk.n_sectors = size / BLOCK_SECTOR;
	mock_disk.read_only = false;
	mock_disk_fail_at = 0;
	mock_disk_image = malloc(mock_disk.n_sectors * BLOCK_SECTOR + 1);
	assert_non_null(mock_disk_image);
	memcpy(mock_disk_image, image, mock_disk.n_sectors * BLOCK_SECTOR);
}

void mock_disk_load(const char *file)
{
	FILE *in = fopen(file, "rb");
	size_t room = 64 * MiB, size;
	char *image = malloc(room);

	assert_non_null(in);
	assert_non_null(image);
	size = fread(image, 1, room, in);
	assert_true(size < room);
	fclose(in);
	mock_disk_set(image, size);
	free(image);
}

void mock_disk_save(const char *file)
{
	FILE *out = fopen(file, "wb");

	assert_non_null(out);
	assert_int_equal(fwrite(mock_disk_image, BLOCK_SECTOR, mock_disk.n_sectors, out), mock_disk.n_sectors);
	assert_int_equal(fclose(out), 0);
}

struct block_device *block_find(const char *name)
{
	return strcmp(name, mock_disk.name) ? NULL : &mock_disk;
}

static int check(const struct block_device *dev, uint64_t sector, uint32_t n)
{
	mock_disk_calls++;
	if (mock_disk_fail_at && --mock_disk_fail_at == 0)
		return mock_disk_error;
	return sector <= dev->n_sectors && n <= dev->n_sectors - sector ? 0 : -EINVAL;
}

int block_read(struct block_device *dev, uint64_t sector, void *data, uint32_t n)
{
	int err = check(dev, sector, n);

	if (!err)
		memcpy(data, mock_disk_image + sector * BLOCK_SECTOR, n * BLOCK_SECTOR);
	return err;
}

int block_write(struct block_device *dev, uint64_t sector, const void *data, uint32_t n)
{
	int err = dev->read_only ? -EROFS : check(dev, sector, n);

	if (err)
		return err;
	for (uint32_t i = 0; i < n; i++)
		note_change(sector + i);
	memcpy(mock_disk_image + sector * BLOCK_SECTOR, data, n * BLOCK_SECTOR);
	return 0;
}

int block_flush(struct block_device *dev)
{
	return check(dev, 0, 0);
}
