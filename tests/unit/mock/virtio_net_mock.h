/*
 * The virtio network driver with a device model whose frames a test makes and looks at. Includes the driver's main file;
 * the test's user keeps what was received.
 */
#pragma once

#include <caisson/net.h>
#include <caisson/time.h>
#include <virtio_mock.h>

#undef LOG_NAME
#include "drivers/net/virtio_net.c"

#define ALL_FEATURES (BIT(F_CSUM) | BIT(F_GUEST_CSUM) | BIT(F_MTU) | BIT(F_MAC) | ALL_TSO | BIT(F_HOST_TSO4) | \
		      BIT(F_HOST_TSO6) | BIT(F_HOST_ECN) | BIT(F_MRG_RXBUF) | BIT(F_STATUS) | BIT(F_HOST_USO))
#define TOKENS 256

static struct net_device *net;
static struct vd_queue *rxq = &vd.q[0], *txq = &vd.q[1];
static const uint8_t mac[NET_MAC_SIZE] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
static struct timer *timer;   /* the driver's, when armed */

/* What the user was told. */
static struct {
	uint8_t data[NET_FRAME_MAX];
	uint32_t len;
	unsigned n_segs, n, n_room, n_link;
	struct net_offload offload;
} got;
static unsigned n_done, done_order[TOKENS];
static int statuses[TOKENS];
static void (*on_receive)(void); /* called in the user's receive */

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	t->fn = fn;
}

void timer_arm(struct timer *t, uint64_t deadline)
{
	assert_null(timer);
	t->deadline = deadline;
	timer = t;
}

static MAYBE_UNUSED void fire_timer(void)
{
	struct timer *t = timer;

	assert_non_null(t);
	mock_time = MAX(mock_time, t->deadline);
	timer = NULL;
	t->fn(t);
}

/* --- the user --- */

static void user_receive(struct net_device *dev, const struct net_frame *frame)
{
	assert_ptr_equal(dev, net);
	assert_in_range(frame->n, 1, NET_SEGMENTS_MAX);
	got.len = 0;
	for (unsigned i = 0; i < frame->n; i++) {
		assert_true(got.len + frame->segs[i].len <= sizeof(got.data));
		memcpy(got.data + got.len, frame->segs[i].data, frame->segs[i].len);
		got.len += frame->segs[i].len;
	}
	assert_int_equal(got.len, frame->len);
	got.n_segs = frame->n;
	got.offload = frame->offload;
	got.n++;
	if (on_receive)
		on_receive();
}

static void user_room(struct net_device *dev)
{
	assert_ptr_equal(dev, net);
	got.n_room++;
}

static void user_link_changed(struct net_device *dev)
{
	assert_ptr_equal(dev, net);
	got.n_link++;
}

static const struct net_user user = {
	.receive = user_receive, .room = user_room, .link_changed = user_link_changed,
};

static void user_done(void *arg, int status)
{
	unsigned token = (unsigned)(uintptr_t)arg;

	assert_int_equal(statuses[token], 1);
	statuses[token] = status;
	done_order[n_done++ % TOKENS] = token;
}

/* Send, and expect done() with this token. */
static MAYBE_UNUSED int send_segs(unsigned token, const struct segment *segs, unsigned n, const struct net_offload *offload)
{
	struct net_frame frame = { .segs = segs, .n = n };
	unsigned before = n_done;
	int error;

	for (unsigned i = 0; i < n; i++)
		frame.len += segs[i].len;
	if (offload)
		frame.offload = *offload;
	statuses[token] = 1;
	error = net_send(net, &frame, user_done, (void *)(uintptr_t)token);
	assert_int_equal(n_done, before); /* never from inside */
	return error;
}

static MAYBE_UNUSED int send_bytes(unsigned token, void *data, uint32_t len)
{
	return send_segs(token, &(struct segment){ data, len }, 1, NULL);
}

/* --- the device --- */

/* Write a frame into the next buffers, `per` bytes into each, header and all. @return how many buffers. */
static MAYBE_UNUSED unsigned put_frame(struct header h, const uint8_t *data, uint32_t len, uint32_t per)
{
	uint8_t all[sizeof(h) + NET_FRAME_MAX];
	uint32_t total = sizeof(h) + len, at = 0, n = (total + per - 1) / per;

	h.num_buffers = (uint16_t)n;
	memcpy(all, &h, sizeof(h));
	memcpy(all + sizeof(h), data, len);
	while (at < total) {
		struct vd_chain c = vd_take(rxq);
		uint32_t piece = MIN(per, total - at);

		assert_int_equal(c.n, 1);
		assert_int_equal(c.n_readable, 0);
		assert_int_equal(c.d[0].len, PAGE_SIZE);
		memcpy((void *)(uintptr_t)c.d[0].addr, all + at, piece);
		vd_use(rxq, c.head, piece);
		at += piece;
	}
	return n;
}

/* The header of a chain that the driver sends. */
static MAYBE_UNUSED struct header header_in(const struct vd_chain *c)
{
	struct header h;

	assert_int_equal(c->n_readable, c->n);
	assert_int_equal(c->d[0].len, sizeof(h));
	memcpy(&h, (void *)(uintptr_t)c->d[0].addr, sizeof(h));
	return h;
}

/* Send one frame; what was in it. @return its bytes. */
static MAYBE_UNUSED uint32_t send_one(uint8_t *out)
{
	struct vd_chain c = vd_take(txq);
	uint32_t len = 0;

	for (unsigned i = 1; i < c.n; i++) {
		assert_true(kva_has_hpa((void *)(uintptr_t)c.d[i].addr, c.d[i].len));
		if (out)
			memcpy(out + len, (void *)(uintptr_t)c.d[i].addr, c.d[i].len);
		len += c.d[i].len;
	}
	vd_use(txq, c.head, 0);
	return len;
}

static void set_config(unsigned offset, uint64_t value, unsigned size)
{
	memcpy(vd.config + offset, &value, size);
}

static bool last_device(struct net_device *dev, void *arg)
{
	(void)arg;
	net = dev;
	return true;
}

/* Registered devices stay registered. */
static int prepare(uint64_t features)
{
	vd_init(VIRTIO_ID_NET, features | BIT(VIRTIO_F_EVENT_IDX));
	vd.q[1].max = 1024;
	memcpy(vd.config, mac, sizeof(mac));
	set_config(CONFIG_STATUS, STATUS_LINK_UP, 2);
	set_config(CONFIG_MTU, 1500, 2);
	memset(&got, 0, sizeof(got));
	on_receive = NULL;
	n_done = 0;
	timer = NULL;
	mock_frames_used = 0;
	n_devices = 0;
	return 0;
}

static MAYBE_UNUSED void bind(void)
{
	net = NULL;
	assert_int_equal(vd_probe(), 0);
	net_for_each(last_device, NULL);
	assert_non_null(net);
	assert_int_equal(net_open(net, &user, NULL), 0);
}

/* It is given up; it would be kept for the interrupt's sake. */
static MAYBE_UNUSED void assert_probe(int error)
{
	assert_int_equal(vd_probe(), error);
	kfree(vd.handler_arg);
}

static MAYBE_UNUSED int setup(void **state)
{
	(void)state;
	prepare(ALL_FEATURES);
	bind();
	return 0;
}

#define T(f) cmocka_unit_test_setup(f, setup)
