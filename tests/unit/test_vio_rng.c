/* The entropy device of a VM: what it fills, how much at once, a driver that lies. */
// sources: vmm/virtio/rng.c vmm/virtio/ring.c vmm/virtio/device.c vmm/virtio/mmio.c vmm/device/common.c vmm/image/dt_writer.c
#include <vio_mock.h>

#include <caisson/mm.h>
#include <caisson/random.h>
#include <mem.h>
#include <vmm/virtio_rng.h>

static unsigned char next; /* of the generator: it counts */
static size_t asked;

void random_bytes(void *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((unsigned char *)buf)[i] = ++next;
	asked += n;
}

static int setup(void **state)
{
	(void)state;
	next = 0;
	asked = 0;
	mg_start(&vio_rng_type, NULL);
	mg_begin(mg_offered());
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mg_stop();
	assert_int_equal(heap_in_use(), 0);
	assert_true(mock_irq_on);
	return 0;
}

static void ask(uint64_t gpa, uint32_t n)
{
	mg_add(0, &(struct mg_piece){ gpa, n, true }, 1);
}

static void fills_buffers(void **state)
{
	unsigned char got[40];
	uint32_t len;

	(void)state;
	ask(MG_DATA, 32);
	ask(MG_DATA + PAGE_SIZE - 3, 7);
	assert_int_equal(mg_kick(0), 0);
	assert_int_equal(mg_take(0, &len), 0);
	assert_int_equal(len, 32);
	assert_int_equal(mg_take(0, &len), 1);
	assert_int_equal(len, 7);
	assert_int_equal(mg_interrupt(), 1);
	mg_get(MG_DATA, got, 33);
	for (unsigned i = 0; i < 33; i++)
		assert_int_equal(got[i], i < 32 ? i + 1 : 0);
	mg_get(MG_DATA + PAGE_SIZE - 3, got, 7);
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(got[i], 33 + i);
	assert_int_equal(asked, 39); /* none is wasted */
	ask(MG_DATA, 1); /* and the next kick is asked for */
	assert_int_equal(mg_get16(MG_USED(0) + 4 + 8 * MG_SIZE_OF_QUEUE), 2);
	assert_int_equal(mg_kick(0), 0);
	assert_int_equal(mg_take(0, &len), 2);
}

/* A greedy guest gets a part of each buffer, and of many buffers some for each time its access is done again. */
static void a_kick_is_bounded(void **state)
{
	unsigned kicks = 1;
	uint32_t len;

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		ask(MG_DATA, 8 * PAGE_SIZE);
	for (; mg_kick(0) == -EAGAIN; kicks++)
		assert_true(asked <= kicks * 2048);
	assert_int_equal(kicks, 3);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(mg_take(0, &len), i);
		assert_int_equal(len, 256);
	}
	assert_int_equal(mg_take(0, &len), -1);
}

static void buffers_of_the_wrong_kind(void **state)
{
	static const struct mg_piece bad[][2] = {
		{ { MG_DATA, 8, false }, { MG_DATA, 8, true } }, { { MG_DATA, 0, true }, { MG_DATA, 0, true } },
		{ { MG_DATA, 8, false }, { MG_DATA, 8, false } },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		mg_add(0, bad[i], 2);
		assert_int_equal(mg_kick(0), 0);
		assert_true(mg_needs_reset());
		assert_int_equal(asked, 0);
		mg_begin(mg_offered());
	}
	ask(MG_DATA, 8);
	assert_int_equal(mg_kick(0), 0);
	assert_int_equal(mg_take(0, NULL), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = { T(fills_buffers), T(a_kick_is_bounded), T(buffers_of_the_wrong_kind) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
