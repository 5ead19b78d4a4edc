/*
 * The time of day. The machine's clock is read once, at boot; from then on the time CSR counts.
 * A driver of a clock registers what it read.
 */
#pragma once

#include <caisson/types.h>

/** The clock says that it is wall_ns (since 1970, UTC) now. The first one counts. Boot. */
void rtc_register(const char *name, uint64_t wall_ns);
/** Does the machine have a clock? Any context. */
bool rtc_is_known(void);
/** Nanoseconds since 1970, UTC; without a clock, since the time CSR was 0. Any context; touches no device. */
uint64_t rtc_wall_ns(void);
