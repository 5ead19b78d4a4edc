/* core/task: tasks and run queues, on a simulated machine of four harts. */
// sources: core/task/sched.c core/task/place.c core/task/rr.c core/task/task.c core/task/waitq.c core/task/gc.c core/time/time.c core/time/timer.c core/irq/irq.c core/smp/call.c core/smp/alone.c core/smp/power.c
#include <errno.h>

#include <caisson/hart.h>
#include <caisson/mm.h>
#include <caisson/task.h>
#include <caisson/time.h>
#include <mem.h>
#include <tasks.h>

#define HARTS 4
#define SLICE 100000 /* 10 ms */

/* --- T1 --- */

static void note_name(const struct task *t, void *arg)
{
	(void)arg;
	note(t->name[0]);
}

static void T1_start_makes_idle_main_and_gc(void **state)
{
	(void)state;
	task_for_each(note_name, NULL);
	assert_string_equal(trace, "iiiimg");
	assert_string_equal(task_current()->name, "main");
}

static void T1_idle_runs_when_every_task_sleeps(void **state)
{
	uint64_t idle0 = sched_idle_time(0), idle3 = sched_idle_time(3), ran = task_current()->run_time;

	(void)state;
	task_sleep_until(time_now() + 50000);
	assert_int_equal(sched_idle_time(0) - idle0, 50000);
	assert_int_equal(sched_idle_time(3) - idle3, 50000);
	assert_int_equal(task_current()->run_time, ran);
	idle0 = sched_idle_time(0);
	machine_busy(50000);
	task_yield(); /* accounts */
	assert_int_equal(sched_idle_time(0), idle0);
	assert_int_equal(task_current()->run_time - ran, 50000);
}

static void nothing(void *arg)
{
	(void)arg;
}

static void T1_memory_is_stable_over_10000_tasks(void **state)
{
	const struct task_attr attr = { .detached = true };
	size_t heap = heap_in_use();
	unsigned stacks = machine_stacks;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		assert_non_null(task_create("detached", nothing, NULL, &attr));
		if (i % 8 == 7)
			task_sleep_until(time_now() + 1);
	}
	task_sleep_until(time_now() + 10 * SLICE);
	assert_int_equal(heap_in_use(), heap);
	assert_int_equal(machine_stacks, stacks);
}

static void ends_with(void *arg)
{
	machine_busy(5 * MACHINE_STEP);
	task_exit((int)(intptr_t)arg);
}

static void T1_join_takes_the_status_and_the_storage(void **state)
{
	size_t heap = heap_in_use();
	unsigned stacks = machine_stacks;

	(void)state;
	for (int i = 0; i < 100; i++) {
		struct task *t = spawn(ends_with, (void *)(intptr_t)(i - 50), BIT(i % HARTS));

		if (i % 2)
			machine_busy(20 * MACHINE_STEP); /* it has ended before we ask */
		assert_int_equal(task_join(t), i - 50);
	}
	assert_int_equal(heap_in_use(), heap);
	assert_int_equal(machine_stacks, stacks);
}

static void T1_create_without_memory_fails_whole(void **state)
{
	size_t heap = heap_in_use();
	unsigned stacks = machine_stacks;

	(void)state;
	mock_alloc_fail_at = 1;
	assert_null(task_create("x", nothing, NULL, NULL));
	mock_alloc_fail_at = 0;
	machine_no_stacks = true;
	assert_null(task_create("x", nothing, NULL, NULL));
	machine_no_stacks = false;
	assert_int_equal(heap_in_use(), heap);
	assert_int_equal(machine_stacks, stacks);
}

/* --- T2: round robin --- */

static void T2_same_program_leaves_the_trace_of_rr(void **state)
{
	(void)state;
	assert_string_equal(sched_class_name(), "rr");
	run_t2_program();
	assert_string_equal(trace, T2_TRACE_RR);
}

static bool stop;

static void spin(void *arg)
{
	char c = (char)(uintptr_t)arg;

	while (!stop) {
		note(c);
		machine_busy(SLICE / 2);
	}
}

static void T2_tasks_on_a_hart_take_turns_by_slices(void **state)
{
	struct task *a = spawn(spin, (void *)'a', BIT(1)), *b = spawn(spin, (void *)'b', BIT(1));

	(void)state;
	stop = false;
	machine_busy(8 * SLICE + SLICE / 4);
	stop = true;
	assert_memory_equal(trace, "aabbaabbaabb", 12);
	task_join(a);
	task_join(b);
}

static void T2_yield_goes_to_the_back(void **state)
{
	(void)state;
	stop = false;
	struct task *a = spawn(spin, (void *)'a', BIT(0)), *b = spawn(spin, (void *)'b', BIT(0));

	task_yield();
	assert_string_equal(trace, "aabb"); /* a slice each, then we */
	stop = true;
	task_join(a);
	task_join(b);
}

static struct waitq gate = WAITQ_INIT(gate);
static bool gate_open;

static bool is_open(void *arg)
{
	(void)arg;
	return gate_open;
}

static void waits_at_gate(void *arg)
{
	waitq_wait(&gate, is_open, NULL, UINT64_MAX);
	note((char)(uintptr_t)arg);
}

static void T2_wake_up_waits_for_the_end_of_the_slice(void **state)
{
	struct task *w;
	uint64_t start;

	(void)state;
	gate_open = false;
	w = spawn(waits_at_gate, (void *)'w', BIT(0));
	task_yield();
	start = time_now();
	gate_open = true;
	assert_int_equal(waitq_notify_all(&gate), 1);
	assert_true(this_hart()->resched); /* whoever runs a guest looks again */
	assert_int_equal(sched_others_runnable(), 1);
	while (!trace[0])
		machine_busy(MACHINE_STEP);
	/* Nothing but the slice timer interrupts this hart. */
	assert_in_range(time_now() - start, SLICE - 2 * MACHINE_STEP, SLICE + 2 * MACHINE_STEP);
	task_join(w);
}

static void T2_time_ready_without_a_hart_is_counted(void **state)
{
	struct task *a = spawn(spin, (void *)'a', BIT(1)), *b, *w;

	(void)state;
	stop = gate_open = false;
	w = spawn(waits_at_gate, (void *)'w', BIT(1));
	machine_busy(5 * SLICE); /* w has had a turn, and sleeps */
	b = spawn(spin, (void *)'b', BIT(1));
	assert_in_range(w->wait_time, SLICE / 2, SLICE + 2 * MACHINE_STEP);
	machine_busy(9 * SLICE);
	/* By turns: each waits while the other runs, and stretches under way are not counted. */
	assert_in_range(a->wait_time, 4 * SLICE, 6 * SLICE);
	assert_in_range(b->wait_time, 3 * SLICE, 6 * SLICE);
	assert_in_range(w->wait_time, SLICE / 2, SLICE + 2 * MACHINE_STEP);
	stop = gate_open = true;
	waitq_notify_all(&gate);
	task_join(w);
	task_join(a);
	task_join(b);
}

static void T2_a_slice_used_up_alone_is_used_up(void **state)
{
	struct task *w;

	(void)state;
	machine_busy(3 * SLICE);
	gate_open = true;
	w = spawn(waits_at_gate, (void *)'w', BIT(0));
	machine_busy(2 * MACHINE_STEP);
	assert_string_equal(trace, "w");
	task_join(w);
}

static void T2_no_slice_timer_while_alone(void **state)
{
	uint64_t ticks = timer_ticks(0);

	(void)state;
	machine_busy(20 * SLICE);
	assert_int_equal(timer_ticks(0), ticks);
}

/* --- T4: where a woken task runs --- */

static uint64_t seen;

static void roams(void *arg)
{
	for (unsigned i = 0; i < 200; i++) {
		seen |= BIT(this_hart()->index);
		machine_busy(MACHINE_STEP * (i % 5));
		seen |= BIT(this_hart()->index);
		task_sleep_until(time_now() + 1 + i % 3 * MACHINE_STEP);
	}
	(void)arg;
}

static void T4_limited_to_one_hart_never_runs_elsewhere(void **state)
{
	struct task *t[6];

	(void)state;
	seen = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
		t[i] = spawn(roams, NULL, BIT(2));
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
		task_join(t[i]);
	assert_int_equal(seen, BIT(2));
}

static void T4_both_harts_of_a_mask_are_used(void **state)
{
	struct task *t[6];

	(void)state;
	seen = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
		t[i] = spawn(roams, NULL, BIT(1) | BIT(3));
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
		task_join(t[i]);
	assert_int_equal(seen, BIT(1) | BIT(3));
}

static void T4_busy_tasks_spread_over_idle_harts(void **state)
{
	struct task *t[3];

	(void)state;
	stop = false;
	for (unsigned i = 0; i < 3; i++) {
		t[i] = spawn(spin, (void *)(uintptr_t)('a' + i), 0);
		machine_busy(2 * MACHINE_STEP);
	}
	for (unsigned i = 0; i < 3; i++) {
		assert_int_not_equal(t[i]->hart, 0);
		assert_int_not_equal(t[i]->hart, t[(i + 1) % 3]->hart);
	}
	stop = true;
	for (unsigned i = 0; i < 3; i++)
		task_join(t[i]);
}

static void T4_woken_task_goes_back_to_its_hart(void **state)
{
	struct task *w;
	unsigned ipis;

	(void)state;
	gate_open = false;
	w = spawn(waits_at_gate, (void *)'w', BIT(3));
	machine_busy(5 * MACHINE_STEP);
	task_set_mask(w, 0);
	gate_open = true;
	ipis = machine_ipis(3);
	assert_false(task_wake(task_current())); /* it runs */
	assert_true(task_wake(w));
	assert_false(task_wake(w));
	assert_int_equal(machine_ipis(3), ipis + 1);
	machine_busy(2 * MACHINE_STEP);
	assert_int_equal(w->hart, 3);
	assert_string_equal(trace, "w");
	task_join(w);
}

static void T4_suspended_task_waits_for_its_wake_up(void **state)
{
	struct task *t = task_create("later", waits_at_gate, (void *)'l',
				     &(struct task_attr){ .suspended = true });

	(void)state;
	gate_open = true;
	machine_busy(SLICE);
	assert_string_equal(trace, "");
	assert_true(task_wake(t));
	task_join(t);
	assert_string_equal(trace, "l");
}

/* --- T5: the extension --- */

static struct {
	struct task_ext ext;
	int in, out, hart;
} ext;

static void ext_in(struct task_ext *e)
{
	assert_ptr_equal(e, &ext.ext);
	assert_false(irq_enabled());
	assert_int_equal(ext.in++, ext.out);
	ext.hart = (int)this_hart()->index;
}

static void ext_out(struct task_ext *e)
{
	assert_ptr_equal(e, &ext.ext);
	assert_false(irq_enabled());
	assert_int_equal(ext.in, ++ext.out);
	assert_int_equal(ext.hart, this_hart()->index);
}

static const struct task_ext_ops ext_ops = { .name = "mock", .switch_in = ext_in, .switch_out = ext_out };

static void has_ext(void *arg)
{
	assert_ptr_equal(task_current()->ext, &ext.ext);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(ext.in, ext.out + 1);
		assert_int_equal(ext.hart, this_hart()->index);
		machine_busy(SLICE);
		task_sleep_until(time_now() + 10);
		task_yield();
	}
	(void)arg;
}

static void T5_extension_is_switched_with_its_task(void **state)
{
	struct task *t, *other;

	(void)state;
	assert_null(task_current()->ext);
	ext.ext.ops = &ext_ops;
	t = task_create("ext", has_ext, NULL, &(struct task_attr){ .ext = &ext.ext, .hart_mask = BIT(1) | BIT(2) });
	stop = false;
	other = spawn(spin, (void *)'o', BIT(1));
	machine_busy(8 * SLICE);
	stop = true;
	task_join(t);
	task_join(other);
	assert_true(ext.in >= 10);
	assert_int_equal(ext.in, ext.out);
}

/* --- T6: changes of the mask --- */

static void T6_running_task_moves_when_its_mask_changes(void **state)
{
	struct task *t = spawn(spin, (void *)'a', BIT(1));

	(void)state;
	stop = false;
	machine_busy(3 * MACHINE_STEP);
	assert_int_equal(t->hart, 1);
	task_set_mask(t, BIT(2)); /* nobody else wants hart 1 */
	machine_busy(5 * MACHINE_STEP);
	assert_int_equal(t->hart, 2);
	assert_int_equal(t->state, TASK_RUNNING);
	stop = true;
	task_join(t);
}

static void T6_queued_task_moves_at_once(void **state)
{
	struct task *a, *b;

	(void)state;
	stop = false;
	a = spawn(spin, (void *)'a', BIT(1));
	machine_busy(3 * MACHINE_STEP);
	b = spawn(spin, (void *)'b', BIT(1));
	task_set_mask(b, BIT(3));
	assert_int_equal(b->hart, 3);
	machine_busy(3 * MACHINE_STEP);
	assert_string_equal(trace, "ab"); /* it did not wait for a's slice */
	stop = true;
	task_join(a);
	task_join(b);
}

static void T6_own_mask_takes_effect_before_the_return(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		task_set_mask(task_current(), BIT(i * 3 % HARTS));
		assert_int_equal(this_hart()->index, i * 3 % HARTS);
		assert_true(irq_enabled());
	}
	task_set_mask(task_current(), 0);
	assert_true(task_current()->hart_mask == UINT64_MAX);
}

static void T6_mask_of_absent_harts_still_runs(void **state)
{
	struct task *t = spawn(ends_with, (void *)7, BIT(60));

	(void)state;
	assert_int_equal(task_join(t), 7);
}

static void T6_migration_under_load_loses_nothing(void **state)
{
	(void)state;
	run_t6_program();
}

static int start(void **state)
{
	(void)state;
	machine_start(HARTS);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(T1_start_makes_idle_main_and_gc, tasks_fresh),
		cmocka_unit_test_setup(T1_idle_runs_when_every_task_sleeps, tasks_fresh),
		cmocka_unit_test_setup(T1_memory_is_stable_over_10000_tasks, tasks_fresh),
		cmocka_unit_test_setup(T1_join_takes_the_status_and_the_storage, tasks_fresh),
		cmocka_unit_test_setup(T1_create_without_memory_fails_whole, tasks_fresh),
		cmocka_unit_test_setup(T2_same_program_leaves_the_trace_of_rr, tasks_fresh),
		cmocka_unit_test_setup(T2_tasks_on_a_hart_take_turns_by_slices, tasks_fresh),
		cmocka_unit_test_setup(T2_yield_goes_to_the_back, tasks_fresh),
		cmocka_unit_test_setup(T2_wake_up_waits_for_the_end_of_the_slice, tasks_fresh),
		cmocka_unit_test_setup(T2_time_ready_without_a_hart_is_counted, tasks_fresh),
		cmocka_unit_test_setup(T2_a_slice_used_up_alone_is_used_up, tasks_fresh),
		cmocka_unit_test_setup(T2_no_slice_timer_while_alone, tasks_fresh),
		cmocka_unit_test_setup(T4_limited_to_one_hart_never_runs_elsewhere, tasks_fresh),
		cmocka_unit_test_setup(T4_both_harts_of_a_mask_are_used, tasks_fresh),
		cmocka_unit_test_setup(T4_busy_tasks_spread_over_idle_harts, tasks_fresh),
		cmocka_unit_test_setup(T4_woken_task_goes_back_to_its_hart, tasks_fresh),
		cmocka_unit_test_setup(T4_suspended_task_waits_for_its_wake_up, tasks_fresh),
		cmocka_unit_test_setup(T5_extension_is_switched_with_its_task, tasks_fresh),
		cmocka_unit_test_setup(T6_running_task_moves_when_its_mask_changes, tasks_fresh),
		cmocka_unit_test_setup(T6_queued_task_moves_at_once, tasks_fresh),
		cmocka_unit_test_setup(T6_own_mask_takes_effect_before_the_return, tasks_fresh),
		cmocka_unit_test_setup(T6_mask_of_absent_harts_still_runs, tasks_fresh),
		cmocka_unit_test_setup(T6_migration_under_load_loses_nothing, tasks_fresh),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
