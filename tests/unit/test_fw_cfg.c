/* fw_cfg as a zeroing engine, on registers that a small simulation answers: well, badly, late, or not at all. */
// sources: core/dt/dt.c core/dt/bus.c core/dt/map.c core/dt/index.c core/time/time.c
#include <arch/cpu.h>

static uint32_t sim_read32(const volatile void *at);
static void sim_write64(volatile void *at, uint64_t value);
static bool sim_answers(const volatile void *at, unsigned width);
#define mmio_read32 sim_read32
#define mmio_write64 sim_write64
#define arch_io_answers sim_answers
#include "drivers/dma/fw_cfg.c"

#include <ram.h>
#include <test.h>
#include <tree.h>

#define RAM_START UINT64_C(0x1c0000000) /* above 4 GiB */
#define RAM_SIZE (16 * MiB)

static char window[REGS_BYTES];
static const char signature[] = "QEMU CFG";

/** What is wrong with the device. */
static struct {
	uint32_t id;
	bool other_signature, no_dma, error, silent, slow, not_zero;
} sim;

static uint8_t item[4]; /* the selected one */
static uint32_t offset;
static unsigned orders;
static const struct zero_engine *registered;

void zero_engine_register(const struct zero_engine *e)
{
	registered = e;
}

void *io_map(hpa_t pa, uint64_t size)
{
	(void)pa;
	(void)size;
	return window;
}

static void sim_select(unsigned key)
{
	uint32_t id = key == ITEM_ID ? sim.id : 0;

	offset = 0;
	memcpy(item, &id, sizeof(item));
}

static uint8_t next_byte(void)
{
	return offset < sizeof(item) ? item[offset++] : sim.not_zero;
}

static uint32_t sim_read32(const volatile void *at)
{
	uint64_t reg = (uint64_t)((const volatile char *)at - window) - REG_DMA;
	uint32_t word;

	assert_true(reg == 0 || reg == 4);
	memcpy(&word, signature + reg, sizeof(word));
	return sim.other_signature && reg ? word + 1 : word;
}

static void sim_transfer(struct request *r, uint32_t control)
{
	uint8_t *to = hpa_to_kva(HPA(__builtin_bswap64(r->address)));

	if (control & CONTROL_SELECT)
		sim_select(control >> 16);
	assert_int_equal(control & 0xff & ~(CONTROL_SELECT | CONTROL_READ), 0);
	for (uint32_t n = __builtin_bswap32(r->length); n--;)
		*to++ = next_byte();
}

static bool sim_answers(const volatile void *at, unsigned width)
{
	assert_int_equal(width, 4);
	return !mock_io_silent && !(sim.no_dma && at >= (const volatile void *)(window + REG_DMA));
}

/* Time goes on while somebody waits. */
static struct request *under_way;

static void sim_waits(bool wfi)
{
	(void)wfi;
	mock_time += timebase_hz / 1000;
	if (under_way && sim.slow) {
		sim_transfer(under_way, __builtin_bswap32(under_way->control));
		under_way->control = 0;
		under_way = NULL;
	}
}

static void sim_write64(volatile void *at, uint64_t value)
{
	struct request *r = hpa_to_kva(HPA(__builtin_bswap64(value)));

	assert_ptr_equal(at, window + REG_DMA);
	assert_ptr_equal(r, &request);
	orders++;
	under_way = r;
	if (sim.silent || sim.slow)
		return;
	if (sim.error) {
		r->control |= __builtin_bswap32(CONTROL_ERROR);
		return;
	}
	sim_transfer(r, __builtin_bswap32(r->control));
	r->control = 0;
}

static int setup(void **state)
{
	(void)state;
	memset(&sim, 0, sizeof(sim));
	sim.id = 3;
	registered = NULL;
	registers = NULL;
	under_way = NULL;
	orders = 0;
	timebase_hz = 10000000;
	mock_wait = sim_waits;
	mock_io_silent = false;
	return 0;
}

static int probe_node(uint32_t bytes, const char *flag)
{
	open_tree();
	begin("fw-cfg");
	CELLS("reg", 0, 0x10100000, 0, bytes);
	if (flag)
		string(flag, "");
	end();
	close_tree();
	return fw_cfg_probe(fdt, at("/fw-cfg"));
}

static int probe(void)
{
	return probe_node(REGS_BYTES, "dma-coherent");
}

static void a_good_one_is_registered(void **state)
{
	(void)state;
	assert_int_equal(probe(), 0);
	assert_ptr_equal(registered, &fw_cfg_engine);
	assert_true(IS_ALIGNED(registered->least | registered->most, PAGE_SIZE));
	assert_int_equal(probe(), -ENODEV); /* a second one */
}

static void it_zeroes_what_it_is_given(void **state)
{
	const uint64_t sizes[] = { LEAST_BYTES, LEAST_BYTES + PAGE_SIZE, MOST_BYTES };
	char *ram = hpa_to_kva(HPA(RAM_START));

	(void)state;
	assert_int_equal(probe(), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(ram, 0xa5, RAM_SIZE);
		assert_int_equal(registered->zero(HPA(RAM_START + PAGE_SIZE), sizes[i]), ZERO_DONE);
		for (uint64_t at = 0; at < RAM_SIZE; at++)
			assert_int_equal(ram[at] == 0, at >= PAGE_SIZE && at < PAGE_SIZE + sizes[i]);
	}
}

static void refused(int error)
{
	assert_int_equal(probe(), error);
	assert_null(registered);
	setup(NULL);
}

static void nothing_else_is_taken_for_one(void **state)
{
	(void)state;
	mock_io_silent = true;
	refused(-ENXIO);
	sim.other_signature = true;
	refused(-ENXIO);
	sim.no_dma = true; /* nothing wrong with it */
	assert_int_equal(probe(), -ENODEV);
	assert_int_equal(orders, 0);
	setup(NULL);
	assert_int_equal(probe_node(REGS_BYTES, "dma-noncoherent"), -ENODEV);
	assert_null(registered);
	assert_int_equal(probe_node(REGS_BYTES - 8, NULL), -EINVAL);
	assert_null(registered);
}

static void one_that_does_not_do_it_is_not_registered(void **state)
{
	(void)state;
	sim.error = true;
	refused(-ENXIO);
	sim.silent = true;
	refused(-ENXIO);
	sim.not_zero = true;
	refused(-ENXIO);
	sim.id = 1;
	refused(-ENXIO);
}

static void a_slow_one_is_waited_for(void **state)
{
	(void)state;
	sim.slow = true;
	assert_int_equal(probe(), 0);
	memset(hpa_to_kva(HPA(RAM_START)), 0xa5, LEAST_BYTES);
	assert_int_equal(registered->zero(HPA(RAM_START), LEAST_BYTES), ZERO_DONE);
	assert_int_equal(*(char *)hpa_to_kva(HPA(RAM_START)), 0);
}

static void errors_later_on_are_told_apart(void **state)
{
	uint64_t before;

	(void)state;
	assert_int_equal(probe(), 0);
	sim.error = true;
	assert_int_equal(registered->zero(HPA(RAM_START), LEAST_BYTES), ZERO_FAILED);
	sim.error = false;
	sim.silent = true;
	before = mock_time;
	assert_int_equal(registered->zero(HPA(RAM_START), LEAST_BYTES), ZERO_LOST);
	assert_in_range(mock_time - before, time_from_us(ANSWER_US), 2 * time_from_us(ANSWER_US));
}

static int add_ram(void **state)
{
	(void)state;
	mock_ram_add(RAM_START, RAM_SIZE);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_good_one_is_registered, setup),
		cmocka_unit_test_setup(it_zeroes_what_it_is_given, setup),
		cmocka_unit_test_setup(nothing_else_is_taken_for_one, setup),
		cmocka_unit_test_setup(one_that_does_not_do_it_is_not_registered, setup),
		cmocka_unit_test_setup(a_slow_one_is_waited_for, setup),
		cmocka_unit_test_setup(errors_later_on_are_told_apart, setup),
	};

	return cmocka_run_group_tests(tests, add_ram, NULL);
}
