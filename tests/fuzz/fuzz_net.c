/* virtio-net: two guests at one switch, who send to each other what the input says. */
// sources: vmm/virtio/net.c vmm/net/switch.c vmm/net/mac.c vmm/net/offload.c vmm/virtio/ring.c vmm/virtio/device.c vmm/virtio/mmio.c vmm/device/common.c vmm/image/dt_writer.c
#include "fuzz.h"

#include <string.h>

#include <caisson/time.h>
#include <vmm/net.h>

enum { RX, TX };
enum { PLAIN = 1, ISOLATED = 2, JUMBO = 4 }; /* flavours */
enum { NEEDS_CSUM = 1, GSO_TCPV4 = 1, GSO_TCPV6 = 4 };
enum { HEADER = 12, ETHERNET = 14, IPV4 = 20, IPV6 = 40, TCP = 20 };

struct header {
	uint8_t flags, gso;
	uint16_t header_len, gso_size, csum_start, csum_offset, buffers;
};

static struct {
	struct net_config config;
	struct vio_net_backend backend;
} be[GUESTS_MAX];

uint64_t timebase_hz = 1000000;

static void *attach(struct guest *g)
{
	static const char *const names[] = { "a", "b" };
	bool is_plain = (fuzz_flavour & PLAIN) && g->index == 1;

	be[g->index].config = (struct net_config){
		.net_switch = "lan", .mac = { 2, 0, 0, 0, 0, (uint8_t)(1 + g->index) }, .mtu = fuzz_flavour & JUMBO ? 9000 : 1500,
		.isolated = fuzz_flavour & ISOLATED, .plain = is_plain,
	};
	be[g->index].backend = (struct vio_net_backend){ .config = &be[g->index].config, .owner = names[g->index] };
	return &be[g->index].backend;
}

/* --- the switch's timers --- */

static struct timer *armed[GUESTS_MAX];

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	*t = (struct timer){ .fn = fn };
}

void timer_cancel_sync(struct timer *t)
{
	for (unsigned i = 0; i < GUESTS_MAX; i++)
		if (armed[i] == t)
			armed[i] = NULL;
}

void timer_arm(struct timer *t, uint64_t deadline)
{
	unsigned i = 0;

	timer_cancel_sync(t);
	while (armed[i])
		if (++i == GUESTS_MAX)
			fuzz_fail("more timers than ports");
	t->deadline = deadline;
	armed[i] = t;
}

/* The first that is due, or will be if `wait` is set. @return was there one? */
static bool go_off(bool wait)
{
	struct timer *t = armed[0];
	irqflags_t flags;

	if (!t || (armed[1] && armed[1]->deadline < t->deadline))
		t = armed[1];
	if (!t || (!wait && t->deadline > fuzz_time))
		return false;
	fuzz_time = MAX(fuzz_time, t->deadline);
	timer_cancel_sync(t);
	flags = irq_save();
	t->fn(t);
	irq_restore(flags);
	return true;
}

static bool pump(void)
{
	return go_off(true);
}

static void backend(struct guest *g, uint8_t what, uint16_t arg)
{
	if (what & 1) {
		vio_net_set_link(g->dev, arg & 1);
		return;
	}
	fuzz_time += arg * 10u;
	while (go_off(false))
		;
}

/* Frames that wait for their receiver wait for a timer, too. */
static void settled(struct guest *g)
{
	if (g->honest && g->told[TX] == g->avail[TX] && !vio_is_empty(&g->dev->queues[TX]))
		fuzz_fail("guest %u: frames are left that nobody will send", g->index);
}

/* --- a driver --- */

/* Room for frames: buffers of one size; sometimes as many as there can be. */
static void post(struct guest *g, struct input *in)
{
	unsigned how = take8(in), n = (how & 7) == 7 ? g->size[RX] : 1 + (how & 7);
	uint32_t len = take_length(in), size = 1 + MIN(len, 66000);

	for (unsigned i = 0; i < n; i++) {
		struct piece pieces[2] = { { DATA + 2999u * ((how >> 3) + i) % 0x18000, size, true }, { DATA + 500u * i % 0x18000, 1600, true } };

		(void)guest_offer(g, RX, pieces, how & 64 ? 2 : 1, how & 128);
	}
	guest_kick_if_wanted(g, RX);
}

static void put16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

/* IP and TCP headers of a packet of so many bytes behind the Ethernet header. @return where TCP begins */
static unsigned put_headers(uint8_t *p, bool ipv6, uint32_t n)
{
	unsigned tcp = ETHERNET + (ipv6 ? IPV6 : IPV4);

	put16(p + 12, ipv6 ? 0x86dd : 0x0800);
	p[14] = ipv6 ? 0x60 : 0x45;
	p[ipv6 ? 20 : 23] = 6;
	put16(p + (ipv6 ? 18 : 16), n - (ipv6 ? IPV6 : 0));
	p[tcp + 12] = 0x50;
	p[tcp + 13] = 0x99;
	return tcp;
}

/* What is asked to be done to it. */
static void put_offload(const struct guest *g, struct header *h, unsigned how, unsigned tcp, bool ipv6, struct input *in)
{
	if (!(g->dev->features & BIT(0)) || !(how & 1))
		return;
	*h = (struct header){ .flags = NEEDS_CSUM, .csum_start = (uint16_t)tcp, .csum_offset = 16 };
	if (!(how & 2))
		return;
	h->gso = (uint8_t)((ipv6 ? GSO_TCPV6 : GSO_TCPV4) | (how & 4 ? 0x80 : 0));
	h->gso_size = (uint16_t)(1 + take_length(in));
	h->header_len = (uint16_t)(tcp + TCP);
}

/* Something else than belongs there; every second time where somebody looks. */
static void spoil(uint8_t *bytes, size_t n, struct input *in)
{
	static const uint8_t looked_at[] = {
		0, 1, 4, 5, 6, 7, 8, 9, HEADER + 12, HEADER + 13, HEADER + ETHERNET, HEADER + ETHERNET + 9,
		HEADER + ETHERNET + IPV4 + 12, HEADER + ETHERNET + IPV6 + 12,
	};
	unsigned at = take8(in), value = take8(in);

	if (at >= 128)
		at = looked_at[at % ARRAY_SIZE(looked_at)];
	if (at < n)
		bytes[at] = (uint8_t)value;
}

static void send(struct guest *g, struct input *in)
{
	static const uint8_t to[][6] = {
		{ 2, 0, 0, 0, 0, 2 }, { 255, 255, 255, 255, 255, 255 }, { 2, 0, 0, 0, 0, 1 }, { 1, 128, 194, 0, 0, 1 },
		{ 2, 9, 9, 9, 9, 9 }, { 2, 0, 0, 0, 0, 2 }, { 2, 0, 0, 0, 0, 1 }, { 51, 51, 0, 0, 0, 1 },
	};
	uint8_t bytes[HEADER + 80] = { 0 }, *frame = bytes + HEADER;
	unsigned how = take8(in), where = take8(in), tcp;
	uint32_t some = take_length(in), payload = MIN(some, 66000), len = ETHERNET + IPV6 + TCP + payload;
	uint64_t at = DATA + 1009u * (where >> 3);
	struct header h = { 0 };
	struct piece pieces[3];

	memcpy(frame, to[where & 7], 6);
	memcpy(frame + 6, how & 128 ? to[how >> 3 & 7] : be[g->index].config.mac, 6);
	tcp = put_headers(frame, how & 8, len - ETHERNET);
	put_offload(g, &h, how, tcp, how & 8, in);
	memcpy(bytes, &h, sizeof(h));
	for (unsigned i = 0; (how & 6) == 6 && i < 2; i++)
		spoil(bytes, sizeof(bytes), in);
	ram_put(g, at, bytes, HEADER + ETHERNET + IPV6 + TCP);
	pieces[0] = (struct piece){ at, how & 16 ? HEADER : HEADER + 30, false };
	pieces[1] = (struct piece){ at + pieces[0].len, HEADER + ETHERNET + IPV6 + TCP - pieces[0].len, false };
	pieces[2] = (struct piece){ DATA + 0x8000 + where, payload, false };
	(void)guest_offer(g, TX, pieces, 3, how & 32);
	if (!(how & 64))
		guest_kick_if_wanted(g, TX);
}

static void request(struct guest *g, struct input *in)
{
	if (take8(in) & 1)
		send(g, in);
	else
		post(g, in);
}

const struct fuzz_target fuzz_target = {
	.type = &vio_net_type, .guests = 2, .attach = attach, .backend = backend, .request = request,
	.pump = pump, .settled = settled,
};
