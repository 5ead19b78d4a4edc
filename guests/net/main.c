/*
 * Frames between VMs. Addresses are 02:00:00:00:00:N; ours is the device's. Boot arguments:
 *
 *   role=ping    ask `to` for an answer, `rounds` times (default 1000), and say what that took; then tell it to stop
 *   role=pong    answer until told to stop
 *   role=flood   send `frames` frames to `to` as fast as they go, then tell `end` (default: `to`; 0: nobody) to stop
 *   role=count   count what comes until told to stop
 *   role=deaf    take no frame, for `ms` milliseconds
 *   role=talk    try to reach `to` for `ms` milliseconds: says whether an answer came
 *   role=link    say how the link is, and each change of it, until it was up `ups` times again
 *   to=N         255: everybody
 *   size=N       bytes of a frame (default 98, as those of ping)
 *   sources=N    flood: from so many addresses in turn (default 1: our own)
 *   burst=N      flood: frames for each kick (default 32)
 *   nth=N        which of the VM's network devices
 */
#include "guest.h"
#include "nic.h"
#include "stream.h"

#include <string.h>

#define TYPE 0x88b5		/* for local experiments, IEEE 802 */
#define HEADER 14u
#define RETRY_MS 5u
#define ANY 0u

enum { ASK = 1, ANSWER, FILL, STOP };

/* Behind the Ethernet header. */
struct message {
	uint32_t kind, number;
};

static struct nic nic;
static uint64_t ours, others, damaged;

static uint64_t ms(uint64_t n)
{
	return n * machine.timebase / 1000;
}

static void put_address(uint8_t *at, unsigned n)
{
	const uint8_t address[6] = { 2, 0, 0, 0, 0, (uint8_t)n };

	memcpy(at, address, 6);
	if (n == 255)
		memset(at, 0xff, 6);
}

static uint32_t frame_size(void)
{
	uint64_t n = bootarg_number("size", 98);

	return n > NIC_FRAME_MAX ? NIC_FRAME_MAX : n < HEADER + sizeof(struct message) ? HEADER + sizeof(struct message) : n;
}

/* Each byte of a frame's rest says its place. */
static void fill(uint8_t *frame, uint32_t size)
{
	for (uint32_t i = HEADER + sizeof(struct message); i < size; i++)
		frame[i] = (uint8_t)i;
}

static bool is_whole(const struct nic_buffer *b)
{
	for (uint32_t i = HEADER + sizeof(struct message); i < b->len; i++)
		if (b->frame[i] != (uint8_t)i)
			return false;
	return true;
}

static struct nic_buffer *make(unsigned to, uint32_t kind, uint32_t number)
{
	const struct message m = { kind, number };
	struct nic_buffer *b = nic_buffer(&nic);

	put_address(b->frame, to);
	memcpy(b->frame + 6, nic.mac, 6);
	b->frame[12] = TYPE >> 8;
	b->frame[13] = TYPE & 0xff;
	memcpy(b->frame + HEADER, &m, sizeof(m));
	return b;
}

static void say(unsigned to, uint32_t kind, uint32_t number)
{
	struct nic_buffer *b = make(to, kind, number);
	uint32_t size = frame_size();

	fill(b->frame, size);
	nic_send(&nic, b, size);
	nic_kick(&nic);
}

/* A frame that came in, if it is one of this program's. @return its kind, 0: there is none */
static uint32_t look(struct nic_buffer **out, struct message *m)
{
	struct nic_buffer *b;

	while ((b = nic_receive(&nic)) != NULL) {
		if (b->len >= HEADER + sizeof(*m) && b->frame[12] == TYPE >> 8 && b->frame[13] == (TYPE & 0xff)) {
			ours++;
			memcpy(m, b->frame + HEADER, sizeof(*m));
			*out = b;
			return m->kind;
		}
		others++;
		nic_done(&nic, b);
	}
	return 0;
}

/* Wait for an answer to `number`. @return false: none until then (ticks) */
static bool wait_answer(uint32_t number, uint64_t deadline)
{
	struct nic_buffer *b;
	struct message m;

	while (time_now() < deadline) {
		uint32_t kind = look(&b, &m);

		if (kind) {
			nic_done(&nic, b);
			if (kind == ANSWER && (m.number == number || number == ANY))
				return true;
			continue;
		}
		virtio_wait(&nic.dev);
	}
	return false;
}

/* Say it until an answer comes: the peer may not be up yet. */
static bool talk_until(unsigned to, uint32_t kind, uint64_t until)
{
	csr_set(sie, SIE_STIE); /* it ends the wait, and is not taken */
	for (uint32_t n = 1; time_now() < until; n++) {
		uint64_t deadline = time_now() + ms(RETRY_MS);

		say(to, kind, n);
		timer_set(deadline);
		if (wait_answer(ANY, deadline)) { /* perhaps to an earlier one */
			timer_set(~UINT64_C(0));
			return true;
		}
	}
	return false;
}

/* Frames can be lost, so it is told until it has answered. @return false: it never has */
static bool stop(unsigned to)
{
	return !to || talk_until(to, STOP, time_now() + ms(20000));
}

static bool ping(void)
{
	uint64_t rounds = bootarg_number("rounds", 1000), start, ticks;
	unsigned to = (unsigned)bootarg_number("to", 2);

	if (!talk_until(to, ASK, time_now() + ms(20000)))
		return false;
	start = time_now();
	for (uint32_t n = 0; n < rounds; n++) {
		say(to, ASK, n + 1000000);
		if (!wait_answer(n + 1000000, time_now() + ms(10000)))
			return false;
	}
	ticks = time_now() - start;
	print("ping: %lu rounds, %lu ns each\n", rounds, ticks * (1000000000 / machine.timebase) / (rounds ? rounds : 1));
	return stop(to);
}

/* To where it came from, as it is. */
static void answer(const struct nic_buffer *in, const struct message *m)
{
	struct nic_buffer *b = make(0, ANSWER, m->number);

	memcpy(b->frame, in->frame + 6, 6);
	memcpy(b->frame + HEADER + sizeof(*m), in->frame + HEADER + sizeof(*m), in->len - HEADER - sizeof(*m));
	nic_send(&nic, b, in->len);
	nic_kick(&nic);
}

static bool serve(bool answers)
{
	uint64_t asked = 0, filled = 0;
	struct nic_buffer *b;
	struct message m;
	uint32_t kind = 0;

	while (kind != STOP) {
		kind = look(&b, &m);
		if (!kind) {
			virtio_wait(&nic.dev);
			continue;
		}
		damaged += !is_whole(b);
		asked += kind == ASK;
		filled += kind == FILL;
		if (kind == STOP || (kind == ASK && answers))
			answer(b, &m);
		nic_done(&nic, b);
	}
	print("served: %lu asked, %lu filled, %lu damaged, %lu of others\n", asked, filled, damaged, others);
	return damaged == 0;
}

static bool pong(void)
{
	return serve(true);
}

static bool count(void)
{
	return serve(false);
}

static bool flood(void)
{
	uint64_t frames = bootarg_number("frames", 10000), sources = bootarg_number("sources", 1);
	uint64_t burst = bootarg_number("burst", 32);
	unsigned to = (unsigned)bootarg_number("to", 2);
	uint64_t start = time_now();
	uint32_t size = frame_size();

	for (uint64_t n = 0; n < frames; n++) {
		struct nic_buffer *b = make(to, FILL, (uint32_t)n);

		if (sources > 1) { /* 02:01:... is nobody's */
			b->frame[7] = 1;
			b->frame[8] = (uint8_t)(n % sources >> 16);
			b->frame[9] = (uint8_t)(n % sources >> 8);
			b->frame[10] = (uint8_t)(n % sources);
		}
		fill(b->frame, size);
		nic_send(&nic, b, size);
		if (n % burst == burst - 1)
			nic_kick(&nic);
	}
	nic_kick(&nic);
	start = (time_now() - start) * (1000000000 / machine.timebase);
	print("flood: %lu frames, %lu ns each\n", frames, start / (frames ? frames : 1));
	return stop((unsigned)bootarg_number("end", to));
}

static bool deaf(void)
{
	delay_ms((unsigned)bootarg_number("ms", 1000));
	return true;
}

static bool talk(void)
{
	unsigned to = (unsigned)bootarg_number("to", 2);
	bool reached = talk_until(to, ASK, time_now() + ms(bootarg_number("ms", 100)));

	print("talk: %u was %sreached\n", to, reached ? "" : "not ");
	return true;
}

static bool watch_link(void)
{
	uint64_t ups = bootarg_number("ups", 1), seen = 0;
	bool was = nic_link(&nic);

	print("link: %s\n", was ? "up" : "down");
	while (seen < ups) {
		bool is = nic_link(&nic);

		if (is == was) {
			virtio_wait(&nic.dev);
			continue;
		}
		print("link: %s\n", is ? "up" : "down");
		seen += is;
		was = is;
	}
	return true;
}

static const struct {
	const char *name;
	bool (*play)(void);
} roles[] = {
	{ "ping", ping }, { "pong", pong }, { "flood", flood }, { "count", count }, { "deaf", deaf }, { "talk", talk },
	{ "link", watch_link },
};

static int end(const char *role, bool good)
{
	print("%s %s\n", good ? "PASS" : "FAIL", role);
	return good ? 0 : 1;
}

int main(void)
{
	char role[32] = "ping";

	bootarg("role", role, sizeof(role));
	if (!strcmp(role, "stream"))
		return end(role, stream_send());
	if (!strcmp(role, "sink"))
		return end(role, stream_take());
	if (!nic_open(&nic, (unsigned)bootarg_number("nth", 0), !strcmp(role, "deaf"))) {
		print("FAIL no network device\n");
		return 1;
	}
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (!strcmp(roles[i].name, role))
			return end(role, roles[i].play());
	print("FAIL unknown role %s\n", role);
	return 1;
}
