/*
 * A sector from a virtio disk: reads, writes and flushes sectors, one by one and many at once.
 * Its arguments are commands: `disk NAME`, `crc FIRST N`, `many FIRST N`, `stack FIRST`, `write FIRST N SEED`,
 * `manywrite FIRST N SEED`, `flush`, `discard FIRST N`, `zero FIRST N`, `bench DEPTH N` (instructions of N reads, DEPTH
 * at once); and for a disk made of another, or of memory: `part NUMBER`, `overlay MIB`, `ram MIB`, `store NAME`
 * (an overlay that is kept on that disk).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <caisson/block_stack.h>
#include <caisson/init.h>
#include <caisson/mm.h>
#include <caisson/print.h>
#include <caisson/task.h>

#include "bench.h"

#define WORD 32

static struct block_device *disk;

static uint32_t crc32(const uint8_t *data, size_t n)
{
	uint32_t crc = ~0u;

	for (size_t i = 0; i < n; i++) {
		crc ^= data[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

/* What `write` writes; each byte of a disk has its own. */
static void fill(uint8_t *data, unsigned long first, unsigned long n, unsigned long seed)
{
	for (size_t i = 0; i < n * BLOCK_SECTOR; i++)
		data[i] = (uint8_t)((first * BLOCK_SECTOR + i) * 2654435761u >> 16 ^ seed);
}

static int report(const char *what, unsigned long first, unsigned long n, int error)
{
	if (error)
		print("%s %lu+%lu: error %d\n", what, first, n, error);
	return error;
}

static void show_crc(const char *what, unsigned long first, unsigned long n, const uint8_t *data)
{
	print("%s %lu+%lu: crc %08x\n", what, first, n, (unsigned)crc32(data, n * BLOCK_SECTOR));
}

/* --- many requests at once, one for each unit --- */

static struct waitq done_queue = WAITQ_INIT(done_queue);
static unsigned under_way;

static bool all_done(void *arg)
{
	(void)arg;
	return __atomic_load_n(&under_way, __ATOMIC_ACQUIRE) == 0;
}

static void one_done(struct block_request *rq)
{
	(void)rq;
	__atomic_sub_fetch(&under_way, 1, __ATOMIC_RELEASE);
	if (IS_ENABLED(CONFIG_MULTITASK))
		waitq_notify_all(&done_queue);
}

struct one {
	struct block_request rq;
	struct segment seg;
};

static int first_error(const struct one *all, unsigned long n)
{
	for (unsigned long i = 0; i < n; i++)
		if (all[i].rq.status)
			return all[i].rq.status;
	return 0;
}

static void start_one(struct one *one, enum block_op op, unsigned long sector, uint8_t *data)
{
	int error;

	one->seg = (struct segment){ data, BLOCK_SECTOR };
	one->rq = (struct block_request){ .op = op, .sector = sector, .n_sectors = 1, .segs = &one->seg, .n_segs = 1,
					  .done = one_done };
	__atomic_add_fetch(&under_way, 1, __ATOMIC_RELAXED);
	error = block_submit(disk, &one->rq);
	if (error) {
		one->rq.status = error;
		one_done(&one->rq);
	}
}

static int transfer_many(enum block_op op, unsigned long first, unsigned long n, uint8_t *data)
{
	struct one *all = kzalloc(n * sizeof(*all));
	int error;

	if (!all)
		return -ENOMEM;
	for (unsigned long i = 0; i < n; i++)
		start_one(&all[i], op, first + i, data + i * BLOCK_SECTOR);
	if (IS_ENABLED(CONFIG_MULTITASK))
		waitq_wait(&done_queue, all_done, NULL, UINT64_MAX);
	while (!all_done(NULL))
		block_poll(disk);
	error = first_error(all, n);
	kfree(all);
	return error;
}

/* --- commands --- */

static int read_and_show(const char *what, unsigned long first, unsigned long n, bool many)
{
	uint8_t *data = kalloc(n * BLOCK_SECTOR);
	int error = -ENOMEM;

	if (data)
		error = many ? transfer_many(BLOCK_READ, first, n, data) : block_read(disk, first, data, (uint32_t)n);
	if (!report(what, first, n, error))
		show_crc(what, first, n, data);
	kfree(data);
	return error;
}

static int write_pattern(const char *what, unsigned long first, unsigned long n, unsigned long seed, bool many)
{
	uint8_t *data = kalloc(n * BLOCK_SECTOR);
	int error = -ENOMEM;

	if (data) {
		fill(data, first, n, seed);
		error = many ? transfer_many(BLOCK_WRITE, first, n, data) : block_write(disk, first, data, (uint32_t)n);
	}
	if (!report(what, first, n, error))
		print("%s %lu+%lu: ok\n", what, first, n);
	kfree(data);
	return error;
}

/* To an odd address on a stack, which is nowhere near contiguous in physical memory. */
static int on_stack(unsigned long first)
{
	uint8_t data[2 * BLOCK_SECTOR + 1];
	int error = block_read(disk, first, data + 1, 2);

	if (!report("stack", first, 2, error))
		show_crc("stack", first, 2, data + 1);
	return error;
}

static int flush(void)
{
	int error = block_flush(disk);

	if (error)
		print("flush: error %d\n", error);
	else
		print("flush: ok\n");
	return error;
}

static int clear(const char *what, unsigned long first, unsigned long n)
{
	int error = what[0] == 'd' ? block_discard(disk, first, n) : block_write_zeroes(disk, first, n, true);

	if (!report(what, first, n, error))
		print("%s %lu+%lu: ok\n", what, first, n);
	return error;
}

static int make_part(unsigned number, struct block_device **out)
{
	uint64_t first, n;
	int error = block_part_find(disk, number, &first, &n);

	return error ? error : block_part_create(disk, "part", first, n, out);
}

static int make_store(const char *name, struct block_device **out)
{
	struct block_device *store = block_find(name);

	return store ? block_overlay_open(disk, store, "overlay", out) : -ENOENT;
}

/* What is made uses the present disk, and is the present one from now on. */
static int make(const char *what, const char *name, unsigned long n)
{
	struct block_device *made;
	int error;

	if (what[0] == 'p')
		error = make_part((unsigned)n, &made);
	else if (what[0] == 'o')
		error = block_overlay_create(disk, "overlay", n * MiB, &made);
	else if (what[0] == 's')
		error = make_store(name, &made);
	else
		error = block_ram_create("ram", n * MiB, &made);
	if (error) {
		print("%s %s: error %d\n", what, name, error);
		return error;
	}
	block_put(disk);
	disk = made;
	print("%s %s: %lu sectors\n", what, name, (unsigned long)disk->n_sectors);
	return 0;
}

static bool is_made(const char *word)
{
	static const char *const words[] = { "part", "overlay", "ram", "store" };

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

static int choose(const char *name)
{
	if (disk)
		block_put(disk);
	disk = block_find(name);
	if (disk)
		block_get(disk);
	if (disk)
		print("%s: %lu sectors%s\n", name, (unsigned long)disk->n_sectors, disk->read_only ? ", read-only" : "");
	else
		print("%s: no such disk\n", name);
	return disk ? 0 : -ENOENT;
}

/* One command and what follows it. @return how many words it has. */
static unsigned command(unsigned n, int *error)
{
	char word[WORD] = "", name[WORD] = "";
	unsigned long first = app_arg_number(n + 1, 0), count = app_arg_number(n + 2, 1), seed = app_arg_number(n + 3, 0);

	app_arg(n, word, sizeof(word));
	app_arg(n + 1, name, sizeof(name));
	if (strcmp(word, "disk") == 0)
		return *error = choose(name), 2;
	if (strcmp(word, "flush") == 0)
		return *error = flush(), 1;
	if (strcmp(word, "stack") == 0)
		return *error = on_stack(first), 2;
	if (strcmp(word, "crc") == 0 || strcmp(word, "many") == 0)
		return *error = read_and_show(word, first, count, word[0] == 'm'), 3;
	if (strcmp(word, "write") == 0 || strcmp(word, "manywrite") == 0)
		return *error = write_pattern(word, first, count, seed, word[0] == 'm'), 4;
	if (strcmp(word, "discard") == 0 || strcmp(word, "zero") == 0)
		return *error = clear(word, first, count), 3;
	if (is_made(word))
		return *error = make(word, name, first), 2;
	if (strcmp(word, "bench") == 0)
		return *error = report(word, first, count, bench(disk, first, count)), 3;
	print("%s: no such command\n", word);
	return *error = -EINVAL, 1;
}

static bool run_commands(void)
{
	char word[2];
	bool good = true;

	for (unsigned n = 0; app_arg(n, word, sizeof(word)) >= 0;) {
		int error = 0;

		n += command(n, &error);
		good = good && !error;
		if (!disk)
			break;
	}
	if (disk)
		block_put(disk);
	return good;
}

/* Without arguments. */
static bool demonstrate(void)
{
	bool good = read_and_show("crc", 0, 1, false) == 0;

	if (disk->read_only)
		return good;
	good = write_pattern("write", 1, 1, 42, false) == 0 && good;
	good = flush() == 0 && good;
	return read_and_show("crc", 1, 1, false) == 0 && good;
}

int main(void)
{
	char word[2];

	if (choose("vda"))
		return 1;
	if (app_arg(0, word, sizeof(word)) < 0)
		return !demonstrate();
	return !run_commands();
}
