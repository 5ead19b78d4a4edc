/* Finding a part by its number: which table there is, and whether to believe it. */
#include "partition.h"

#include <errno.h>

#include <caisson/block_stack.h>
#include <caisson/log.h>
#include <caisson/mm.h>

#define LOG_NAME "block"

static int refuse(struct partitions *t, const char *wrong)
{
	t->wrong = wrong;
	return -EINVAL;
}

static bool is_within(const struct extent *e, uint64_t first, uint64_t n)
{
	return e->first >= first && e->first - first < n && e->n <= n - (e->first - first);
}

/* Both within the device: no sum overflows. */
static bool overlap(const struct extent *a, const struct extent *b)
{
	return a->n > 0 && b->n > 0 && a->first < b->first + b->n && b->first < a->first + a->n;
}

static int check_alone(struct partitions *t, unsigned i)
{
	const struct extent *part = &t->parts[i];

	for (unsigned j = 0; j < t->n; j++) {
		if (j == i || !is_within(&t->parts[j], 0, t->dev->n_sectors))
			continue;
		if (overlap(part, &t->parts[j]))
			return refuse(t, "two parts overlap");
	}
	if (i < t->inner && overlap(part, &t->container))
		return refuse(t, "a part overlaps the extended one");
	return 0;
}

static int choose(struct partitions *t, unsigned number, struct extent *out)
{
	*out = number > 0 && number <= t->n ? t->parts[number - 1] : (struct extent){ 0 };
	if (out->n == 0)
		return -ENOENT;
	if (out->first == 0)
		return refuse(t, "a part begins at the table");
	if (!is_within(out, 0, t->dev->n_sectors))
		return refuse(t, "a part ends beyond the disk's end");
	if (number > t->inner && !is_within(out, t->container.first, t->container.n))
		return refuse(t, "a part ends beyond the extended one's end");
	return check_alone(t, number - 1);
}

int block_part_find(struct block_device *dev, unsigned number, uint64_t *first, uint64_t *n)
{
	struct partitions *t = kzalloc(sizeof(*t));
	struct extent found;
	int error;

	if (!t)
		return -ENOMEM;
	t->wrong = "the disk has no sector";
	t->dev = dev;
	t->inner = PARTITIONS_MAX;
	error = partitions_read_mbr(t);
	if (!error)
		error = choose(t, number, &found);
	if (error == -EINVAL)
		log_error("%s: its partition table makes no sense: %s", dev->name, t->wrong);
	kfree(t);
	if (error)
		return error;
	*first = found.first;
	*n = found.n;
	return 0;
}
