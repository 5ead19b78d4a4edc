/* Units of time. */
#include <arch/cpu.h>
#include <caisson/time.h>

#define NS_PER_S UINT64_C(1000000000)
#define US_PER_S UINT64_C(1000000)

uint64_t timebase_hz;

uint64_t time_now(void)
{
	return cpu_time();
}

/* value * mul / div without overflow of the product where the result fits; saturates. */
static uint64_t scale(uint64_t value, uint64_t mul, uint64_t div)
{
	uint64_t whole = value / div, rest = value % div;

	if (whole && mul > UINT64_MAX / whole)
		return UINT64_MAX;
	return whole * mul + rest * mul / div;
}

uint64_t time_from_us(uint64_t us)
{
	return scale(us, timebase_hz, US_PER_S);
}

uint64_t time_to_ns(uint64_t ticks)
{
	return scale(ticks, NS_PER_S, timebase_hz);
}
