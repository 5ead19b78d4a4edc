/*
 * Zeroing engines: devices that zero memory by themselves, such as a DMA controller, so that no hart need do it
 * (CONFIG_ZERO_ENGINE). A machine has one at most, which its driver registers at boot. frame_alloc and the stock
 * give it large blocks; what it does not take, and all of it on a machine without one, the harts zero.
 */
#pragma once

#include <caisson/types.h>

enum zero_outcome {
	ZERO_DONE,
	ZERO_FAILED, /* it has stopped, and anything may be in the range */
	ZERO_LOST,   /* it does not answer: it may still write to the range, today or tomorrow */
};

struct zero_engine {
	const char *name;
	uint64_t least; /* bytes from which on it costs less to ask than to do it; whole frames */
	uint64_t most;  /* bytes at once; whole frames. The hart does nothing else meanwhile */
	/**
	 * Zero whole frames of RAM, at least `least` and at most `most` bytes. One call at a time, in any context, so
	 * the wait for the engine is bounded. What this hart stored before comes before the engine's zeros, and these
	 * come before whatever it does afterwards: the driver fences. An engine past the harts' caches is none.
	 */
	enum zero_outcome (*zero)(hpa_t start, uint64_t size);
};

/** Use this engine from now on, the first one that comes. Boot only. */
void zero_engine_register(const struct zero_engine *e);

/**
 * Zero whole frames, by the engine as far as it pays and is not at work for somebody else: nobody waits for that. An
 * engine that fails once is not asked again. Any context.
 * @return 0; -EINVAL: not whole frames; -EIO: part of the range is lost to the engine, nobody may ever use it
 */
int frames_zero(hpa_t start, uint64_t size) __must_check;

/** Would the engine be asked for a range of this size? As it was a moment ago. */
bool zero_engine_wants(uint64_t size);
/** Bytes that it has zeroed so far. */
uint64_t zero_engine_bytes(void);
