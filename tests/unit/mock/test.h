/* What every unit test includes: cmocka with what it needs, and a check for panics. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/** Runs fn in a child process. @return true when it ended in panic(). */
bool mock_panics(void (*fn)(void *), void *arg);
/** What the last panic that mock_panics saw had to say. */
const char *mock_panic_message(void);

/** A small deterministic generator (splitmix64) for property tests. */
static inline uint64_t mock_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}
