/*
 * A VM's network device with a driver that keeps to the rules, on a switch with one other port. Included by the tests of
 * vmm/virtio/net.c.
 */
#pragma once

#include <vio_mock.h>

#include <stdlib.h>

#include <caisson/mm.h>
#include <mem.h>
#include <timer_mock.h>
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

/* The other port of the switch. */
static struct {
	struct switch_port port;
	unsigned frames;
	uint8_t bytes[70000];
	uint32_t len;
	struct net_offload offload;
	int answer;
} peer;

static inline int peer_deliver(struct switch_port *port, const struct net_frame *f)
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

static inline bool peer_resume(struct switch_port *port)
{
	assert_ptr_equal(port, &peer.port);
	resumed++;
	return false;
}

static const struct switch_port_ops peer_ops = { .deliver = peer_deliver, .resume = peer_resume };
static struct net_config config;
static struct vio_net_backend backend;
static const uint8_t OURS[] = { 2, 0, 0, 0, 0, 1 }, THEIRS[] = { 2, 0, 0, 0, 0, 2 };

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
	(void)state;
	switch_port_remove(&peer.port);
	mg_stop();
	assert_int_equal(heap_in_use(), 0);
	assert_true(mock_irq_on);
	return 0;
}

static inline struct switch_counters *counters(void)
{
	/* The peer counts what we drop on the way to it; ours are found through the monitor's door. */
	static struct switch_counters found;

	return &found;
}

static inline void find_ours(const struct switch_port_state *s, void *arg)
{
	if (strcmp(s->owner, "vm") == 0)
		*(struct switch_counters *)arg = s->counters;
}

static inline const struct switch_counters *ours(void)
{
	switch_for_each_port(find_ours, counters());
	return counters();
}

static inline void put_addresses(uint64_t at, const uint8_t *to, const uint8_t *from)
{
	mg_put(at, to, 6);
	mg_put(at + 6, from, 6);
}

/* A frame of n bytes for the peer at MG_DATA + HEADER, behind a header; each byte says its place. */
static inline void make_frame(const struct header *h, uint32_t n)
{
	mg_put(MG_DATA, h, HEADER);
	for (uint32_t i = 12; i < n; i++)
		mg_put(MG_DATA + HEADER + i, &(uint8_t){ (uint8_t)(i * 7) }, 1);
	put_addresses(MG_DATA + HEADER, THEIRS, OURS);
}

static inline void assert_frame(const uint8_t *bytes, uint32_t from, uint32_t n)
{
	for (uint32_t i = from; i < n; i++)
		assert_int_equal(bytes[i], (uint8_t)(i * 7));
}

static inline void send_whole(uint32_t n)
{
	mg_add(TX, &(struct mg_piece){ MG_DATA, HEADER + n, false }, 1);
	assert_int_equal(mg_kick(TX), 0);
}

static inline void assert_sent_back(void)
{
	uint32_t written;

	assert_true(mg_take(TX, &written) >= 0);
	assert_int_equal(written, 0);
	assert_int_equal(mg_take(TX, NULL), -1);
}

static uint8_t frame_bytes[70000];

static inline int give(uint32_t n, const struct net_offload *o, unsigned pieces)
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
static inline void post(uint32_t at, uint32_t n)
{
	mg_add(RX, &(struct mg_piece){ MG_DATA + at, n, true }, 1);
}

static inline struct header header_at(uint32_t at)
{
	struct header h;

	mg_get(MG_DATA + at, &h, HEADER);
	return h;
}

static const struct net_offload SUM = { .needs_csum = true, .csum_start = 34, .csum_offset = 16 };

/* A TCP packet with this payload; its sum is left to do. */
static inline uint32_t make_tcp(uint32_t payload)
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
