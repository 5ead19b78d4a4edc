/* The virtio core and its mmio transport against a device model: hand-shake, refusals, configuration, giving up. */
// sources: drivers/virtio/virtio.c drivers/virtio/queue.c core/time/time.c core/dt/dt.c core/dt/bus.c core/dt/map.c core/dt/index.c
#include <caisson/time.h>
#include <virtio_mock.h>

#define TEST_ID 42
#define F_OURS 3
#define F_UNKNOWN 7

static struct virtio_device *bound;
static int probe_error;
static unsigned n_broken, n_changed, n_used;
static struct virtq *queues[VD_QUEUES];

static void count_used(struct virtq *q)
{
	assert_ptr_equal(virtq_device(q), bound);
	n_used++;
}

static int test_probe(struct virtio_device *dev)
{
	bound = dev;
	for (unsigned i = 0; i < VD_QUEUES; i++) {
		int error = virtq_create(dev, i, 16, count_used, &queues[i]);

		if (error)
			return error;
	}
	if (probe_error)
		return probe_error;
	virtio_ready(dev);
	return 0;
}

static void test_broken(struct virtio_device *dev)
{
	assert_true(virtio_is_broken(dev));
	n_broken++;
}

static void test_changed(struct virtio_device *dev)
{
	assert_ptr_equal(dev, bound);
	n_changed++;
}

VIRTIO_DRIVER(test_driver) = {
	.name = "test",
	.device_id = TEST_ID,
	.features = BIT(F_OURS),
	.probe = test_probe,
	.broken = test_broken,
	.config_changed = test_changed,
};

static int setup(void **state)
{
	(void)state;
	vd_init(TEST_ID, BIT(F_OURS) | BIT(F_UNKNOWN) | BIT(VIRTIO_F_EVENT_IDX));
	vd.q[1].max = 8;
	bound = NULL;
	probe_error = 0;
	n_broken = n_changed = n_used = 0;
	mock_frames_used = 0;
	return 0;
}

static int setup_bound(void **state)
{
	setup(state);
	assert_int_equal(vd_probe(), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (bound && !list_empty(&bound->queues))
		virtq_destroy_all(bound);
	kfree(bound ? mmio_of(bound) : vd.handler_arg); /* it is kept for the interrupt's sake */
	return 0;
}

static unsigned lines_logged(void)
{
	unsigned n = 0;

	for (const char *c = mock_log_text(); *c; c++)
		n += *c == '\n';
	return n;
}

/* --- hand-shake --- */

static void the_handshake_is_in_order(void **state)
{
	static const uint8_t expected[] = { 0, 1, 1 | 2, 1 | 2 | 8, 1 | 2 | 8 | 4 };

	(void)state;
	assert_int_equal(vd.n_statuses, sizeof(expected));
	assert_memory_equal(vd.statuses, expected, sizeof(expected));
	assert_int_equal(vd.q[0].size, 16);
	assert_int_equal(vd.q[1].size, 8);
	assert_true(vd.q[0].ready && vd.q[1].ready);
	assert_false(bound->polled);
}

static void only_features_that_both_know_are_agreed_on(void **state)
{
	(void)state;
	assert_int_equal(vd.agreed, BIT(F_OURS) | BIT(VIRTIO_F_EVENT_IDX) | BIT(VIRTIO_F_VERSION_1));
	assert_int_equal(bound->features, vd.agreed);
	assert_true(virtio_has(bound, F_OURS));
	assert_false(virtio_has(bound, F_UNKNOWN));
}

static void an_empty_slot_is_silent(void **state)
{
	(void)state;
	vd.id = 0;
	vd.version = LEGACY;
	assert_int_equal(vd_probe(), -ENODEV);
	assert_string_equal(mock_log_text(), "");
	assert_int_equal(vd.n_statuses, 0);
}

static void a_legacy_device_gets_one_line_and_is_left_alone(void **state)
{
	(void)state;
	vd.version = LEGACY;
	assert_int_equal(vd_probe(), -ENODEV);
	assert_int_equal(lines_logged(), 1);
	assert_non_null(strstr(mock_log_text(), "-global virtio-mmio.force-legacy=false"));
	assert_int_equal(vd.n_statuses, 0);
	assert_null(vd.handler);
}

static void what_is_no_virtio_device_is_left_alone(void **state)
{
	size_t before = heap_in_use();

	(void)state;
	vd.magic = 0;
	assert_int_equal(vd_probe(), -EINVAL);
	vd.magic = MAGIC;
	vd.version = 3;
	assert_int_equal(vd_probe(), -ENODEV);
	vd.version = MODERN;
	vd.id = TEST_ID + 1;
	assert_int_equal(vd_probe(), -ENODEV);
	assert_non_null(strstr(mock_log_text(), "no driver for device id 43"));
	assert_int_equal(vd.n_statuses, 0);
	assert_int_equal(heap_in_use(), before);
}

static void a_node_without_sense_is_left_alone(void **state)
{
	size_t before = heap_in_use();

	(void)state;
	vd.size = REG_CONFIG - 1;
	assert_int_equal(vd_probe(), -EINVAL);
	vd.size = sizeof(vd.window);
	vd.base = VD_BASE + 2;
	assert_int_equal(vd_probe(), -EINVAL);
	assert_int_equal(vd.n_statuses, 0);
	assert_int_equal(heap_in_use(), before);
}

static void assert_given_up(int error)
{
	assert_int_equal(vd_probe(), error);
	assert_true(vd.status & VIRTIO_FAILED);
	assert_false(vd.status & VIRTIO_DRIVER_OK);
	assert_int_equal(mock_frames_used, 0);
}

static void a_device_without_version_1_is_refused(void **state)
{
	(void)state;
	vd.features &= ~BIT(VIRTIO_F_VERSION_1);
	assert_given_up(-ENOTSUP);
}

static void a_device_that_refuses_our_features_is_given_up(void **state)
{
	(void)state;
	vd.refuses_features = true;
	assert_given_up(-ENOTSUP);
	assert_non_null(strstr(mock_log_text(), "does not accept features"));
}

static void a_reset_that_is_not_answered_is_waited_for_a_bounded_time(void **state)
{
	(void)state;
	vd.ignores_reset = true;
	vd.status = VIRTIO_ACKNOWLEDGE;
	assert_int_equal(vd_probe(), -ETIMEDOUT);
	assert_true(mock_time < time_from_us(100000));
	assert_non_null(strstr(mock_log_text(), "does not answer a reset"));
}

static void a_driver_that_fails_leaves_a_failed_device(void **state)
{
	(void)state;
	probe_error = -ENOMEM;
	assert_given_up(-ENOMEM);
	assert_false(vd.q[0].ready);
}

/* Whichever allocation fails, nothing stays but the device's own structure, which its interrupt needs. */
static void M1_each_allocation_may_fail(void **state)
{
	uint64_t n = 0;
	int error;

	(void)state;
	do {
		setup(NULL);
		mock_alloc_fail_at = ++n;
		error = vd_probe();
		if (error) {
			assert_int_equal(error, -ENOMEM);
			assert_int_equal(mock_frames_used, 0);
			if (bound)
				kfree(mmio_of(bound));
			bound = NULL;
		}
	} while (error);
	assert_int_equal(n, 1 + 1 + 2 * 2 + 1); /* structure, window, two queues, none */
}

static void a_queue_that_is_not_there_or_not_free_is_an_error(void **state)
{
	struct virtq *q;

	(void)state;
	assert_int_equal(virtq_create(bound, 2, 16, count_used, &q), -ENODEV);
	assert_int_equal(virtq_create(bound, 0, 16, count_used, &q), -EIO);
	assert_int_equal(mock_frames_used, 2);
}

static void queue_sizes_are_powers_of_two(void **state)
{
	(void)state;
	vd.q[1].max = 15;
	assert_int_equal(vd_probe(), 0);
	assert_int_equal(virtq_size(queues[1]), 8);
	vd.q[1].ready = 0;
	assert_int_equal(virtq_create(bound, 0, 1000, count_used, &queues[0]), -EIO);
	vd.q[0].ready = 0;
	assert_int_equal(virtq_create(bound, 0, 1000, count_used, &queues[0]), 0);
	assert_int_equal(virtq_size(queues[0]), VIRTQ_MAX);
}

static void without_an_interrupt_it_is_polled(void **state)
{
	(void)state;
	vd.no_irq = true;
	assert_int_equal(vd_probe(), 0);
	assert_true(bound->polled);
	assert_non_null(strstr(mock_log_text(), "no interrupt (error -22): polled"));
}

/* --- configuration --- */

static void configuration_fields_are_read_in_their_width(void **state)
{
	uint64_t value;

	(void)state;
	for (unsigned i = 0; i < sizeof(vd.config); i++)
		vd.config[i] = (uint8_t)(i + 1);
	assert_int_equal(virtio_config(bound, 3, 1, &value), 0);
	assert_int_equal(value, 4);
	assert_int_equal(virtio_config(bound, 6, 2, &value), 0);
	assert_int_equal(value, 0x0807);
	assert_int_equal(virtio_config(bound, 4, 4, &value), 0);
	assert_int_equal(value, 0x08070605);
	assert_int_equal(virtio_config(bound, 4, 8, &value), 0);
	assert_int_equal(value, UINT64_C(0x0c0b0a0908070605));
	assert_int_equal(virtio_config(bound, 0x200, 4, &value), 0); /* beyond the window */
	assert_int_equal(value, 0);
}

/* Between its halves the field changes from 0xffffffff to 0x100000000. */
static void change_after_first_half(void)
{
	static const uint8_t changed[8] = { 0, 0, 0, 0, 1 };
	static unsigned reads;

	if (++reads == 2) {
		memcpy(vd.config, changed, sizeof(changed));
		vd.generation++;
	}
}

static void a_field_that_changes_is_read_again(void **state)
{
	uint64_t value;

	(void)state;
	memset(vd.config, 0xff, 4);
	vd.config_read = change_after_first_half;
	assert_int_equal(virtio_config(bound, 0, 8, &value), 0);
	assert_int_equal(value, UINT64_C(0x100000000));
}

static void a_field_that_always_changes_is_an_error(void **state)
{
	uint64_t value;

	(void)state;
	vd.restless = 1000;
	assert_int_equal(virtio_config(bound, 0, 4, &value), -EIO);
	assert_true(vd.restless > 900);
}

/* --- interrupts, giving up --- */

static void an_interrupt_reaches_the_driver(void **state)
{
	(void)state;
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(n_used, 2);
	assert_int_equal(n_changed, 0);
	vd_interrupt(VIRTIO_INT_CONFIG);
	assert_int_equal(n_used, 2);
	assert_int_equal(n_changed, 1);
	vd_interrupt(VIRTIO_INT_CONFIG | VIRTIO_INT_QUEUE);
	assert_int_equal(n_used, 4);
	assert_int_equal(n_changed, 2);
}

static void a_device_that_needs_a_reset_is_dead(void **state)
{
	(void)state;
	vd.status |= VIRTIO_NEEDS_RESET;
	vd_interrupt(VIRTIO_INT_CONFIG | VIRTIO_INT_QUEUE);
	assert_int_equal(n_broken, 1);
	assert_int_equal(n_used + n_changed, 0);
	assert_int_equal(vd.status, VIRTIO_FAILED);
	assert_non_null(strstr(mock_log_text(), "asks for a reset: reset, and not used any more"));
	vd_interrupt(VIRTIO_INT_CONFIG | VIRTIO_INT_QUEUE);
	assert_int_equal(n_broken, 1);
	assert_int_equal(n_used + n_changed, 0);
}

static void failing_twice_is_failing_once(void **state)
{
	unsigned before;

	(void)state;
	virtio_fail(bound, "does something");
	before = vd.resets;
	virtio_fail(bound, "does something else");
	assert_int_equal(vd.resets, before);
	assert_null(strstr(mock_log_text(), "else"));
	assert_false(bound->loose);
}

static void one_that_does_not_even_reset_is_loose(void **state)
{
	(void)state;
	vd.ignores_reset = true;
	assert_int_equal(virtio_reset(bound), -ETIMEDOUT);
	assert_true(virtio_is_broken(bound) && bound->loose);
	assert_non_null(strstr(mock_log_text(), "it may still write to memory"));
}

static void a_restart_has_the_same_features_and_empty_queues(void **state)
{
	struct virtq_buf buf = { vd.window, 8, true };

	(void)state;
	assert_int_equal(virtq_add(queues[0], &buf, 1, &buf), 0);
	assert_int_equal(virtio_reset(bound), 0);
	assert_ptr_equal(virtq_reclaim(queues[0]), &buf);
	assert_null(virtq_reclaim(queues[0]));
	assert_int_equal(virtio_restart(bound), 0);
	assert_int_equal(vd.status, 1 | 2 | 4 | 8);
	assert_int_equal(vd.agreed, BIT(F_OURS) | BIT(VIRTIO_F_EVENT_IDX) | BIT(VIRTIO_F_VERSION_1));
	assert_true(vd.q[0].ready && vd.q[1].ready);
	assert_int_equal(vd_n_available(&vd.q[0]), 0);
	assert_int_equal(virtq_add(queues[0], &buf, 1, &buf), 0);
	assert_int_equal(vd_take(&vd.q[0]).n, 1);
	assert_ptr_equal(virtq_reclaim(queues[0]), &buf);
}

static void a_restart_that_fails_is_the_end(void **state)
{
	(void)state;
	assert_int_equal(virtio_reset(bound), 0);
	vd.features &= ~BIT(F_OURS);
	assert_int_equal(virtio_restart(bound), -ENOTSUP);
	assert_true(virtio_is_broken(bound));
	assert_int_equal(vd.status, VIRTIO_FAILED);
}

#define FRESH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define BOUND(f) cmocka_unit_test_setup_teardown(f, setup_bound, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOUND(the_handshake_is_in_order),
		BOUND(only_features_that_both_know_are_agreed_on),
		FRESH(an_empty_slot_is_silent),
		FRESH(a_legacy_device_gets_one_line_and_is_left_alone),
		FRESH(what_is_no_virtio_device_is_left_alone),
		FRESH(a_node_without_sense_is_left_alone),
		FRESH(a_device_without_version_1_is_refused),
		FRESH(a_device_that_refuses_our_features_is_given_up),
		FRESH(a_reset_that_is_not_answered_is_waited_for_a_bounded_time),
		FRESH(a_driver_that_fails_leaves_a_failed_device),
		FRESH(M1_each_allocation_may_fail),
		BOUND(a_queue_that_is_not_there_or_not_free_is_an_error),
		FRESH(queue_sizes_are_powers_of_two),
		FRESH(without_an_interrupt_it_is_polled),
		BOUND(configuration_fields_are_read_in_their_width),
		BOUND(a_field_that_changes_is_read_again),
		BOUND(a_field_that_always_changes_is_an_error),
		BOUND(an_interrupt_reaches_the_driver),
		BOUND(a_device_that_needs_a_reset_is_dead),
		BOUND(failing_twice_is_failing_once),
		BOUND(one_that_does_not_even_reset_is_loose),
		BOUND(a_restart_has_the_same_features_and_empty_queues),
		BOUND(a_restart_that_fails_is_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
