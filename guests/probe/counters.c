/* Performance counters (SBI PMU): what every firmware with the extension answers, and what only a VM does. */
#include "probe.h"
#include "regs.h"

enum { NUM, INFO, CONFIG, START, STOP, FW_READ, FW_READ_HI, SNAPSHOT, EVENTS };

#define PMU(...) sbi_call(SBI_EXT_PMU, __VA_ARGS__)
#define ALL_ONES ~0ul

#define CLEAR 2
#define AUTO_START 4
#define SKIP_MATCH 1
#define SET_VALUE 1
#define START_SNAPSHOT 2
#define RESET 1
#define STOP_SNAPSHOT 2

#define CYCLES 1
#define INSTRUCTIONS 2
#define FIRMWARE(code) (0xf0000 | (code))
#define ACCESS_LOAD FIRMWARE(2)
#define ACCESS_STORE FIRMWARE(3)
#define ILLEGAL_INSN FIRMWARE(4)
#define SET_TIMER FIRMWARE(5)
#define IPI_SENT FIRMWARE(6)
#define IPI_RECEIVED FIRMWARE(7)
#define FENCE_I_SENT FIRMWARE(8)
#define FENCE_I_RECEIVED FIRMWARE(9)
#define SFENCE_SENT FIRMWARE(10)
#define SFENCE_ASID_RECEIVED FIRMWARE(13)

static void gives(const char *name, long error, struct sbi_result r)
{
	expect(r.error == error, "%s: error %ld", name, r.error);
}

/* Every counter that is there. */
static uint64_t all_counters(void)
{
	uint64_t n = (uint64_t)PMU(NUM).value, mask = 0;

	for (uint64_t i = 0; i < n && i < 64; i++)
		if (PMU(INFO, i).error == 0)
			mask |= 1ul << i;
	return mask;
}

static uint64_t counter_for(uint64_t event, uint64_t flags)
{
	struct sbi_result r = PMU(CONFIG, 0, all_counters(), flags, event, 0);

	expect(r.error == 0, "a counter for event %lx: error %ld", event, r.error);
	return (uint64_t)r.value;
}

static uint64_t read_fixed(uint64_t event)
{
	return event == CYCLES ? csr_read(cycle) : csr_read(instret);
}

static void check_fixed(uint64_t event, uint64_t csr)
{
	uint64_t n = counter_for(event, CLEAR | AUTO_START), first, second;

	expect((uint64_t)PMU(INFO, n).value == (csr | 63 << 12), "it is CSR %lx, 64 bits wide", csr);
	first = read_fixed(event);
	second = read_fixed(event);
	expect(second > first, "it counts");
	gives("start of what is started", SBI_ALREADY_STARTED, PMU(START, n, 1, 0, 0));
	gives("stop", 0, PMU(STOP, n, 1, 0));
	first = read_fixed(event);
	expect(first >= second && read_fixed(event) == first, "it stands still");
	gives("stop of what is stopped", SBI_ALREADY_STOPPED, PMU(STOP, n, 1, 0));
	gives("start at a value", 0, PMU(START, n, 1, SET_VALUE, 1ul << 62));
	first = read_fixed(event) - (1ul << 62);
	expect(first < 100000000, "it goes on from there");
	gives("stop for good", 0, PMU(STOP, n, 1, RESET));
}

static void check_set_timer(void)
{
	uint64_t n = counter_for(SET_TIMER, CLEAR | AUTO_START);

	for (unsigned i = 0; i < 5; i++)
		sbi_call(SBI_EXT_TIME, 0, ALL_ONES);
	expect(PMU(FW_READ, n).value == 5, "five timers set: %ld", PMU(FW_READ, n).value);
	gives("stop", 0, PMU(STOP, n, 1, 0));
	sbi_call(SBI_EXT_TIME, 0, ALL_ONES);
	expect(PMU(FW_READ, n).value == 5, "not counted while stopped");
	gives("start at a value", 0, PMU(START, n, 1, SET_VALUE, 100));
	sbi_call(SBI_EXT_TIME, 0, ALL_ONES);
	expect(PMU(FW_READ, n).value == 101, "counted from there: %ld", PMU(FW_READ, n).value);
	expect(PMU(FW_READ_HI, n).error == 0 && PMU(FW_READ_HI, n).value == 0, "the upper half is 0");
	gives("stop for good", 0, PMU(STOP, n, 1, RESET));
}

void test_counters(void)
{
	uint64_t n = (uint64_t)PMU(NUM).value;

	expect(sbi_call(SBI_EXT_BASE, BASE_PROBE, SBI_EXT_PMU).value == 1, "counters are there");
	expect(PMU(NUM).error == 0 && n > 2 && n <= 64, "some of them");
	gives("info past the last", SBI_INVALID_PARAM, PMU(INFO, n));
	gives("info of -1", SBI_INVALID_PARAM, PMU(INFO, ALL_ONES));
	gives("config past the last", SBI_INVALID_PARAM, PMU(CONFIG, n, 1, 0, CYCLES, 0));
	gives("start past the last", SBI_INVALID_PARAM, PMU(START, n, 1, 0, 0));
	gives("stop past the last", SBI_INVALID_PARAM, PMU(STOP, n, 1, 0));
	gives("read past the last", SBI_INVALID_PARAM, PMU(FW_READ, n));
	gives("read of a hardware counter", SBI_INVALID_PARAM, PMU(FW_READ, 0));
	gives("function 127", SBI_NOT_SUPPORTED, PMU(127));
	check_fixed(CYCLES, 0xc00);
	check_fixed(INSTRUCTIONS, 0xc02);
	check_set_timer();
}

/* --- only in a VM --- */

static const uint64_t absent[] = {
	0, 3, 9, 10, 11, 0xffff, 0x10000, 0x10009, 0x20000, 0x30000, 0x40000, 0xe0000, 1ul << 20 | CYCLES,
	1ul << 32 | CYCLES, FIRMWARE(0), FIRMWARE(1), ILLEGAL_INSN, FIRMWARE(14), FIRMWARE(21), FIRMWARE(22),
	FIRMWARE(255), FIRMWARE(1000), FIRMWARE(65535), ALL_ONES,
};

static void check_refused(void)
{
	uint64_t all = all_counters(), end = machine.ram_base + machine.ram_size;

	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		gives("an event that is not counted", SBI_NOT_SUPPORTED, PMU(CONFIG, 0, all, 0, absent[i], 0));
	gives("event data", SBI_NOT_SUPPORTED, PMU(CONFIG, 0, all, 0, CYCLES, 1));
	gives("an empty set", SBI_NOT_SUPPORTED, PMU(CONFIG, 0, 0, 0, CYCLES, 0));
	gives("cycles on the other counters", SBI_NOT_SUPPORTED, PMU(CONFIG, 0, all & ~1ul, 0, CYCLES, 0));
	gives("a set with one too many", SBI_INVALID_PARAM, PMU(CONFIG, 0, all << 1, 0, CYCLES, 0));
	gives("a set that wraps", SBI_INVALID_PARAM, PMU(CONFIG, ALL_ONES, 2, 0, CYCLES, 0));
	gives("a set past 64", SBI_INVALID_PARAM, PMU(CONFIG, 64, 1, 0, CYCLES, 0));
	gives("reserved config flag", SBI_INVALID_PARAM, PMU(CONFIG, 0, all, 1 << 8, CYCLES, 0));
	gives("reserved start flag", SBI_INVALID_PARAM, PMU(START, 0, 1, 4, 0));
	gives("reserved stop flag", SBI_INVALID_PARAM, PMU(STOP, 0, 1, 4));
	gives("start of what has no event", SBI_INVALID_PARAM, PMU(START, 0, 1, 0, 0));
	gives("start from a snapshot", SBI_NO_SHMEM, PMU(START, 0, 1, START_SNAPSHOT, 0));
	gives("stop with a snapshot", SBI_NO_SHMEM, PMU(STOP, 0, 1, STOP_SNAPSHOT));
	gives("snapshots", SBI_NOT_SUPPORTED, PMU(SNAPSHOT, guest_end, 0, 0));
	gives("function 9", SBI_NOT_SUPPORTED, PMU(9));
	gives("event info outside RAM", SBI_INVALID_ADDRESS, PMU(EVENTS, 0, 0, 1, 0));
	gives("event info past RAM", SBI_INVALID_ADDRESS, PMU(EVENTS, end - 16, 0, 2, 0));
	gives("event info that wraps", SBI_INVALID_ADDRESS, PMU(EVENTS, machine.ram_base, 0, 1ul << 60, 0));
	gives("event info in the high half", SBI_INVALID_ADDRESS, PMU(EVENTS, guest_end, 1, 1, 0));
	gives("event info not aligned", SBI_INVALID_PARAM, PMU(EVENTS, guest_end + 8, 0, 1, 0));
	gives("event info with a flag", SBI_INVALID_PARAM, PMU(EVENTS, guest_end, 0, 1, 1));
	gives("event info of nothing", 0, PMU(EVENTS, guest_end, 0, 0, 0));
}

struct event_info {
	uint32_t event, there;
	uint64_t data;
} __attribute__((aligned(16)));

static void check_event_info(void)
{
	static volatile struct event_info e[40];
	unsigned n = sizeof(e) / sizeof(e[0]), right = 0;

	for (unsigned i = 0; i < n; i++)
		e[i] = (struct event_info){ i % 2 ? INSTRUCTIONS : ILLEGAL_INSN, 0xffffffff, 0 };
	e[n - 1].event = SET_TIMER;
	gives("event info", 0, PMU(EVENTS, e, 0, n, 0));
	for (unsigned i = 0; i < n; i++)
		right += e[i].there == i % 2;
	expect(right == n, "%u of %u events are told right", right, n);
	e[n - 1].data = 1;
	gives("event info with data", 0, PMU(EVENTS, &e[n - 1], 0, 1, 0));
	expect(e[n - 1].there == 0, "no such event");
	for (uint32_t bad = 0x40000; bad <= 0x100000; bad += 0xc0000) {
		e[0].event = bad;
		gives("event info of no event", SBI_INVALID_PARAM, PMU(EVENTS, e, 0, 1, 0));
	}
}

/* A register that the handler's C code does not save by itself. */
static uint64_t cycle_through_s1(void)
{
	uint64_t v;

	__asm__ volatile("csrr s1, cycle\n mv %0, s1" : "=r"(v) : : "s1");
	return v;
}

static void check_trapped_reads(void)
{
	uint64_t n = counter_for(CYCLES, CLEAR);

	gives("start", 0, PMU(START, n, 1, SET_VALUE, 1ul << 62));
	expect(cycle_through_s1() >> 62 == 1 && csr_read(cycle) >> 62 == 1, "every register can take it");
	__asm__ volatile("csrr zero, cycle");
	catch_clear();
	__asm__ volatile("csrrw zero, cycle, zero");
	expect(caught.any && caught.cause == CAUSE_ILLEGAL, "it cannot be written");
	gives("match of what is taken", SBI_NOT_SUPPORTED, PMU(CONFIG, 0, all_counters(), 0, CYCLES, 0));
	gives("skipped match of what is started", SBI_NOT_SUPPORTED, PMU(CONFIG, n, 1, SKIP_MATCH, CYCLES, 0));
	gives("stop", 0, PMU(STOP, n, 1, 0));
	gives("skipped match", 0, PMU(CONFIG, n, 1, SKIP_MATCH | CLEAR, CYCLES, 0));
	expect(csr_read(cycle) == 0, "cleared");
	gives("stop for good", SBI_ALREADY_STOPPED, PMU(STOP, n, 1, RESET));
	expect(csr_read(cycle) != csr_read(cycle), "the hart's own again");
}

static uint64_t count(uint64_t event, void (*act)(void))
{
	uint64_t n = counter_for(event, CLEAR | AUTO_START), value;

	act();
	value = (uint64_t)PMU(FW_READ, n).value;
	PMU(STOP, n, 1, RESET);
	return value;
}

static void bad_loads(void)
{
	for (unsigned i = 0; i < 3; i++)
		(void)*(volatile uint32_t *)0x50000;
	*(volatile uint32_t *)0x50000 = 1;
}

static void own_ipis(void)
{
	sbi_call(SBI_EXT_IPI, 0, 1, this_hart->id);
	csr_clear(sip, SIE_SSIE);
	sbi_call(SBI_EXT_RFENCE, RFENCE_FENCE_I, 1, this_hart->id);
}

/* Of a set those that are not started are started. */
static void check_sets(void)
{
	uint64_t a = counter_for(SET_TIMER, CLEAR | AUTO_START), b = counter_for(FIRMWARE(256), CLEAR);
	uint64_t both = 1ul << a | 1ul << b;

	gives("start of what is started", SBI_ALREADY_STARTED, PMU(START, 0, both, SET_VALUE, 1000));
	expect(PMU(FW_READ, a).value == 0 && PMU(FW_READ, b).value >= 1000, "the other is started");
	gives("stop of both", 0, PMU(STOP, 0, both, 0));
	gives("stop of both, stopped", SBI_ALREADY_STOPPED, PMU(STOP, 0, both, RESET));
	expect(PMU(FW_READ, b).value == 0, "reset all the same");
	gives("start of both, reset", SBI_INVALID_PARAM, PMU(START, 0, both, 0, 0));
}

static void check_events(void)
{
	expect(count(ACCESS_LOAD, bad_loads) == 3, "three bad loads");
	expect(count(ACCESS_STORE, bad_loads) == 1, "one bad store");
	expect(count(IPI_SENT, own_ipis) == 0, "IPIs to oneself are not sent");
	expect(count(FIRMWARE(256), own_ipis) == 3, "every call is an exit, the reading one included");
}

static volatile bool stop;
static volatile uint64_t received[2];

static void receiver(void *unused)
{
	static const uint64_t events[2] = { IPI_RECEIVED, SFENCE_ASID_RECEIVED };
	long n[2];

	(void)unused;
	for (unsigned i = 0; i < 2; i++)
		n[i] = PMU(CONFIG, 0, all_counters(), CLEAR | AUTO_START, events[i], 0).value;
	received[0] = 1;
	while (!stop)
		;
	for (unsigned i = 0; i < 2; i++)
		received[i] = (uint64_t)PMU(FW_READ, n[i]).value;
	sbi_call(SBI_EXT_HSM, HSM_STOP);
}

static void send(void)
{
	uint64_t both = 1ul << this_hart->id | 1ul << harts[1].id;

	for (unsigned i = 0; i < 4; i++)
		sbi_call(SBI_EXT_IPI, 0, both, 0);
	for (unsigned i = 0; i < 2; i++)
		sbi_call(SBI_EXT_RFENCE, RFENCE_SFENCE_ASID, 0, ALL_ONES, 0, 0, 1);
	sbi_call(SBI_EXT_RFENCE, RFENCE_SFENCE, both, 0, 0, 0);
	csr_clear(sip, SIE_SSIE);
}

static void wait_stopped(void)
{
	stop = true;
	while (sbi_call(SBI_EXT_HSM, HSM_STATUS, harts[1].id).value != HSM_STOPPED)
		;
}

static void check_others(void)
{
	uint64_t sent;

	stop = false;
	received[0] = 0;
	hart_start(1, receiver, NULL);
	while (!received[0])
		;
	sent = count(IPI_SENT, send);
	wait_stopped();
	expect(sent == 4 && received[0] == 4, "four IPIs sent (%lu) and received (%lu)", sent, received[0]);
	expect(received[1] == 2, "two fences with an ASID received (%lu)", received[1]);
}

static void spin(void *unused)
{
	(void)unused;
	while (!stop)
		;
	sbi_call(SBI_EXT_HSM, HSM_STOP);
}

#define ROUNDS 40000000ul

static uint64_t instructions_of_a_loop(uint64_t left)
{
	uint64_t before = csr_read(instret);

	__asm__ volatile("1: addi %0, %0, -1\n bnez %0, 1b" : "+r"(left));
	return csr_read(instret) - before;
}

/* Its own instructions, and little else, whoever has the hart meanwhile. QEMU counts them only with -icount. */
static void check_neighbour_is_not_counted(void)
{
	uint64_t n, own = instructions_of_a_loop(1000);

	if (own < 2000 || own > 2020)
		return;
	n = counter_for(INSTRUCTIONS, CLEAR | AUTO_START);
	stop = false;
	hart_start(1, spin, NULL);
	own = instructions_of_a_loop(ROUNDS);
	wait_stopped();
	expect(own >= 2 * ROUNDS && own < 2 * ROUNDS + ROUNDS / 10, "the neighbour's instructions are not counted");
	PMU(STOP, n, 1, RESET);
}

static void configure_and_stop(void *unused)
{
	(void)unused;
	received[0] = (uint64_t)PMU(CONFIG, 0, all_counters(), CLEAR | AUTO_START, CYCLES, 0).error;
	sbi_call(SBI_EXT_HSM, HSM_STOP);
}

static void check_start_resets(void)
{
	for (unsigned round = 0; round < 2; round++) {
		hart_start(1, configure_and_stop, NULL);
		wait_stopped();
		expect(received[0] == 0, "a hart that starts has its counters free");
	}
}

void test_counters_vm(void)
{
	catch_traps();
	check_refused();
	check_event_info();
	check_trapped_reads();
	check_sets();
	check_events();
	if (machine.harts < 2)
		return;
	check_others();
	check_neighbour_is_not_counted();
	check_start_resets();
}
