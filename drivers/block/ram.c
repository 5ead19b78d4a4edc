/* A disk in RAM. A sector that is absent is a zero one. */
#include <caisson/block_stack.h>

#include <errno.h>
#include <stdio.h>

#include <caisson/mm.h>

#include "sparse.h"

#define REQUEST_MAX (MiB)
#define SEGMENTS_MAX 126u

struct ram {
	struct block_device dev;
	char name[BLOCK_NAME];
	struct sparse data;
};

static struct ram *ram_of(struct block_device *dev)
{
	return container_of(dev, struct ram, dev);
}

static void read(struct sparse *s, const struct block_request *rq)
{
	struct segs to = segs_of(rq);

	for (uint32_t done = 0; done < rq->n_sectors;) {
		bool present;
		uint32_t n = sparse_read(s, rq->sector + done, rq->n_sectors - done, &to, &present);

		if (!present)
			segs_zero(&to, (uint64_t)n * BLOCK_SECTOR);
		done += n;
	}
}

static int execute(struct sparse *s, const struct block_request *rq)
{
	struct segs from = segs_of(rq);

	if (rq->op == BLOCK_WRITE)
		return sparse_write(s, rq->sector, rq->n_sectors, &from);
	if (rq->op == BLOCK_READ)
		read(s, rq);
	else
		sparse_drop(s, rq->sector, rq->n_sectors);
	return 0;
}

static int ram_submit(struct block_device *dev, struct block_request *rq)
{
	rq->status = execute(&ram_of(dev)->data, rq);
	rq->done(rq);
	return 0;
}

static void ram_destroy(struct block_device *dev)
{
	sparse_exit(&ram_of(dev)->data);
	kfree(ram_of(dev));
}

static const struct block_ops ram_ops = { .submit = ram_submit, .destroy = ram_destroy };

static void describe(struct ram *ram, const char *name, uint64_t n_sectors)
{
	snprintf(ram->name, sizeof(ram->name), "%s", name);
	ram->dev = (struct block_device){
		.name = ram->name,
		.ops = &ram_ops,
		.n_sectors = n_sectors,
		.max_sectors = REQUEST_MAX / BLOCK_SECTOR,
		.max_segs = SEGMENTS_MAX,
		.unit = 1,
		.can_discard = true,
		.can_write_zeroes = true,
		.max_discard_sectors = 64 * MiB / BLOCK_SECTOR,
		.max_zeroes_sectors = 64 * MiB / BLOCK_SECTOR,
		.discard_unit = PAGE_SIZE / BLOCK_SECTOR,
		.memory = &ram->data.used,
		.users = 1,
	};
}

int block_ram_create(const char *name, uint64_t bytes, struct block_device **out)
{
	uint64_t n_sectors = bytes / BLOCK_SECTOR;
	struct ram *ram;
	int error;

	if (n_sectors == 0)
		return -EINVAL;
	ram = kzalloc(sizeof(*ram));
	if (!ram)
		return -ENOMEM;
	error = sparse_init(&ram->data, n_sectors, UINT64_MAX);
	if (error) {
		kfree(ram);
		return error;
	}
	describe(ram, name, n_sectors);
	*out = &ram->dev;
	return 0;
}
