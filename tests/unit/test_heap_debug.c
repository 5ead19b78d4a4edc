/* The heap of a debug build: red zones, freed memory, second frees, leaks. */
// sources: core/mm/heap_debug.c core/mm/heap_slab.c core/mm/frame.c core/mm/buddy.c core/mm/fail.c
#include <caisson/mm.h>

#include <logged.h>
#include <ram.h>
#include <test.h>

static uint64_t frames_at_start;

static int setup(void **state)
{
	(void)state;
	mock_ram_add(0x80000000, 32 * MiB);
	frame_add(HPA(0x80000000), 32 * MiB);
	frames_at_start = frame_free_count();
	return 0;
}

static int nothing_left(void **state)
{
	(void)state;
	assert_int_equal(heap_in_use(), 0);
	heap_trim();
	assert_int_equal(frame_free_count(), frames_at_start);
	return 0;
}

/** Did the last panic say this? */
static bool said(const char *text)
{
	return strstr(mock_panic_message(), text) != NULL;
}

static void M3_objects_come_and_go(void **state)
{
	static char *p[300];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(p); i++) {
		size_t size = i * i % 9000;

		p[i] = i % 2 ? kalloc(size) : kzalloc(size);
		assert_non_null(p[i]);
		assert_true(IS_ALIGNED((uintptr_t)p[i], 16));
		for (size_t k = 0; k < size; k += 1 + size / 16)
			assert_int_equal((unsigned char)p[i][k], i % 2 ? 0xa5 : 0);
		memset(p[i], (int)i, size);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(p); i++) {
		unsigned n = i * 7 % ARRAY_SIZE(p);
		size_t size = n * n % 9000;

		for (size_t k = 0; k < size; k++)
			assert_int_equal((unsigned char)p[n][k], n & 0xff);
		kfree(p[n]);
	}
	kfree(NULL);
}

static void in_use_is_what_was_asked_for(void **state)
{
	void *p = kalloc(10), *q = kzalloc(5000);

	(void)state;
	assert_int_equal(heap_in_use(), 5010);
	kfree(p);
	assert_int_equal(heap_in_use(), 5000);
	kfree(q);
}

/* --- what must not go unnoticed --- */

struct touched {
	size_t size;
	long at;
};

static void write_beside(void *arg)
{
	struct touched *t = arg;
	char *p = kalloc(t->size);

	p[t->at] ^= 1;
	kfree(p);
}

static void overrun_and_underrun_are_noticed(void **state)
{
	static const size_t sizes[] = { 1, 15, 16, 100, 2000, 2048, 5000 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct touched after = { sizes[i], (long)sizes[i] }, last = { sizes[i], (long)sizes[i] + 15 };
		struct touched before = { sizes[i], -1 }, inside = { sizes[i], (long)sizes[i] - 1 };
		char size[32];

		snprintf(size, sizeof(size), " %zu bytes", sizes[i]);
		assert_true(mock_panics(write_beside, &after));
		assert_true(said("beyond the end") && said(size));
		assert_true(mock_panics(write_beside, &last));
		assert_true(mock_panics(write_beside, &before));
		assert_true(said("written before the start") && said(size));
		assert_false(mock_panics(write_beside, &inside));
	}
}

static void write_after_free(void *arg)
{
	struct touched *t = arg;
	char *p = kalloc(t->size);

	kfree(p);
	p[t->at] = 0;
	kfree(kalloc(1)); /* any allocation at all */
}

static void use_after_free_is_noticed_by_the_next_allocation(void **state)
{
	struct touched first = { 64, 0 }, last = { 64, 63 }, zone = { 64, 64 }, header = { 64, -1 }, big = { 2048, 2000 };

	(void)state;
	assert_true(mock_panics(write_after_free, &first));
	assert_true(said("used after it was freed") && said(" 64 bytes"));
	assert_true(mock_panics(write_after_free, &last));
	assert_true(mock_panics(write_after_free, &zone));
	assert_true(mock_panics(write_after_free, &header));
	assert_true(mock_panics(write_after_free, &big));
}

static void free_twice(void *arg)
{
	char *p = kalloc(*(size_t *)arg);

	kfree(p);
	kfree(p);
}

/* The first one is not in the heap's hands any more when it is freed once more. */
static void free_twice_later(void *arg)
{
	char *p = kalloc(*(size_t *)arg), *others[30];

	for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
		others[i] = kalloc(40);
	kfree(p);
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
		kfree(others[i]);
	kfree(p);
}

static void second_free_is_named(void **state)
{
	size_t small = 40, large = 9000;

	(void)state;
	assert_true(mock_panics(free_twice, &small));
	assert_true(said("freed twice") && said(" 40 bytes"));
	assert_true(mock_panics(free_twice, &large));
	assert_true(said("freed twice") && said(" 9000 bytes"));
	assert_true(mock_panics(free_twice_later, &small));
	assert_true(said("freed twice"));
}

static void free_inside(void *arg)
{
	(void)arg;
	kfree((char *)kalloc(100) + 32);
}

static void free_unaligned(void *arg)
{
	(void)arg;
	kfree((char *)kalloc(100) + 1);
}

static void foreign_pointers_are_noticed(void **state)
{
	(void)state;
	assert_true(mock_panics(free_inside, NULL));
	assert_true(said("not allocated"));
	assert_true(mock_panics(free_unaligned, NULL));
	assert_true(said("not allocated"));
}

static void *address_told_after(const char *words)
{
	const char *at = strstr(mock_panic_message(), words);

	return at ? (void *)strtoul(at + strlen(words), NULL, 16) : NULL;
}

/* Not inlined, and called from here only: the addresses told lie within them. */
static __attribute__((noinline)) void *allocate_here(void)
{
	void *p = kalloc(24);

	__asm__ volatile("");
	return p;
}

static __attribute__((noinline)) void free_here(void *p)
{
	kfree(p);
	__asm__ volatile("");
}

static void use_of_named_object(void *arg)
{
	char *p = allocate_here();

	(void)arg;
	free_here(p);
	*p = 1;
	kfree(kalloc(1));
}

static bool lies_in(void *address, uintptr_t function)
{
	return (uintptr_t)address > function && (uintptr_t)address < function + 200;
}

static void callers_are_named(void **state)
{
	(void)state;
	assert_true(mock_panics(use_of_named_object, NULL));
	assert_true(lies_in(address_told_after("allocated by "), (uintptr_t)allocate_here));
	assert_true(lies_in(address_told_after("freed by "), (uintptr_t)free_here));
}

/* --- memory --- */

static void M1_out_of_memory_lets_go_of_what_was_freed(void **state)
{
	static void *p[20000];
	unsigned n = 0;

	(void)state;
	while (n < ARRAY_SIZE(p) && (p[n] = kalloc(1900)))
		n++;
	assert_in_range(n, 8000, ARRAY_SIZE(p) - 1);
	assert_null(kalloc(1900));
	assert_null(kalloc(SIZE_MAX));
	assert_null(kalloc(SIZE_MAX - 70));
	for (unsigned i = 0; i < 10; i++)
		kfree(p[--n]);
	for (unsigned i = 0; i < 10; i++)
		assert_non_null(p[n++] = kalloc(1900));
	while (n > 0)
		kfree(p[--n]);
}

/* --- leaks --- */

static void leaks_since_the_mark_are_told(void **state)
{
	char *before = kalloc(100), *p[3], *q;

	(void)state;
	mock_log_clear();
	heap_leak_mark();
	heap_leak_report();
	assert_non_null(strstr(mock_log_text(), "no leaks"));
	for (unsigned i = 0; i < ARRAY_SIZE(p); i++)
		p[i] = allocate_here();
	q = kzalloc(1000);
	kfree(kalloc(5));
	mock_log_clear();
	heap_leak_report();
	assert_null(strstr(mock_log_text(), "no leaks"));
	assert_non_null(strstr(mock_log_text(), "leak: 3 objects, 72 bytes, allocated by 0x"));
	assert_non_null(strstr(mock_log_text(), "leak: 1 objects, 1000 bytes, allocated by 0x"));
	assert_non_null(strstr(mock_log_text(), "leaks: 4 objects, 1072 bytes"));
	for (unsigned i = 0; i < ARRAY_SIZE(p); i++)
		kfree(p[i]);
	kfree(q);
	kfree(before);
	mock_log_clear();
	heap_leak_report();
	assert_non_null(strstr(mock_log_text(), "no leaks"));
}

#define heap_test(t) cmocka_unit_test_teardown(t, nothing_left)

int main(void)
{
	const struct CMUnitTest tests[] = {
		heap_test(M3_objects_come_and_go),
		heap_test(in_use_is_what_was_asked_for),
		heap_test(overrun_and_underrun_are_noticed),
		heap_test(use_after_free_is_noticed_by_the_next_allocation),
		heap_test(second_free_is_named),
		heap_test(foreign_pointers_are_noticed),
		heap_test(callers_are_named),
		heap_test(M1_out_of_memory_lets_go_of_what_was_freed),
		heap_test(leaks_since_the_mark_are_told),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
