/*
 * The generator of random bytes. Its state is a key. Whoever wants bytes gets a key of his own, made
 * from that one, which is replaced at the same time; what comes in is mixed into it in the same way.
 */
#include <caisson/random.h>

#include <string.h>

#include <caisson/dt.h>
#include <caisson/spinlock.h>
#include <caisson/time.h>

#include "chacha.h"

#define SEEDED_BITS 256u
#define ASK_US 60000000

static spinlock_t lock = SPINLOCK_INIT; /* guards the next four; inside it: nothing */
static uint8_t state[CHACHA_KEY];
static unsigned bits;                   /* nobody else knows so many of them */
static uint64_t asked;                  /* when the sources were, in ticks */
static bool begun;                      /* the machine's seed is in */
static struct random_source *sources;   /* written at boot only */

/* Keys for the next time and for now, made from the last one and the time. */
static void step(uint8_t *now)
{
	uint8_t nonce[CHACHA_NONCE] = { 0 }, block[CHACHA_BLOCK];
	uint64_t time = time_now();

	memcpy(nonce, &time, sizeof(time));
	chacha_block(state, 0, nonce, block);
	memcpy(state, block, CHACHA_KEY);
	if (now)
		memcpy(now, block + CHACHA_KEY, CHACHA_KEY);
	memset(block, 0, sizeof(block));
	__asm__ volatile("" : : "r"(block) : "memory"); /* really */
}

static void mix(const uint8_t *data, size_t n)
{
	while (n > 0) {
		size_t piece = MIN(n, (size_t)CHACHA_KEY);

		for (size_t i = 0; i < piece; i++)
			state[i] ^= data[i];
		step(NULL);
		data += piece;
		n -= piece;
	}
}

static void credit(unsigned more)
{
	bits = MIN(bits + MIN(more, SEEDED_BITS), SEEDED_BITS);
}

/* With the lock held. The seed that the firmware or the boot loader gives is meant for this. */
static void take_seed(void)
{
	int len = 0, chosen = begun ? -1 : dt_path("/chosen");
	const uint8_t *seed = chosen < 0 ? NULL : dt_prop(dt_blob(), chosen, "rng-seed", &len);

	begun = true;
	if (!seed || len <= 0)
		return;
	mix(seed, (size_t)len);
	credit(8 * (unsigned)len);
}

void random_add(const void *data, size_t n, unsigned more)
{
	irqflags_t flags = spin_lock_irqsave(&lock);

	take_seed();
	mix(data, n);
	credit(more);
	spin_unlock_irqrestore(&lock, flags);
}

bool random_is_seeded(void)
{
	irqflags_t flags = spin_lock_irqsave(&lock);
	bool seeded;

	take_seed();
	seeded = bits >= SEEDED_BITS;
	spin_unlock_irqrestore(&lock, flags);
	return seeded;
}

/* A key that nobody else gets. @return is it time to ask the sources again? */
static bool take_key(uint8_t *key)
{
	irqflags_t flags = spin_lock_irqsave(&lock);
	uint64_t now = time_now();
	bool ask = sources && now - asked >= time_from_us(ASK_US);

	if (ask)
		asked = now;
	take_seed();
	step(key);
	spin_unlock_irqrestore(&lock, flags);
	return ask;
}

static void ask_all(void)
{
	for (struct random_source *s = sources; s; s = s->next)
		s->ask(s);
}

/* As many bytes as one wants out of a key. */
static void expand(const uint8_t *key, uint8_t *at, size_t n)
{
	uint8_t nonce[CHACHA_NONCE] = { 0 }, block[CHACHA_BLOCK];

	for (uint64_t number = 0; n > 0; number++) {
		size_t piece = MIN(n, sizeof(block));

		memcpy(nonce, &(uint32_t){ (uint32_t)(number >> 32) }, sizeof(uint32_t));
		chacha_block(key, (uint32_t)number, nonce, block);
		memcpy(at, block, piece);
		at += piece;
		n -= piece;
	}
	memset(block, 0, sizeof(block));
	__asm__ volatile("" : : "r"(block) : "memory"); /* really */
}

void random_bytes(void *buf, size_t n)
{
	uint8_t key[CHACHA_KEY];
	bool ask = take_key(key);

	if (n <= sizeof(key))
		memcpy(buf, key, n); /* nobody else has it */
	else
		expand(key, buf, n);
	memset(key, 0, sizeof(key));
	__asm__ volatile("" : : "r"(key) : "memory"); /* really */
	if (ask)
		ask_all();
}

void random_source_register(struct random_source *source)
{
	source->next = sources;
	sources = source;
	asked = time_now();
	source->ask(source);
}
