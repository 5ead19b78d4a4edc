/* The generator: the block function by its RFC, what a seed does, who is asked when. */
// sources: core/lib/chacha.c core/time/time.c core/dt/dt.c core/dt/bus.c core/dt/index.c
#include "core/lib/random.c"

#include <test.h>
#include <tree.h>

#define TICKS_PER_S 10000000u

static unsigned n_asked;

static void tree_with_seed(const void *seed, int n)
{
	open_tree();
	begin("chosen");
	bytes("rng-seed", seed, n);
	end();
	close_tree();
}

/* As at power-on. */
static int setup(void **unused)
{
	(void)unused;
	memset(state, 0, sizeof(state));
	bits = 0;
	begun = false;
	asked = 0;
	sources = NULL;
	n_asked = 0;
	mock_time = 1000;
	timebase_hz = TICKS_PER_S;
	open_tree();
	close_tree();
	return 0;
}

static void the_block_of_the_rfc(void **unused)
{
	static const uint8_t nonce[CHACHA_NONCE] = { 0, 0, 0, 9, 0, 0, 0, 0x4a }, expected[CHACHA_BLOCK] = {
		0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3, 0x20, 0x71, 0xc4,
		0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68, 0x03, 0x04, 0x22, 0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e,
		0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa, 0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2,
		0xb5, 0x12, 0x9c, 0xd1, 0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e,
	};
	uint8_t key[CHACHA_KEY], block[CHACHA_BLOCK];

	(void)unused;
	for (unsigned i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	chacha_block(key, 1, nonce, block);
	assert_memory_equal(block, expected, sizeof(block));
}

static void fetch(uint8_t *out, size_t n)
{
	memset(out, 0xcc, n + 1);
	random_bytes(out, n);
	assert_int_equal(out[n], 0xcc);
}

static void the_same_seed_and_time_say_the_same(void **unused)
{
	uint8_t a[333], b[333];

	(void)unused;
	tree_with_seed("as good as any other seed is....", 32);
	fetch(a, 332);
	setup(NULL);
	tree_with_seed("as good as any other seed is....", 32);
	fetch(b, 332);
	assert_memory_equal(a, b, 332);
	setup(NULL);
	tree_with_seed("as good as any other seed is...,", 32);
	fetch(b, 332);
	assert_memory_not_equal(a, b, 32);
}

static void nothing_is_said_twice(void **unused)
{
	uint8_t seen[65][65];

	(void)unused;
	for (unsigned i = 0; i < 65; i++) {
		fetch(seen[i], 64);
		for (unsigned k = 0; k < i; k++)
			assert_memory_not_equal(seen[i], seen[k], 16);
		assert_memory_not_equal(seen[i], seen[i] + 32, 16);
	}
}

static void any_length(void **unused)
{
	uint8_t out[1001];
	unsigned ones = 0;

	(void)unused;
	for (size_t n = 0; n <= 200; n++)
		fetch(out, n);
	fetch(out, 1000);
	for (unsigned i = 0; i < 1000; i++)
		ones += (unsigned)__builtin_popcount(out[i]);
	assert_in_range(ones, 3800, 4200);
}

static void how_good_it_is(void **unused)
{
	(void)unused;
	assert_false(random_is_seeded());
	setup(NULL);
	tree_with_seed("sixteen of bytes", 16);
	assert_false(random_is_seeded());
	random_add("sixteen of bytes", 16, 127);
	assert_false(random_is_seeded());
	random_add("", 0, 1);
	assert_true(random_is_seeded());
	random_add("", 0, UINT32_MAX);
	assert_true(random_is_seeded());
	setup(NULL);
	tree_with_seed("a seed that is long enough for a generator", 42);
	assert_true(random_is_seeded());
}

static void what_is_added_counts(void **unused)
{
	uint8_t a[33], b[33];

	(void)unused;
	random_add("x", 1, 0);
	fetch(a, 32);
	setup(NULL);
	random_add("y", 1, 0);
	fetch(b, 32);
	assert_memory_not_equal(a, b, 16);
	setup(NULL);
	mock_time++;
	random_add("x", 1, 0);
	fetch(b, 32);
	assert_memory_not_equal(a, b, 16);
}

static void ask(struct random_source *source)
{
	(void)source;
	n_asked++;
	random_add("more", 4, 8); /* at once: no lock is held */
}

static void sources_are_asked_once_a_minute(void **unused)
{
	struct random_source one = { .ask = ask }, two = { .ask = ask };
	uint8_t out[9];

	(void)unused;
	random_source_register(&one);
	random_source_register(&two);
	assert_int_equal(n_asked, 2);
	fetch(out, 8);
	mock_time += 60 * TICKS_PER_S - 1;
	fetch(out, 8);
	assert_int_equal(n_asked, 2);
	mock_time++;
	fetch(out, 8);
	assert_int_equal(n_asked, 4);
	fetch(out, 8);
	assert_int_equal(n_asked, 4);
	sources = NULL;
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_block_of_the_rfc),
		T(the_same_seed_and_time_say_the_same),
		T(nothing_is_said_twice),
		T(any_length),
		T(how_good_it_is),
		T(what_is_added_counts),
		T(sources_are_asked_once_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
