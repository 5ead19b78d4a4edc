/* The virtio network driver with a device that is silent, lies or gives up: every frame ends, and only once. */
// sources: drivers/net/net.c drivers/net/virtio_net_rx.c drivers/net/virtio_net_tx.c drivers/virtio/virtio.c drivers/virtio/queue.c core/time/time.c core/dt/dt.c core/dt/bus.c core/dt/map.c core/dt/index.c
#include <virtio_net_mock.h>

static uint8_t data[2048];

/* The device is dead, its user knows, what was under way has ended, and the memory is back. */
static void assert_dead(unsigned n_sent)
{
	assert_int_equal(vd.status, VIRTIO_FAILED);
	assert_false(net_link(net));
	assert_int_equal(got.n_link, 1);
	assert_int_equal(n_done, n_sent);
	for (unsigned i = 0; i < n_sent; i++)
		assert_int_equal(statuses[i], -EIO);
	assert_int_equal(send_bytes(0, data, 60), -EIO);
	assert_int_equal(mock_frames_used, 2); /* of the queues */
}

static void send_some(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(send_bytes(i, data, 60), 0);
}

/* A used entry for the next buffer: a header, so many buffers said, so many bytes written. */
static void use_one(uint16_t num_buffers, uint32_t written)
{
	struct vd_chain c = vd_take(rxq);
	struct header h = { .num_buffers = num_buffers };

	memcpy((void *)(uintptr_t)c.d[0].addr, &h, sizeof(h));
	vd_use(rxq, c.head, written);
}

static void frames_that_are_none(void **state)
{
	static const struct { uint16_t num_buffers; uint32_t written; const char *says; } table[] = {
		{ 1, sizeof(struct header) - 1, "without a header" },
		{ 1, 0, "without a header" },
		{ 0, 100, "in none, or too many" },
		{ NET_SEGMENTS_MAX + 1, 100, "in none, or too many" },
		{ 0xffff, 100, "in none, or too many" },
		{ 2, 100, "a part of a frame" },
		{ 1, PAGE_SIZE + 1, "wrote more than it could" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		setup(state);
		send_some(10);
		use_one(table[i].num_buffers, table[i].written);
		vd_interrupt(VIRTIO_INT_QUEUE);
		assert_non_null(strstr(mock_log_text(), table[i].says));
		assert_int_equal(got.n, 0);
		assert_dead(10);
	}
}

static void a_lie_in_the_queue_of_what_goes(void **state)
{
	(void)state;
	send_some(3);
	vd_use(txq, 100, 0);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_dead(3);
}

static void what_was_received_before_the_lie_counts(void **state)
{
	(void)state;
	put_frame((struct header){ 0 }, data, 60, PAGE_SIZE);
	use_one(0, 60);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(got.n, 1);
	assert_dead(0);
}

static void needing_a_reset(void **state)
{
	(void)state;
	send_some(5);
	vd.status |= VIRTIO_NEEDS_RESET;
	vd_interrupt(VIRTIO_INT_CONFIG);
	assert_dead(5);
}

static void one_that_ignores_the_reset_keeps_its_pages(void **state)
{
	const struct vd_desc *rx = (const struct vd_desc *)(uintptr_t)rxq->desc;
	uint64_t copy;

	(void)state;
	send_some(5);
	mock_stack = data;
	mock_stack_size = sizeof(data);
	assert_int_equal(send_bytes(5, data, 60), 0); /* a copy */
	copy = ((const struct vd_desc *)(uintptr_t)txq->desc)[11].addr;
	vd.ignores_reset = true;
	vd_use(txq, 100, 0);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(n_done, 6);
	assert_int_equal(mock_frames_used, 2 + VIRTQ_MAX + 1);
	for (unsigned i = 0; i < VIRTQ_MAX; i++)
		frame_free(HPA(rx[i].addr), 0);
	frame_free(HPA(copy), 0);
	mock_stack = NULL;
}

/* --- silence --- */

static void silence_costs_the_frames_only(void **state)
{
	unsigned resets = vd.resets;
	uint64_t start = mock_time;

	(void)state;
	send_some(7);
	put_frame((struct header){ 0 }, data, 60, PAGE_SIZE);
	while (n_done == 0)
		fire_timer();
	assert_in_range(mock_time - start, 50000000, 51000000); /* 5 s */
	assert_int_equal(vd.resets, resets + 2); /* and one to start it again */
	assert_int_equal(n_done, 7);
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(statuses[i], -ETIMEDOUT);
	assert_int_equal(vd.status, 1 | 2 | 4 | 8);
	assert_int_equal(vd_n_available(rxq), VIRTQ_MAX);
	assert_int_equal(vd_n_available(txq), 0);
	assert_null(timer);
	assert_int_equal(got.n, 1); /* the timer looks for what came, too */
	put_frame((struct header){ 0 }, data, 60, PAGE_SIZE);
	send_some(1);
	send_one(NULL);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(got.n, 2);
	assert_int_equal(statuses[0], 0);
	assert_int_equal(mock_frames_used, 2 + VIRTQ_MAX);
}

static void a_slow_device_is_not_reset(void **state)
{
	unsigned resets = vd.resets;

	(void)state;
	send_some(40);
	for (unsigned i = 0; i < 40; i++) {
		for (unsigned k = 0; k < LOOKS - 1; k++)
			fire_timer();
		send_one(NULL);
		vd_interrupt(VIRTIO_INT_QUEUE);
	}
	assert_int_equal(vd.resets, resets);
	assert_int_equal(n_done, 40);
	fire_timer();
	assert_null(timer); /* nothing is under way */
}

static void an_interrupt_that_is_lost(void **state)
{
	(void)state;
	send_some(1);
	send_one(NULL);
	fire_timer();
	assert_int_equal(n_done, 1);
	assert_int_equal(statuses[0], 0);
}

static void full_and_silent(void **state)
{
	unsigned n = 0;

	(void)state;
	while (send_bytes(n, data, 60) == 0)
		n++;
	while (n_done == 0)
		fire_timer();
	assert_int_equal(n_done, n);
	assert_int_equal(got.n_room, 1);
	send_some(3); /* they have their five seconds again */
	for (unsigned i = 0; i < LOOKS - 1; i++) {
		fire_timer();
		assert_int_equal(n_done, n);
	}
	fire_timer();
	assert_int_equal(n_done, n + 3);
}

static void one_that_cannot_be_started_again(void **state)
{
	(void)state;
	send_some(2);
	vd.refuses_features = true;
	while (n_done == 0)
		fire_timer();
	assert_int_equal(statuses[0], -ETIMEDOUT);
	assert_int_equal(send_bytes(0, data, 60), -EIO);
	assert_false(net_link(net));
	assert_int_equal(mock_frames_used, 2);
}

static void without_an_interrupt_the_timer_looks(void **state)
{
	(void)state;
	prepare(ALL_FEATURES);
	vd.no_irq = true;
	bind();
	assert_true(net->polled);
	put_frame((struct header){ 0 }, data, 60, PAGE_SIZE);
	fire_timer();
	assert_int_equal(got.n, 1);
	assert_non_null(timer);
	put_frame((struct header){ 0 }, data, 60, PAGE_SIZE);
	net_poll(net);
	assert_int_equal(got.n, 2);
	send_some(1);
	for (unsigned i = 0; n_done == 0; i++) {
		assert_true(i < 1000);
		fire_timer();
	}
	assert_int_equal(statuses[0], -ETIMEDOUT);
}

/* --- whatever the device does --- */

static void random_move(uint64_t *seed, unsigned *sent)
{
	struct segment seg = { data, 14 + (uint32_t)mock_random(seed) % 1500 };
	struct header h = { .flags = (uint8_t)mock_random(seed), .gso_type = (uint8_t)mock_random(seed) % 8,
			    .gso_size = (uint16_t)mock_random(seed), .csum_start = (uint16_t)mock_random(seed) % 100 };

	switch (mock_random(seed) % 8) {
	case 0: case 1: case 2:
		if (*sent < TOKENS)
			*sent += send_segs(*sent, &seg, 1, NULL) == 0;
		break;
	case 3:
		if (txq->ready && vd_n_available(txq))
			send_one(NULL);
		break;
	case 4: case 5:
		if (rxq->ready && vd_n_available(rxq) > 3)
			put_frame(h, data, (uint32_t)mock_random(seed) % 2000, 700 + (uint32_t)mock_random(seed) % 3000);
		break;
	case 6:
		vd_interrupt(VIRTIO_INT_QUEUE);
		break;
	default:
		if (mock_random(seed) % 32 == 0 && rxq->ready && vd_n_available(rxq))
			use_one((uint16_t)(mock_random(seed) % 4), (uint32_t)mock_random(seed) % 5000);
		else if (mock_random(seed) % 32 == 0 && txq->ready)
			vd_use(txq, (uint32_t)mock_random(seed) % VIRTQ_MAX, (uint32_t)mock_random(seed) % 2);
	}
}

static void fuzz_every_frame_ends(void **state)
{
	uint64_t seed = 11;

	for (unsigned round = 0; round < 300; round++) {
		unsigned sent = 0;

		setup(state);
		for (unsigned i = 0; i < 400; i++)
			random_move(&seed, &sent);
		while (timer)
			fire_timer();
		assert_int_equal(n_done, sent);
		assert_int_equal(mock_frames_used, 2 + (virtio_is_broken(nic_of(net)->vdev) ? 0 : VIRTQ_MAX));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(frames_that_are_none),
		T(a_lie_in_the_queue_of_what_goes),
		T(what_was_received_before_the_lie_counts),
		T(needing_a_reset),
		T(one_that_ignores_the_reset_keeps_its_pages),
		T(silence_costs_the_frames_only),
		T(a_slow_device_is_not_reset),
		T(an_interrupt_that_is_lost),
		T(full_and_silent),
		T(one_that_cannot_be_started_again),
		T(without_an_interrupt_the_timer_looks),
		T(fuzz_every_frame_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
