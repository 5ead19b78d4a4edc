/* The kernel's memcpy and its kin, under names of their own, against plain loops. */
// sources:
#include <test.h>

#define memcpy k_memcpy
#define memmove k_memmove
#define memset k_memset
#define memcmp k_memcmp
void *k_memcpy(void *restrict to, const void *restrict from, size_t n);
void *k_memmove(void *to, const void *from, size_t n);
void *k_memset(void *to, int value, size_t n);
int k_memcmp(const void *a, const void *b, size_t n);
#include "core/lib/mem.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp

#define SIZE 600
static uint8_t a[SIZE] __attribute__((aligned(64))), b[SIZE] __attribute__((aligned(64)));
static uint8_t expected[SIZE];

static void fill(uint64_t seed)
{
	for (unsigned i = 0; i < SIZE; i++) {
		a[i] = (uint8_t)mock_random(&seed);
		b[i] = (uint8_t)mock_random(&seed);
	}
}

static size_t some_length(uint64_t *seed)
{
	return mock_random(seed) % (mock_random(seed) & 1 ? 40 : 250);
}

static void copies_at_every_alignment(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (unsigned to = 0; to < 16; to++)
		for (unsigned from = 0; from < 16; from++)
			for (unsigned round = 0; round < 40; round++) {
				size_t n = some_length(&seed);

				fill(seed);
				for (unsigned i = 0; i < SIZE; i++)
					expected[i] = i >= to && i < to + n ? b[i - to + from] : a[i];
				assert_ptr_equal(k_memcpy(a + to, b + from, n), a + to);
				assert_memory_equal(a, expected, SIZE);
			}
}

static void moves_overlap_both_ways(void **state)
{
	uint64_t seed = 2;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		size_t to = mock_random(&seed) % 200, from = mock_random(&seed) % 200;
		size_t n = some_length(&seed);

		if (round & 1) /* close together, which is where it goes wrong */
			from = to + 8 - mock_random(&seed) % 8 * (to >= 8);
		fill(seed);
		for (unsigned i = 0; i < SIZE; i++)
			expected[i] = i >= to && i < to + n ? a[i - to + from] : a[i];
		assert_ptr_equal(k_memmove(a + to, a + from, n), a + to);
		assert_memory_equal(a, expected, SIZE);
	}
}

static void fills_exactly(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (unsigned to = 0; to < 16; to++)
		for (size_t n = 0; n < 200; n++) {
			fill(seed);
			for (unsigned i = 0; i < SIZE; i++)
				expected[i] = i >= to && i < to + n ? 0xc3 : a[i];
			assert_ptr_equal(k_memset(a + to, 0x1c3, n), a + to);
			assert_memory_equal(a, expected, SIZE);
		}
}

static void compares_as_unsigned_bytes_from_the_first(void **state)
{
	(void)state;
	for (unsigned at = 0; at < 40; at++)
		for (unsigned n = 0; n < 60; n++) {
			memset(a, 7, SIZE);
			memset(b, 7, SIZE);
			b[at] = 0x80;
			b[at + 1] = 0;
			for (unsigned skew = 0; skew < 9; skew++) {
				memmove(b + 100 + skew, b, 64);
				assert_true(n <= at ? k_memcmp(a + 8, b + 100 + skew, n) == 0 :
						      k_memcmp(a + 8, b + 100 + skew, n) < 0);
				assert_true(n <= at ? k_memcmp(b + 100 + skew, a + 8, n) == 0 :
						      k_memcmp(b + 100 + skew, a + 8, n) > 0);
			}
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_at_every_alignment),
		cmocka_unit_test(moves_overlap_both_ways),
		cmocka_unit_test(fills_exactly),
		cmocka_unit_test(compares_as_unsigned_bytes_from_the_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
