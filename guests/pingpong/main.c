/*
 * Ping-pong through a channel: `ping` writes an odd number and rings, `pong`
 * answers with the next even one and rings back. Boot arguments:
 *
 *   role=ping|pong|storm   storm does nothing but ring, as fast as it can
 *   rounds=N               ping: how many (default 1000)
 *   peer=N                 member to play with (default: the first that is present)
 *   others=N               ping: begin when so many others are present (default: 1)
 *   label=NAME             the channel (default: the first)
 *   listen=MASK            ENABLE's bits (default: all)
 *   every=N                ping: say so every N rounds (default: never)
 *
 * The memory: word 0 is the ball, word 1 when it was rung for, in ticks.
 */
#include "channel.h"
#include "guest.h"
#include "plic.h"

#include <string.h>

#define BALL_STOP ~UINT64_C(0)

static struct channel channel;
static unsigned context;
static volatile uint32_t events;	/* what the handler took out of PENDING */
static volatile uint64_t interrupts;
static volatile uint64_t handler_at;	/* when it was entered last, ticks */

static void on_trap(struct trap *trap)
{
	uint64_t now = time_now();
	uint32_t source, pending;

	if (trap->scause != CAUSE_EXTERNAL) {
		trap_unexpected(trap);
		return;
	}
	handler_at = now;
	source = plic_read(PLIC_CLAIM(context));
	pending = channel_read(&channel, CHANNEL_PENDING);
	channel_write(&channel, CHANNEL_PENDING, pending);
	plic_write(PLIC_CLAIM(context), source);
	events |= pending;
	interrupts++;
}

static void set_up_interrupt(void)
{
	context = plic_context(this_hart->id);
	trap_set_handler(on_trap);
	plic_write(PLIC_PRIORITY(channel.interrupt), 1);
	plic_write(PLIC_ENABLE(context), 1u << channel.interrupt);
	plic_write(PLIC_THRESHOLD(context), 0);
	csr_write(sie, SIE_SEIE);
	channel_write(&channel, CHANNEL_ENABLE, (uint32_t)bootarg_number("listen", ~0u));
	channel_write(&channel, CHANNEL_STATE, 1);
}

/* Sleep until the handler has seen something; interrupts are taken only here. */
static void wait_events(void)
{
	while (!events) {
		wait_for_interrupt();
		csr_set(sstatus, SSTATUS_SIE);
		csr_clear(sstatus, SSTATUS_SIE);
	}
	events = 0;
}

static uint32_t others_present(void)
{
	return channel_read(&channel, CHANNEL_PRESENT) & ~(1u << channel_read(&channel, CHANNEL_NUMBER));
}

/* Of these, the one to play with. */
static uint32_t peer_present(void)
{
	uint32_t peer = (uint32_t)bootarg_number("peer", 32);

	return peer < 32 ? others_present() & 1u << peer : others_present();
}

/* @return the peer's number, once it is present. */
static unsigned wait_peer(void)
{
	uint32_t present;

	while (!(present = peer_present()))
		wait_events();
	return (unsigned)__builtin_ctz(present);
}

static void pass(uint64_t ball, unsigned to)
{
	channel.memory[1] = time_now();
	channel.memory[0] = ball;
	__asm__ volatile("fence rw, o" : : : "memory");
	channel_write(&channel, CHANNEL_DOORBELL, to);
}

/* A peer that went away and came back may have missed the ball: it is passed again. */
static unsigned wait_answer(uint64_t ball, unsigned peer)
{
	while (channel.memory[0] != ball + 1) {
		if (!peer_present()) {
			print("ping: member %u is gone\n", peer);
			peer = wait_peer();
			print("ping: member %u is back\n", peer);
			pass(ball, peer);
		}
		wait_events();
	}
	return peer;
}

static void ping(void)
{
	uint64_t rounds = bootarg_number("rounds", 1000), every = bootarg_number("every", ~0ul);
	uint64_t start, ticks, before;
	unsigned peer;

	while ((unsigned)__builtin_popcount(others_present()) < bootarg_number("others", 1))
		wait_events();
	peer = wait_peer();
	print("ping: member %u plays with member %u\n", channel_read(&channel, CHANNEL_NUMBER), peer);
	channel.memory[0] = 0;
	before = interrupts;
	start = time_now();
	for (uint64_t n = 0; n < rounds; n++) {
		pass(2 * n + 1, peer);
		peer = wait_answer(2 * n + 1, peer);
		if (n % every == every - 1)
			print("ping: %lu rounds so far\n", n + 1);
	}
	ticks = time_now() - start;
	print("ping: %lu rounds, the ball is %lu, %lu interrupts, %lu ns each\n", rounds, channel.memory[0],
	      interrupts - before, ticks * (1000000000 / machine.timebase) / (rounds ? rounds : 1));
	pass(BALL_STOP, peer);
}

static void pong(void)
{
	uint64_t balls = 0, rung = 0, late = 0;
	unsigned peer = wait_peer();
	uint32_t present;
	uint64_t ball;

	print("pong: member %u plays with member %u\n", channel_read(&channel, CHANNEL_NUMBER), peer);
	while ((ball = channel.memory[0]) != BALL_STOP) {
		if (ball % 2) {
			if (handler_at >= channel.memory[1]) { /* else it was seen before the interrupt was taken */
				late += handler_at - channel.memory[1];
				rung++;
			}
			balls++;
			pass(ball + 1, peer);
			continue;
		}
		wait_events();
		present = peer_present(); /* asked once: who has ended the game may go at any time */
		peer = present ? (unsigned)__builtin_ctz(present) : peer;
	}
	print("pong: %lu balls, %lu interrupts, %lu ns from doorbell to handler\n", balls, interrupts,
	      late * (1000000000 / machine.timebase) / (rung ? rung : 1));
}

static void storm(void)
{
	uint64_t rings;
	unsigned peer = wait_peer();

	for (rings = 0; channel.memory[0] != BALL_STOP; rings++)
		channel_write(&channel, CHANNEL_DOORBELL, peer);
	print("storm: rang %lu times\n", rings);
}

static const struct {
	const char *name;
	void (*play)(void);
} roles[] = { { "ping", ping }, { "pong", pong }, { "storm", storm } };

int main(void)
{
	char label[32], role[32] = "ping";

	if (!channel_find(bootarg("label", label, sizeof(label)), &channel) ||
	    channel_read(&channel, CHANNEL_MAGIC) != CHANNEL_MAGIC_VALUE) {
		print("FAIL no channel\n");
		return 1;
	}
	set_up_interrupt();
	bootarg("role", role, sizeof(role));
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (!strcmp(roles[i].name, role)) {
			roles[i].play();
			print("PASS %s\n", role);
			return 0;
		}
	print("FAIL unknown role %s\n", role);
	return 1;
}
