/* Stopping a VM: the keys and their times, and that a stop holds until the VM has ended, whatever its guest asks for. */
// sources: apps/hypervisor/manager/vms_stop.c apps/hypervisor/manager/vms_plan.c
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <test.h>

#include <caisson/time.h>
#include <apps/hypervisor/manager/vms_plan.h>
#include <apps/hypervisor/manager/vms_stop.h>

#define SECOND 10000000

static struct vm_config config;
static struct vm vm;
static uint64_t now;
static char pressed[8];
static bool deaf;

uint64_t time_now(void) { return now; }
uint64_t time_from_us(uint64_t us) { return us * 10; }
void vm_for_each(bool (*fn)(struct vm *vm, void *arg), void *arg) { fn(&vm, arg); }

int vm_sysrq(struct vm *of, char key)
{
	assert_ptr_equal(of, &vm);
	if (deaf)
		return -ENOTCONN;
	pressed[strlen(pressed)] = key;
	return 0;
}

/* The first reason stands. */
void vm_end(struct vm *of, enum vm_end how, int status, const char *fmt, ...)
{
	va_list args;

	assert_int_equal(status, 0);
	if (of->end != VM_END_NONE)
		return;
	of->end = how;
	va_start(args, fmt);
	vsnprintf(of->reason, sizeof(of->reason), fmt, args);
	va_end(args);
}

static int begin(void **state)
{
	(void)state;
	config = (struct vm_config){ .name = "vm", .stop_timeout = 2 };
	vm = (struct vm){ .config = &config, .state = VM_RUNNING };
	memset(pressed, 0, sizeof(pressed));
	deaf = false;
	now = SECOND;
	return 0;
}

/* As the manager does when time has passed. @return whether something was due. */
static bool after(uint64_t ticks)
{
	enum vm_step step;
	struct vm *due;

	now += ticks;
	due = vms_plan_due(&step);
	if (due)
		vms_stop_step(due, step);
	return due != NULL;
}

static void the_guest_is_asked_and_then_forced(void **state)
{
	(void)state;
	assert_int_equal(vms_stop(&vm, false), 2);
	assert_string_equal(pressed, "s");
	assert_false(after(SECOND / 4 - 1));
	assert_true(after(1));
	assert_true(after(SECOND / 4));
	assert_string_equal(pressed, "suo");
	assert_true(vms_stopping(&vm));
	assert_false(after(SECOND * 3 / 2 - 1));
	assert_int_equal(vm.end, VM_END_NONE);
	assert_true(after(1)); /* two seconds since it was asked */
	assert_int_equal(vm.end, VM_END_STOPPED);
	assert_string_equal(vm.reason, "stopped from the monitor: it did not shut down within 2 s");
}

static void who_cannot_answer_is_not_asked(void **state)
{
	(void)state;
	deaf = true;
	assert_int_equal(vms_stop(&vm, false), 0);
	assert_int_equal(vm.end, VM_END_STOPPED);
	begin(state);
	vm.paused = true;
	assert_int_equal(vms_stop(&vm, false), 0);
	begin(state);
	config.stop_timeout = 0;
	assert_int_equal(vms_stop(&vm, false), 0);
	begin(state);
	assert_int_equal(vms_stop(&vm, true), 0);
	assert_string_equal(pressed, "");
	assert_int_equal(vm.end, VM_END_STOPPED);
}

/* Its guest has asked for a reset, and not all of its vCPUs have come out yet. */
static void a_stop_holds_against_a_reset(void **state)
{
	(void)state;
	vm.end = VM_END_RESET;
	assert_int_equal(vms_stop(&vm, true), 0);
	for (unsigned n = 0; n < 3; n++) {
		assert_true(vms_stopping(&vm));
		(void)after(SECOND);
	}
	assert_true(vms_stopping(&vm));
	vms_stop_ended(&vm);
	assert_int_equal(vm.end, VM_END_STOPPED);
}

static void a_crash_stays_one(void **state)
{
	(void)state;
	assert_int_equal(vms_stop(&vm, false), 2);
	vm.end = VM_END_CRASH;
	vms_stop_ended(&vm);
	assert_int_equal(vm.end, VM_END_CRASH);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, begin)
	const struct CMUnitTest tests[] = {
		T(the_guest_is_asked_and_then_forced),
		T(who_cannot_answer_is_not_asked),
		T(a_stop_holds_against_a_reset),
		T(a_crash_stays_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
