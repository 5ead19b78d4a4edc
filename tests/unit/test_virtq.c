/* Split virtqueues: chains, the 16-bit indices, notifications, and devices that lie. */
// sources: drivers/virtio/virtio.c drivers/virtio/queue.c core/time/time.c core/dt/dt.c core/dt/bus.c core/dt/map.c core/dt/index.c
#include <caisson/time.h>
#include <virtio_mock.h>

#define TEST_ID 42
#define SIZE 16
#define ROUNDS 70000 /* more than the indices have values */

static struct virtio_device *bound;
static struct virtq *queue;
static struct vd_queue *dq = &vd.q[0];
static char bytes[SIZE][16];

static void nothing_used(struct virtq *q)
{
	(void)q;
}

static int test_probe(struct virtio_device *dev)
{
	int error = virtq_create(dev, 0, SIZE, nothing_used, &queue);

	bound = dev;
	if (!error)
		virtio_ready(dev);
	return error;
}

static void test_broken(struct virtio_device *dev)
{
	(void)dev;
}

VIRTIO_DRIVER(test_driver) = {
	.name = "test", .device_id = TEST_ID, .probe = test_probe, .broken = test_broken,
};

static int setup_with(uint64_t features)
{
	vd_init(TEST_ID, features);
	return vd_probe();
}

static int setup(void **state)
{
	(void)state;
	return setup_with(BIT(VIRTIO_F_EVENT_IDX));
}

static int setup_without_events(void **state)
{
	(void)state;
	return setup_with(0);
}

static int teardown(void **state)
{
	(void)state;
	virtq_destroy_all(bound);
	kfree(mmio_of(bound));
	return 0;
}

/* A chain of n pieces, the last of which the device writes. Its token is its number. */
static int add(unsigned n, uintptr_t token)
{
	struct virtq_buf bufs[SIZE];

	for (unsigned i = 0; i < n; i++)
		bufs[i] = (struct virtq_buf){ bytes[i], 16 - i % 4, i + 1 == n };
	return virtq_add(queue, bufs, n, (void *)token);
}

static uintptr_t take(uint32_t *written)
{
	return (uintptr_t)virtq_take(queue, written);
}

/* --- chains --- */

static void a_chain_reaches_the_device(void **state)
{
	struct vd_chain c;

	(void)state;
	assert_int_equal(add(3, 1), 0);
	assert_int_equal(vd_n_available(dq), 1);
	c = vd_take(dq);
	assert_int_equal(c.n, 3);
	assert_int_equal(c.n_readable, 2);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(c.d[i].addr, (uintptr_t)bytes[i]);
		assert_int_equal(c.d[i].len, 16 - i);
	}
	assert_int_equal(c.d[2].flags, 2);
}

static void a_used_chain_comes_back_with_its_token(void **state)
{
	uint32_t written = 99;
	struct vd_chain c;

	(void)state;
	assert_int_equal(take(&written), 0);
	assert_int_equal(add(2, 7), 0);
	assert_int_equal(take(&written), 0);
	c = vd_take(dq);
	vd_use(dq, c.head, 11);
	assert_int_equal(take(&written), 7);
	assert_int_equal(written, 11);
	assert_int_equal(take(&written), 0);
}

static void chains_come_back_in_any_order(void **state)
{
	uint16_t heads[4];
	uint32_t written;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(add(1 + i, 100 + i), 0);
		heads[i] = vd_take(dq).head;
	}
	for (unsigned i = 0; i < 4; i++)
		vd_use(dq, heads[(i * 3 + 2) % 4], 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(take(&written), 100 + (i * 3 + 2) % 4);
}

static void a_full_queue_takes_no_more_and_loses_nothing(void **state)
{
	uint32_t written;

	(void)state;
	for (unsigned round = 0; round < 50; round++) {
		for (unsigned i = 0; i < 5; i++)
			assert_int_equal(add(3, 1 + i), 0);
		assert_int_equal(add(2, 9), -ENOSPC);
		assert_int_equal(add(1, 6), 0);
		assert_int_equal(add(1, 9), -ENOSPC);
		for (unsigned i = 0; i < 6; i++)
			vd_use(dq, vd_take(dq).head, 1);
		for (unsigned i = 0; i < 6; i++)
			assert_int_equal(take(&written), 1 + i);
	}
}

/* Several under way, of different lengths, in mixed order, until the indices have been around. */
static void the_indices_run_around(void **state)
{
	uint64_t seed = 1;
	uint16_t heads[4];
	uint32_t written;

	(void)state;
	for (unsigned round = 0; round < ROUNDS / 4; round++) {
		unsigned first = (unsigned)mock_random(&seed) % 4;

		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(add(1 + (round + i) % 4, 1 + i), 0);
		for (unsigned i = 0; i < 4; i++)
			heads[i] = vd_take(dq).head;
		for (unsigned i = 0; i < 4; i++)
			vd_use(dq, heads[(first + i) % 4], i);
		for (unsigned i = 0; i < 4; i++) {
			assert_int_equal(take(&written), 1 + (first + i) % 4);
			assert_int_equal(written, i);
		}
	}
	assert_int_equal(vd_n_available(dq), 0);
	assert_false(virtio_is_broken(bound));
}

/* --- notifications and interrupts --- */

static void the_device_is_notified_when_it_wants(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ROUNDS; n++) {
		bool wants = n % 3 == 0;
		unsigned before = vd.notifies;
		uint32_t written;

		vd_set_avail_event(dq, (uint16_t)(wants ? dq->next : dq->next - 1));
		assert_int_equal(add(1, 1), 0);
		virtq_kick(queue);
		assert_int_equal(vd.notifies - before, wants);
		vd_use(dq, vd_take(dq).head, 0);
		assert_int_equal(take(&written), 1);
	}
}

static void one_kick_does_for_several_chains(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(add(1, 1 + i), 0);
	vd_set_avail_event(dq, 1);
	virtq_kick(queue);
	virtq_kick(queue); /* nothing new */
	assert_int_equal(vd.notifies, 1);
}

static void without_event_indices_a_flag_says_it(void **state)
{
	(void)state;
	assert_int_equal(add(1, 1), 0);
	virtq_kick(queue);
	assert_int_equal(vd.notifies, 1);
	vd_used(dq)[0] = 1;
	assert_int_equal(add(1, 2), 0);
	virtq_kick(queue);
	assert_int_equal(vd.notifies, 1);
	vd_use(dq, vd_take(dq).head, 0);
	assert_true(vd_wants_interrupt(dq, 1));
}

static void an_interrupt_is_wanted_after_everything_was_taken(void **state)
{
	uint32_t written;

	(void)state;
	for (unsigned n = 0; n < ROUNDS / 2; n++) {
		assert_int_equal(add(1, 1), 0);
		assert_int_equal(add(1, 2), 0);
		vd_use(dq, vd_take(dq).head, 0);
		assert_true(vd_wants_interrupt(dq, 1));
		vd_use(dq, vd_take(dq).head, 0);
		assert_false(vd_wants_interrupt(dq, 1)); /* the driver is on its way already */
		assert_int_equal(take(&written), 1);
		assert_int_equal(take(&written), 2);
		assert_int_equal(take(&written), 0);
	}
}

/* --- lies --- */

static void assert_caught(const char *message)
{
	uint32_t written;

	assert_int_equal(take(&written), 0);
	assert_true(virtio_is_broken(bound));
	assert_non_null(strstr(mock_log_text(), message));
	assert_int_equal(vd.status, VIRTIO_FAILED);
	assert_int_equal(take(&written), 0);
	for (uintptr_t tokens = 0; (tokens = (uintptr_t)virtq_reclaim(queue)) != 0;)
		assert_in_range(tokens, 1, 2);
}

static int setup_lies(void **state)
{
	setup(state);
	assert_int_equal(add(3, 1), 0);
	assert_int_equal(add(2, 2), 0);
	return 0;
}

static void an_id_out_of_range_is_caught(void **state)
{
	(void)state;
	vd_use(dq, SIZE, 0);
	assert_caught("finished what it was not given");
}

static void a_huge_id_is_caught(void **state)
{
	(void)state;
	vd_use(dq, 0xffff0000u, 0);
	assert_caught("finished what it was not given");
}

static void an_id_inside_a_chain_is_caught(void **state)
{
	(void)state;
	vd_use(dq, vd_take(dq).head + 1u, 0);
	assert_caught("finished what it was not given");
}

static void finishing_twice_is_caught(void **state)
{
	struct vd_chain c = vd_take(dq);
	uint32_t written;

	(void)state;
	vd_use(dq, c.head, 0);
	assert_int_equal(take(&written), 1);
	vd_use(dq, c.head, 0);
	assert_caught("finished what it was not given");
}

static void more_than_was_given_is_caught(void **state)
{
	(void)state;
	dq->used_idx += 2;
	vd_use(dq, vd_take(dq).head, 0);
	assert_caught("finished more than it was given");
}

static void an_index_that_goes_back_is_caught(void **state)
{
	(void)state;
	dq->used_idx -= 2;
	vd_use(dq, vd_take(dq).head, 0);
	assert_caught("finished more than it was given");
}

static void more_bytes_than_room_is_caught(void **state)
{
	struct vd_chain c = vd_take(dq);

	(void)state;
	vd_use(dq, c.head, c.d[2].len + 1);
	assert_caught("wrote more than it could");
}

static void what_the_device_does_to_the_descriptors_is_not_looked_at(void **state)
{
	struct vd_chain c = vd_take(dq);
	uint32_t written;

	(void)state;
	memset((void *)(uintptr_t)dq->desc, 0xff, SIZE * sizeof(struct vd_desc));
	vd_use(dq, c.head, 1);
	assert_int_equal(take(&written), 1);
	assert_int_equal(add(3, 3), 0);
	assert_int_equal(add(SIZE - 5, 4), 0);
}

/* One device's life: random used entries, true and not. Each token comes back at most once, and all of them in the end. */
static void live(uint64_t *seed)
{
	unsigned out[SIZE + 1] = { 0 }, next = 1;
	uint32_t written;
	uintptr_t token;

	while (!virtio_is_broken(bound) && next <= SIZE) {
		if (add(1 + (unsigned)mock_random(seed) % 3, next) == 0)
			out[next++] = 1;
		while (vd_n_available(dq) && mock_random(seed) % 4)
			vd_use(dq, vd_take(dq).head, (uint32_t)mock_random(seed) % 16);
		if (mock_random(seed) % 8 == 0)
			vd_use(dq, (uint32_t)mock_random(seed) % (mock_random(seed) % 2 ? SIZE : ~0u), (uint32_t)mock_random(seed) % 20);
		if (mock_random(seed) % 32 == 0)
			dq->used_idx = (uint16_t)mock_random(seed);
		while ((token = take(&written)) != 0) {
			assert_true(token < next && out[token] && written <= 16);
			out[token] = 0;
		}
	}
	while ((token = (uintptr_t)virtq_reclaim(queue)) != 0) {
		assert_true(token < next && out[token]);
		out[token] = 0;
	}
	for (unsigned i = 1; i < next; i++)
		assert_int_equal(out[i], 0);
}

static void fuzz_no_lie_does_harm(void **state)
{
	uint64_t seed = 42;
	unsigned n_broken = 0;

	(void)state;
	for (unsigned n = 0; n < 3000; n++) {
		live(&seed);
		n_broken += virtio_is_broken(bound);
		teardown(NULL);
		setup(NULL);
	}
	assert_in_range(n_broken, 1000, 2999);
}

#define WITH(s, f) cmocka_unit_test_setup_teardown(f, s, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(setup, a_chain_reaches_the_device),
		WITH(setup, a_used_chain_comes_back_with_its_token),
		WITH(setup, chains_come_back_in_any_order),
		WITH(setup, a_full_queue_takes_no_more_and_loses_nothing),
		WITH(setup, the_indices_run_around),
		WITH(setup_without_events, the_indices_run_around),
		WITH(setup, the_device_is_notified_when_it_wants),
		WITH(setup, one_kick_does_for_several_chains),
		WITH(setup_without_events, without_event_indices_a_flag_says_it),
		WITH(setup, an_interrupt_is_wanted_after_everything_was_taken),
		WITH(setup_lies, an_id_out_of_range_is_caught),
		WITH(setup_lies, a_huge_id_is_caught),
		WITH(setup_lies, an_id_inside_a_chain_is_caught),
		WITH(setup_lies, finishing_twice_is_caught),
		WITH(setup_lies, more_than_was_given_is_caught),
		WITH(setup_lies, an_index_that_goes_back_is_caught),
		WITH(setup_lies, more_bytes_than_room_is_caught),
		WITH(setup_lies, what_the_device_does_to_the_descriptors_is_not_looked_at),
		WITH(setup, fuzz_no_lie_does_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
