/* Switches between VMs: who gets a frame, what is learned, who waits, what is dropped and counted where. */
// sources: vmm/net/switch.c vmm/net/mac.c vmm/net/offload.c
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <arch/cpu.h>
#include <caisson/time.h>
#include <test.h>
#include <timer_mock.h>
#include <vmm/switch.h>

#define PORTS 4

uint64_t timebase_hz = 10000000;

uint64_t time_now(void)
{
	return mock_time;
}

uint64_t time_from_us(uint64_t us)
{
	return us * 10;
}

uint64_t time_to_ns(uint64_t ticks)
{
	return ticks * 100;
}

struct end {
	struct switch_port port;
	unsigned frames;
	uint32_t last_len;
	uint8_t last[64];
	int answer;
	unsigned resumed;
	unsigned again;   /* how often resume says that there is more */
	uint64_t to;      /* what resume sends to */
};

static struct end ends[PORTS];
static char err[128];
static unsigned made; /* switches stay: each test has its own */
static char name[16];

static int deliver(struct switch_port *port, const struct net_frame *f)
{
	struct end *e = port->arg;

	if (e->answer)
		return e->answer;
	e->frames++;
	e->last_len = f->len;
	memcpy(e->last, f->segs[0].data, MIN(f->segs[0].len, sizeof(e->last)));
	return 0;
}

static int send(unsigned from, uint64_t destination);

static bool resume(struct switch_port *port)
{
	struct end *e = port->arg;

	e->resumed++;
	if (e->to)
		(void)send((unsigned)(e - ends), e->to);
	return e->again && e->again--;
}

static const struct switch_port_ops ops = { .deliver = deliver, .resume = resume }, uplink_ops = { .deliver = deliver };

static int add(unsigned i)
{
	struct end *e = &ends[i];

	memset(e, 0, sizeof(*e));
	e->port = (struct switch_port){ .ops = &ops, .arg = e, .owner = "vm", .number = i, .has_address = true,
					.address = { 2, 0, 0, 0, 0, (uint8_t)i } };
	return switch_port_add(name, &e->port, err, sizeof(err));
}

/* Four ports; the last one has no address of its own, as an uplink. */
static int fresh(void **state)
{
	(void)state;
	mock_time = MAX(mock_time, 1);
	snprintf(name, sizeof(name), "s%u", made++ % SWITCHES_MAX);
	for (unsigned i = 0; i < PORTS - 1; i++)
		assert_int_equal(add(i), 0);
	memset(&ends[PORTS - 1], 0, sizeof(ends[0]));
	ends[PORTS - 1].port = (struct switch_port){ .ops = &uplink_ops, .arg = &ends[PORTS - 1], .owner = "net0", .uplink = true };
	return switch_port_add(name, &ends[PORTS - 1].port, err, sizeof(err));
}

static int gone(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PORTS; i++)
		if (ends[i].port.net_switch)
			switch_port_remove(&ends[i].port);
	return 0;
}

/* A frame of 60 bytes from port `from`; source and destination by the last bytes of their addresses, in `first` others. */
static int send_as(unsigned from, uint64_t source, uint64_t destination)
{
	uint8_t bytes[60] = { 0 };
	struct segment seg = { bytes, sizeof(bytes) };
	struct net_frame f = { .segs = &seg, .n = 1, .len = sizeof(bytes) };

	for (unsigned i = 0; i < NET_MAC_SIZE; i++) {
		bytes[i] = (uint8_t)(destination >> (40 - 8 * i));
		bytes[6 + i] = (uint8_t)(source >> (40 - 8 * i));
	}
	return switch_send(&ends[from].port, &f);
}

#define MAC(n) (UINT64_C(0x020000000000) + (n))
#define ALL UINT64_C(0xffffffffffff)

static int send(unsigned from, uint64_t destination)
{
	return send_as(from, MAC(from), destination);
}

/* The ports that have got a frame since the last call, as a mask. */
static unsigned got(void)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < PORTS; i++) {
		assert_true(ends[i].frames <= 1);
		mask |= ends[i].frames << i;
		ends[i].frames = 0;
	}
	return mask;
}

static uint64_t dropped(unsigned port, enum switch_drop why)
{
	return ends[port].port.counters.drops[why];
}

static void let_pass(uint64_t seconds)
{
	mock_time += seconds * timebase_hz;
}

static void test_unicast_goes_to_its_port_alone(void **state)
{
	(void)state;
	assert_int_equal(send(0, MAC(2)), 0);
	assert_int_equal(got(), 4);
	assert_int_equal(ends[0].port.counters.sent, 1);
	assert_int_equal(ends[0].port.counters.sent_bytes, 60);
	assert_int_equal(ends[2].port.counters.received, 1);
	assert_int_equal(ends[2].port.counters.received_bytes, 60);
	assert_int_equal(ends[2].last_len, 60);
}

static void test_broadcast_and_unknown_go_to_all_others(void **state)
{
	(void)state;
	assert_int_equal(send(1, ALL), 0);
	assert_int_equal(got(), 0xd);
	assert_int_equal(send(1, UINT64_C(0x01005e000001)), 0);
	assert_int_equal(got(), 0xd);
	assert_int_equal(send(1, MAC(77)), 0);
	assert_int_equal(got(), 0xd);
}

static void test_what_is_for_switches_only_goes_nowhere(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(send(1, UINT64_C(0x0180c2000000) + i), 0);
	assert_int_equal(got(), 0);
	assert_int_equal(dropped(1, DROP_LOCAL), 16);
	assert_int_equal(send(1, UINT64_C(0x0180c2000010)), 0);
	assert_int_equal(got(), 0xd);
}

static void test_sources_are_learned_and_forgotten(void **state)
{
	(void)state;
	assert_int_equal(send_as(3, MAC(0x99), ALL), 0);
	(void)got();
	assert_int_equal(send(0, MAC(0x99)), 0);
	assert_int_equal(got(), 8);
	let_pass(SWITCH_AGE_S + 1);
	assert_int_equal(send(0, MAC(0x99)), 0);
	assert_int_equal(got(), 0xe);
	/* What is given to a port is not forgotten. */
	assert_int_equal(send(0, MAC(1)), 0);
	assert_int_equal(got(), 2);
}

static void test_an_address_moves_when_its_port_is_silent(void **state)
{
	(void)state;
	assert_int_equal(send_as(3, MAC(0x99), MAC(0)), 0);
	(void)got();
	assert_int_equal(send_as(1, MAC(0x99), MAC(0)), 0);
	assert_int_equal(got(), 0);
	assert_int_equal(dropped(1, DROP_SPOOFED), 1);
	let_pass(SWITCH_STICKY_S + 1);
	assert_int_equal(send_as(1, MAC(0x99), MAC(0)), 0);
	assert_int_equal(got(), 1);
	assert_int_equal(send(0, MAC(0x99)), 0);
	assert_int_equal(got(), 2);
}

static void test_nobody_takes_an_address_that_is_given(void **state)
{
	(void)state;
	let_pass(10 * SWITCH_AGE_S);
	assert_int_equal(send_as(3, MAC(0), MAC(1)), 0);
	assert_int_equal(got(), 0);
	assert_int_equal(dropped(3, DROP_SPOOFED), 1);
	assert_int_equal(send(2, MAC(0)), 0);
	assert_int_equal(got(), 1);
}

static void test_a_port_of_very_many_addresses_forgets_its_own_only(void **state)
{
	(void)state;
	assert_int_equal(send_as(3, MAC(0x99), ALL), 0);
	(void)got();
	for (unsigned i = 0; i < 10000; i++) {
		assert_int_equal(send_as(1, MAC(0x10000 + i), MAC(0)), 0);
		assert_int_equal(got(), 1);
		mock_time++;
	}
	assert_int_equal(send(0, MAC(0x99)), 0);
	assert_int_equal(got(), 8);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(send(3, MAC(i)), 0);
		assert_int_equal(got(), 1 << i);
	}
	for (unsigned i = 0; i < 10000; i += 9999 - SWITCH_LEARNED_MAX / 2) {
		assert_int_equal(send(0, MAC(0x10000 + i)), 0);
		assert_int_equal(got(), i ? 2 : 0xe);
	}
}

static void count_macs(const struct switch_mac_state *s, void *arg)
{
	((unsigned *)arg)[s->fixed]++;
}

static void test_the_table_is_bounded_and_shown(void **state)
{
	unsigned n[2] = { 0, 0 };

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(send_as(1, MAC(0x10000 + i), MAC(0)), 0);
		(void)got();
	}
	switch_for_each_mac(count_macs, n);
	assert_int_equal(n[0], SWITCH_LEARNED_MAX);
	assert_int_equal(n[1], PORTS - 1);
	gone(NULL);
	memset(n, 0, sizeof(n));
	switch_for_each_mac(count_macs, n);
	assert_int_equal(n[0] + n[1], 0);
	for (unsigned i = 0; i < PORTS; i++)
		ends[i].port.net_switch = NULL;
}

static void test_isolated_ports_reach_only_the_others(void **state)
{
	(void)state;
	ends[0].port.isolated = ends[1].port.isolated = true;
	assert_int_equal(send(0, MAC(1)), 0);
	assert_int_equal(got(), 0);
	assert_int_equal(dropped(0, DROP_ISOLATED), 1);
	assert_int_equal(send(0, ALL), 0);
	assert_int_equal(got(), 0xc);
	assert_int_equal(send(0, MAC(2)), 0);
	assert_int_equal(got(), 4);
	assert_int_equal(send(2, MAC(0)), 0);
	assert_int_equal(got(), 1);
	assert_int_equal(send_as(3, MAC(0x99), ALL), 0);
	assert_int_equal(got(), 7);
}

static void test_switches_are_apart(void **state)
{
	struct end other = { .frames = 0 };

	(void)state;
	other.port = (struct switch_port){ .ops = &ops, .arg = &other, .owner = "vm", .has_address = true,
					   .address = { 2, 0, 0, 0, 0, 1 } };
	assert_int_equal(switch_port_add(strcmp(name, "s0") ? "s0" : "s1", &other.port, err, sizeof(err)), 0);
	assert_int_equal(send(0, ALL), 0);
	assert_int_equal(got(), 0xe);
	assert_int_equal(other.frames, 0);
	switch_port_remove(&other.port);
}

static void test_an_address_twice_and_too_many_ports(void **state)
{
	static struct end more[SWITCH_PORTS_MAX];
	unsigned n = 0;

	(void)state;
	more[0].port = (struct switch_port){ .ops = &ops, .owner = "vm", .has_address = true, .address = { 2, 0, 0, 0, 0, 1 } };
	assert_int_equal(switch_port_add(name, &more[0].port, err, sizeof(err)), -EEXIST);
	assert_non_null(strstr(err, "the MAC address is another port's"));
	for (;; n++) {
		more[n].port = (struct switch_port){ .ops = &ops, .owner = "vm" };
		if (switch_port_add(name, &more[n].port, err, sizeof(err)))
			break;
	}
	assert_int_equal(n, SWITCH_PORTS_MAX - PORTS);
	assert_non_null(strstr(err, "no more than 32 ports"));
	while (n--)
		switch_port_remove(&more[n].port);
}

/* A full receiver takes frames again: who waited is called back, in turn. */
static void test_who_waits_is_called_back(void **state)
{
	(void)state;
	ends[1].answer = -EAGAIN;
	assert_int_equal(send(0, MAC(1)), -EAGAIN);
	assert_int_equal(send(2, MAC(1)), -EAGAIN);
	assert_int_equal(ends[1].port.counters.waits, 2);
	assert_int_equal(ends[0].port.counters.sent, 0);
	assert_int_equal(dropped(1, DROP_FULL), 0);
	ends[1].answer = 0;
	assert_false(switch_port_ready(&ends[1].port));
	assert_int_equal(ends[0].resumed, 1);
	assert_int_equal(ends[2].resumed, 1);
	assert_false(switch_port_ready(&ends[1].port));
	assert_int_equal(ends[0].resumed + ends[2].resumed, 2);
}

/* One that has more than should be done at once comes after the others. */
static void test_waiting_is_fair(void **state)
{
	(void)state;
	ends[1].answer = -EAGAIN;
	assert_int_equal(send(0, MAC(1)), -EAGAIN);
	assert_int_equal(send(2, MAC(1)), -EAGAIN);
	ends[0].again = ends[2].again = 1;
	assert_true(switch_port_ready(&ends[1].port));
	assert_int_equal(ends[0].resumed + ends[2].resumed, 1);
	assert_true(switch_port_ready(&ends[1].port));
	assert_int_equal(ends[0].resumed, 1);
	assert_int_equal(ends[2].resumed, 1);
	assert_false(switch_port_ready(&ends[1].port));
	assert_int_equal(ends[0].resumed + ends[2].resumed, 4);
}

/* Nobody is called back in vain twice: it waits anew only if the receiver is full again. */
static void test_a_full_receiver_is_waited_for_a_while(void **state)
{
	(void)state;
	ends[1].answer = -EAGAIN;
	ends[0].to = MAC(1);
	assert_int_equal(send(0, MAC(1)), -EAGAIN);
	assert_non_null(armed);
	mock_time += time_from_us(SWITCH_PATIENCE_US) / 2;
	assert_false(switch_port_ready(&ends[1].port));
	assert_int_equal(dropped(1, DROP_FULL), 0);
	assert_int_equal(ends[0].resumed, 1);
	mock_time = armed->deadline;
	armed->fn(armed);
	assert_int_equal(ends[0].resumed, 2);
	assert_int_equal(dropped(1, DROP_FULL), 1);
	/* From then on nobody waits for it. */
	for (unsigned i = 0; i < 5; i++, let_pass(1))
		assert_int_equal(send(2, MAC(1)), 0);
	assert_int_equal(dropped(1, DROP_FULL), 6);
	assert_int_equal(ends[2].port.counters.sent, 5);
	ends[1].answer = 0;
	assert_int_equal(send(2, MAC(1)), 0);
	ends[1].answer = -EAGAIN;
	assert_int_equal(send(2, MAC(1)), -EAGAIN);
}

/* One buffer now and then: senders would spend all of their time waiting for it. */
static void test_a_dripping_receiver_loses_its_senders_patience(void **state)
{
	uint64_t waited = 0;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		uint64_t pause = time_from_us(SWITCH_PATIENCE_US * 4 / 5), wait = 0;
		struct timer *t;

		ends[1].answer = -EAGAIN;
		if (send(0, MAC(1)) == -EAGAIN) {
			t = armed;
			wait = MIN(pause, t->deadline - mock_time);
			mock_time += wait;
			if (mock_time == t->deadline)
				t->fn(t);
		}
		ends[1].answer = 0;
		assert_int_equal(send(0, MAC(1)), 0);
		waited += wait;
		mock_time += pause - wait;
	}
	assert_in_range(waited, time_from_us(SWITCH_PATIENCE_US), time_from_us(2 * SWITCH_PATIENCE_US));
	assert_in_range(dropped(1, DROP_FULL), 15, 19);
	/* One that takes many in a row has all of it again. */
	for (unsigned i = 0; i < 20 * 50; i++)
		assert_int_equal(send(0, MAC(1)), 0);
	ends[1].answer = -EAGAIN;
	assert_int_equal(send(0, MAC(1)), -EAGAIN);
}

/* A sender with very many frames for a dead receiver: they are dropped some at a time, each time the timer goes off. */
static void test_dropping_goes_on(void **state)
{
	(void)state;
	ends[1].answer = -EAGAIN;
	assert_int_equal(send(0, MAC(1)), -EAGAIN);
	ends[0].again = 3;
	ends[0].to = MAC(1);
	for (unsigned i = 0; i < 4; i++) {
		struct timer *t = armed;

		assert_non_null(t);
		armed = NULL;
		mock_time = t->deadline;
		t->fn(t);
	}
	assert_null(armed);
	assert_int_equal(dropped(1, DROP_FULL), 4);
}

static void test_a_sender_that_is_gone_is_not_called_back(void **state)
{
	(void)state;
	ends[1].answer = -EAGAIN;
	assert_int_equal(send(0, MAC(1)), -EAGAIN);
	switch_port_remove(&ends[0].port);
	ends[0].port.net_switch = NULL;
	assert_false(switch_port_ready(&ends[1].port));
	assert_int_equal(ends[0].resumed, 0);
}

/* Nobody else would call it back: its ring would stand still for ever. */
static void test_a_receiver_that_goes_lets_go_of_who_waits(void **state)
{
	struct timer *t;

	(void)state;
	ends[1].answer = -EAGAIN;
	ends[0].to = MAC(1);
	assert_int_equal(send(0, MAC(1)), -EAGAIN);
	switch_port_remove(&ends[1].port);
	ends[1].port.net_switch = NULL;
	t = armed;
	assert_ptr_equal(t, &ends[0].port.patience);
	armed = NULL;
	t->fn(t);
	assert_int_equal(ends[0].resumed, 1);
	assert_int_equal(got(), 0xc); /* its address is not known any more */
	assert_null(armed);
}

static void test_one_that_cannot_wait(void **state)
{
	(void)state;
	ends[1].answer = -EAGAIN;
	assert_int_equal(send_as(3, MAC(0x99), MAC(1)), 0);
	assert_int_equal(dropped(1, DROP_FULL), 1);
}

static void test_frames_to_many_do_not_wait(void **state)
{
	(void)state;
	ends[1].answer = -EAGAIN;
	assert_int_equal(send(0, ALL), 0);
	assert_int_equal(got(), 0xc);
	assert_int_equal(dropped(1, DROP_FULL), 1);
}

static void test_other_answers_are_counted_by_reason(void **state)
{
	static const struct { int answer; enum switch_drop why; } all[] = {
		{ -ENOTCONN, DROP_DOWN }, { -EMSGSIZE, DROP_TOO_LONG }, { -ENOMEM, DROP_FAILED }, { -EIO, DROP_FAILED },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		uint64_t before = dropped(1, all[i].why);

		ends[1].answer = all[i].answer;
		assert_int_equal(send(0, MAC(1)), 0);
		assert_int_equal(dropped(1, all[i].why), before + 1);
	}
}

static void test_a_pulled_cable(void **state)
{
	(void)state;
	switch_port_set_link(&ends[1].port, false);
	assert_int_equal(send(0, MAC(1)), 0);
	assert_int_equal(send(0, ALL), 0);
	assert_int_equal(got(), 0xc);
	assert_int_equal(dropped(1, DROP_DOWN), 2);
	assert_int_equal(send(1, MAC(0)), 0);
	assert_int_equal(got(), 0);
	assert_int_equal(dropped(1, DROP_DOWN), 3);
	switch_port_set_link(&ends[1].port, true);
	assert_int_equal(send(0, MAC(1)), 0);
	assert_int_equal(got(), 2);
}

static void test_senseless_frames(void **state)
{
	uint8_t bytes[60] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0 };
	struct segment seg = { bytes, sizeof(bytes) };
	struct net_frame f = { .segs = &seg, .n = 1, .len = sizeof(bytes), .offload = { .needs_csum = true, .csum_start = 50, .csum_offset = 9 } };

	(void)state;
	assert_int_equal(switch_send(&ends[0].port, &f), 0);
	assert_int_equal(send_as(0, ALL, MAC(1)), 0);
	assert_int_equal(send_as(0, 0, MAC(1)), 0);
	assert_int_equal(got(), 0);
	assert_int_equal(dropped(0, DROP_BAD), 3);
	assert_int_equal(send(0, MAC(0)), 0);
	assert_int_equal(dropped(0, DROP_LOCAL), 1);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, fresh, gone)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_unicast_goes_to_its_port_alone),
		TEST(test_broadcast_and_unknown_go_to_all_others),
		TEST(test_what_is_for_switches_only_goes_nowhere),
		TEST(test_sources_are_learned_and_forgotten),
		TEST(test_an_address_moves_when_its_port_is_silent),
		TEST(test_nobody_takes_an_address_that_is_given),
		TEST(test_a_port_of_very_many_addresses_forgets_its_own_only),
		TEST(test_the_table_is_bounded_and_shown),
		TEST(test_isolated_ports_reach_only_the_others),
		TEST(test_switches_are_apart),
		TEST(test_an_address_twice_and_too_many_ports),
		TEST(test_who_waits_is_called_back),
		TEST(test_waiting_is_fair),
		TEST(test_a_full_receiver_is_waited_for_a_while),
		TEST(test_a_dripping_receiver_loses_its_senders_patience),
		TEST(test_dropping_goes_on),
		TEST(test_a_sender_that_is_gone_is_not_called_back),
		TEST(test_a_receiver_that_goes_lets_go_of_who_waits),
		TEST(test_one_that_cannot_wait),
		TEST(test_frames_to_many_do_not_wait),
		TEST(test_other_answers_are_counted_by_reason),
		TEST(test_a_pulled_cable),
		TEST(test_senseless_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
