/* Stolen time (SBI STA), as the hart that loses it sees it. Firmware below a kernel has none, so only a VM runs this. */
#include "probe.h"
#include "regs.h"

#include <string.h>

#define NS_PER_MS 1000000ul
#define ALL_ONES ~0ul

struct record {
	uint32_t sequence, flags;
	uint64_t steal;
	uint8_t preempted, pad[47];
} __attribute__((aligned(64)));

static volatile struct record records[2];
static volatile bool stop;

static void gives(const char *name, long error, struct sbi_result r)
{
	expect(r.error == error && r.value == 0, "%s: error %ld", name, r.error);
}

static long set_record(volatile struct record *r)
{
	return sbi_call(SBI_EXT_STA, 0, r, 0, 0).error;
}

static void check_errors(void)
{
	uint64_t end = machine.ram_base + machine.ram_size;
	const uint64_t outside[] = { 0, 0x10000000, machine.ram_base - 64, end, 1ul << 40, ~63ul };

	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++)
		gives("record outside RAM", SBI_INVALID_ADDRESS, sbi_call(SBI_EXT_STA, 0, outside[i], 0, 0));
	for (unsigned odd = 1; odd < 64; odd *= 2)
		gives("record not aligned", SBI_INVALID_PARAM,
		      sbi_call(SBI_EXT_STA, 0, (uint64_t)records + odd, 0, 0));
	gives("half of all-ones", SBI_INVALID_PARAM, sbi_call(SBI_EXT_STA, 0, ALL_ONES, 0, 0));
	gives("address in the high half", SBI_INVALID_ADDRESS, sbi_call(SBI_EXT_STA, 0, records, 1, 0));
	gives("reserved flag", SBI_INVALID_PARAM, sbi_call(SBI_EXT_STA, 0, records, 0, 1));
	gives("reserved flag with all-ones", SBI_INVALID_PARAM, sbi_call(SBI_EXT_STA, 0, ALL_ONES, ALL_ONES, 1));
	gives("the last 64 bytes of RAM", SBI_SUCCESS, sbi_call(SBI_EXT_STA, 0, end - 64, 0, 0));
	gives("no record", SBI_SUCCESS, sbi_call(SBI_EXT_STA, 0, ALL_ONES, ALL_ONES, 0));
	gives("function 1", SBI_NOT_SUPPORTED, sbi_call(SBI_EXT_STA, 1, records, 0, 0));
}

static bool all_bytes(volatile struct record *r, uint8_t value)
{
	for (size_t i = 0; i < sizeof(*r); i++)
		if (((volatile uint8_t *)r)[i] != value)
			return false;
	return true;
}

static void fill(volatile struct record *r, uint8_t value)
{
	memset((void *)r, value, sizeof(*r));
}

/* What may be stolen of that much by the little that the hypervisor itself has to do. */
static bool is_little(uint64_t ns, unsigned ms)
{
	return ns < ms * NS_PER_MS / 10;
}

static void sleep_ms(unsigned ms)
{
	timer_set(time_now() + ms * machine.timebase / 1000);
	csr_write(sie, SIE_STIE);
	while (!(csr_read(sip) & SIE_STIE))
		wait_for_interrupt();
	csr_write(sie, 0);
	timer_set(~0ul);
}

static void check_alone(void)
{
	fill(records, 0x55);
	expect(set_record(records) == 0 && all_bytes(records, 0), "the record is zero at first");
	delay_ms(50);
	expect(is_little(records[0].steal, 50), "a hart that has a hart to itself loses nothing");
	sleep_ms(50);
	expect(is_little(records[0].steal, 50), "nor while it sleeps");
}

static void spin_with_record(void *unused)
{
	(void)unused;
	set_record(&records[1]);
	while (!stop)
		;
	sbi_call(SBI_EXT_HSM, HSM_STOP);
}

static void spin(void *unused)
{
	(void)unused;
	while (!stop)
		;
	sbi_call(SBI_EXT_HSM, HSM_STOP);
}

static void start_neighbour(void (*function)(void *))
{
	stop = false;
	hart_start(1, function, NULL);
	while (sbi_call(SBI_EXT_HSM, HSM_STATUS, harts[1].id).value != HSM_STARTED)
		;
}

static void stop_neighbour(void)
{
	stop = true;
	while (sbi_call(SBI_EXT_HSM, HSM_STATUS, harts[1].id).value != HSM_STOPPED)
		;
}

static bool about_half(uint64_t ns, uint64_t of)
{
	return ns > of * 35 / 100 && ns < of * 65 / 100;
}

static void check_shared(void)
{
	uint64_t begin = time_now(), own = 0, seen = 0, odd = 0, ns;

	start_neighbour(spin_with_record);
	set_record(records);
	/* Long beside what a busy computer takes away from QEMU at once. */
	while (time_now() < begin + machine.timebase) {
		own += records[0].preempted;
		odd += records[0].sequence & 1;
		seen += records[1].preempted;
	}
	ns = (time_now() - begin) * (1000000000 / machine.timebase);
	expect(about_half(records[0].steal, ns), "a neighbour takes about half of a hart");
	expect(about_half(records[1].steal, ns), "and sees the other half go");
	expect(own == 0 && odd == 0, "whoever runs is not preempted, and its record is whole");
	expect(seen != 0, "but the other is");
	expect(records[0].flags == 0 && records[0].sequence && records[1].sequence, "both records are kept");
	stop_neighbour();
}

/* Long enough for a slice of each. */
static void share_for_a_while(void)
{
	start_neighbour(spin);
	delay_ms(60);
	stop_neighbour();
}

static void check_no_longer_written(void)
{
	fill(&records[1], 0x5a);
	share_for_a_while();
	expect(all_bytes(&records[1], 0x5a), "a hart that was started anew has no record");
	set_record(records);
	share_for_a_while();
	expect(records[0].steal > 0, "a record is written");
	gives("no record", SBI_SUCCESS, sbi_call(SBI_EXT_STA, 0, ALL_ONES, ALL_ONES, 0));
	fill(records, 0x5a);
	share_for_a_while();
	expect(all_bytes(records, 0x5a), "one that was taken back is not");
}

/* What it waits for the hart after its wake-up is stolen, but not its sleep. */
static void check_sleeping_beside_a_neighbour(void)
{
	start_neighbour(spin);
	set_record(records);
	sleep_ms(200);
	expect(records[0].steal < 60 * NS_PER_MS, "sleep beside a busy neighbour is not stolen");
	stop_neighbour();
}

static void work_now_and_then(void *unused)
{
	(void)unused;
	while (!stop) {
		sleep_ms(5);
		delay_ms(5);
	}
	sbi_call(SBI_EXT_HSM, HSM_STOP);
}

/* It is in a WFI whenever the neighbour wants the hart. */
static void check_idle_beside_a_neighbour(void)
{
	start_neighbour(work_now_and_then);
	set_record(records);
	for (unsigned i = 0; i < 2; i++)
		sleep_ms(100);
	expect(records[0].steal < 30 * NS_PER_MS, "idle beside a neighbour that works now and then is not stolen");
	stop_neighbour();
}

/* Rubbish in the record is the guest's own loss. */
static void check_scribbled(void)
{
	set_record(records);
	fill(records, 0xff);
	share_for_a_while();
	expect(!(records[0].sequence & 1) && records[0].steal < 1000 * NS_PER_MS,
	       "a record that was overwritten is right again");
	sbi_call(SBI_EXT_STA, 0, ALL_ONES, ALL_ONES, 0);
}

void test_steal(void)
{
	expect(sbi_call(SBI_EXT_BASE, BASE_PROBE, SBI_EXT_STA).value == 1, "stolen time is told");
	check_errors();
	check_alone();
	if (machine.harts < 2)
		return;
	check_shared();
	check_sleeping_beside_a_neighbour();
	check_idle_beside_a_neighbour();
	check_no_longer_written();
	check_scribbled();
}
