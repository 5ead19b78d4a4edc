/* Who has an address (ARP, RFC 826), and echoes from there (ICMP, RFC 792). We are 10.0.2.15, as QEMU's network expects. */
#include "ether.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <caisson/print.h>
#include <caisson/time.h>

#define ADDRESS 4
#define TRIES 3
#define TRY_US 2000000
#define PAYLOAD_MAX 1472u

enum { ETHERTYPE_IP = 0x0800, ETHERTYPE_ARP = 0x0806 };
enum { ARP_REQUEST = 1, ARP_REPLY = 2, ARP_SIZE = 28 };
enum { IP_HEADER = 20, IP_ICMP = 1, ICMP_HEADER = 8, ICMP_REPLY = 0, ICMP_ECHO = 8 };
#define IDENTIFIER 0xca15

static const uint8_t ours[ADDRESS] = { 10, 0, 2, 15 };

/* The answer that a frame (behind its Ethernet header) is to what was asked, or false. */
typedef bool (*is_answer_t)(const uint8_t *data, uint32_t len, const void *asked);

static int parse(const char *text, uint8_t *address)
{
	for (unsigned i = 0; i < ADDRESS; i++) {
		char *end;
		unsigned long n = strtoul(text, &end, 10);

		if (end == text || n > 255 || *end != (i + 1 < ADDRESS ? '.' : '\0'))
			return -EINVAL;
		address[i] = (uint8_t)n;
		text = end + 1;
	}
	return 0;
}

/* The sum of RFC 1071. */
static uint16_t checksum(const uint8_t *data, uint32_t len)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < len; i++)
		sum += i & 1 ? data[i] : (uint32_t)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Send a frame that may be on our stack, and wait for its answer. @return it, or NULL. */
static struct received *ask(uint8_t *data, uint32_t len, is_answer_t is_answer, const void *asked)
{
	struct segment seg = { data, len };
	struct net_frame frame = { .segs = &seg, .n = 1, .len = len };

	for (unsigned tries = 0; tries < TRIES; tries++) {
		uint64_t deadline = time_now() + time_from_us(TRY_US);
		struct received *r;

		if (send_when_room(&frame, NULL, NULL))
			return NULL;
		while ((r = receive_wait(deadline)) != NULL) {
			if (is_answer(r->data + NET_HEADER_SIZE, r->len - NET_HEADER_SIZE, asked) &&
			    get16(r->data + 2 * NET_MAC_SIZE) == get16(data + 2 * NET_MAC_SIZE))
				return r;
			receive_done(r);
		}
	}
	return NULL;
}

static bool is_arp_reply(const uint8_t *data, uint32_t len, const void *asked)
{
	return len >= ARP_SIZE && get16(data + 6) == ARP_REPLY && memcmp(data + 14, asked, ADDRESS) == 0;
}

static int resolve(const uint8_t *address, uint8_t *mac)
{
	uint8_t frame[NET_HEADER_SIZE + ARP_SIZE] = { 0 }, *arp = frame + NET_HEADER_SIZE;
	struct received *r;

	ether_header(frame, ether_broadcast, ETHERTYPE_ARP);
	memcpy(arp, (uint8_t[]){ 0, 1, ETHERTYPE_IP >> 8, 0, NET_MAC_SIZE, ADDRESS, 0, ARP_REQUEST }, 8);
	memcpy(arp + 8, net->mac, NET_MAC_SIZE);
	memcpy(arp + 14, ours, ADDRESS);
	memcpy(arp + 24, address, ADDRESS);
	r = ask(frame, sizeof(frame), is_arp_reply, address);
	if (!r)
		return -ETIMEDOUT;
	memcpy(mac, r->data + NET_HEADER_SIZE + 8, NET_MAC_SIZE);
	receive_done(r);
	return 0;
}

struct echo {
	uint16_t number;
	uint32_t bytes;
};

static bool is_echo_reply(const uint8_t *data, uint32_t len, const void *asked)
{
	const struct echo *e = asked;
	const uint8_t *icmp = data + IP_HEADER;

	if (len < IP_HEADER + ICMP_HEADER + e->bytes || data[0] != 0x45 || data[9] != IP_ICMP)
		return false;
	if (icmp[0] != ICMP_REPLY || get16(icmp + 4) != IDENTIFIER || get16(icmp + 6) != e->number)
		return false;
	for (uint32_t i = 0; i < e->bytes; i++)
		if (icmp[ICMP_HEADER + i] != (uint8_t)(i + e->number))
			return false;
	return checksum(icmp, ICMP_HEADER + e->bytes) == 0;
}

static void write_ip(uint8_t *ip, const uint8_t *to, const struct echo *e)
{
	memset(ip, 0, IP_HEADER);
	ip[0] = 0x45;
	put16(ip + 2, (uint16_t)(IP_HEADER + ICMP_HEADER + e->bytes));
	put16(ip + 4, e->number);
	ip[8] = 64;
	ip[9] = IP_ICMP;
	memcpy(ip + 12, ours, ADDRESS);
	memcpy(ip + 16, to, ADDRESS);
	put16(ip + 10, checksum(ip, IP_HEADER));
}

static void write_icmp(uint8_t *icmp, const struct echo *e)
{
	memcpy(icmp, (uint8_t[]){ ICMP_ECHO, 0, 0, 0 }, 4);
	put16(icmp + 4, IDENTIFIER);
	put16(icmp + 6, e->number);
	for (uint32_t i = 0; i < e->bytes; i++)
		icmp[ICMP_HEADER + i] = (uint8_t)(i + e->number);
	put16(icmp + 2, checksum(icmp, ICMP_HEADER + e->bytes));
}

static bool echo_comes_back(const uint8_t *mac, const uint8_t *address, const struct echo *e)
{
	uint8_t frame[NET_HEADER_SIZE + IP_HEADER + ICMP_HEADER + PAYLOAD_MAX];
	struct received *r;

	ether_header(frame, mac, ETHERTYPE_IP);
	write_ip(frame + NET_HEADER_SIZE, address, e);
	write_icmp(frame + NET_HEADER_SIZE + IP_HEADER, e);
	r = ask(frame, NET_HEADER_SIZE + IP_HEADER + ICMP_HEADER + e->bytes, is_echo_reply, e);
	if (r)
		receive_done(r);
	return r;
}

int ping(const char *text, unsigned n, uint32_t bytes)
{
	uint8_t address[ADDRESS], mac[NET_MAC_SIZE];
	unsigned back = 0;

	if (parse(text, address) || bytes > PAYLOAD_MAX)
		return print("ping %s, %u bytes: that cannot be\n", text, (unsigned)bytes), -EINVAL;
	if (resolve(address, mac))
		return print("%s: nobody has that address\n", text), -ETIMEDOUT;
	print("%s is at %02x:%02x:%02x:%02x:%02x:%02x\n", text, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	for (unsigned i = 0; i < n; i++)
		back += echo_comes_back(mac, address, &(struct echo){ (uint16_t)i, bytes });
	print("%s: %u of %u echoes of %u bytes\n", text, back, n, (unsigned)bytes);
	return back == n ? 0 : -ETIMEDOUT;
}
