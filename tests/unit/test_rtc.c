/* The goldfish clock on two registers of ours, and the time of day that counts on from it. */
// sources: core/dt/dt.c core/dt/bus.c core/dt/map.c core/dt/index.c core/time/time.c drivers/rtc/rtc.c
#include <arch/cpu.h>

static uint32_t sim_read(const volatile void *at);
#define mmio_read32 sim_read
#include "drivers/rtc/goldfish.c"

#include <caisson/time.h>
#include <test.h>
#include <tree.h>

#define NS_PER_S UINT64_C(1000000000)
#define IN_2025 (UINT64_C(1735689600) * NS_PER_S)

static char registers[REGS_BYTES];
static uint64_t clock_ns;
static uint32_t latched;

static uint32_t sim_read(const volatile void *at)
{
	if ((const volatile char *)at == registers + REG_TIME_HIGH)
		return latched;
	assert_ptr_equal(at, registers + REG_TIME_LOW);
	latched = (uint32_t)(clock_ns >> 32);
	clock_ns += UINT64_C(1) << 32; /* a high half read now is too late */
	return (uint32_t)clock_ns;
}

void *io_map(hpa_t pa, uint64_t size)
{
	(void)pa;
	(void)size;
	return registers;
}

static int probe(uint32_t bytes)
{
	open_tree();
	begin("rtc");
	CELLS("reg", 0, 0x101000, 0, bytes);
	end();
	close_tree();
	return goldfish_probe(fdt, at("/rtc"));
}

static void test_without_a_clock(void **state)
{
	(void)state;
	timebase_hz = 10000000;
	mock_time = 30;
	mock_io_silent = true;
	assert_int_equal(probe(0x1000), -ENXIO);
	mock_io_silent = false;
	assert_int_equal(probe(4), -EINVAL);
	assert_false(rtc_is_known());
	assert_int_equal(rtc_wall_ns(), 3000);
}

static void test_it_counts_on(void **state)
{
	(void)state;
	clock_ns = IN_2025;
	assert_int_equal(probe(0x1000), 0);
	assert_true(rtc_is_known());
	assert_int_equal(rtc_wall_ns(), IN_2025);
	mock_time += 20000000;
	assert_int_equal(rtc_wall_ns(), IN_2025 + 2 * NS_PER_S);
}

static void test_the_first_clock_counts(void **state)
{
	(void)state;
	clock_ns = 2 * IN_2025;
	assert_int_equal(probe(0x1000), 0);
	assert_int_equal(rtc_wall_ns(), IN_2025 + 2 * NS_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_a_clock),
		cmocka_unit_test(test_it_counts_on),
		cmocka_unit_test(test_the_first_clock_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
