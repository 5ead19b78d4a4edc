/* What the hypervisor tells a person beside the log. Private to the hypervisor application. */
#pragma once

#include <caisson/types.h>

/** One line on the error channel. */
void report_error(const char *fmt, ...) __printf(1, 2);
