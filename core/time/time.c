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

/* value * mul / div, saturating; the product may be larger than 64 bits. mul and div below 2^32. */
static uint64_t scale(uint64_t value, uint64_t mul, uint64_t div)
{
	uint64_t result;

	if (__builtin_mul_overflow(value / div, mul, &result) ||
	    __builtin_add_overflow(result, value % div * mul / div, &result))
		return UINT64_MAX;
	return result;
}

uint64_t time_from_us(uint64_t us)
{
	return scale(us, timebase_hz, US_PER_S);
}

uint64_t time_to_ns(uint64_t ticks)
{
	return scale(ticks, NS_PER_S, timebase_hz);
}
