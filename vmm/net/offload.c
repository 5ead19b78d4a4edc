/* Checksums and TCP segmentation for receivers that cannot do them (RFC 1071, RFC 9293; IPv4 and IPv6). */
#include <vmm/offload.h>

#include <errno.h>
#include <string.h>

enum { ETH_TYPE = 12, VLAN_SIZE = 4, VLANS_MAX = 2 };
enum { ETHERTYPE_IPV4 = 0x0800, ETHERTYPE_IPV6 = 0x86dd, ETHERTYPE_VLAN = 0x8100, ETHERTYPE_QINQ = 0x88a8 };
enum { IPV4_LENGTH = 2, IPV4_ID = 4, IPV4_PROTOCOL = 9, IPV4_SUM = 10, IPV4_SIZE = 20 };
enum { IPV6_LENGTH = 4, IPV6_SIZE = 40 };
enum { TCP_SEQUENCE = 4, TCP_DATA_OFFSET = 12, TCP_FLAGS = 13, TCP_SUM = 16, TCP_SIZE = 20, PROTOCOL_TCP = 6 };
enum { FLAG_FIN = 0x01, FLAG_PSH = 0x08, FLAG_CWR = 0x80 };

/* A TCP packet that is to be cut. */
struct packet {
	uint8_t headers[OFFLOAD_HEADERS_MAX];
	uint32_t ip, tcp, size;    /* where these headers are, and how long all are */
	uint32_t payload, cuts;
	bool ipv6;
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put32(uint8_t *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p + 2, value & 0xffff);
}

/* --- sums: of 16-bit words as they lie in memory, so the order of bytes does not matter --- */

static uint16_t fold(uint64_t sum)
{
	sum = (sum >> 32) + (uint32_t)sum;
	sum = (sum >> 32) + (uint32_t)sum;
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)sum;
}

static uint16_t swap(uint16_t v)
{
	return (uint16_t)(v << 8 | v >> 8);
}

/* From an aligned address, n a multiple of 8. At most 2^32 words of 32 bits, so nothing overflows. */
static uint64_t sum_words(const uint8_t *p, size_t n)
{
	uint64_t sum = 0;

	for (; n; n -= 8, p += 8) {
		uint64_t word;

		memcpy(&word, __builtin_assume_aligned(p, 8), 8);
		sum += (uint32_t)word;
		sum += word >> 32;
	}
	return sum;
}

/* A few bytes, the first at an even place. */
static uint64_t sum_bytes(const uint8_t *p, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (uint64_t)p[i] << (i & 1 ? 8 : 0);
	return sum;
}

/* Little-endian, as the machine is. */
static uint16_t sum_memory(const uint8_t *p, size_t n)
{
	size_t head = MIN(n, -(uintptr_t)p & 7), middle = (n - head) & ~(size_t)7;
	uint16_t first = fold(sum_bytes(p, head));
	uint64_t rest = sum_words(p + head, middle) + sum_bytes(p + head + middle, n - head - middle);

	return fold((uint64_t)first + (head & 1 ? swap(fold(rest)) : fold(rest)));
}

uint16_t offload_sum(uint16_t sum, const void *data, size_t n)
{
	return fold((uint64_t)sum + sum_memory(data, n));
}

/* Of a frame from off to its end, off being an even place. */
static uint16_t sum_frame(const struct net_frame *f, uint32_t off)
{
	uint64_t sum = 0;
	bool odd = false;

	for (unsigned i = 0; i < f->n; i++) {
		uint32_t skip = MIN(off, f->segs[i].len), n = f->segs[i].len - skip;
		uint16_t part = sum_memory((const uint8_t *)f->segs[i].data + skip, n);

		sum += odd ? swap(part) : part;
		odd ^= n & 1;
		off -= skip;
	}
	return fold(sum);
}

/* As it goes into a packet: 0 would mean that there is none. */
static uint16_t final(uint16_t sum)
{
	uint16_t value = (uint16_t)~sum;

	return value ? value : 0xffff;
}

/* --- pieces of frames --- */

uint32_t offload_copy(const struct net_frame *f, uint32_t off, void *to, uint32_t n)
{
	uint32_t done = 0;

	for (unsigned i = 0; i < f->n && done < n; i++) {
		uint32_t skip = MIN(off, f->segs[i].len), part = MIN(n - done, f->segs[i].len - skip);

		memcpy((char *)to + done, (const char *)f->segs[i].data + skip, part);
		done += part;
		off -= skip;
	}
	return done;
}

/* Those of n bytes from off on. @return how many, at most f->n */
static unsigned slice(const struct net_frame *f, uint32_t off, uint32_t n, struct segment *out)
{
	unsigned used = 0;

	for (unsigned i = 0; i < f->n && n; i++) {
		uint32_t skip = MIN(off, f->segs[i].len), part = MIN(n, f->segs[i].len - skip);

		off -= skip;
		n -= part;
		if (part)
			out[used++] = (struct segment){ (char *)f->segs[i].data + skip, part };
	}
	return used;
}

/* --- checking --- */

/* The network header, and of which protocol. @return 0: there is none */
static unsigned find_ip(const uint8_t *p, uint32_t n, uint32_t *ip)
{
	uint32_t at = ETH_TYPE;

	for (unsigned vlans = 0; at + 2 <= n; vlans++, at += VLAN_SIZE) {
		unsigned type = get16(p + at);

		*ip = at + 2;
		if ((type != ETHERTYPE_VLAN && type != ETHERTYPE_QINQ) || vlans == VLANS_MAX)
			return type;
	}
	return 0;
}

static bool is_ipv4(const uint8_t *ip, uint32_t n)
{
	return n >= IPV4_SIZE && ip[0] >> 4 == 4 && (ip[0] & 15) * 4u == n && ip[IPV4_PROTOCOL] == PROTOCOL_TCP;
}

static bool is_ipv6(const uint8_t *ip, uint32_t n)
{
	return n >= IPV6_SIZE && ip[0] >> 4 == 6;
}

/* Read the headers of a packet that is to be cut: TCP begins where its sum does. */
static int parse(const struct net_frame *f, struct packet *p)
{
	const struct net_offload *o = &f->offload;
	uint32_t n = offload_copy(f, 0, p->headers, sizeof(p->headers));
	unsigned type = find_ip(p->headers, n, &p->ip);

	p->tcp = o->csum_start;
	p->ipv6 = o->gso == NET_GSO_TCPV6;
	if (o->csum_offset != TCP_SUM || p->tcp + TCP_SIZE > n || p->tcp < p->ip)
		return -EINVAL;
	if (type != (p->ipv6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4))
		return -EINVAL;
	if (!(p->ipv6 ? is_ipv6 : is_ipv4)(p->headers + p->ip, p->tcp - p->ip))
		return -EINVAL;
	p->size = p->tcp + (p->headers[p->tcp + TCP_DATA_OFFSET] >> 4) * 4u;
	if (p->size < p->tcp + TCP_SIZE || p->size > n)
		return -EINVAL;
	p->payload = f->len - p->size;
	p->cuts = p->payload ? (p->payload + o->gso_size - 1) / o->gso_size : 1;
	return p->cuts <= OFFLOAD_CUTS_MAX ? 0 : -EINVAL;
}

int offload_check(const struct net_frame *f)
{
	const struct net_offload *o = &f->offload;
	struct packet p;

	/* The addresses are what the switch goes by: nobody has them changed on the way. */
	if (o->needs_csum && (o->csum_start < NET_HEADER_SIZE || (uint32_t)o->csum_start + o->csum_offset + 2 > f->len))
		return -EINVAL;
	if (likely(o->gso == NET_GSO_NONE))
		return 0;
	if (!o->needs_csum || !o->gso_size || (o->gso != NET_GSO_TCPV4 && o->gso != NET_GSO_TCPV6))
		return -EINVAL;
	return parse(f, &p);
}

bool offload_fits(const struct net_offload *o, uint32_t can)
{
	uint32_t wants = o->needs_csum ? NET_CSUM : 0;

	if (o->gso == NET_GSO_TCPV4)
		wants |= NET_TSO4;
	else if (o->gso == NET_GSO_TCPV6)
		wants |= NET_TSO6;
	else if (o->gso != NET_GSO_NONE)
		wants |= NET_USO;
	if (o->ecn)
		wants |= NET_TSO_ECN;
	return !(wants & ~can);
}

/* --- doing it --- */

typedef int (*emit_t)(const struct net_frame *frame, void *arg);

/* The sum goes into a place of its own in the frame's middle: its bytes stay as they are. */
static int finish_sum(const struct net_frame *f, emit_t emit, void *arg)
{
	uint32_t at = (uint32_t)f->offload.csum_start + f->offload.csum_offset;
	uint16_t sum = final(sum_frame(f, f->offload.csum_start));
	struct segment segs[OFFLOAD_SEGMENTS_MAX + 2];
	struct net_frame out = { .segs = segs, .len = f->len };

	out.n = slice(f, 0, at, segs);
	segs[out.n++] = (struct segment){ &sum, sizeof(sum) };
	out.n += slice(f, at + sizeof(sum), f->len, segs + out.n);
	return emit(&out, arg);
}

static void set_ip_length(const struct packet *p, uint8_t *headers, uint32_t i, uint32_t payload)
{
	uint8_t *ip = headers + p->ip;
	uint16_t sum;

	if (p->ipv6) {
		put16(ip + IPV6_LENGTH, p->size - p->ip - IPV6_SIZE + payload);
		return;
	}
	put16(ip + IPV4_LENGTH, p->size - p->ip + payload);
	put16(ip + IPV4_ID, get16(ip + IPV4_ID) + i);
	memset(ip + IPV4_SUM, 0, 2);
	sum = (uint16_t)~offload_sum(0, ip, p->tcp - p->ip);
	memcpy(ip + IPV4_SUM, &sum, 2);
}

/* The field holds the sum of the pseudo header with the whole packet's length: take that out, put this one's in. */
static void set_tcp(const struct packet *p, uint8_t *headers, uint32_t i, uint32_t offset, uint32_t payload)
{
	uint8_t *tcp = headers + p->tcp;
	uint16_t whole = (uint16_t)~swap((uint16_t)(p->size - p->tcp + p->payload));
	uint16_t own = swap((uint16_t)(p->size - p->tcp + payload)), seed;

	put32(tcp + TCP_SEQUENCE, get32(tcp + TCP_SEQUENCE) + offset);
	if (i > 0)
		tcp[TCP_FLAGS] &= (uint8_t)~FLAG_CWR;
	if (offset + payload < p->payload)
		tcp[TCP_FLAGS] &= (uint8_t)~(FLAG_FIN | FLAG_PSH);
	memcpy(&seed, tcp + TCP_SUM, 2);
	seed = fold((uint64_t)seed + whole + own);
	memcpy(tcp + TCP_SUM, &seed, 2);
}

static int cut(const struct net_frame *f, const struct packet *p, uint32_t i, emit_t emit, void *arg)
{
	uint32_t offset = i * f->offload.gso_size, payload = MIN(p->payload - offset, f->offload.gso_size);
	struct segment segs[OFFLOAD_SEGMENTS_MAX + 1];
	uint8_t headers[OFFLOAD_HEADERS_MAX];
	struct net_frame out = { .segs = segs, .len = p->size + payload };
	uint16_t sum;

	memcpy(headers, p->headers, p->size);
	set_ip_length(p, headers, i, payload);
	set_tcp(p, headers, i, offset, payload);
	segs[0] = (struct segment){ headers, p->size };
	out.n = 1 + slice(f, p->size + offset, payload, segs + 1);
	sum = final(sum_frame(&out, p->tcp));
	memcpy(headers + p->tcp + TCP_SUM, &sum, 2);
	return emit(&out, arg);
}

int offload_finish(const struct net_frame *f, emit_t emit, void *arg)
{
	struct packet p;
	int error = offload_check(f);

	if (error)
		return error;
	if (f->n > OFFLOAD_SEGMENTS_MAX)
		return -EMSGSIZE;
	if (!f->offload.needs_csum)
		return emit(f, arg);
	if (f->offload.gso == NET_GSO_NONE)
		return finish_sum(f, emit, arg);
	error = parse(f, &p);
	for (uint32_t i = 0; !error && i < p.cuts; i++)
		error = cut(f, &p, i, emit, arg);
	return error;
}
