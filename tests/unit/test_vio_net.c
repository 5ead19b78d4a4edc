/* Network device of a VM: what its guest sends to the switch; its link; a guest that says anything. */
// sources: vmm/virtio/net.c vmm/net/switch.c vmm/net/mac.c vmm/net/offload.c vmm/virtio/ring.c vmm/virtio/device.c vmm/virtio/mmio.c vmm/device/common.c vmm/image/dt_writer.c
#include <vio_net_mock.h>

static void test_what_is_offered(void **state)
{
	uint64_t offered;

	(void)state;
	offered = mg_offered();
	assert_int_equal(offered & BITS(27, 0), PLAIN | BIT(F_MRG_RXBUF) | BIT(F_CSUM) | BIT(F_GUEST_CSUM) | BIT(F_GUEST_TSO4) |
			 BIT(F_GUEST_TSO6) | BIT(F_GUEST_ECN) | BIT(F_HOST_TSO4) | BIT(F_HOST_TSO6) | BIT(F_HOST_ECN));
	assert_int_equal(mv_read(0x008, 4), 1);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(mv_read(0x100 + i, 1), OURS[i]);
	assert_int_equal(mv_read(0x106, 2), 1);
	assert_int_equal(mv_read(0x10a, 2), 1500);
}

static void test_without_offloads_none_are_offered(void **state)
{
	teardown(state);
	config.plain = true;
	mg_start(&vio_net_type, &backend);
	assert_int_equal(mg_offered() & BITS(27, 0), PLAIN | BIT(F_MRG_RXBUF));
	peer.port.net_switch = NULL;
	assert_int_equal(switch_port_add("lan", &peer.port, (char[96]){ 0 }, 96), 0);
}

static void test_a_frame_goes_out(void **state)
{
	(void)state;
	mg_begin(PLAIN);
	make_frame(&(struct header){ 0 }, 1514);
	send_whole(1514);
	assert_sent_back();
	assert_int_equal(peer.frames, 1);
	assert_int_equal(peer.len, 1514);
	assert_memory_equal(peer.bytes, THEIRS, 6);
	assert_memory_equal(peer.bytes + 6, OURS, 6);
	assert_frame(peer.bytes, 12, 1514);
	assert_false(peer.offload.needs_csum);
	assert_int_equal(ours()->sent, 1);
	assert_int_equal(ours()->sent_bytes, 1514);
}

/* Header and addresses cut anywhere, even byte by byte. */
static void test_a_frame_in_pieces(void **state)
{
	(void)state;
	mg_begin(PLAIN);
	make_frame(&(struct header){ 0 }, 600);
	for (unsigned cut = 1; cut < 40; cut++) {
		struct mg_piece pieces[] = { { MG_DATA, cut, false }, { MG_DATA + cut, 1, false },
					     { MG_DATA + cut + 1, HEADER + 600 - cut - 1, false } };

		peer.frames = 0;
		mg_add(TX, pieces, 3);
		assert_int_equal(mg_kick(TX), 0);
		assert_sent_back();
		assert_int_equal(peer.frames, 1);
		assert_int_equal(peer.len, 600);
		assert_frame(peer.bytes, 12, 600);
	}
}

static void test_very_many_pieces_are_put_together(void **state)
{
	struct mg_piece pieces[MG_SIZE_OF_QUEUE];

	(void)state;
	mg_begin(PLAIN);
	make_frame(&(struct header){ 0 }, 700);
	for (unsigned i = 0; i < MG_SIZE_OF_QUEUE; i++) /* not side by side, so that none are joined */
		pieces[i] = (struct mg_piece){ MG_DATA + 0x4000 + 32 * i, 11, false };
	for (unsigned i = 0; i < HEADER + 700; i++) {
		char c;

		mg_get(MG_DATA + i, &c, 1);
		if (i < 11 * MG_SIZE_OF_QUEUE)
			mg_put(MG_DATA + 0x4000 + 32 * (i / 11) + i % 11, &c, 1);
	}
	mg_add(TX, pieces, MG_SIZE_OF_QUEUE);
	assert_int_equal(mg_kick(TX), 0);
	assert_sent_back();
	assert_int_equal(peer.len, 11 * MG_SIZE_OF_QUEUE - HEADER);
	assert_frame(peer.bytes, 12, peer.len);
}

static void test_frames_that_make_no_sense(void **state)
{
	static const struct { uint32_t n; struct header h; } bad[] = {
		{ 13, { 0 } }, { 1519, { 0 } }, { 60, { .flags = 1, .csum_start = 59, .csum_offset = 0 } },
		{ 60, { .flags = 1, .csum_start = 65535, .csum_offset = 65535 } }, { 60, { .gso = 1, .gso_size = 10 } },
		{ 60, { .flags = 1, .gso = 3, .gso_size = 10, .csum_start = 34, .csum_offset = 16 } },
		{ 60, { .flags = 1, .gso = 1, .gso_size = 0, .csum_start = 34, .csum_offset = 16 } },
		{ 60, { .flags = 1, .gso = 0x81, .gso_size = 0, .csum_start = 34, .csum_offset = 16 } },
	};

	(void)state;
	mg_begin(mg_offered());
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		make_frame(&bad[i].h, bad[i].n);
		send_whole(bad[i].n);
		assert_sent_back();
		assert_int_equal(ours()->drops[DROP_BAD], i + 1);
	}
	assert_int_equal(peer.frames, 0);
	assert_false(mg_needs_reset());
}

static void test_offloads_that_were_not_agreed_on(void **state)
{
	static const struct { uint64_t features; struct header h; } bad[] = {
		{ PLAIN, { .flags = 1, .csum_start = 34, .csum_offset = 16 } },
		{ PLAIN | BIT(F_CSUM), { .flags = 1, .gso = 1, .gso_size = 100, .csum_start = 34, .csum_offset = 16 } },
		{ PLAIN | BIT(F_CSUM) | BIT(F_HOST_TSO6), { .flags = 1, .gso = 1, .gso_size = 100, .csum_start = 34, .csum_offset = 16 } },
		{ PLAIN | BIT(F_CSUM) | BIT(F_HOST_TSO4), { .flags = 1, .gso = 0x81, .gso_size = 100, .csum_start = 34, .csum_offset = 16 } },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		mg_begin(bad[i].features);
		make_frame(&bad[i].h, 600);
		send_whole(600);
		assert_sent_back();
		assert_int_equal(ours()->drops[DROP_BAD], i + 1);
	}
	assert_int_equal(peer.frames, 0);
}

static void test_a_checksum_is_left_to_the_receiver(void **state)
{
	(void)state;
	mg_begin(mg_offered());
	make_frame(&(struct header){ .flags = 1, .csum_start = 34, .csum_offset = 6 }, 60);
	send_whole(60);
	assert_true(peer.offload.needs_csum);
	assert_int_equal(peer.offload.csum_start, 34);
	assert_int_equal(peer.offload.csum_offset, 6);
}

static void test_frames_for_a_full_receiver_stay_in_the_ring(void **state)
{
	(void)state;
	mg_begin(PLAIN);
	make_frame(&(struct header){ 0 }, 60);
	peer.answer = -EAGAIN;
	mg_add(TX, &(struct mg_piece){ MG_DATA, HEADER + 60, false }, 1);
	mg_add(TX, &(struct mg_piece){ MG_DATA, HEADER + 60, false }, 1);
	assert_int_equal(mg_kick(TX), 0);
	assert_int_equal(mg_take(TX, NULL), -1);
	peer.answer = 0;
	assert_false(switch_port_ready(&peer.port));
	assert_int_equal(peer.frames, 2);
	assert_true(mg_take(TX, NULL) >= 0 && mg_take(TX, NULL) >= 0);
	peer.answer = -EAGAIN;
	mg_add(TX, &(struct mg_piece){ MG_DATA, HEADER + 60, false }, 1);
	assert_int_equal(mg_kick(TX), 0);
	assert_int_equal(mg_take(TX, NULL), -1);
	mv.now += SWITCH_PATIENCE_US + 2;
	armed->fn(armed);
	assert_sent_back();
	assert_int_equal(peer.port.counters.drops[DROP_FULL], 1);
}

static void test_one_kick_is_bounded(void **state)
{
	(void)state;
	mg_begin(PLAIN);
	make_frame(&(struct header){ 0 }, 60);
	for (unsigned i = 0; i < MG_SIZE_OF_QUEUE; i++)
		mg_add(TX, &(struct mg_piece){ MG_DATA, HEADER + 60, false }, 1);
	assert_int_equal(mg_kick(TX), -EAGAIN);
	assert_int_equal(peer.frames, VIO_KICK_MAX);
	assert_int_equal(mg_kick(TX), 0);
}

static int take_any(struct switch_port *port, const struct net_frame *f)
{
	(void)port;
	(void)f;
	peer.frames++;
	return 0;
}

/* What goes to many ports costs the hart as much as many frames. */
static void test_a_flood_is_bounded_too(void **state)
{
	static const uint8_t all[NET_MAC_SIZE] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	static const struct switch_port_ops ops = { .deliver = take_any };
	static struct switch_port more[3];
	char why[96];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(more); i++) {
		more[i] = (struct switch_port){ .ops = &ops, .owner = "more", .number = i };
		assert_int_equal(switch_port_add("lan", &more[i], why, sizeof(why)), 0);
	}
	mg_begin(PLAIN);
	make_frame(&(struct header){ 0 }, 60);
	put_addresses(MG_DATA + HEADER, all, OURS);
	for (unsigned i = 0; i < MG_SIZE_OF_QUEUE; i++)
		mg_add(TX, &(struct mg_piece){ MG_DATA, HEADER + 60, false }, 1);
	assert_int_equal(mg_kick(TX), -EAGAIN);
	assert_int_equal(peer.frames, VIO_KICK_MAX);
	for (unsigned i = 0; i < ARRAY_SIZE(more); i++)
		switch_port_remove(&more[i]);
}

static void test_a_pulled_cable_is_told(void **state)
{
	(void)state;
	mg_begin(PLAIN);
	post(0, 2000);
	vio_net_set_link(mg.dev, false);
	assert_int_equal(mg_interrupt(), 2);
	assert_int_equal(mv_read(0x106, 2), 0);
	assert_int_equal(give(100, NULL, 1), 0);
	make_frame(&(struct header){ 0 }, 60);
	send_whole(60);
	assert_int_equal(peer.frames, 0);
	assert_int_equal(ours()->drops[DROP_DOWN], 2);
	vio_net_set_link(mg.dev, true);
	assert_int_equal(mg_interrupt(), 3); /* and that the frame was sent */
	assert_int_equal(mv_read(0x106, 2), 1);
	assert_int_equal(give(100, NULL, 1), 0);
	assert_true(mg_take(RX, NULL) >= 0);
}

static void test_memory_is_out(void **state)
{
	(void)state;
	mg_begin(PLAIN);
	make_frame(&(struct header){ 0 }, 60);
	mg_add(TX, &(struct mg_piece){ MG_DATA, HEADER + 60, false }, 1);
	mg.no_memory = true;
	assert_int_equal(mg_kick(TX), 0);
	mg.no_memory = false;
	assert_sent_back();
	assert_int_equal(ours()->drops[DROP_FAILED], 1);
	post(0, 2000);
	mg.no_memory = true;
	assert_int_equal(give(100, NULL, 1), 0);
	mg.no_memory = false;
	assert_int_equal(ours()->drops[DROP_FAILED], 2);
	assert_int_equal(give(100, NULL, 1), 0);
	assert_true(mg_take(RX, NULL) >= 0);
}

static void test_a_lie_in_the_receive_ring_is_no_matter_of_the_sender(void **state)
{
	(void)state;
	mg_begin(PLAIN);
	mg_desc(RX, 0, MG_RAM + MG_SIZE, 2000, MG_WRITE, 0);
	mg_offer(RX, 0);
	assert_int_equal(give(100, NULL, 1), 0);
	assert_true(mg_needs_reset());
	assert_int_equal(ours()->drops[DROP_DOWN], 1);
	mg_begin(PLAIN);
	post(0, 2000);
	assert_int_equal(give(100, NULL, 1), 0);
	assert_true(mg_take(RX, NULL) >= 0);
}

/* Anything in the header, the frame and the buffers: never a byte outside of them, and all chains come back. */
static void test_random_guests(void **state)
{
	(void)state;
	srand(7);
	for (unsigned i = 0; i < 4000; i++) {
		struct header h = { (uint8_t)(rand() & 3), (uint8_t)(rand() % 6 | (rand() % 4 ? 0 : 0x80)), (uint16_t)rand(), (uint16_t)(rand() % 3000),
				    (uint16_t)(rand() % 3 ? 34 : rand()), (uint16_t)(rand() % 3 ? 16 : rand()), (uint16_t)rand() };
		uint32_t n = (uint32_t)rand() % (rand() % 8 ? 1600 : 9000), cut = (uint32_t)rand() % (HEADER + n);
		struct mg_piece pieces[] = { { MG_DATA, cut, false }, { MG_DATA + cut, HEADER + n - cut, false } };

		if (i % 100 == 0)
			mg_begin(mg_offered() & (uint64_t)rand());
		mg_put(MG_DATA, &h, HEADER);
		make_tcp(2000);
		mg_put(MG_DATA + HEADER, frame_bytes, 2054);
		put_addresses(MG_DATA + HEADER, rand() % 4 ? THEIRS : (const uint8_t *)"\xff\xff\xff\xff\xff\xff", OURS);
		mg_add(TX, pieces, 2);
		assert_int_equal(mg_kick(TX), 0);
		assert_sent_back();
		post(0x4000, 1 + (uint32_t)rand() % 3000);
		(void)!give(14 + (uint32_t)rand() % 3000, NULL, 1 + (unsigned)rand() % 5);
		while (mg_take(RX, NULL) >= 0)
			;
		assert_int_equal(mg.dev->queues[RX].held + mg.dev->queues[TX].held, 0);
		if (i % 30 == 0)
			mg_begin(mg_offered() & (uint64_t)rand());
	}
	assert_false(mg_needs_reset());
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_offered),
		TEST(test_without_offloads_none_are_offered),
		TEST(test_a_frame_goes_out),
		TEST(test_a_frame_in_pieces),
		TEST(test_very_many_pieces_are_put_together),
		TEST(test_frames_that_make_no_sense),
		TEST(test_offloads_that_were_not_agreed_on),
		TEST(test_a_checksum_is_left_to_the_receiver),
		TEST(test_frames_for_a_full_receiver_stay_in_the_ring),
		TEST(test_one_kick_is_bounded),
		TEST(test_a_flood_is_bounded_too),
		TEST(test_a_pulled_cable_is_told),
		TEST(test_memory_is_out),
		TEST(test_a_lie_in_the_receive_ring_is_no_matter_of_the_sender),
		TEST(test_random_guests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
