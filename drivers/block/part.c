/* A part of a block device: the same requests, further on. */
#include <caisson/block_stack.h>

#include <errno.h>
#include <stdio.h>

#include <caisson/mm.h>

struct part {
	struct block_device dev;
	char name[BLOCK_NAME];
};

/* What holds for the part was checked, so it holds for the whole too: the same limits, a range within. */
static int part_submit(struct block_device *dev, struct block_request *rq)
{
	struct block_device *base = dev->part_of;
	int error;

	rq->sector += dev->part_first;
	error = base->ops->submit(base, rq);
	if (error)
		rq->sector -= dev->part_first;
	return error;
}

static void part_poll(struct block_device *dev)
{
	block_poll(dev->part_of);
}

static void part_destroy(struct block_device *dev)
{
	block_put(dev->part_of);
	kfree(container_of(dev, struct part, dev));
}

static const struct block_ops part_ops = { .submit = part_submit, .poll = part_poll, .destroy = part_destroy };

int block_part_create(struct block_device *base, const char *name, uint64_t first, uint64_t n,
		      struct block_device **out)
{
	struct part *part;

	n = ALIGN_DOWN(n, base->unit);
	if (n == 0 || first % base->unit || first >= base->n_sectors || n > base->n_sectors - first)
		return -EINVAL;
	part = kzalloc(sizeof(*part));
	if (!part)
		return -ENOMEM;
	snprintf(part->name, sizeof(part->name), "%s", name);
	part->dev = *base; /* the same limits and abilities */
	part->dev.name = part->name;
	part->dev.ops = &part_ops;
	part->dev.n_sectors = n;
	part->dev.users = 1;
	part->dev.part_of = base;
	part->dev.part_first = first;
	block_get(base);
	*out = &part->dev;
	return 0;
}
