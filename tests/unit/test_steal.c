/* Stolen time: what counts, when it is written, and the SBI call that asks for it. */
// sources: vmm/vcpu/steal.c vmm/sbi/sbi.c vmm/sbi/base.c vmm/sbi/sta.c vmm/vm/memory.c
#include <caisson/hart.h>
#include <caisson/time.h>
#include <sbi_call.h>
#include <vmm/vcpu/vcpu_internal.h>

#define ALL_ONES UINT64_MAX
#define RECORD (RAM + 128)
#define TICK 100 /* ns */

struct record {
	uint32_t sequence, flags;
	uint64_t steal;
	uint8_t preempted, pad[47];
};

static struct task task;
static uint64_t now;

uint64_t time_now(void)
{
	return now;
}

uint64_t time_to_ns(uint64_t ticks)
{
	return ticks * TICK;
}

static bool at_wfi;

bool vcpu_after_wfi(uint64_t pc)
{
	assert_int_equal(pc, m.self->ctx.sepc);
	return at_wfi;
}

static uint64_t timer_due;

uint64_t vcpu_wait_deadline(const struct vcpu *v)
{
	assert_ptr_equal(v, m.self);
	return timer_due;
}

static struct record *record(void)
{
	return (struct record *)&m.ram[RECORD - RAM];
}

static int begin(void **state)
{
	task = (struct task){ .state = TASK_RUNNING, .wait_time = 1000 };
	mock_hart->current = &task;
	now = 5000;
	at_wfi = false;
	timer_due = UINT64_MAX;
	return setup(state);
}

static void ask(void)
{
	fails(SBI_SUCCESS, SBI_EXT_STA, 0, ARGS(RECORD));
}

static void gets_hart_after(uint64_t ticks)
{
	vcpu_steal_begin(m.self);
	now += ticks;
	task.wait_time += ticks;
	vcpu_steal_publish(m.self);
}

static bool is_filled(const void *from, size_t n, char with)
{
	for (size_t i = 0; i < n; i++)
		if (((const char *)from)[i] != with)
			return false;
	return true;
}

static void H10_record_is_checked(void **state)
{
	static const uint64_t outside[] = { 0, RAM - 64, RAM_END, GUEST_UART_BASE, -UINT64_C(64), RAM | BIT(56) };
	static const uint64_t odd[] = { RAM + 1, RAM + 32, RAM + 63, RAM_END - 1, 1, ALL_ONES };

	(void)state;
	memset(m.ram, 'x', sizeof(m.ram));
	assert_int_equal(succeeds(SBI_EXT_BASE, 3, ARGS(SBI_EXT_STA)), 1);
	for (unsigned i = 0; i < ARRAY_SIZE(outside); i++)
		fails(SBI_ERR_INVALID_ADDRESS, SBI_EXT_STA, 0, ARGS(outside[i]));
	for (unsigned i = 0; i < ARRAY_SIZE(odd); i++)
		fails(SBI_ERR_INVALID_PARAM, SBI_EXT_STA, 0, ARGS(odd[i]));
	fails(SBI_ERR_INVALID_ADDRESS, SBI_EXT_STA, 0, ARGS(RECORD, 1));
	fails(SBI_ERR_INVALID_ADDRESS, SBI_EXT_STA, 0, ARGS(RECORD, ALL_ONES));
	fails(SBI_ERR_INVALID_PARAM, SBI_EXT_STA, 0, ARGS(RECORD, 0, 1));
	fails(SBI_ERR_INVALID_PARAM, SBI_EXT_STA, 0, ARGS(RECORD, 0, BIT(63)));
	fails(SBI_ERR_INVALID_PARAM, SBI_EXT_STA, 0, ARGS(ALL_ONES, ALL_ONES, 1));
	for (uint64_t fid = 1; fid < 5; fid++)
		fails(SBI_ERR_NOT_SUPPORTED, SBI_EXT_STA, fid, ARGS(RECORD));
	fails(SBI_ERR_NOT_SUPPORTED, SBI_EXT_STA, BIT(32), ARGS(RECORD));
	m.no_memory = true;
	fails(SBI_ERR_FAILED, SBI_EXT_STA, 0, ARGS(RECORD));
	assert_int_equal(value(), 0);
	gets_hart_after(10);
	assert_true(is_filled(m.ram, sizeof(m.ram), 'x'));
	assert_null(m.self->steal.record);
}

static void H10_record_is_zeroed_alone(void **state)
{
	(void)state;
	memset(m.ram, 'x', sizeof(m.ram));
	ask();
	assert_true(is_filled(record(), 64, 0));
	assert_true(is_filled(m.ram, RECORD - RAM, 'x'));
	assert_true(is_filled(record() + 1, 64, 'x'));
	fails(SBI_SUCCESS, SBI_EXT_STA, 0, ARGS(RAM_END - 64));
	assert_true(is_filled(&m.ram[RAM_SIZE - 64], 64, 0));
}

static void H10_waiting_for_a_hart_is_stolen(void **state)
{
	(void)state;
	ask();
	vcpu_steal_publish(m.self);
	assert_int_equal(record()->steal, 0); /* what was before is nobody's concern */
	gets_hart_after(70);
	assert_int_equal(record()->steal, 70 * TICK);
	gets_hart_after(5);
	assert_int_equal(record()->steal, 75 * TICK);
	assert_int_equal(record()->sequence, 6);
	now += 1000; /* asleep, or running */
	vcpu_steal_publish(m.self);
	assert_int_equal(record()->steal, 75 * TICK);
	task.wait_time--; /* the clocks of two harts */
	vcpu_steal_publish(m.self);
	assert_int_equal(record()->steal, 75 * TICK);
	assert_true(is_filled(&record()->pad, sizeof(record()->pad), 0));
	assert_int_equal(record()->flags, 0);
}

static void H10_asked_again_it_counts_from_there(void **state)
{
	(void)state;
	ask();
	gets_hart_after(70);
	ask();
	assert_true(is_filled(record(), 64, 0));
	gets_hart_after(3);
	assert_int_equal(record()->steal, 3 * TICK);
}

static void H10_preempted_is_told(void **state)
{
	(void)state;
	ask();
	vcpu_steal_begin(m.self);
	assert_int_equal(record()->preempted, 1);
	vcpu_steal_publish(m.self);
	assert_int_equal(record()->preempted, 0);
	task.state = TASK_BLOCKED;
	vcpu_steal_begin(m.self);
	assert_int_equal(record()->preempted, 0);
}

static void H10_pause_is_stolen_once(void **state)
{
	(void)state;
	ask();
	vcpu_steal_withhold(m.self);
	m.self->requests = VCPU_REQ_PAUSE;
	now += 500;
	vcpu_steal_publish(m.self); /* woken in vain */
	assert_int_equal(record()->sequence, 0);
	now += 20;
	task.wait_time += 20;
	m.self->requests = 0;
	vcpu_steal_release(m.self);
	assert_int_equal(record()->steal, 520 * TICK);
	gets_hart_after(1);
	assert_int_equal(record()->steal, 521 * TICK);
}

/* Its task has the hart again before the run loop has said that the wait is over. */
static void H10_end_of_a_pause_counts_no_more_than_the_pause(void **state)
{
	(void)state;
	ask();
	vcpu_steal_withhold(m.self);
	now += 500;
	vcpu_steal_publish(m.self);
	vcpu_steal_release(m.self);
	assert_int_equal(record()->steal, 500 * TICK);
}

static void H10_idle_guest_loses_nothing(void **state)
{
	(void)state;
	ask();
	at_wfi = true;
	vcpu_steal_begin(m.self);
	assert_int_equal(record()->preempted, 0);
	gets_hart_after(70);
	assert_int_equal(record()->steal, 0);
	mock_live.hvip = mock_live.hie = BIT(IRQ_VS_TIMER); /* there is something to do after all */
	gets_hart_after(5);
	assert_int_equal(record()->steal, 5 * TICK);
	mock_live.hvip = 0;
	gets_hart_after(70);
	at_wfi = false;
	gets_hart_after(3);
	assert_int_equal(record()->steal, 8 * TICK);
	at_wfi = true;
	timer_due = now + 60;
	gets_hart_after(70); /* 10 of them after its timer was due */
	assert_int_equal(record()->steal, 18 * TICK);
	timer_due = now - 5; /* long due */
	gets_hart_after(7);
	assert_int_equal(record()->steal, 25 * TICK);
}

static void H10_suspended_guest_is_left_alone(void **state)
{
	(void)state;
	ask();
	m.self->hsm_state = SBI_HSM_SUSPENDED;
	gets_hart_after(70);
	assert_true(is_filled(record(), 64, 0));
	m.self->hsm_state = SBI_HSM_STARTED;
	gets_hart_after(1);
	assert_int_equal(record()->steal, 71 * TICK);
}

static void H10_record_taken_back_is_left_alone(void **state)
{
	(void)state;
	ask();
	fails(SBI_SUCCESS, SBI_EXT_STA, 0, ARGS(ALL_ONES, ALL_ONES));
	memset(m.ram, 'x', sizeof(m.ram));
	gets_hart_after(70);
	assert_true(is_filled(m.ram, sizeof(m.ram), 'x'));
	fails(SBI_SUCCESS, SBI_EXT_STA, 0, ARGS(ALL_ONES, ALL_ONES));
}

static void H10_scribbled_record_becomes_right_again(void **state)
{
	(void)state;
	ask();
	memset(record(), 0xff, 64);
	gets_hart_after(70);
	assert_int_equal(record()->sequence, 2);
	assert_int_equal(record()->steal, 70 * TICK);
	assert_int_equal(record()->preempted, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, begin)
	const struct CMUnitTest tests[] = {
		T(H10_record_is_checked),
		T(H10_record_is_zeroed_alone),
		T(H10_waiting_for_a_hart_is_stolen),
		T(H10_asked_again_it_counts_from_there),
		T(H10_preempted_is_told),
		T(H10_pause_is_stolen_once),
		T(H10_end_of_a_pause_counts_no_more_than_the_pause),
		T(H10_idle_guest_loses_nothing),
		T(H10_suspended_guest_is_left_alone),
		T(H10_record_taken_back_is_left_alone),
		T(H10_scribbled_record_becomes_right_again),
	};

	return cmocka_run_group_tests(tests, init, NULL);
}
