/* Network device of a VM: what the switch has for its guest, in buffers of all shapes, with and without offloads. */
// sources: vmm/virtio/net.c vmm/net/switch.c vmm/net/mac.c vmm/net/offload.c vmm/virtio/ring.c vmm/virtio/device.c vmm/virtio/mmio.c vmm/device/common.c vmm/image/dt_writer.c
#include <vio_net_mock.h>

static void test_a_frame_comes_in(void **state)
{
	uint32_t written;
	uint8_t got[100];

	(void)state;
	mg_begin(PLAIN | BIT(F_MRG_RXBUF));
	post(0xff0, 2000);
	assert_int_equal(give(100, NULL, 1), 0);
	assert_int_equal(mg_interrupt(), 1);
	assert_true(mg_take(RX, &written) >= 0);
	assert_int_equal(written, HEADER + 100);
	assert_int_equal(header_at(0xff0).buffers, 1);
	assert_int_equal(header_at(0xff0).flags, 0);
	mg_get(MG_DATA + 0xff0 + HEADER, got, 100);
	assert_memory_equal(got, OURS, 6);
	assert_memory_equal(got + 6, THEIRS, 6);
	assert_frame(got, 12, 100);
	assert_int_equal(ours()->received, 1);
}

/* Buffers of any size, the header in two pieces, the frame in some: it arrives whole, and the number of buffers is right. */
static void test_mergeable_buffers(void **state)
{
	static uint8_t got[20000];

	(void)state;
	srand(3);
	for (unsigned round = 0; round < 300; round++) {
		uint32_t len = 14 + (uint32_t)rand() % 3000, at = 0, done = 0, written;
		unsigned n = 0;

		mg_begin(PLAIN | BIT(F_MRG_RXBUF));
		while (at < HEADER + len) {
			uint32_t size = (n ? 1 : HEADER) + (uint32_t)rand() % 700, cut = 1 + (uint32_t)rand() % 11;
			struct mg_piece two[] = { { MG_DATA + at, cut, true }, { MG_DATA + at + cut, size - cut, true } };

			if (n == 30)
				size = 4000;
			if (size > cut && n != 30)
				mg_add(RX, two, 2);
			else
				post(at, size);
			at += size;
			n++;
		}
		post(at, 100);
		assert_int_equal(give(len, NULL, 1 + (unsigned)rand() % 8), 0);
		assert_int_equal(header_at(0).buffers, n);
		for (unsigned i = 0; i < n; i++) {
			assert_true(mg_take(RX, &written) >= 0);
			done += written;
		}
		assert_int_equal(done, HEADER + len);
		assert_int_equal(mg_take(RX, &written), -1);
		mg_get(MG_DATA + HEADER, got, len);
		assert_memory_equal(got, OURS, 6);
		assert_frame(got, 12, len);
	}
}

static void test_without_mergeable_buffers_it_has_to_fit(void **state)
{
	uint32_t written;

	(void)state;
	mg_begin(PLAIN);
	post(0, 500);
	post(0x1000, 500);
	assert_int_equal(give(500, NULL, 1), 0);
	assert_int_equal(ours()->drops[DROP_TOO_LONG], 1);
	assert_int_equal(mg_take(RX, &written), -1);
	assert_int_equal(give(500 - HEADER, NULL, 1), 0);
	assert_true(mg_take(RX, &written) >= 0);
	assert_int_equal(written, 500);
}

static void test_buffers_without_room_for_the_header(void **state)
{
	uint32_t written;

	(void)state;
	mg_begin(PLAIN | BIT(F_MRG_RXBUF));
	post(0, HEADER - 1);
	post(0x1000, 2000);
	assert_int_equal(give(100, NULL, 1), 0);
	assert_int_equal(ours()->drops[DROP_TOO_LONG], 1);
	assert_int_equal(mg_take(RX, &written), -1);
	mg_begin(PLAIN | BIT(F_MRG_RXBUF));
	mg_add(RX, &(struct mg_piece){ MG_DATA, 100, false }, 1); /* nothing in it may be written */
	assert_int_equal(give(100, NULL, 1), 0);
	assert_int_equal(ours()->drops[DROP_TOO_LONG], 2);
}

static void test_no_buffers_is_all_or_nothing(void **state)
{
	uint32_t written;

	(void)state;
	mg_begin(PLAIN | BIT(F_MRG_RXBUF));
	assert_int_equal(give(100, NULL, 1), -EAGAIN);
	post(0, 200);
	post(0x1000, 200);
	assert_int_equal(give(1000, NULL, 1), -EAGAIN);
	assert_int_equal(mg_take(RX, &written), -1);
	post(0x2000, 1000);
	assert_int_equal(give(1000, NULL, 1), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_true(mg_take(RX, &written) >= 0);
	assert_int_equal(header_at(0).buffers, 3);
}

static void test_new_buffers_call_back_who_waits(void **state)
{
	uint32_t written;

	(void)state;
	for (unsigned events = 0; events < 2; events++) {
		mg_begin(PLAIN | BIT(F_MRG_RXBUF) | (events ? BIT(MG_F_EVENT) : 0));
		resumed = 0;
		post(0, 200);
		assert_int_equal(mg_kick(RX), 0);
		assert_int_equal(give(1000, NULL, 1), -EAGAIN);
		/* The next one is asked for: those that are there are too few. */
		if (events)
			assert_int_equal(mg_get16(MG_USED(RX) + 4 + 8 * MG_SIZE_OF_QUEUE), mg.avail[RX]);
		else
			assert_int_equal(mg_get16(MG_USED(RX)), 0);
		post(0x1000, 1000);
		assert_int_equal(resumed, 0);
		assert_int_equal(mg_kick(RX), 0);
		assert_int_equal(resumed, 1);
		assert_int_equal(give(1000, NULL, 1), 0);
		assert_true(mg_take(RX, &written) >= 0 && mg_take(RX, &written) >= 0);
		if (!events)
			assert_int_equal(mg_get16(MG_USED(RX)), 1);
	}
}

static void test_no_driver_no_frames(void **state)
{
	(void)state;
	assert_int_equal(give(100, NULL, 1), 0);
	assert_int_equal(ours()->drops[DROP_DOWN], 1);
	mg_begin(PLAIN);
	post(0, 2000);
	mv_put(0x070, 4, 0);
	assert_int_equal(give(100, NULL, 1), 0);
	assert_int_equal(ours()->drops[DROP_DOWN], 2);
}

static void test_a_sum_is_left_to_a_guest_that_takes_it(void **state)
{
	(void)state;
	mg_begin(PLAIN | BIT(F_GUEST_CSUM));
	post(0, 2000);
	assert_int_equal(give(make_tcp(500), &SUM, 2), 0);
	assert_int_equal(header_at(0).flags, 1);
	assert_int_equal(header_at(0).csum_start, 34);
	assert_int_equal(header_at(0).csum_offset, 16);
	post(0x1000, 2000);
	assert_int_equal(give(make_tcp(500), &(struct net_offload){ .csum_valid = true }, 2), 0);
	assert_int_equal(header_at(0x1000).flags, 2);
}

static void test_a_sum_is_made_for_one_that_does_not(void **state)
{
	uint8_t got[60];

	(void)state;
	mg_begin(PLAIN);
	post(0, 2000);
	assert_int_equal(give(make_tcp(501), &SUM, 3), 0);
	assert_int_equal(header_at(0).flags, 0);
	mg_get(MG_DATA + HEADER, got, sizeof(got));
	assert_true(got[50] || got[51]);
	post(0x1000, 2000);
	assert_int_equal(give(make_tcp(501), &(struct net_offload){ .csum_valid = true }, 2), 0);
	assert_int_equal(header_at(0x1000).flags, 0);
}

static void test_a_large_packet_goes_whole_or_is_cut(void **state)
{
	struct net_offload cut = SUM;
	uint32_t written, n = make_tcp(10000);

	(void)state;
	cut.gso = NET_GSO_TCPV4;
	cut.gso_size = 1400;
	mg_begin(PLAIN | BIT(F_GUEST_CSUM) | BIT(F_GUEST_TSO4) | BIT(F_MRG_RXBUF));
	for (unsigned i = 0; i < 8; i++)
		post(i * 0x1000, 2000);
	assert_int_equal(give(n, &cut, 5), 0);
	assert_int_equal(header_at(0).gso, 1);
	assert_int_equal(header_at(0).gso_size, 1400);
	assert_int_equal(header_at(0).buffers, 6);
	mg_begin(PLAIN | BIT(F_GUEST_CSUM) | BIT(F_MRG_RXBUF));
	for (unsigned i = 0; i < 7; i++)
		post(i * 0x1000, 2000);
	assert_int_equal(give(n, &cut, 5), -EAGAIN); /* 8 packets, 7 buffers */
	assert_int_equal(mg_take(RX, NULL), -1);
	post(7 * 0x1000, 2000);
	assert_int_equal(give(n, &cut, 5), 0);
	for (unsigned i = 0; i < 8; i++) {
		assert_true(mg_take(RX, &written) >= 0);
		assert_int_equal(written, HEADER + 54 + (i < 7 ? 1400 : 200));
		assert_int_equal(header_at(i * 0x1000).buffers, 1);
		assert_int_equal(header_at(i * 0x1000).gso, 0);
	}
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_frame_comes_in),
		TEST(test_mergeable_buffers),
		TEST(test_without_mergeable_buffers_it_has_to_fit),
		TEST(test_buffers_without_room_for_the_header),
		TEST(test_no_buffers_is_all_or_nothing),
		TEST(test_new_buffers_call_back_who_waits),
		TEST(test_no_driver_no_frames),
		TEST(test_a_sum_is_left_to_a_guest_that_takes_it),
		TEST(test_a_sum_is_made_for_one_that_does_not),
		TEST(test_a_large_packet_goes_whole_or_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
