/* The virtio network driver: what it agrees on, frames in both directions, offloads, a full queue. */
// sources: drivers/net/net.c drivers/net/virtio_net_rx.c drivers/net/virtio_net_tx.c drivers/virtio/virtio.c drivers/virtio/queue.c core/time/time.c core/dt/dt.c core/dt/bus.c core/dt/map.c core/dt/index.c
#include <virtio_net_mock.h>

static uint8_t data[NET_FRAME_MAX];

static void fill(uint64_t seed)
{
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)mock_random(&seed);
}

/* --- meeting the device --- */

static void it_says_what_it_is(void **state)
{
	(void)state;
	assert_string_equal(net->name, "net0");
	assert_memory_equal(net->mac, mac, sizeof(mac));
	assert_int_equal(net->mtu, 1500);
	assert_true(net_link(net));
	assert_int_equal(net->features, NET_CSUM | NET_TSO4 | NET_TSO6 | NET_TSO_ECN | NET_USO | NET_RX_CSUM | NET_RX_TSO4 |
			 NET_RX_TSO6 | NET_RX_TSO_ECN);
	assert_ptr_equal(net_find("net0"), net_find("net0"));
	assert_null(net_find("net7"));
	assert_int_equal(net_open(net, &user, NULL), -EBUSY);
}

static void features_that_need_others(void **state)
{
	(void)state;
	prepare(ALL_FEATURES & ~BIT(F_MRG_RXBUF));
	bind();
	assert_int_equal(net->features & (NET_RX_TSO4 | NET_RX_TSO6 | NET_RX_TSO_ECN), 0);
	assert_int_equal(vd.agreed & ALL_TSO, 0);
	assert_int_equal(net->features & NET_RX_CSUM, NET_RX_CSUM);
	prepare(ALL_FEATURES & ~BIT(F_GUEST_CSUM));
	bind();
	assert_int_equal(vd.agreed & ALL_TSO, 0);
	prepare(ALL_FEATURES & ~BIT(F_CSUM));
	bind();
	assert_int_equal(net->features & (NET_CSUM | NET_TSO4 | NET_TSO6 | NET_TSO_ECN | NET_USO), 0);
	prepare(ALL_FEATURES & ~(BIT(F_HOST_TSO4) | BIT(F_HOST_TSO6)));
	bind();
	assert_int_equal(net->features & (NET_CSUM | NET_TSO_ECN), NET_CSUM);
}

static void a_device_that_says_little(void **state)
{
	const uint8_t own[] = { 2, 0, 0, 0, 0, 0 };

	(void)state;
	prepare(0);
	memset(vd.config, 0xff, sizeof(vd.config));
	set_config(CONFIG_STATUS, 0, 2);
	bind();
	assert_memory_equal(net->mac, own, sizeof(own));
	assert_int_equal(net->mtu, 1500);
	assert_true(net_link(net));
	assert_int_equal(net->features, 0);
}

static void configurations_that_make_no_sense(void **state)
{
	const uint8_t own[] = { 2, 0, 0, 0, 0, 0 };

	(void)state;
	prepare(ALL_FEATURES);
	vd.config[CONFIG_MAC] = 0x53; /* a group's */
	bind();
	assert_memory_equal(net->mac, own, sizeof(own));
	prepare(ALL_FEATURES);
	set_config(CONFIG_MTU, 67, 2);
	assert_probe(-EINVAL);
	assert_non_null(strstr(mock_log_text(), "makes no sense to us"));
	assert_int_equal(vd.status & VIRTIO_FAILED, VIRTIO_FAILED);
	prepare(ALL_FEATURES);
	vd.restless = 1000;
	assert_probe(-EIO);
	prepare(ALL_FEATURES);
	vd.q[1].max = 1;
	assert_probe(-EINVAL);
	prepare(ALL_FEATURES);
	vd.q[1].max = 0;
	assert_probe(-ENODEV);
	assert_int_equal(mock_frames_used, 0);
}

static void without_memory_it_says_so(void **state)
{
	(void)state;
	for (uint64_t n = 1;; n++) {
		int error;

		prepare(ALL_FEATURES);
		mock_alloc_fail_at = n;
		error = vd_probe();
		if (!error)
			break;
		assert_int_equal(error, -ENOMEM);
		assert_int_equal(mock_frames_used, 0);
		kfree(vd.handler_arg);
	}
	net_for_each(last_device, NULL);
	for (uint64_t n = 1; n <= VIRTQ_MAX; n += 31) {
		mock_alloc_fail_at = n;
		assert_int_equal(net_open(net, &user, NULL), -ENOMEM);
		assert_null(net->user);
	}
	mock_alloc_fail_at = 0;
	assert_int_equal(net_open(net, &user, NULL), 0);
	assert_int_equal(vd_n_available(rxq), VIRTQ_MAX);
}

static void the_link(void **state)
{
	(void)state;
	set_config(CONFIG_STATUS, 0, 2);
	vd_interrupt(VIRTIO_INT_CONFIG);
	assert_false(net_link(net));
	assert_int_equal(got.n_link, 1);
	vd_interrupt(VIRTIO_INT_CONFIG);
	assert_int_equal(got.n_link, 1);
	set_config(CONFIG_STATUS, STATUS_LINK_UP, 2);
	vd_interrupt(VIRTIO_INT_CONFIG);
	assert_true(net_link(net));
	assert_int_equal(got.n_link, 2);
}

/* --- receiving --- */

static void frames_come(void **state)
{
	unsigned available = vd_n_available(rxq), notifies;

	(void)state;
	assert_int_equal(available, VIRTQ_MAX);
	for (unsigned i = 0; i < 500; i++) {
		uint32_t len = 14 + i * 3;

		fill(i);
		put_frame((struct header){ 0 }, data, len, PAGE_SIZE);
		vd_set_avail_event(rxq, vd_avail(rxq)[1]);
		notifies = vd.notifies;
		assert_true(vd_wants_interrupt(rxq, 1));
		vd_interrupt(VIRTIO_INT_QUEUE);
		assert_int_equal(got.n, i + 1);
		assert_int_equal(got.len, len);
		assert_memory_equal(got.data, data, len);
		assert_int_equal(vd_n_available(rxq), available);
		assert_int_equal(vd.notifies, notifies + 1);
	}
	assert_int_equal(net->dropped, 0);
}

/* All that is there in one interrupt, and the device is told once that it has its pages again. */
static void one_interrupt_takes_all(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VIRTQ_MAX; i++)
		put_frame((struct header){ 0 }, data, 60, PAGE_SIZE);
	assert_int_equal(vd_n_available(rxq), 0);
	vd.notifies = 0;
	vd_set_avail_event(rxq, vd_avail(rxq)[1]);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(got.n, VIRTQ_MAX);
	assert_int_equal(vd_n_available(rxq), VIRTQ_MAX);
	assert_int_equal(vd.notifies, 1);
}

static void large_frames_come_in_many_pages(void **state)
{
	const struct header h = { .flags = H_NEEDS_CSUM, .gso_type = GSO_TCPV6 | GSO_ECN, .hdr_len = 74, .gso_size = 1440,
				  .csum_start = 54, .csum_offset = 16 };

	(void)state;
	fill(7);
	assert_int_equal(put_frame(h, data, NET_FRAME_MAX, PAGE_SIZE), 17);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(got.n, 1);
	assert_int_equal(got.n_segs, 17);
	assert_int_equal(got.len, NET_FRAME_MAX);
	assert_memory_equal(got.data, data, NET_FRAME_MAX);
	assert_true(got.offload.needs_csum && got.offload.ecn && !got.offload.csum_valid);
	assert_int_equal(got.offload.gso, NET_GSO_TCPV6);
	assert_int_equal(got.offload.gso_size, 1440);
	assert_int_equal(got.offload.header_len, 74);
	assert_int_equal(got.offload.csum_start, 54);
	assert_int_equal(got.offload.csum_offset, 16);
	assert_int_equal(vd_n_available(rxq), VIRTQ_MAX);
}

static void checksums_that_were_looked_at(void **state)
{
	(void)state;
	put_frame((struct header){ .flags = H_DATA_VALID }, data, 100, PAGE_SIZE);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_true(got.offload.csum_valid && !got.offload.needs_csum);
	prepare(ALL_FEATURES & ~BIT(F_GUEST_CSUM));
	bind();
	put_frame((struct header){ .flags = H_DATA_VALID | H_NEEDS_CSUM }, data, 100, PAGE_SIZE);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_true(got.n == 1 && !got.offload.csum_valid && !got.offload.needs_csum); /* not agreed on */
}

static void headers_that_make_no_sense_cost_the_frame(void **state)
{
	const struct header bad[] = {
		{ .flags = H_NEEDS_CSUM, .csum_start = 99 },
		{ .flags = H_NEEDS_CSUM, .csum_start = 0xffff, .csum_offset = 0xffff },
		{ .gso_type = GSO_TCPV4, .gso_size = 1000 },
		{ .flags = H_NEEDS_CSUM, .gso_type = GSO_TCPV4 },
		{ .flags = H_NEEDS_CSUM, .gso_type = GSO_UDP_L4, .gso_size = 1000 },
		{ .flags = H_NEEDS_CSUM, .gso_type = 3, .gso_size = 1000 },
		{ .flags = H_NEEDS_CSUM, .gso_type = GSO_ECN, .gso_size = 1000 },
		{ .flags = H_NEEDS_CSUM, .gso_type = 0x7f, .gso_size = 1000 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		put_frame(bad[i], data, 100, PAGE_SIZE);
		vd_interrupt(VIRTIO_INT_QUEUE);
		assert_int_equal(net->dropped, i + 1);
	}
	put_frame((struct header){ 0 }, data, NET_HEADER_SIZE - 1, PAGE_SIZE);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(net->dropped, ARRAY_SIZE(bad) + 1);
	assert_int_equal(got.n, 0);
	put_frame((struct header){ .hdr_len = 5000, .flags = H_NEEDS_CSUM, .gso_type = GSO_TCPV4, .gso_size = 1 }, data, 100,
		  PAGE_SIZE);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(got.n, 1);
	assert_int_equal(got.offload.header_len, 0); /* a hint only */
}

static void answer_at_once(void)
{
	assert_int_equal(send_bytes(5, data, 60), 0);
}

static void the_receiver_may_send(void **state)
{
	(void)state;
	on_receive = answer_at_once;
	put_frame((struct header){ 0 }, data, 60, PAGE_SIZE);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(vd_n_available(txq), 1);
}

/* --- sending --- */

static void frames_go_in_place(void **state)
{
	const struct segment segs[] = { { data, 14 }, { data + 100, 0 }, { data + 200, 300 }, { data + 999, 1 } };
	struct vd_chain c;
	struct header h;

	(void)state;
	assert_int_equal(send_segs(3, segs, 4, NULL), 0);
	assert_int_equal(vd_n_available(txq), 1);
	c = vd_take(txq);
	h = header_in(&c);
	assert_memory_equal(&h, &(struct header){ 0 }, sizeof(h));
	assert_int_equal(c.n, 4); /* the empty one is left out */
	assert_ptr_equal((void *)(uintptr_t)c.d[1].addr, data);
	assert_ptr_equal((void *)(uintptr_t)c.d[2].addr, data + 200);
	assert_int_equal(c.d[2].len, 300);
	assert_ptr_equal((void *)(uintptr_t)c.d[3].addr, data + 999);
	assert_int_equal(n_done, 0);
	vd_use(txq, c.head, 0);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(n_done, 1);
	assert_int_equal(statuses[3], 0);
}

static void offloads_go_with_the_frame(void **state)
{
	static const struct { struct net_offload o; uint8_t gso_type; } table[] = {
		{ { .needs_csum = true, .csum_start = 34, .csum_offset = 6 }, GSO_NONE },
		{ { .needs_csum = true, .gso = NET_GSO_TCPV4, .gso_size = 1448, .header_len = 66, .csum_start = 34,
		    .csum_offset = 16 }, GSO_TCPV4 },
		{ { .needs_csum = true, .gso = NET_GSO_TCPV6, .ecn = true, .gso_size = 1448, .header_len = 66, .csum_start = 34,
		    .csum_offset = 16 }, GSO_TCPV6 | GSO_ECN },
		{ { .needs_csum = true, .gso = NET_GSO_UDP_L4, .gso_size = 1448, .header_len = 66, .csum_start = 34,
		    .csum_offset = 6 }, GSO_UDP_L4 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		const struct net_offload *o = &table[i].o;
		struct vd_chain c;
		struct header h;

		assert_int_equal(send_segs(i, &(struct segment){ data, o->gso ? NET_FRAME_MAX : 1514 }, 1, o), 0);
		c = vd_take(txq);
		h = header_in(&c);
		assert_int_equal(h.flags, H_NEEDS_CSUM);
		assert_int_equal(h.gso_type, table[i].gso_type);
		assert_true(h.gso_size == o->gso_size && h.hdr_len == o->header_len);
		assert_true(h.csum_start == o->csum_start && h.csum_offset == o->csum_offset && h.num_buffers == 0);
	}
}

static int try(struct net_offload o, uint32_t len, uint32_t said)
{
	struct segment seg = { data, len };
	struct net_frame frame = { .segs = &seg, .n = 1, .len = said, .offload = o };

	return net_send(net, &frame, user_done, NULL);
}

static void what_makes_no_sense_is_not_sent(void **state)
{
	const struct net_offload none = { 0 }, csum = { .needs_csum = true, .csum_start = 34, .csum_offset = 16 };
	struct net_offload o;

	(void)state;
	assert_int_equal(try(none, 0, 0), -EINVAL);
	assert_int_equal(try(none, 60, 61), -EINVAL);
	assert_int_equal(try(none, 1519, 1519), -EINVAL);
	assert_int_equal(try(csum, 51, 51), -EINVAL);
	assert_int_equal(try((struct net_offload){ .ecn = true }, 60, 60), -EINVAL);
	assert_int_equal(try((struct net_offload){ .gso = NET_GSO_TCPV4, .gso_size = 1 }, 60, 60), -EINVAL);
	o = csum;
	o.gso = NET_GSO_TCPV4;
	assert_int_equal(try(o, 60, 60), -EINVAL);
	o.gso_size = 100;
	o.header_len = 61;
	assert_int_equal(try(o, 60, 60), -EINVAL);
	o.header_len = 60;
	o.gso = 200;
	assert_int_equal(try(o, 60, 60), -EINVAL);
	o.gso = NET_GSO_UDP_L4;
	o.ecn = true;
	assert_int_equal(try(o, 60, 60), -EINVAL);
	assert_int_equal(vd_n_available(txq), 0);
	prepare(ALL_FEATURES & ~(BIT(F_HOST_TSO4) | BIT(F_HOST_ECN)));
	bind();
	o.gso = NET_GSO_TCPV4;
	o.ecn = false;
	assert_int_equal(try(o, 60, 60), -ENOTSUP);
	o.gso = NET_GSO_TCPV6;
	o.ecn = true;
	assert_int_equal(try(o, 60, 60), -ENOTSUP);
	assert_int_equal(vd_n_available(txq), 0);
}

static void what_the_device_cannot_reach_is_copied(void **state)
{
	uint8_t out[NET_FRAME_MAX];
	struct segment segs[NET_SEGMENTS_MAX + 1];
	uint64_t before = mock_frames_used;

	(void)state;
	fill(1);
	mock_stack = data + 500;
	mock_stack_size = 10;
	assert_int_equal(send_bytes(0, data, 1514), 0);
	assert_int_equal(mock_frames_used, before + 1);
	assert_int_equal(send_one(out), 1514);
	assert_memory_equal(out, data, 1514);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(mock_frames_used, before);
	mock_stack = NULL;
	for (unsigned i = 0; i < ARRAY_SIZE(segs); i++)
		segs[i] = (struct segment){ data + 10 * i, 10 };
	assert_int_equal(send_segs(1, segs, ARRAY_SIZE(segs), NULL), 0);
	assert_int_equal(send_one(out), 250);
	assert_memory_equal(out, data, 250);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(n_done, 2);
	assert_int_equal(mock_frames_used, before);
	mock_alloc_fail_at = 1;
	assert_int_equal(send_segs(1, segs, ARRAY_SIZE(segs), NULL), -ENOMEM);
	mock_alloc_fail_at = 0;
}

static void without_done_it_is_copied(void **state)
{
	struct segment seg = { data, 60 };
	struct net_frame frame = { .segs = &seg, .n = 1, .len = 60 };
	uint8_t out[60], was[60];

	(void)state;
	fill(2);
	memcpy(was, data, 60);
	assert_int_equal(net_send(net, &frame, NULL, NULL), 0);
	memset(data, 0, 60);
	assert_int_equal(send_one(out), 60);
	assert_memory_equal(out, was, 60);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(mock_frames_used, VIRTQ_MAX + 2);
}

static void a_full_queue_tells_when_there_is_room(void **state)
{
	unsigned n = 0;

	(void)state;
	while (send_bytes(n, data, 60) == 0)
		n++;
	assert_int_equal(n, VIRTQ_MAX / 2);
	assert_int_equal(send_bytes(n, data, 60), -ENOSPC);
	for (unsigned i = 0; i < 12; i++) {
		send_one(NULL);
		vd_interrupt(VIRTIO_INT_QUEUE);
		assert_int_equal(got.n_room, 0); /* not for the largest frame */
	}
	send_one(NULL);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(got.n_room, 1);
	send_one(NULL);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(got.n_room, 1); /* once */
	assert_int_equal(n_done, 14);
	for (unsigned i = 0; i < n_done; i++)
		assert_int_equal(done_order[i], i);
}

/* A device whose queues are as small as can be. */
static void two_entries_are_enough(void **state)
{
	uint8_t out[64];
	const struct segment segs[] = { { data, 14 }, { data + 14, 50 } };

	(void)state;
	prepare(ALL_FEATURES);
	vd.q[0].max = vd.q[1].max = 2;
	bind();
	fill(4);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(send_segs(i, segs, 2, NULL), 0);
		assert_int_equal(send_bytes(i + 1, data, 60), -ENOSPC);
		assert_int_equal(send_one(out), 64);
		assert_memory_equal(out, data, 64);
		vd_interrupt(VIRTIO_INT_QUEUE);
		assert_int_equal(got.n_room, i + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(it_says_what_it_is),
		T(features_that_need_others),
		T(a_device_that_says_little),
		T(configurations_that_make_no_sense),
		T(without_memory_it_says_so),
		T(the_link),
		T(frames_come),
		T(one_interrupt_takes_all),
		T(large_frames_come_in_many_pages),
		T(checksums_that_were_looked_at),
		T(headers_that_make_no_sense_cost_the_frame),
		T(the_receiver_may_send),
		T(frames_go_in_place),
		T(offloads_go_with_the_frame),
		T(what_makes_no_sense_is_not_sent),
		T(what_the_device_cannot_reach_is_copied),
		T(without_done_it_is_copied),
		T(a_full_queue_tells_when_there_is_room),
		T(two_entries_are_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
