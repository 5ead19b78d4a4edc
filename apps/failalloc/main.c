/*
 * Each kind of object that a unikernel has is made with its first allocation failing,
 * then its second, until there is none left (M1, M3). After each try as many frames
 * and heap bytes are in use as before.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include <arch/layout.h>
#include <caisson/aspace.h>
#include <caisson/console.h>
#include <caisson/fail.h>
#include <caisson/init.h>
#include <caisson/kspace.h>
#include <caisson/mm.h>
#include <caisson/task.h>

#define STACK_FRAMES (BOOT_STACK_SIZE / PAGE_SIZE)
#define MOST 10000 /* allocations of one object: beyond, something does not end */

/** Something that can be made, with 0 or a negative errno, and taken away again. */
struct object {
	const char *name; /* with a %lu for the parameter where that matters */
	uint64_t parameter;
	int (*make)(uint64_t parameter);
	void (*undo)(uint64_t parameter);
	uint64_t kept; /* frames that the system keeps for the next one of the kind */
};

static bool failed;

static void __printf(1, 2) say(const char *fmt, ...)
{
	char line[128];
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	console_write(CONSOLE_MONITOR, line, (size_t)MIN(n, (int)sizeof(line) - 1));
}

/* --- frames and heap --- */

static hpa_t frames;
static void *memory;

static int make_frames(uint64_t order)
{
	return frame_alloc((unsigned)order, FRAME_ZERO, &frames);
}

static void free_frames(uint64_t order)
{
	frame_free(frames, (unsigned)order);
}

static int make_memory(uint64_t size)
{
	memory = kzalloc(size);
	return memory ? 0 : -ENOMEM;
}

static void free_memory(uint64_t size)
{
	(void)size;
	kfree(memory);
}

/* --- address spaces: one with an area of each kind --- */

static struct aspace space;

static const struct device_ops ops = { .name = "nothing" };

static int fill_space(struct aspace *as)
{
	int error = aspace_map_linear(as, GiB - PAGE_SIZE, 4 * MiB, HPA(0), PERM_R);

	if (!error)
		error = aspace_map_alloc(as, 2 * GiB, MiB, PERM_R | PERM_W, ALLOC_EAGER);
	if (!error)
		error = aspace_map_alloc(as, 3 * GiB - PAGE_SIZE, 3 * MiB, PERM_R | PERM_W, ALLOC_EAGER | ALLOC_LARGE);
	if (!error)
		error = aspace_map_alloc(as, 4 * GiB, GiB, PERM_R | PERM_W, 0);
	if (!error && aspace_fault(as, 4 * GiB, PERM_W) != FAULT_RESOLVED)
		error = -ENOMEM;
	for (uint64_t i = 0; !error && i < 10; i++) /* the set of areas grows */
		error = aspace_map_device(as, i * PAGE_SIZE, PAGE_SIZE, &ops, NULL);
	return error;
}

static int make_space(uint64_t unused)
{
	int error = aspace_init(&space, &pt_sv48, 0, BIT(40) - 1);

	(void)unused;
	if (error)
		return error;
	error = fill_space(&space);
	if (error)
		aspace_destroy(&space);
	return error;
}

static void destroy_space(uint64_t unused)
{
	(void)unused;
	aspace_destroy(&space);
}

/* --- the kernel's own space --- */

static void *window;

static int make_window(uint64_t size)
{
	window = io_map(HPA(0x40000000 - PAGE_SIZE), size);
	return window ? 0 : -ENOMEM;
}

static void unmap_window(uint64_t size)
{
	(void)size;
	if (aspace_unmap(&kernel_space, (uintptr_t)window))
		failed = true;
}

/* Stacks are kept when they are freed. These are all that were: the next one has to be made. */
static void *kept_stacks;

static void take_kept_stacks(void)
{
	for (;;) {
		uint64_t before = frame_free_count();
		void **stack = kstack_alloc(BOOT_STACK_SIZE);

		if (!stack)
			break;
		*stack = kept_stacks;
		kept_stacks = stack;
		if (frame_free_count() != before)
			break;
	}
}

static void give_kept_stacks(void)
{
	while (kept_stacks) {
		void *stack = kept_stacks;

		kept_stacks = *(void **)stack;
		kstack_free(stack, BOOT_STACK_SIZE);
	}
}

static void *stack;

static int make_stack(uint64_t unused)
{
	(void)unused;
	stack = kstack_alloc(BOOT_STACK_SIZE);
	return stack ? 0 : -ENOMEM;
}

static void free_stack(uint64_t unused)
{
	(void)unused;
	kstack_free(stack, BOOT_STACK_SIZE);
}

/* --- tasks --- */

static struct task *task;

static void run_task(void *arg)
{
	(void)arg;
	task_exit(7);
}

static int make_task(uint64_t unused)
{
	(void)unused;
	task = task_create("short", run_task, NULL, NULL);
	return task ? 0 : -ENOMEM;
}

static void join_task(uint64_t unused)
{
	(void)unused;
	if (task_join(task) != 7)
		failed = true;
}

/* --- one failure after the other --- */

/** Make the object with its n-th allocation failing. *past: there is no n-th. @return is all as it should be? */
static bool fail_once(const struct object *o, uint64_t n, bool *past)
{
	uint64_t free = frame_free_count();
	size_t used = heap_in_use();
	int error;

	alloc_fail_at(n);
	error = o->make(o->parameter);
	*past = alloc_fail_pending();
	alloc_fail_at(0);
	if (!error) {
		o->undo(o->parameter);
		free -= o->kept;
	}
	heap_trim();
	if (frame_free_count() == free && heap_in_use() == used && (!error || (error == -ENOMEM && !*past)))
		return true;
	say("allocation %lu: error %d; %ld frames, %ld bytes more in use than before\n", (unsigned long)n, error,
	    (long)(free - frame_free_count()), (long)(heap_in_use() - used));
	return false;
}

static void walk(const struct object *o)
{
	bool good = true, past = false;
	uint64_t n = 0;
	char name[48];

	heap_trim();
	while (good && !past && n < MOST)
		good = fail_once(o, ++n, &past);
	good = good && past;
	snprintf(name, sizeof(name), o->name, (unsigned long)o->parameter);
	say("%s %s: %lu points of failure\n", good ? "OK" : "FAILED", name, (unsigned long)(n - 1));
	failed |= !good;
}

/** What is made once and stays (an array that has grown, a library's block of memory) is there before. */
static void warm_up(const struct object *o)
{
	if (o->make(o->parameter) == 0)
		o->undo(o->parameter);
}

static void walk_warm(const struct object *o)
{
	warm_up(o);
	walk(o);
}

static void walk_frames_and_heap(void)
{
	static const uint16_t sizes[] = { 16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048 };

	for (uint64_t order = 0; order <= 10; order++)
		walk_warm(&(struct object){ "frames of order %lu", order, make_frames, free_frames, 0 });
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
		walk_warm(&(struct object){ "heap object of %lu bytes", sizes[i], make_memory, free_memory, 0 });
	for (uint64_t size = 4 * KiB; size <= 64 * KiB; size *= 4)
		walk_warm(&(struct object){ "heap object of %lu bytes", size, make_memory, free_memory, 0 });
}

int main(void)
{
	static const struct object spaces = { "address space", 0, make_space, destroy_space, 0 };
	static const struct object windows = { "device window", 4 * MiB, make_window, unmap_window, 0 };
	static const struct object stacks = { "new stack", 0, make_stack, free_stack, STACK_FRAMES };
	static const struct object tasks = { "task", 0, make_task, join_task, 0 };
	static const struct object new_tasks = { "task with a new stack", 0, make_task, join_task, STACK_FRAMES };

	walk_frames_and_heap();
	walk_warm(&spaces);
	walk_warm(&windows);
	walk_warm(&tasks);
	take_kept_stacks();
	walk(&stacks);
	take_kept_stacks();
	walk(&new_tasks);
	give_kept_stacks();
	say("failalloc: %s\n", failed ? "FAILED" : "done");
	return failed;
}
