/* Checksums and TCP segmentation, against known frames and, at random, against a naive model. */
// sources: vmm/net/offload.c
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <test.h>
#include <vmm/offload.h>

#define ROUNDS 3000

/* What came out. */
static struct {
	uint8_t bytes[256][70000];
	uint32_t len[256];
	unsigned n;
	int answer, answer_after;
} out;

static int emit(const struct net_frame *f, void *arg)
{
	uint32_t total = 0;

	assert_ptr_equal(arg, &out);
	assert_false(f->offload.needs_csum);
	assert_int_equal(f->offload.gso, NET_GSO_NONE);
	for (unsigned i = 0; i < f->n; i++)
		total += f->segs[i].len;
	assert_int_equal(total, f->len);
	assert_int_equal(offload_copy(f, 0, out.bytes[out.n], sizeof(out.bytes[0])), f->len);
	out.len[out.n++] = f->len;
	return out.n > (unsigned)out.answer_after ? out.answer : 0;
}

static int finish(const struct net_frame *f)
{
	out.n = 0;
	return offload_finish(f, emit, &out);
}

static int fresh(void **state)
{
	(void)state;
	srand(1);
	out.answer = 0;
	out.answer_after = 0;
	return 0;
}

/* --- a naive model: one byte pair after the other --- */

static uint16_t naive_sum(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += (uint32_t)p[i] << (i & 1 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static void set16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t pseudo(const uint8_t *ip, unsigned l4_len)
{
	if (ip[0] >> 4 == 4)
		return naive_sum(6 + l4_len, ip + 12, 8);
	return naive_sum(6 + l4_len, ip + 8, 32);
}

/* --- frames --- */

struct made {
	uint8_t bytes[70000];
	uint32_t ip, tcp, headers, len;
	struct segment segs[OFFLOAD_SEGMENTS_MAX];
	struct net_frame frame;
};

static struct made m;

static void in_pieces(unsigned most)
{
	uint32_t at = 0;

	m.frame.n = 0;
	while (at < m.len) {
		uint32_t n = (uint32_t)rand() % 2000;

		if (m.frame.n + 1 >= most || n > m.len - at)
			n = m.len - at;
		/* Each in a place of its own, so that reading beyond it is seen. */
		m.segs[m.frame.n] = (struct segment){ malloc(n ? n : 1), n };
		memcpy(m.segs[m.frame.n].data, m.bytes + at, n);
		m.frame.n++;
		at += n;
	}
	m.frame.segs = m.segs;
	m.frame.len = m.len;
}

static void drop_pieces(void)
{
	for (unsigned i = 0; i < m.frame.n; i++)
		free(m.segs[i].data);
}

/* A TCP packet as a guest sends it that leaves checksum and cutting to its device. */
static void make_tcp(bool ipv6, unsigned vlans, unsigned options, uint32_t payload, unsigned mss)
{
	uint8_t *ip, *tcp;

	for (unsigned i = 0; i < sizeof(m.bytes); i++)
		m.bytes[i] = (uint8_t)rand();
	for (unsigned i = 0; i < vlans; i++)
		set16(m.bytes + 12 + 4 * i, i ? 0x8100 : 0x88a8);
	m.ip = 14 + 4 * vlans;
	set16(m.bytes + m.ip - 2, ipv6 ? 0x86dd : 0x0800);
	m.tcp = m.ip + (ipv6 ? 40 : 20);
	m.headers = m.tcp + 20 + options;
	m.len = m.headers + payload;
	ip = m.bytes + m.ip;
	tcp = m.bytes + m.tcp;
	ip[0] = ipv6 ? 0x60 : 0x45;
	if (ipv6) {
		ip[6] = 6;
		set16(ip + 4, m.len - m.ip - 40);
	} else {
		ip[9] = 6;
		set16(ip + 2, m.len - m.ip);
	}
	tcp[12] = (uint8_t)((20 + options) / 4 << 4);
	set16(tcp + 16, naive_sum(pseudo(ip, m.len - m.tcp), NULL, 0));
	m.frame.offload = (struct net_offload){
		.needs_csum = true, .csum_start = (uint16_t)m.tcp, .csum_offset = 16, .gso_size = (uint16_t)mss,
		.gso = mss ? (ipv6 ? NET_GSO_TCPV6 : NET_GSO_TCPV4) : NET_GSO_NONE,
	};
}

/* --- tests --- */

static void test_sums_agree_with_a_naive_one(void **state)
{
	static uint8_t data[3000];

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned off = (unsigned)rand() % 16, n = (unsigned)rand() % (sizeof(data) - 16);
		uint16_t sum;

		for (unsigned j = 0; j < n; j++)
			data[off + j] = i % 3 ? (uint8_t)rand() : 0xff;
		sum = offload_sum(0, data + off, n);
		/* Zero has two representations. */
		assert_int_equal((uint16_t)(sum << 8 | sum >> 8) % 0xffff, naive_sum(0, data + off, n) % 0xffff);
	}
}

/* An ARP-sized known frame: a UDP datagram to port 7 with the bytes "abc". Sum by hand. */
static void test_a_known_checksum(void **state)
{
	uint8_t frame[45] = { [12] = 8, [14] = 0x45, [23] = 17, [26] = 10, 0, 0, 1, 10, 0, 0, 2,
			      [34] = 0x12, 0x34, 0, 7, 0, 11, [42] = 'a', 'b', 'c' };
	struct segment seg = { frame, sizeof(frame) };
	struct net_frame f = { .segs = &seg, .n = 1, .len = sizeof(frame),
			       .offload = { .needs_csum = true, .csum_start = 34, .csum_offset = 6 } };

	(void)state;
	/* pseudo header: 0a00+0001+0a00+0002+0011+000b = 141f; datagram: 1234+0007+000b+6162+6300 = d6a8; together eac7 */
	set16(frame + 40, 0x141f);
	assert_int_equal(finish(&f), 0);
	assert_int_equal(out.n, 1);
	assert_int_equal(be16(out.bytes[0] + 40), 0xffff - 0xeac7);
	assert_memory_equal(out.bytes[0], frame, 40);
	assert_memory_equal(out.bytes[0] + 42, "abc", 3);
}

static void test_checksums_of_frames_in_pieces(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		make_tcp(i & 1, i % 3, (unsigned)rand() % 11 * 4, (uint32_t)rand() % 3000, 0);
		in_pieces(1 + (unsigned)rand() % OFFLOAD_SEGMENTS_MAX);
		assert_int_equal(finish(&m.frame), 0);
		assert_int_equal(out.n, 1);
		assert_int_equal(out.len[0], m.len);
		assert_int_equal(naive_sum(pseudo(m.bytes + m.ip, m.len - m.tcp), out.bytes[0] + m.tcp, m.len - m.tcp), 0xffff);
		memcpy(out.bytes[0] + m.tcp + 16, m.bytes + m.tcp + 16, 2);
		assert_memory_equal(out.bytes[0], m.bytes, m.len);
		drop_pieces();
	}
}

static void check_cut(unsigned i, uint32_t at, uint32_t payload, bool last)
{
	const uint8_t *p = out.bytes[i], *ip = p + m.ip, *tcp = p + m.tcp;
	uint8_t flags = m.bytes[m.tcp + 13];

	assert_int_equal(out.len[i], m.headers + payload);
	assert_memory_equal(p, m.bytes, m.ip);
	assert_memory_equal(p + m.headers, m.bytes + m.headers + at, payload);
	assert_int_equal(be32(tcp + 4), (uint32_t)(be32(m.bytes + m.tcp + 4) + at));
	if (ip[0] >> 4 == 4) {
		assert_int_equal(be16(ip + 2), out.len[i] - m.ip);
		assert_int_equal(be16(ip + 4), (uint16_t)(be16(m.bytes + m.ip + 4) + i));
		assert_int_equal(naive_sum(0, ip, m.tcp - m.ip), 0xffff);
	} else {
		assert_int_equal(be16(ip + 4), out.len[i] - m.ip - 40);
	}
	if (!last)
		flags &= (uint8_t)~9;
	if (i)
		flags &= 0x7f;
	assert_int_equal(tcp[13], flags);
	assert_int_equal(naive_sum(pseudo(ip, out.len[i] - m.tcp), tcp, out.len[i] - m.tcp), 0xffff);
}

static void test_cutting_agrees_with_a_naive_model(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 600; i++) {
		uint32_t mss = 1 + (uint32_t)rand() % 1460, most = MIN(65000, mss * OFFLOAD_CUTS_MAX), payload = (uint32_t)rand() % most;
		uint32_t at = 0;

		make_tcp(i & 1, i % 3, (unsigned)rand() % 11 * 4, payload, mss);
		in_pieces(1 + (unsigned)rand() % OFFLOAD_SEGMENTS_MAX);
		assert_int_equal(offload_check(&m.frame), 0);
		assert_int_equal(finish(&m.frame), 0);
		assert_int_equal(out.n, payload ? (payload + mss - 1) / mss : 1);
		for (unsigned j = 0; j < out.n; j++, at += mss)
			check_cut(j, at, MIN(mss, payload - at), j == out.n - 1);
		drop_pieces();
	}
}

static void test_lies_are_refused(void **state)
{
	static const struct { const char *what; unsigned at; uint8_t value; struct net_offload o; } lies[] = {
		{ "sum beyond the end", 0, 0, { .needs_csum = true, .csum_start = 1060, .csum_offset = 0 } },
		{ "offset beyond the end", 0, 0, { .needs_csum = true, .csum_start = 34, .csum_offset = 65535 } },
		{ "all ones", 0, 0, { .needs_csum = true, .csum_start = 65535, .csum_offset = 65535 } },
		{ "in the addresses", 0, 0, { .needs_csum = true, .csum_start = 0, .csum_offset = 6 } },
		{ "no sum", 0, 0, { .gso = NET_GSO_TCPV4, .gso_size = 100, .csum_start = 34, .csum_offset = 16 } },
		{ "size 0", 0, 0, { true, .gso = NET_GSO_TCPV4, .csum_start = 34, .csum_offset = 16 } },
		{ "too many", 0, 0, { true, .gso = NET_GSO_TCPV4, .gso_size = 7, .csum_start = 34, .csum_offset = 16 } },
		{ "not TCP's sum", 0, 0, { true, .gso = NET_GSO_TCPV4, .gso_size = 100, .csum_start = 34, .csum_offset = 6 } },
		{ "UDP", 0, 0, { true, .gso = NET_GSO_UDP_L4, .gso_size = 100, .csum_start = 34, .csum_offset = 6 } },
		{ "no such kind", 0, 0, { true, .gso = 17, .gso_size = 100, .csum_start = 34, .csum_offset = 16 } },
		{ "not IPv6", 0, 0, { true, .gso = NET_GSO_TCPV6, .gso_size = 100, .csum_start = 54, .csum_offset = 16 } },
		{ "before IP", 0, 0, { true, .gso = NET_GSO_TCPV4, .gso_size = 100, .csum_start = 14, .csum_offset = 16 } },
		{ "in IP", 0, 0, { true, .gso = NET_GSO_TCPV4, .gso_size = 100, .csum_start = 30, .csum_offset = 16 } },
		{ "near the end", 0, 0, { true, .gso = NET_GSO_TCPV4, .gso_size = 100, .csum_start = 1040, .csum_offset = 16 } },
		{ "ARP", 13, 6, { true, .gso = NET_GSO_TCPV4, .gso_size = 100, .csum_start = 34, .csum_offset = 16 } },
		{ "IP's length", 14, 0x46, { true, .gso = NET_GSO_TCPV4, .gso_size = 100, .csum_start = 34, .csum_offset = 16 } },
		{ "IP's version", 14, 0x65, { true, .gso = NET_GSO_TCPV4, .gso_size = 100, .csum_start = 34, .csum_offset = 16 } },
		{ "protocol", 23, 17, { true, .gso = NET_GSO_TCPV4, .gso_size = 100, .csum_start = 34, .csum_offset = 16 } },
		{ "TCP's length", 46, 0x40, { true, .gso = NET_GSO_TCPV4, .gso_size = 100, .csum_start = 34, .csum_offset = 16 } },
		{ "VLANs to the end", 12, 0x81, { true, .gso = NET_GSO_TCPV4, .gso_size = 100, .csum_start = 34, .csum_offset = 16 } },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(lies); i++) {
		make_tcp(false, 0, 0, 1006, 0);
		if (lies[i].at)
			m.bytes[lies[i].at] = lies[i].value;
		in_pieces(3);
		m.frame.offload = lies[i].o;
		if (offload_check(&m.frame) != -EINVAL || finish(&m.frame) != -EINVAL)
			fail_msg("%s", lies[i].what);
		assert_int_equal(out.n, 0);
		drop_pieces();
	}
}

/* Whatever a guest says, nothing outside the frame is read (the sanitizer sees it), and what is cut adds up. */
static void test_random_lies(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 20 * ROUNDS; i++) {
		struct net_offload *o = &m.frame.offload;

		if (i % 64 == 0) {
			if (i)
				drop_pieces();
			make_tcp(i & 64, (unsigned)rand() % 3, (unsigned)rand() % 11 * 4, (uint32_t)rand() % 3000, 500);
			m.len = rand() & 1 ? m.len : 14 + (uint32_t)rand() % 80;
			in_pieces(1 + (unsigned)rand() % 8);
		}
		*o = (struct net_offload){
			.needs_csum = rand() & 3, .gso = (uint8_t)(rand() % 5), .gso_size = (uint16_t)(rand() % (rand() & 1 ? 65536 : 900)),
			.csum_start = (uint16_t)(rand() & 1 ? m.tcp : (unsigned)rand() % (rand() & 1 ? 65536 : 200)),
			.csum_offset = rand() & 1 ? 16 : (uint16_t)(rand() % (rand() & 1 ? 65536 : 200)),
		};
		if (offload_check(&m.frame))
			assert_int_equal(finish(&m.frame), -EINVAL);
		else
			assert_int_equal(finish(&m.frame), 0);
	}
	drop_pieces();
}

static void test_who_gets_a_frame_as_it_is(void **state)
{
	const struct net_offload plain = { 0 }, sum = { .needs_csum = true }, cut4 = { .needs_csum = true, .gso = NET_GSO_TCPV4 },
				 cut6 = { .needs_csum = true, .gso = NET_GSO_TCPV6 },
				 ecn = { .needs_csum = true, .gso = NET_GSO_TCPV4, .ecn = true };

	(void)state;
	assert_true(offload_fits(&plain, 0));
	assert_false(offload_fits(&sum, NET_TSO4));
	assert_true(offload_fits(&sum, NET_CSUM));
	assert_false(offload_fits(&cut4, NET_CSUM | NET_TSO6));
	assert_true(offload_fits(&cut4, NET_CSUM | NET_TSO4));
	assert_false(offload_fits(&cut6, NET_CSUM | NET_TSO4));
	assert_false(offload_fits(&ecn, NET_CSUM | NET_TSO4));
	assert_true(offload_fits(&ecn, NET_CSUM | NET_TSO4 | NET_TSO_ECN));
}

static void test_the_first_refusal_ends_it(void **state)
{
	(void)state;
	make_tcp(false, 0, 0, 5000, 1000);
	in_pieces(4);
	out.answer = -ENOSPC;
	out.answer_after = 2;
	assert_int_equal(finish(&m.frame), -ENOSPC);
	assert_int_equal(out.n, 3);
	drop_pieces();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_sums_agree_with_a_naive_one, fresh),
		cmocka_unit_test_setup(test_a_known_checksum, fresh),
		cmocka_unit_test_setup(test_checksums_of_frames_in_pieces, fresh),
		cmocka_unit_test_setup(test_cutting_agrees_with_a_naive_model, fresh),
		cmocka_unit_test_setup(test_lies_are_refused, fresh),
		cmocka_unit_test_setup(test_random_lies, fresh),
		cmocka_unit_test_setup(test_who_gets_a_frame_as_it_is, fresh),
		cmocka_unit_test_setup(test_the_first_refusal_ends_it, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
