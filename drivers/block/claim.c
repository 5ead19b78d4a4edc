/* Who uses which sectors of which device: readers together, a writer alone. */
#include <caisson/block.h>

#include <errno.h>

#include <caisson/log.h>
#include <caisson/spinlock.h>

#define LOG_NAME "block"

static struct list claims = LIST_INIT(claims);
static spinlock_t lock = SPINLOCK_INIT; /* guards the list; innermost */

/* A part of a part ... is a range of the whole. */
static void resolve(struct block_claim *c)
{
	while (c->dev->part_of) {
		c->first += c->dev->part_first;
		c->dev = c->dev->part_of;
	}
}

static bool collide(const struct block_claim *a, const struct block_claim *b)
{
	if (a->mode == BLOCK_SHARED && b->mode == BLOCK_SHARED)
		return false;
	return a->dev == b->dev && a->first < b->first + b->n && b->first < a->first + a->n;
}

/* @return NULL: it is in the list now; else who has it. */
static const struct block_claim *add(struct block_claim *new)
{
	list_for_each(c, &claims, struct block_claim, node)
		if (collide(c, new))
			return c;
	list_push_back(&claims, &new->node);
	return NULL;
}

int block_claim(struct block_claim *claim, struct block_device *dev, enum block_mode mode, const char *who)
{
	const struct block_claim *other;
	struct block_claim holder;
	irqflags_t flags;

	claim->dev = NULL;
	if (mode == BLOCK_EXCLUSIVE && dev->read_only)
		return -EROFS;
	*claim = (struct block_claim){ .dev = dev, .n = dev->n_sectors, .mode = mode, .who = who };
	resolve(claim);
	flags = spin_lock_irqsave(&lock);
	other = add(claim);
	if (other)
		holder = *other; /* it may be released as soon as the lock is */
	spin_unlock_irqrestore(&lock, flags);
	if (!other)
		return 0;
	claim->dev = NULL;
	log_error("%s: %s cannot %s it: %s %s it already", dev->name, who, mode == BLOCK_SHARED ? "read" : "write",
		  holder.who, holder.mode == BLOCK_SHARED ? "reads" : "writes");
	return -EBUSY;
}

void block_release(struct block_claim *claim)
{
	irqflags_t flags;

	if (!claim->dev)
		return;
	flags = spin_lock_irqsave(&lock);
	list_del(&claim->node);
	spin_unlock_irqrestore(&lock, flags);
	claim->dev = NULL;
}
