/* What comes in over a framed line: typed bytes, and what the host says itself (include/caisson/console.h). */
#pragma once

#include <caisson/types.h>

#define CONSOLE_DLE 0x10

/**
 * Hand typed bytes on and obey what stands between them. One caller at a time.
 * @param input  takes typed bytes. @return how many
 * @return bytes of buf that are done with; fewer than n: input took fewer than it was given
 */
size_t console_unframe(const char *buf, size_t n, size_t (*input)(const char *buf, size_t n));
