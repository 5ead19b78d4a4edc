/* A block device in host memory: see block_ram.h. */
#include <errno.h>

#include <block_ram.h>
#include <test.h>

struct block_device mock_disk = { .name = "vda", .max_sectors = 256, .can_flush = true };
uint64_t mock_disk_fail_at, mock_disk_calls;
int mock_disk_error = -EIO;
unsigned char *mock_disk_image;

void mock_disk_set(const void *image, size_t size)
{
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

	if (!err)
		memcpy(mock_disk_image + sector * BLOCK_SECTOR, data, n * BLOCK_SECTOR);
	return err;
}

int block_flush(struct block_device *dev)
{
	return check(dev, 0, 0);
}
