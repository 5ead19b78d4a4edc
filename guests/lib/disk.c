/* The driver of virtio disks. */
#include "disk.h"

#include <stddef.h>

#define CONFIG_CAPACITY (VIRTIO_CONFIG + 0)
#define CONFIG_WRITEBACK (VIRTIO_CONFIG + 32)

bool disk_open(struct disk *disk, unsigned nth, uint64_t features)
{
	disk->under_way = disk->errors = 0;
	if (!virtio_find(VIRTIO_BLOCK, nth, &disk->dev) || !virtio_begin(&disk->dev, features) ||
	    !virtq_set_up(&disk->vq, &disk->dev, 0))
		return false;
	virtio_ready(&disk->dev);
	disk->n_sectors = (uint64_t)virtio_read(&disk->dev, CONFIG_CAPACITY + 4) << 32 | virtio_read(&disk->dev, CONFIG_CAPACITY);
	return true;
}

void disk_set_cache(struct disk *disk, bool on)
{
	*(volatile uint8_t *)(disk->dev.registers + CONFIG_WRITEBACK) = on;
}

static void take_done(struct disk *disk)
{
	struct disk_request *rq;
	uint32_t len;

	while ((rq = virtq_take(&disk->vq, &len)) != NULL) {
		disk->under_way--;
		disk->errors += rq->status != DISK_OK;
	}
}

void disk_submit(struct disk *disk, struct disk_request *rq, uint32_t type, uint64_t sector, void *data, uint32_t len)
{
	const struct virtq_part head = { &rq->header, sizeof(rq->header) }, body = { data, len }, tail = { &rq->status, 1 };
	const struct virtq_part parts[] = { head, len ? body : tail, tail };
	unsigned n_out = len && type == DISK_WRITE ? 2 : 1;
	unsigned n_in = len && type == DISK_READ ? 2 : 1;

	rq->header.type = type;
	rq->header.reserved = 0;
	rq->header.sector = sector;
	rq->status = DISK_UNDER_WAY;
	while (!virtq_add(&disk->vq, parts, n_out, n_in, rq)) {
		virtq_kick(&disk->vq);
		virtio_wait(&disk->dev);
		take_done(disk);
	}
	disk->under_way++;
}

bool disk_wait_all(struct disk *disk)
{
	bool good;

	virtq_kick(&disk->vq);
	take_done(disk);
	while (disk->under_way > 0) {
		virtio_wait(&disk->dev);
		take_done(disk);
	}
	good = disk->errors == 0;
	disk->errors = 0;
	return good;
}

uint8_t disk_do(struct disk *disk, uint32_t type, uint64_t sector, void *data, uint32_t len)
{
	struct disk_request rq;

	disk_submit(disk, &rq, type, sector, data, len);
	disk_wait_all(disk);
	return rq.status;
}
