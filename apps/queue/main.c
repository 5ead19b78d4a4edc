/*
 * A producer and a consumer that cooperate: each gives the hart to the other when the queue
 * is full or empty. Nobody is ever interrupted (class FIFO), so the queue needs no lock.
 */
#include <caisson/init.h>
#include <caisson/print.h>
#include <caisson/task.h>

#define ITEMS 10
#define ROOM 4

static struct {
	unsigned items[ROOM];
	unsigned put, taken; /* how many, ever */
} queue;

static void produce(void *arg)
{
	(void)arg;
	for (unsigned i = 1; i <= ITEMS; i++) {
		while (queue.put - queue.taken == ROOM) {
			print("full, the consumer's turn\n");
			task_yield();
		}
		queue.items[queue.put++ % ROOM] = i;
		print("put %u\n", i);
	}
}

static void consume(void *arg)
{
	int sum = 0;

	(void)arg;
	while (queue.taken < ITEMS) {
		while (queue.put == queue.taken) {
			print("empty, the producer's turn\n");
			task_yield();
		}
		print("took %u\n", queue.items[queue.taken % ROOM]);
		sum += (int)queue.items[queue.taken++ % ROOM];
	}
	task_exit(sum);
}

int main(void)
{
	struct task *consumer = task_create("consumer", consume, NULL, NULL);
	struct task *producer = task_create("producer", produce, NULL, NULL);

	if (!producer || !consumer)
		return 1;
	task_join(producer);
	print("sum of what was taken: %d\n", task_join(consumer));
	return 0;
}
