/* SBI calls at random: every one is answered or leaves the guest, with an error of SBI's. */
// sources: vmm/sbi/sbi.c vmm/sbi/base.c vmm/sbi/time.c vmm/sbi/ipi.c vmm/sbi/rfence.c vmm/sbi/hsm.c vmm/sbi/susp.c vmm/sbi/srst.c vmm/sbi/dbcn.c vmm/sbi/fwft.c vmm/sbi/sta.c vmm/sbi/pmu.c vmm/sbi/legacy.c vmm/vm/memory.c vmm/vcpu/counters.c vmm/vcpu/steal.c
#include <stdlib.h>

#include <arch/hext.h>
#include <caisson/hart.h>
#include <caisson/time.h>
#include <sbi_call.h>
#include <vmm/vcpu/vcpu_internal.h>

/*
 * Nothing outside RAM is touched (the mocks look), and no register but a0 and a1 changes (call() looks).
 * CAISSON_FUZZ=n in the environment makes it n times as long.
 */
#define CALLS 300000

struct hext_features hext = { .counters = true, .henvcfg = ENVCFG_ADUE };
static struct task task;

uint64_t time_now(void)
{
	return mock_time += 3;
}

uint64_t time_to_ns(uint64_t ticks)
{
	return ticks * 100;
}

bool vcpu_after_wfi(uint64_t pc)
{
	return pc & 1;
}

uint64_t vcpu_wait_deadline(const struct vcpu *v)
{
	return v->ctx.x[5];
}

/* The firmware below. */
struct sbiret sbi_call(unsigned long ext, unsigned long fid, unsigned long a0, unsigned long a1, unsigned long a2,
		       unsigned long a3)
{
	(void)ext;
	(void)fid;
	(void)a0;
	(void)a1;
	(void)a2;
	(void)a3;
	return (struct sbiret){ SBI_ERR_NOT_SUPPORTED, 0 };
}

static int begin(void **state)
{
	setup(state);
	m.vm.isa = UINT64_MAX;
	task = (struct task){ .state = TASK_RUNNING };
	mock_hart = &mock_harts[0];
	mock_hart->current = &task;
	return 0;
}

static uint64_t seed = 20;

static uint64_t pick(const uint64_t *of, unsigned n)
{
	return of[mock_random(&seed) % n];
}

/* Where the corners are; or anything. */
static uint64_t value_at_random(void)
{
	static const uint64_t corners[] = {
		0, 1, 2, 3, 4, 7, 8, 63, 64, 0x100, VCPUS, RAM, RAM + 1, RAM + 64, RAM + PAGE_SIZE, RAM_END - 64, RAM_END - 16,
		RAM_END - 1, RAM_END, RAM - 1, RAM_SIZE, GUEST_UART_BASE, UINT64_MAX, UINT64_MAX - 1, UINT64_MAX - 63, BIT(63),
		BIT(32), BIT(31), BIT(60), 0x80000000, 0xf0005, 0xf0100, BITS(9, 0),
	};
	uint64_t r = mock_random(&seed);

	switch (r % 4) {
	case 0:
		return mock_random(&seed) >> r / 4 % 64;
	case 1:
		return r / 4 % 16;
	default:
		return pick(corners, ARRAY_SIZE(corners));
	}
}

static uint64_t eid_at_random(void)
{
	static const uint64_t known[] = {
		SBI_EXT_BASE, SBI_EXT_TIME, SBI_EXT_IPI, SBI_EXT_RFENCE, SBI_EXT_HSM, SBI_EXT_SRST, SBI_EXT_DBCN,
		SBI_EXT_SUSP, SBI_EXT_FWFT, SBI_EXT_STA, SBI_EXT_PMU, SBI_EXT_PMU, 0, 1, 2, 3, 4, 5, 6, 7, 8,
	};

	return mock_random(&seed) % 16 ? pick(known, ARRAY_SIZE(known)) : value_at_random();
}

/* As the run loop would: the vCPU comes back whatever it waited for. */
static void come_back(void)
{
	m.self->hsm_state = SBI_HSM_STARTED;
	m.self->suspended_nonretentive = false;
	m.self->leave = LEAVE_RESCHED;
	m.active = 1;
	m.vcpu[0].hsm_state = m.vcpu[2].hsm_state = mock_random(&seed) % 7;
	mock_live.n_fences = 0;
	m.out_n = 0;
	m.in = mock_random(&seed) % 2 ? "typed" : "";
	m.start_error = mock_random(&seed) % 4 ? 0 : -ENOMEM;
	m.no_memory = mock_random(&seed) % 64 == 0;
	m.mask_at = mock_random(&seed) % 2 ? 0x100 : RAM;
	m.mask = value_at_random();
	m.vcpu[0].running_on = mock_random(&seed) % 2 ? -1 : 0;
	m.self->requests = mock_random(&seed) % 2 ? VCPU_REQ_PAUSE : 0;
}

/* Its task loses the hart now and then. */
static void switch_now_and_then(void)
{
	if (mock_random(&seed) % 8)
		return;
	task.state = mock_random(&seed) % 2 ? TASK_RUNNING : TASK_BLOCKED;
	vcpu_steal_begin(m.self);
	vcpu_counters_switch_out(m.self);
	task.wait_time += mock_random(&seed) % 100;
	task.state = TASK_RUNNING;
	vcpu_counters_switch_in(m.self);
	vcpu_steal_publish(m.self);
	if (mock_random(&seed) % 32 == 0) {
		vcpu_steal_set(m.self, NULL);
		vcpu_counters_reset(m.self);
	}
}

static bool is_legacy(uint64_t eid)
{
	return eid <= 8;
}

/* Arguments that get past the first checks, where values alone hardly ever do. */
static struct args nearly_right(uint64_t eid, struct args a)
{
	uint64_t r = mock_random(&seed), in_ram = RAM + r / 8 % RAM_SIZE;

	switch (eid) {
	case SBI_EXT_STA:
		return ARGS(ALIGN_DOWN(in_ram, 32), 0, 0);
	case SBI_EXT_DBCN:
		return ARGS(a.a[0], in_ram, 0);
	case SBI_EXT_PMU:
		return r & 1 ? ARGS(r / 8 % COUNTERS, 1, r / 128 % 8, EVENT(r & 2 ? 15 : 0, r / 1024 % 512)) :
			       ARGS(ALIGN_DOWN(in_ram, 8), 0, r / 2 % 64, 0);
	default:
		return a;
	}
}

static void one_call(void)
{
	uint64_t eid = eid_at_random();
	uint64_t fid = mock_random(&seed) % 16 ? mock_random(&seed) % 10 : value_at_random();
	struct args a = ARGS(value_at_random(), value_at_random(), value_at_random(), value_at_random(),
			     value_at_random());
	enum vcpu_next next;

	if (mock_random(&seed) % 2)
		a = nearly_right(eid, a);
	next = call(eid, fid, a);
	assert_true(next == VCPU_RESUME || next == VCPU_LEAVE);
	if (next == VCPU_RESUME && !is_legacy(eid))
		assert_true(error() <= SBI_SUCCESS && error() >= SBI_ERR_IO);
}

static void H10_calls_at_random(void **state)
{
	const char *times = getenv("CAISSON_FUZZ");
	uint64_t n = CALLS * (times ? strtoull(times, NULL, 10) : 1);

	(void)state;
	for (uint64_t i = 0; i < n; i++) {
		come_back();
		one_call();
		switch_now_and_then();
		assert_true(m.self->counters.hardware_started <= 2);
	}
	assert_true(m.ends && m.timers && m.syncs && m.wakes && m.yielded_to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(H10_calls_at_random, begin),
	};

	return cmocka_run_group_tests(tests, init, NULL);
}
