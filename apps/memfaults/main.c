/*
 * Memory used wrongly, one fault per start (the first argument): a debug build names
 * what happened and who allocated and freed the memory, and ends with status 3.
 * A leak is only reported at exit.
 */
#include <string.h>

#include <caisson/console.h>
#include <caisson/init.h>
#include <caisson/mm.h>
#include <caisson/print.h>

#define OBJECT 100

/* These two are what the reports have to name. */
static __attribute__((noinline)) char *allocate_object(size_t size)
{
	char *p = kzalloc(size);

	__asm__ volatile("" : : : "memory");
	return p;
}

static __attribute__((noinline)) void free_object(char *p)
{
	kfree(p);
	__asm__ volatile("" : : : "memory");
}

static __attribute__((noinline)) hpa_t allocate_frame(unsigned order)
{
	hpa_t frame = HPA(0);

	if (frame_alloc(order, 0, &frame))
		machine_exit(1);
	return frame;
}

static __attribute__((noinline)) void free_frame(hpa_t frame, unsigned order)
{
	frame_free(frame, order);
	__asm__ volatile("" : : : "memory");
}

/* Behind the compiler's back: it would say so itself. */
static void write_to(char *p)
{
	__asm__ volatile("" : "+r"(p));
	*p ^= 1;
}

static void double_free(void)
{
	char *p = allocate_object(OBJECT);

	free_object(p);
	__asm__ volatile("" : "+r"(p));
	free_object(p);
}

static void use_after_free(void)
{
	char *p = allocate_object(OBJECT);

	free_object(p);
	write_to(p);
	free_object(allocate_object(1));
}

static void overrun(void)
{
	char *p = allocate_object(OBJECT);

	write_to(p + OBJECT);
	free_object(p);
}

static void underrun(void)
{
	char *p = allocate_object(OBJECT);

	write_to(p - 1);
	free_object(p);
}

static void frame_double_free(void)
{
	hpa_t frame = allocate_frame(0);

	free_frame(frame, 0);
	free_frame(frame, 0);
}

static void frame_use_after_free(void)
{
	hpa_t frame = allocate_frame(0);

	free_frame(frame, 0);
	write_to((char *)hpa_to_kva(frame) + 1000);
	allocate_frame(0); /* the one that was freed last */
}

static void leak(void)
{
	for (int i = 0; i < 3; i++)
		if (!allocate_object(OBJECT))
			machine_exit(1);
}

static const struct {
	const char *name;
	void (*run)(void);
} faults[] = {
	{ "double-free", double_free },
	{ "use-after-free", use_after_free },
	{ "overrun", overrun },
	{ "underrun", underrun },
	{ "frame-double-free", frame_double_free },
	{ "frame-use-after-free", frame_use_after_free },
	{ "leak", leak },
	{ "none", NULL },
};

int main(void)
{
	static const char end[] = "memfaults: the end\n";
	char fault[32] = "none";

	if (app_arg(0, fault, sizeof(fault)) < 0)
		strcpy(fault, "none");
	for (unsigned i = 0; i < ARRAY_SIZE(faults); i++)
		if (strcmp(fault, faults[i].name) == 0 && faults[i].run)
			faults[i].run();
	console_write(CONSOLE_MONITOR, end, sizeof(end) - 1);
	return 0;
}
