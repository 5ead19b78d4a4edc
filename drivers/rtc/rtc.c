/* The time of day, as the first clock said it at boot. */
#include <caisson/rtc.h>

#include <caisson/log.h>
#include <caisson/time.h>

#define LOG_NAME "rtc"
#define NS_PER_S UINT64_C(1000000000)

static bool known;
static uint64_t ahead; /* wall time less the time CSR's, ns modulo 2^64 */

void rtc_register(const char *name, uint64_t wall_ns)
{
	if (known)
		return;
	ahead = wall_ns - time_to_ns(time_now());
	known = true;
	log_info("%s: %lu s since 1970", name, (unsigned long)(wall_ns / NS_PER_S));
}

bool rtc_is_known(void)
{
	return known;
}

uint64_t rtc_wall_ns(void)
{
	return time_to_ns(time_now()) + ahead;
}
