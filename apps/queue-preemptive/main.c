/*
 * Producers and consumers that never give way: who finds the queue full or empty tries again
 * until the end of its slice. The scheduler interrupts them (classes RR and CFS), or they run
 * on several harts, so a lock guards the queue. Under FIFO one hart would try for ever.
 */
#include <caisson/init.h>
#include <caisson/print.h>
#include <caisson/spinlock.h>
#include <caisson/task.h>

#define PAIRS 2
#define ITEMS 40 /* of each producer */
#define ROOM 16

static struct {
	spinlock_t lock;
	unsigned items[ROOM];
	unsigned put, taken;
} queue;

static bool try_put(unsigned item)
{
	irqflags_t flags = spin_lock_irqsave(&queue.lock);
	bool room = queue.put - queue.taken < ROOM;

	if (room)
		queue.items[queue.put++ % ROOM] = item;
	spin_unlock_irqrestore(&queue.lock, flags);
	return room;
}

static bool try_take(unsigned *item)
{
	irqflags_t flags = spin_lock_irqsave(&queue.lock);
	bool any = queue.put != queue.taken;

	if (any)
		*item = queue.items[queue.taken++ % ROOM];
	spin_unlock_irqrestore(&queue.lock, flags);
	return any;
}

static void produce(void *arg)
{
	(void)arg;
	for (unsigned i = 1; i <= ITEMS; i++)
		while (!try_put(i))
			;
}

static void consume(void *arg)
{
	unsigned item;
	int sum = 0;

	(void)arg;
	for (unsigned n = 0; n < ITEMS; n++) {
		while (!try_take(&item))
			;
		sum += (int)item;
	}
	task_exit(sum);
}

int main(void)
{
	struct task *tasks[2 * PAIRS];
	int sum = 0;

	for (unsigned i = 0; i < 2 * PAIRS; i++) {
		tasks[i] = task_create(i % 2 ? "producer" : "consumer", i % 2 ? produce : consume, NULL, NULL);
		if (!tasks[i])
			return 1;
	}
	for (unsigned i = 0; i < 2 * PAIRS; i++)
		sum += task_join(tasks[i]);
	print("%u put, %u taken, sum %d\n", queue.put, queue.taken, sum);
	return 0;
}
