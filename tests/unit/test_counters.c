/* Performance counters of guests: SBI PMU with everything that it refuses, trapped reads, switching, what is counted. */
// sources: vmm/vcpu/counters.c vmm/sbi/sbi.c vmm/sbi/base.c vmm/sbi/time.c vmm/sbi/ipi.c vmm/sbi/rfence.c vmm/sbi/legacy.c vmm/sbi/pmu.c vmm/vm/memory.c
#include <arch/cpu.h>
#include <arch/hext.h>
#include <caisson/hart.h>
#include <sbi_call.h>
#include <vmm/vcpu/vcpu_internal.h>

struct hext_features hext;

enum { NUM, INFO, CONFIG, START, STOP, FW_READ, FW_READ_HI, SNAPSHOT, EVENTS_INFO };

#define PMU(...) SBI_EXT_PMU, __VA_ARGS__
#define ALL_COUNTERS (BIT(COUNTERS) - 1)
#define FW(code) EVENT(EVENT_TYPE_FIRMWARE, code)
#define SKIP_MATCH 1
#define CLEAR 2
#define AUTO_START 4
#define SET_VALUE 1
#define RESET 1
#define OPEN (COUNTEREN_CY | COUNTEREN_TM | COUNTEREN_IR)

static int begin(void **state)
{
	hext.counters = true;
	mock_cycle = 1000;
	mock_instret = 2000;
	mock_hart = &mock_harts[0];
	setup(state);
	m.vm.isa = BIT(ISA_ZICNTR);
	for (unsigned i = 0; i < VCPUS; i++)
		vcpu_counters_reset(&m.vcpu[i]);
	mock_live.sstatus = SSTATUS_SPP;
	return 0;
}

static unsigned config(uint64_t event, uint64_t flags)
{
	return (unsigned)succeeds(PMU(CONFIG, ARGS(0, ALL_COUNTERS, flags, event, 0)));
}

static void started_all(long expected, uint64_t n, uint64_t flags, uint64_t at)
{
	fails(expected, PMU(START, ARGS(n, 1, flags, at)));
}

static void stopped_all(long expected, uint64_t n, uint64_t flags)
{
	fails(expected, PMU(STOP, ARGS(n, 1, flags)));
}

/* --- calls --- */

static void H10_functions_and_counters(void **state)
{
	(void)state;
	assert_int_equal(succeeds(SBI_EXT_BASE, 3, ARGS(SBI_EXT_PMU)), 1);
	assert_int_equal(succeeds(PMU(NUM, ARGS(0))), COUNTERS);
	assert_int_equal(succeeds(PMU(INFO, ARGS(0))), 63 << 12 | 0xc00);
	assert_int_equal(succeeds(PMU(INFO, ARGS(1))), 63 << 12 | 0xc02);
	for (uint64_t n = COUNTER_FIRMWARE; n < COUNTERS; n++)
		assert_int_equal(succeeds(PMU(INFO, ARGS(n))) >> 63, 1);
	fails(SBI_ERR_INVALID_PARAM, PMU(INFO, ARGS(COUNTERS)));
	fails(SBI_ERR_INVALID_PARAM, PMU(INFO, ARGS(UINT64_MAX)));
	fails(SBI_ERR_INVALID_PARAM, PMU(INFO, ARGS(BIT(32))));
	fails(SBI_ERR_NOT_SUPPORTED, PMU(SNAPSHOT, ARGS(RAM)));
	for (uint64_t fid = EVENTS_INFO + 1; fid < 20; fid++)
		fails(SBI_ERR_NOT_SUPPORTED, PMU(fid, ARGS(0)));
	fails(SBI_ERR_NOT_SUPPORTED, PMU(BIT(32), ARGS(0)));
}

static void without_hardware(void)
{
	fails(SBI_ERR_INVALID_PARAM, PMU(INFO, ARGS(0)));
	fails(SBI_ERR_INVALID_PARAM, PMU(INFO, ARGS(1)));
	succeeds(PMU(INFO, ARGS(COUNTER_FIRMWARE)));
	fails(SBI_ERR_INVALID_PARAM, PMU(CONFIG, ARGS(0, 1, 0, EVENT_CYCLES)));
	fails(SBI_ERR_NOT_SUPPORTED, PMU(CONFIG, ARGS(2, ALL_COUNTERS >> 2, 0, EVENT_CYCLES)));
	fails(SBI_ERR_INVALID_PARAM, PMU(STOP, ARGS(0, 3, RESET)));
}

static void H10_hardware_without_counters(void **state)
{
	(void)state;
	assert_int_equal(vcpu_counteren(m.self), OPEN);
	hext.counters = false;
	assert_int_equal(vcpu_counteren(m.self), COUNTEREN_TM);
	without_hardware();
	hext.counters = true;
	m.vm.isa = 0;
	assert_int_equal(vcpu_counteren(m.self), 0);
	without_hardware();
}

static const struct args bad_sets[] = {
	{ { COUNTERS, 1 } }, { { 0, BIT(COUNTERS) } }, { { 0, UINT64_MAX } }, { { 1, ALL_COUNTERS } }, { { 64, 1 } },
	{ { 0, BIT(63) } }, { { UINT64_MAX, 1 } }, { { UINT64_MAX, 2 } }, { { BIT(32), 1 } }, { { 2, BIT(62) } },
	{ { 9, BIT(63) } }, { { COUNTERS - 1, 3 } },
};

static void H10_sets_are_checked(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad_sets); i++) {
		struct args a = bad_sets[i];

		a.a[3] = EVENT_CYCLES;
		fails(SBI_ERR_INVALID_PARAM, PMU(CONFIG, a));
		a.a[3] = 0;
		fails(SBI_ERR_INVALID_PARAM, PMU(START, a));
		fails(SBI_ERR_INVALID_PARAM, PMU(STOP, a));
	}
	fails(SBI_ERR_NOT_SUPPORTED, PMU(CONFIG, ARGS(UINT64_MAX, 0, 0, EVENT_CYCLES)));
	succeeds(PMU(START, ARGS(UINT64_MAX, 0)));
	succeeds(PMU(STOP, ARGS(UINT64_MAX, 0)));
}

static void H10_flags_are_checked(void **state)
{
	(void)state;
	for (unsigned bit = 8; bit < 64; bit++)
		fails(SBI_ERR_INVALID_PARAM, PMU(CONFIG, ARGS(0, ALL_COUNTERS, BIT(bit), EVENT_CYCLES)));
	config(EVENT_CYCLES, 0xf8); /* hints */
	for (unsigned bit = 2; bit < 64; bit++) {
		fails(SBI_ERR_INVALID_PARAM, PMU(START, ARGS(0, 1, BIT(bit))));
		fails(SBI_ERR_INVALID_PARAM, PMU(STOP, ARGS(0, 1, BIT(bit))));
	}
	fails(SBI_ERR_NO_SHMEM, PMU(START, ARGS(0, 1, 2)));
	fails(SBI_ERR_NO_SHMEM, PMU(STOP, ARGS(0, 1, 2)));
	assert_false(m.self->counters.counters[0].started);
}

static bool is_countable(uint64_t event)
{
	uint64_t code = event & 0xffff;

	if (event == EVENT_CYCLES || event == EVENT_INSTRUCTIONS)
		return true;
	if (event >> 16 != 15)
		return false;
	return code == 2 || code == 3 || (code >= 5 && code <= 13) || (code >= 256 && code < 256 + EXIT_KINDS);
}

static void H10_events(void **state)
{
	(void)state;
	for (uint64_t type = 0; type < 18; type++) {
		for (uint64_t code = 0; code < 300; code++) {
			uint64_t event = type << 16 | code;

			fails(SBI_ERR_NOT_SUPPORTED, PMU(CONFIG, ARGS(0, ALL_COUNTERS, 0, event | BIT(32))));
			fails(SBI_ERR_NOT_SUPPORTED, PMU(CONFIG, ARGS(0, ALL_COUNTERS, 0, event, 1)));
			fails(is_countable(event) ? SBI_SUCCESS : SBI_ERR_NOT_SUPPORTED,
			      PMU(CONFIG, ARGS(0, ALL_COUNTERS, 0, event)));
			call(PMU(STOP, ARGS(0, ALL_COUNTERS, RESET)));
		}
	}
	fails(SBI_ERR_NOT_SUPPORTED, PMU(CONFIG, ARGS(0, ALL_COUNTERS, 0, FW(65535))));
	fails(SBI_ERR_NOT_SUPPORTED, PMU(CONFIG, ARGS(0, ALL_COUNTERS, 0, UINT64_MAX)));
}

static void H10_matching(void **state)
{
	(void)state;
	assert_int_equal(config(EVENT_INSTRUCTIONS, 0), COUNTER_INSTRET);
	assert_int_equal(config(EVENT_CYCLES, 0), COUNTER_CYCLE);
	fails(SBI_ERR_NOT_SUPPORTED, PMU(CONFIG, ARGS(0, ALL_COUNTERS, 0, EVENT_CYCLES)));
	for (unsigned n = COUNTER_FIRMWARE; n < COUNTERS; n++)
		assert_int_equal(config(FW(FW_IPI_SENT), 0), n);
	fails(SBI_ERR_NOT_SUPPORTED, PMU(CONFIG, ARGS(0, ALL_COUNTERS, 0, FW(FW_IPI_SENT))));
	stopped_all(SBI_ERR_ALREADY_STOPPED, 4, RESET);
	assert_int_equal(config(FW(FW_IPI_SENT), 0), 4);
	/* The first of the set, whatever it was for; but not while it counts. */
	fails(SBI_ERR_NOT_SUPPORTED, PMU(CONFIG, ARGS(0, ALL_COUNTERS, SKIP_MATCH, FW(FW_SET_TIMER))));
	assert_int_equal(succeeds(PMU(CONFIG, ARGS(5, 3, SKIP_MATCH, FW(FW_SET_TIMER)))), 5);
	assert_int_equal(m.self->counters.counters[5].event, FW(FW_SET_TIMER));
	started_all(SBI_SUCCESS, 5, 0, 0);
	fails(SBI_ERR_NOT_SUPPORTED, PMU(CONFIG, ARGS(5, 3, SKIP_MATCH, FW(FW_SET_TIMER))));
}

static void H10_start_and_stop(void **state)
{
	unsigned n;

	(void)state;
	started_all(SBI_ERR_INVALID_PARAM, 3, 0, 0); /* nothing to count */
	stopped_all(SBI_ERR_ALREADY_STOPPED, 3, 0);
	n = config(FW(FW_EXITS + EXIT_ECALL), 0);
	started_all(SBI_SUCCESS, n, SET_VALUE, 70);
	m.self->exits[EXIT_ECALL] += 5;
	started_all(SBI_ERR_ALREADY_STARTED, n, SET_VALUE, 1);
	assert_int_equal(succeeds(PMU(FW_READ, ARGS(n))), 75);
	assert_int_equal(succeeds(PMU(FW_READ_HI, ARGS(n))), 0);
	stopped_all(SBI_SUCCESS, n, 0);
	m.self->exits[EXIT_ECALL] += 5;
	assert_int_equal(succeeds(PMU(FW_READ, ARGS(n))), 75);
	started_all(SBI_SUCCESS, n, 0, 1000); /* the value only counts with its flag */
	m.self->exits[EXIT_ECALL] += 1;
	assert_int_equal(succeeds(PMU(FW_READ, ARGS(n))), 76);
	stopped_all(SBI_SUCCESS, n, 0);
	succeeds(PMU(CONFIG, ARGS(n, 1, SKIP_MATCH, FW(FW_EXITS + EXIT_ECALL))));
	assert_int_equal(succeeds(PMU(FW_READ, ARGS(n))), 76);
	succeeds(PMU(CONFIG, ARGS(n, 1, SKIP_MATCH | CLEAR, FW(FW_EXITS + EXIT_ECALL))));
	assert_int_equal(succeeds(PMU(FW_READ, ARGS(n))), 0);
	started_all(SBI_SUCCESS, n, SET_VALUE, 5);
	stopped_all(SBI_SUCCESS, n, RESET);
	assert_int_equal(succeeds(PMU(FW_READ, ARGS(n))), 0);
	started_all(SBI_ERR_INVALID_PARAM, n, 0, 0);
	assert_int_equal(config(FW(FW_EXITS + EXIT_ECALL), CLEAR | AUTO_START), n);
	m.self->exits[EXIT_ECALL] += 2;
	assert_int_equal(succeeds(PMU(FW_READ, ARGS(n))), 2);
	fails(SBI_ERR_INVALID_PARAM, PMU(FW_READ, ARGS(0)));
	fails(SBI_ERR_INVALID_PARAM, PMU(FW_READ, ARGS(1)));
	fails(SBI_ERR_INVALID_PARAM, PMU(FW_READ, ARGS(COUNTERS)));
	fails(SBI_ERR_INVALID_PARAM, PMU(FW_READ_HI, ARGS(1)));
	fails(SBI_ERR_INVALID_PARAM, PMU(FW_READ_HI, ARGS(UINT64_MAX)));
}

/* --- the hart's own counters --- */

#define CSRR(rd, csr) ((uint32_t)(csr) << 20 | 2 << 12 | (rd) << 7 | 0x73)
#define CYCLE 0xc00
#define INSTRET 0xc02

static uint64_t reads(unsigned csr)
{
	assert_true(vcpu_is_counter_read(m.self, CSRR(10, csr)));
	assert_int_equal(vcpu_read_counter(m.self, CSRR(10, csr)), VCPU_RESUME);
	return m.self->ctx.x[10];
}

static void H10_cycles_are_the_vcpus_own(void **state)
{
	unsigned n;

	(void)state;
	assert_false(vcpu_is_counter_read(m.self, CSRR(10, CYCLE)));
	n = config(EVENT_CYCLES, CLEAR);
	assert_int_equal(mock_live.hcounteren, OPEN & ~COUNTEREN_CY);
	assert_int_equal(m.self->csrs.hcounteren, mock_live.hcounteren);
	mock_cycle += 10;
	assert_int_equal(reads(CYCLE), 0);
	started_all(SBI_SUCCESS, n, SET_VALUE, 500);
	mock_cycle += 10;
	assert_int_equal(reads(CYCLE), 510);
	assert_int_equal(m.self->counters.hardware_started, 1);
	vcpu_counters_switch_out(m.self);
	mock_cycle += 7777; /* others, or another hart */
	vcpu_counters_switch_in(m.self);
	mock_cycle += 10;
	assert_int_equal(reads(CYCLE), 520);
	stopped_all(SBI_SUCCESS, n, 0);
	assert_int_equal(m.self->counters.hardware_started, 0);
	mock_cycle += 10;
	vcpu_counters_switch_out(m.self);
	vcpu_counters_switch_in(m.self);
	assert_int_equal(reads(CYCLE), 520);
	stopped_all(SBI_ERR_ALREADY_STOPPED, n, RESET);
	assert_int_equal(mock_live.hcounteren, OPEN);
	assert_false(vcpu_is_counter_read(m.self, CSRR(10, CYCLE)));
}

static void H10_instructions_are_the_vcpus_own(void **state)
{
	(void)state;
	config(EVENT_INSTRUCTIONS, AUTO_START);
	assert_int_equal(mock_live.hcounteren, OPEN & ~COUNTEREN_IR);
	mock_instret += 6;
	mock_cycle += 60;
	assert_int_equal(reads(INSTRET), 6);
	vcpu_counters_reset(m.self);
	assert_int_equal(vcpu_counteren(m.self), OPEN);
	assert_int_equal(m.self->counters.hardware_started, 0);
}

static void H10_which_instructions_read_counters(void **state)
{
	static const uint32_t others[] = {
		CSRR(10, CYCLE) | 1 << 15, CSRR(10, CYCLE) ^ 3 << 12 /* csrrw */, CSRR(10, 0xc01), CSRR(10, 0xc03),
		CSRR(10, 0xc1f), CSRR(10, 0xb00), CSRR(10, 0xc80), CSRR(10, 0x100), CSRR(10, 0xfff), 0, 0xffffffff,
		0x10500073, 0x00000073,
	};

	(void)state;
	config(EVENT_CYCLES, AUTO_START);
	config(EVENT_INSTRUCTIONS, AUTO_START);
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
		assert_false(vcpu_is_counter_read(m.self, others[i]));
	for (unsigned funct3 = 2; funct3 < 8; funct3++)
		assert_int_equal(vcpu_is_counter_read(m.self, (CSRR(1, CYCLE) & ~(7u << 12)) | funct3 << 12),
				 (funct3 & 2) != 0);
	mock_live.pc = 64;
	reads(CYCLE);
	assert_int_equal(mock_live.pc, 68);
	/* A register that C functions preserve is given its value when the handler has returned. */
	assert_int_equal(vcpu_read_counter(m.self, CSRR(9, CYCLE)), vcpu_give_register(9));
	assert_int_equal(mock_live.pc, 72);
	mock_cycle += 100;
	vcpu_read_counter(m.self, CSRR(0, CYCLE));
	assert_int_equal(m.self->ctx.x[0], 0);
}

static void H10_user_programs_need_scounteren(void **state)
{
	(void)state;
	config(EVENT_CYCLES, AUTO_START);
	config(EVENT_INSTRUCTIONS, AUTO_START);
	mock_live.sstatus = 0;
	mock_live.scounteren = COUNTEREN_IR;
	assert_false(vcpu_is_counter_read(m.self, CSRR(1, CYCLE)));
	assert_true(vcpu_is_counter_read(m.self, CSRR(1, INSTRET)));
	mock_live.scounteren = COUNTEREN_CY;
	assert_true(vcpu_is_counter_read(m.self, CSRR(1, CYCLE)));
	assert_false(vcpu_is_counter_read(m.self, CSRR(1, INSTRET)));
}

/* --- firmware events --- */

static uint64_t event_of(unsigned vcpu, enum fw_event event)
{
	return m.vcpu[vcpu].counters.events[event];
}

static void H10_sent_and_received(void **state)
{
	(void)state;
	m.mask_at = 0x100;
	m.mask = 3;
	succeeds(SBI_EXT_IPI, 0, ARGS(7));            /* vCPU 1 to 0, itself, and 2 */
	succeeds(SBI_EXT_IPI, 0, ARGS(2));            /* itself */
	succeeds(SBI_EXT_RFENCE, 0, ARGS(1));         /* fence.i */
	succeeds(SBI_EXT_RFENCE, 0, ARGS(2));
	succeeds(SBI_EXT_RFENCE, 1, ARGS(5));         /* sfence.vma */
	succeeds(SBI_EXT_RFENCE, 2, ARGS(0, UINT64_MAX)); /* with ASID */
	call(4, 0, ARGS(0x100));                      /* legacy */
	call(5, 0, ARGS(0x100));
	assert_int_equal(event_of(1, FW_IPI_SENT), 3);
	assert_int_equal(event_of(0, FW_IPI_RECEIVED), 2);
	assert_int_equal(event_of(2, FW_IPI_RECEIVED), 1);
	assert_int_equal(event_of(1, FW_IPI_RECEIVED), 0);
	assert_int_equal(event_of(1, FW_FENCE_I_SENT), 2);
	assert_int_equal(event_of(0, FW_FENCE_I_RECEIVED), 2);
	assert_int_equal(event_of(1, FW_SFENCE_SENT), 2);
	assert_int_equal(event_of(2, FW_SFENCE_RECEIVED), 1);
	assert_int_equal(event_of(1, FW_SFENCE_ASID_SENT), 2);
	assert_int_equal(event_of(0, FW_SFENCE_ASID_RECEIVED), 1);
}

static void H10_timers_are_counted_for_those_that_ask(void **state)
{
	unsigned n;

	(void)state;
	succeeds(SBI_EXT_TIME, 0, ARGS(5));
	assert_int_equal(event_of(1, FW_SET_TIMER), 0);
	n = config(FW(FW_SET_TIMER), AUTO_START);
	succeeds(SBI_EXT_TIME, 0, ARGS(5));
	fails(SBI_ERR_NOT_SUPPORTED, SBI_EXT_TIME, 1, ARGS(5));
	call(0, 77, ARGS(6)); /* legacy, where the function number is nothing */
	assert_int_equal(m.timer, 6);
	assert_int_equal(m.timers, 3);
	assert_int_equal(succeeds(PMU(FW_READ, ARGS(n))), 2);
	stopped_all(SBI_SUCCESS, n, RESET);
	succeeds(SBI_EXT_TIME, 0, ARGS(5));
	assert_int_equal(event_of(1, FW_SET_TIMER), 2);
	config(FW(FW_SET_TIMER), AUTO_START);
	vcpu_counters_reset(m.self);
	assert_ptr_equal(m.self->sbi, sbi_slots);
	assert_ptr_equal(m.vcpu[0].sbi, sbi_slots);
}

/* --- event info --- */

struct info {
	uint32_t event, there;
	uint64_t data;
};

static struct info *infos(void)
{
	return (struct info *)&m.ram[256];
}

static long info(struct args a)
{
	call(PMU(EVENTS_INFO, a));
	assert_int_equal(value(), 0);
	return error();
}

static void H10_event_info(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		infos()[i] = (struct info){ i % 3 ? FW(i % 32) : EVENT(i % 2, i % 7), 0xabcdef01, i % 5 == 0 };
	assert_int_equal(info(ARGS(RAM + 256, 0, 999)), SBI_SUCCESS);
	for (unsigned i = 0; i < 999; i++) {
		bool firmware = EVENT_TYPE(infos()[i].event) == 15;

		assert_int_equal(infos()[i].there, is_countable(infos()[i].event) && !(firmware && i % 5 == 0));
		assert_int_equal(infos()[i].data, i % 5 == 0);
	}
	assert_int_equal(infos()[999].there, 0xabcdef01);
}

static void H10_event_info_errors(void **state)
{
	static const uint32_t none[] = { BIT(20) | 1, BIT(31) | 1, 0x40001, 0xe0000, 0x20001, 0x30001, 0xffffffff };

	(void)state;
	infos()[0] = (struct info){ EVENT_CYCLES, 7, 0 };
	assert_int_equal(info(ARGS(RAM + 264, 0, 1)), SBI_ERR_INVALID_PARAM);
	assert_int_equal(info(ARGS(RAM + 256, 0, 1, 1)), SBI_ERR_INVALID_PARAM);
	assert_int_equal(info(ARGS(RAM + 256, 0, 1, BIT(63))), SBI_ERR_INVALID_PARAM);
	assert_int_equal(info(ARGS(RAM + 256, 1, 1)), SBI_ERR_INVALID_ADDRESS);
	assert_int_equal(info(ARGS(RAM - 16, 0, 2)), SBI_ERR_INVALID_ADDRESS);
	assert_int_equal(info(ARGS(RAM_END - 16, 0, 2)), SBI_ERR_INVALID_ADDRESS);
	assert_int_equal(info(ARGS(RAM + 256, 0, BIT(60))), SBI_ERR_INVALID_ADDRESS); /* times 16 is 0 */
	assert_int_equal(info(ARGS(RAM + 256, 0, UINT64_MAX)), SBI_ERR_INVALID_ADDRESS);
	assert_int_equal(info(ARGS(UINT64_MAX - 15, 0, 1)), SBI_ERR_INVALID_ADDRESS);
	assert_int_equal(infos()[0].there, 7);
	m.no_memory = true;
	assert_int_equal(info(ARGS(RAM + 256, 0, 1)), SBI_ERR_FAILED);
	m.no_memory = false;
	for (unsigned i = 0; i < ARRAY_SIZE(none); i++) {
		infos()[1].event = none[i];
		assert_int_equal(info(ARGS(RAM + 256, 0, 2)), SBI_ERR_INVALID_PARAM);
	}
	infos()[1].event = EVENT(2, 0);
	assert_int_equal(info(ARGS(RAM + 256, 0, 2)), SBI_SUCCESS);
	assert_int_equal(infos()[0].there, 1);
	assert_int_equal(infos()[1].there, 0);
	m.vm.ram_size = GiB; /* more than fits here, but it is not looked at */
	assert_int_equal(info(ARGS(RAM, 0, 4097)), SBI_ERR_FAILED);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, begin)
	const struct CMUnitTest tests[] = {
		T(H10_functions_and_counters),
		T(H10_hardware_without_counters),
		T(H10_sets_are_checked),
		T(H10_flags_are_checked),
		T(H10_events),
		T(H10_matching),
		T(H10_start_and_stop),
		T(H10_cycles_are_the_vcpus_own),
		T(H10_instructions_are_the_vcpus_own),
		T(H10_which_instructions_read_counters),
		T(H10_user_programs_need_scounteren),
		T(H10_sent_and_received),
		T(H10_timers_are_counted_for_those_that_ask),
		T(H10_event_info),
		T(H10_event_info_errors),
	};

	return cmocka_run_group_tests(tests, init, NULL);
}
