/* Zeroing whole frames: by the machine's engine where it has one (caisson/zero.h), else by the hart that asks. */
#include <arch/cpu.h>
#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/time.h>
#include <caisson/zero.h>

#include <errno.h>

#define LOG_NAME "memory"
#define BUSY_BYTES UINT64_C(65536)

static const struct zero_engine *engine; /* NULL: none, or none any more */
static uint32_t busy;                    /* a hart uses it. Not a lock: nobody waits for it */
static uint64_t bytes;                   /* changed by who has `busy` */

/* Why it is not asked any more. Whoever finds out may hold any lock, and nothing can be logged there. */
static struct timer teller;
static const char *gone_engine, *gone_reason;

static const struct zero_engine *get_engine(void)
{
	return __atomic_load_n(&engine, __ATOMIC_ACQUIRE);
}

static void tell(struct timer *t)
{
	(void)t;
	log_warn("%s %s: from now on harts zero memory themselves", gone_engine, gone_reason);
}

static void give_up(const struct zero_engine *e, const char *reason)
{
	__atomic_store_n(&engine, NULL, __ATOMIC_RELEASE);
	gone_engine = e->name;
	gone_reason = reason;
	if (IS_ENABLED(CONFIG_IRQ))
		timer_arm(&teller, time_now());
	else
		tell(NULL);
}

void zero_engine_register(const struct zero_engine *e)
{
	if (get_engine())
		return;
	timer_init(&teller, tell);
	__atomic_store_n(&engine, e, __ATOMIC_RELEASE);
	log_info("%s zeroes blocks of %lu KiB and more", e->name, (unsigned long)(e->least >> 10));
}

/** A device is not trusted: an engine that zeroes nothing, or reads something else there, is found out. */
static bool ends_are_zero(hpa_t start, uint64_t size)
{
	const volatile uint64_t *words = hpa_to_kva(start);

	return (words[0] | words[size / sizeof(*words) - 1]) == 0;
}

/** With `busy` taken. */
static enum zero_outcome ask(const struct zero_engine *e, hpa_t start, uint64_t size)
{
	enum zero_outcome outcome = e->zero(start, size);

	if (outcome == ZERO_DONE && !ends_are_zero(start, size))
		outcome = ZERO_FAILED;
	if (outcome == ZERO_DONE)
		__atomic_store_n(&bytes, bytes + size, __ATOMIC_RELAXED);
	else
		give_up(e, outcome == ZERO_LOST ? "does not answer" : "has failed");
	return outcome;
}

/** ZERO_FAILED: not by the engine, for whatever reason. */
static enum zero_outcome ask_if_free(hpa_t start, uint64_t size)
{
	const struct zero_engine *e = get_engine();
	enum zero_outcome outcome;

	if (!e || size < e->least || cpu_take_word(&busy))
		return ZERO_FAILED;
	outcome = get_engine() == e ? ask(e, start, size) : ZERO_FAILED;
	cpu_free_word(&busy);
	return outcome;
}

/** How much of `size` goes to the engine at once. */
static uint64_t step_of(uint64_t size)
{
	const struct zero_engine *e = get_engine();

	return e ? MIN(size, e->most) : size;
}

/** The beginning of the range: while another hart uses the engine, a piece, and then it may be free. @return bytes */
static uint64_t zero_by_hart(hpa_t start, uint64_t size)
{
	uint64_t piece = get_engine() ? MIN(size, BUSY_BYTES) : size;

	page_zero(hpa_to_kva(start), piece);
	return piece;
}

int frames_zero(hpa_t start, uint64_t size)
{
	if (!IS_ALIGNED(start.v | size, PAGE_SIZE))
		return -EINVAL;
	while (size) {
		uint64_t step = step_of(size);
		enum zero_outcome outcome = ask_if_free(start, step);

		if (outcome == ZERO_LOST)
			return -EIO;
		if (outcome == ZERO_FAILED)
			step = zero_by_hart(start, size);
		start.v += step;
		size -= step;
	}
	return 0;
}

bool zero_engine_wants(uint64_t size)
{
	const struct zero_engine *e = get_engine();

	return e && size >= e->least;
}

uint64_t zero_engine_bytes(void)
{
	return __atomic_load_n(&bytes, __ATOMIC_RELAXED);
}
