/*
 * Producers and consumers on wait queues: who finds the queue full or empty sleeps until the
 * other side wakes it. Nobody tries in vain, so it works under every class on any number of harts.
 */
#include <caisson/init.h>
#include <caisson/print.h>
#include <caisson/spinlock.h>
#include <caisson/task.h>

#define PAIRS 3
#define ITEMS 100 /* of each producer */
#define ROOM 4

static struct {
	spinlock_t lock;
	struct waitq room, items; /* who waits for what */
	unsigned slots[ROOM];
	unsigned put, taken;
} queue = { .room = WAITQ_INIT(queue.room), .items = WAITQ_INIT(queue.items) };

/* Predicates of waitq_wait: true means done. A second one may have been quicker than who was woken. */
static bool put_item(void *item)
{
	bool room;

	spin_lock(&queue.lock);
	room = queue.put - queue.taken < ROOM;
	if (room)
		queue.slots[queue.put++ % ROOM] = *(unsigned *)item;
	spin_unlock(&queue.lock);
	return room;
}

static bool take_item(void *item)
{
	bool any;

	spin_lock(&queue.lock);
	any = queue.put != queue.taken;
	if (any)
		*(unsigned *)item = queue.slots[queue.taken++ % ROOM];
	spin_unlock(&queue.lock);
	return any;
}

static void produce(void *arg)
{
	(void)arg;
	for (unsigned i = 1; i <= ITEMS; i++) {
		waitq_wait(&queue.room, put_item, &i, UINT64_MAX);
		waitq_notify_one(&queue.items);
	}
}

static void consume(void *arg)
{
	unsigned item;
	int sum = 0;

	(void)arg;
	for (unsigned n = 0; n < ITEMS; n++) {
		waitq_wait(&queue.items, take_item, &item, UINT64_MAX);
		waitq_notify_one(&queue.room);
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
