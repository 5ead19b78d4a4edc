/* Network device of a VM against its switch: frames both ways, buffers of all shapes, offloads, a full ring, a driver that lies. */
// sources: vmm/virtio/net.c vmm/net/switch.c vmm/net/mac.c vmm/net/offload.c vmm/virtio/ring.c vmm/virtio/device.c vmm/virtio/mmio.c vmm/device/common.c vmm/image/dt_writer.c
#include <vio_mock.h>

#include <stdlib.h>

#include <caisson/mm.h>
#include <mem.h>
#include <vmm/net.h>
#include <vmm/offload.h>
#include <vmm/switch.h>

enum { RX, TX };
enum {
	F_CSUM = 0, F_GUEST_CSUM = 1, F_MTU = 3, F_MAC = 5, F_GUEST_TSO4 = 7, F_GUEST_TSO6 = 8, F_GUEST_ECN = 9,
	F_HOST_TSO4 = 11, F_HOST_TSO6 = 12, F_HOST_ECN = 13, F_MRG_RXBUF = 15, F_STATUS = 16,
};

struct header {
	uint8_t flags, gso;
	uint16_t header_len, gso_size, csum_start, csum_offset, buffers;
};

#define HEADER 12
#define PLAIN (BIT(F_MTU) | BIT(F_MAC) | BIT(F_STATUS))

uint64_t timebase_hz = 1000000;

uint64_t time_to_ns(uint64_t ticks)
{
	return ticks * 1000;
}

static struct timer *armed; /* the one that a test lets go off */

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	*t = (struct timer){ .fn = fn };
}

void timer_arm(struct timer *t, uint64_t deadline)
{
	t->deadline = deadline;
	armed = t;
}

void timer_cancel_sync(struct timer *t)
{
	armed = armed == t ? NULL : armed;
}

/* The other port of the switch. */
static struct {
	struct switch_port port;
	unsigned frames;
	uint8_t bytes[70000];
	uint32_t len;
	struct net_offload offload;
	int answer;
} peer;

static int peer_deliver(struct switch_port *port, const struct net_frame *f)
{
	assert_ptr_equal(port, &peer.port);
	assert_false(mock_irq_on);
	if (peer.answer)
		return peer.answer;
	assert_int_equal(offload_copy(f, 0, peer.bytes, sizeof(peer.bytes)), f->len);
	peer.len = f->len;
	peer.offload = f->offload;
	peer.frames++;
	return 0;
}

static unsigned resumed;

static bool peer_resume(struct switch_port *port)
{
	assert_ptr_equal(port, &peer.port);
	resumed++;
	return false;
}

static const struct switch_port_ops peer_ops = { .deliver = peer_deliver, .resume = peer_resume };
static struct net_config config;
static struct vio_net_backend backend;
static const uint8_t OURS[] = { 2, 0, 0, 0, 0, 1 }, THEIRS[] = { 2, 0, 0, 0, 0, 2 };

static int setup(void **state)
{
	static char err[96];

	(void)state;
	config = (struct net_config){ .net_switch = "lan", .mtu = 1500, .mac = { 2, 0, 0, 0, 0, 1 } };
	backend = (struct vio_net_backend){ .config = &config, .owner = "vm" };
	mg_start(&vio_net_type, &backend);
	memset(&peer, 0, sizeof(peer));
	peer.port = (struct switch_port){ .ops = &peer_ops, .owner = "peer", .has_address = true, .address = { 2, 0, 0, 0, 0, 2 } };
	return switch_port_add("lan", &peer.port, err, sizeof(err));
}

static int teardown(void **state)
{
	(void)state;
	switch_port_remove(&peer.port);
	mg_stop();
	assert_int_equal(heap_in_use(), 0);
	assert_true(mock_irq_on);
	return 0;
}

static struct switch_counters *counters(void)
{
	/* The peer counts what we drop on the way to it; ours are found through the monitor's door. */
	static struct switch_counters found;

	return &found;
}

static void find_ours(const struct switch_port_state *s, void *arg)
{
	if (strcmp(s->owner, "vm") == 0)
		*(struct switch_counters *)arg = s->counters;
}

static const struct switch_counters *ours(void)
{
	switch_for_each_port(find_ours, counters());
	return counters();
}

/* --- the guest sends --- */

static void put_addresses(uint64_t at, const uint8_t *to, const uint8_t *from)
{
	mg_put(at, to, 6);
	mg_put(at + 6, from, 6);
}

/* A frame of n bytes for the peer at MG_DATA + HEADER, behind a header; each byte says its place. */
static void make_frame(const struct header *h, uint32_t n)
{
	mg_put(MG_DATA, h, HEADER);
	for (uint32_t i = 12; i < n; i++)
		mg_put(MG_DATA + HEADER + i, &(uint8_t){ (uint8_t)(i * 7) }, 1);
	put_addresses(MG_DATA + HEADER, THEIRS, OURS);
}

static void assert_frame(const uint8_t *bytes, uint32_t from, uint32_t n)
{
	for (uint32_t i = from; i < n; i++)
		assert_int_equal(bytes[i], (uint8_t)(i * 7));
}

static void send_whole(uint32_t n)
{
	mg_add(TX, &(struct mg_piece){ MG_DATA, HEADER + n, false }, 1);
	assert_int_equal(mg_kick(TX), 0);
}

static void assert_sent_back(void)
{
	uint32_t written;

	assert_true(mg_take(TX, &written) >= 0);
	assert_int_equal(written, 0);
	assert_int_equal(mg_take(TX, NULL), -1);
}

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

/* --- the guest receives --- */

static uint8_t frame_bytes[70000];

static int give(uint32_t n, const struct net_offload *o, unsigned pieces)
{
	struct segment segs[40];
	struct net_frame f = { .segs = segs, .n = pieces, .len = n };

	if (o)
		f.offload = *o;
	for (uint32_t i = 12; !o && i < n; i++)
		frame_bytes[i] = (uint8_t)(i * 7);
	memcpy(frame_bytes, OURS, 6);
	memcpy(frame_bytes + 6, THEIRS, 6);
	for (uint32_t i = 0, at = 0; i < pieces; i++) {
		uint32_t part = i + 1 == pieces ? n - at : MAX(14u, n / pieces);

		segs[i] = (struct segment){ frame_bytes + at, part };
		at += part;
	}
	return switch_send(&peer.port, &f);
}

/* Post a buffer of n bytes at MG_DATA + at. */
static void post(uint32_t at, uint32_t n)
{
	mg_add(RX, &(struct mg_piece){ MG_DATA + at, n, true }, 1);
}

static struct header header_at(uint32_t at)
{
	struct header h;

	mg_get(MG_DATA + at, &h, HEADER);
	return h;
}

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

/* --- offloads of what comes in --- */

static const struct net_offload SUM = { .needs_csum = true, .csum_start = 34, .csum_offset = 16 };

/* A TCP packet with this payload; its sum is left to do. */
static uint32_t make_tcp(uint32_t payload)
{
	memset(frame_bytes, 0, 54);
	frame_bytes[12] = 8;
	frame_bytes[14] = 0x45;
	frame_bytes[16] = (uint8_t)((40 + payload) >> 8);
	frame_bytes[17] = (uint8_t)(40 + payload);
	frame_bytes[23] = 6;
	frame_bytes[46] = 0x50;
	for (uint32_t i = 0; i < payload; i++)
		frame_bytes[54 + i] = (uint8_t)rand();
	return 54 + payload;
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

/* --- the link, memory, lies --- */

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
		TEST(test_new_buffers_call_back_who_waits),
		TEST(test_one_kick_is_bounded),
		TEST(test_a_frame_comes_in),
		TEST(test_mergeable_buffers),
		TEST(test_without_mergeable_buffers_it_has_to_fit),
		TEST(test_buffers_without_room_for_the_header),
		TEST(test_no_buffers_is_all_or_nothing),
		TEST(test_no_driver_no_frames),
		TEST(test_a_sum_is_left_to_a_guest_that_takes_it),
		TEST(test_a_sum_is_made_for_one_that_does_not),
		TEST(test_a_large_packet_goes_whole_or_is_cut),
		TEST(test_a_pulled_cable_is_told),
		TEST(test_memory_is_out),
		TEST(test_a_lie_in_the_receive_ring_is_no_matter_of_the_sender),
		TEST(test_random_guests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
