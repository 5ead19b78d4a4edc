/* The virtio entropy driver: what the device gives is mixed in, whatever it says beyond that does no harm. */
// sources: drivers/virtio/virtio.c drivers/virtio/queue.c core/time/time.c core/dt/dt.c core/dt/bus.c core/dt/map.c core/dt/index.c
#include <caisson/random.h>
#include <caisson/time.h>
#include <virtio_mock.h>

#undef LOG_NAME
#include "drivers/rng/virtio_rng.c"

static struct random_source *source;
static struct vd_queue *q = &vd.q[0];
static uint8_t added[BYTES];
static size_t n_added;
static unsigned n_adds, n_bits;

void random_add(const void *data, size_t n, unsigned bits)
{
	assert_true(n <= sizeof(added));
	memcpy(added, data, n);
	n_added = n;
	n_bits = bits;
	n_adds++;
}

void random_source_register(struct random_source *s)
{
	source = s;
	s->ask(s);
}

static int setup(void **state)
{
	(void)state;
	vd_init(VIRTIO_ID_RNG, BIT(VIRTIO_F_EVENT_IDX));
	n_adds = 0;
	n_added = 0;
	assert_int_equal(vd_probe(), 0);
	return 0;
}

static int teardown(void **state)
{
	struct rng *rng = container_of(source, struct rng, source);
	void *mmio = vd.handler_arg;

	(void)state;
	virtq_destroy_all(rng->vdev);
	kfree(rng);
	kfree(mmio);
	return 0;
}

/* The device fills the buffer with so many bytes. */
static void fill(uint32_t n, uint8_t value)
{
	struct vd_chain c = vd_take(q);

	assert_int_equal(c.n, 1);
	assert_int_equal(c.n_readable, 0);
	assert_int_equal(c.d[0].len, BYTES);
	memset((void *)(uintptr_t)c.d[0].addr, value, MIN(n, BYTES));
	vd_use(q, c.head, n);
}

static void it_is_asked_at_once_and_when_somebody_wants(void **state)
{
	(void)state;
	assert_int_equal(vd.notifies, 1);
	fill(BYTES, 0x5a);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(n_adds, 1);
	assert_int_equal(n_added, BYTES);
	assert_int_equal(n_bits, 8 * BYTES);
	assert_int_equal(added[BYTES - 1], 0x5a);
	assert_int_equal(vd_n_available(q), 0); /* not again by itself */
	source->ask(source);
	source->ask(source);
	assert_int_equal(vd_n_available(q), 1);
	fill(10, 0xa5);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(n_adds, 2);
	assert_int_equal(n_bits, 80); /* what it gave, not what it could have */
}

static void without_its_interrupt_it_is_looked_at(void **state)
{
	(void)state;
	fill(BYTES, 1);
	source->ask(source);
	assert_int_equal(n_adds, 1);
	assert_int_equal(vd_n_available(q), 1);
}

static void nothing_is_worth_nothing(void **state)
{
	(void)state;
	fill(0, 0);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(n_bits, 0);
}

static void one_that_lies_is_not_asked_again(void **state)
{
	(void)state;
	fill(BYTES + 1, 1);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(n_adds, 0);
	assert_int_equal(vd.status, VIRTIO_FAILED);
	source->ask(source);
	assert_int_equal(n_adds, 0);
}

static void needing_a_reset(void **state)
{
	(void)state;
	vd.status |= VIRTIO_NEEDS_RESET;
	vd_interrupt(VIRTIO_INT_CONFIG);
	assert_int_equal(vd.status, VIRTIO_FAILED);
	source->ask(source);
	assert_int_equal(n_adds, 0);
}

static void without_memory(void **state)
{
	(void)state;
	for (uint64_t n = 1; n <= 4; n++) {
		vd_init(VIRTIO_ID_RNG, 0);
		mock_alloc_fail_at = n;
		assert_int_equal(vd_probe(), -ENOMEM);
		kfree(vd.handler_arg);
	}
	vd_init(VIRTIO_ID_RNG, 0);
	vd.q[0].max = 0;
	assert_int_equal(vd_probe(), -ENODEV);
	kfree(vd.handler_arg);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(it_is_asked_at_once_and_when_somebody_wants),
		T(without_its_interrupt_it_is_looked_at),
		T(nothing_is_worth_nothing),
		T(one_that_lies_is_not_asked_again),
		T(needing_a_reset),
		cmocka_unit_test(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
