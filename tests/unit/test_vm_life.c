/* A VM's life: nothing runs before its start, it ends with its last active vCPU and not before (H7). */
// sources: vmm/vm/vm.c vmm/vm/pause.c vmm/vm/list.c vmm/vm/vcpus.c
#include <errno.h>
#include <test.h>

#include <arch/hext.h>
#include <arch/sbi.h>
#include <caisson/mm.h>
#include <caisson/smp.h>
#include <caisson/time.h>
#include <mem.h>
#include <vmm/console_mux.h>
#include <vmm/guest_dt.h>
#include <vmm/memory.h>
#include <vmm/partition.h>
#include <vmm/vm.h>

#define CPUS 3

struct hext_features hext = { .sv39x4 = true, .vmid_bits = 14 };
const struct pt_format pt_sv39x4 = { .name = "sv39x4", .guest = true, .mode = 8, .input_bits = 41 };
const struct pt_format pt_sv48x4 = { .name = "sv48x4" }, pt_sv57x4 = { .name = "sv57x4" };
#define HZ 10000000u

static const struct vm_config config = { .name = "vm", .cpus = CPUS, .memory = 32 * MiB };
static struct {
	struct task tasks[CPUS];
	unsigned wakes, notified, joined, mapped, unmapped, sleeps, leave_after, ram_fences;
	int map_error, place_error, load_error, dt_size, start_error;
	uint64_t now;
	bool end_while_loading;
} m;

/* --- what vm.c and pause.c call --- */

bool hext_has_format(const struct pt_format *format) { return format == &pt_sv39x4; }
void vm_unload(struct vm *vm) { (void)vm; }
void smp_call_all(void (*fn)(void *), void *arg) { fn(arg); }
void smp_call_mask(uint64_t mask, void (*fn)(void *), void *arg) { (void)mask; fn(arg); }
uint64_t time_now(void) { return m.now; }
uint64_t time_from_us(uint64_t us) { return us * 10; }
int guest_isa_choose(const struct vm_config *c, uint64_t *set, char *err, size_t n)
{
	(void)c; (void)err; (void)n;
	*set = BIT(ISA_F);
	return 0;
}
void isa_describe(uint64_t set, struct isa_text *out) { (void)set; out->string[0] = '\0'; }
int vm_partition(struct vm *vm, char *err, size_t n) { (void)vm; (void)err; (void)n; return 0; }
void vm_fence_ram(struct vm *vm) { (void)vm; m.ram_fences++; }
void vm_unpartition(struct vm *vm) { (void)vm; }
void vm_partition_begin(struct vm *vm) { (void)vm; }
void vm_partition_log(const struct vm *vm) { (void)vm; }
void vm_log_use(const struct vm *vm) { (void)vm; }
int console_mux_add(struct vm *vm) { (void)vm; return 0; }
void console_mux_remove(struct vm *vm) { (void)vm; }
void console_mux_settle(struct vm *vm) { (void)vm; }
void vm_share_init(struct vm *vm) { (void)vm; }
void vm_devices_stop(struct vm *vm) { (void)vm; }
int vm_devices_create(struct vm *vm) { (void)vm; return 0; }
int vm_console_create(struct vm *vm, char *err, size_t err_size) { (void)vm; (void)err; (void)err_size; return 0; }
int vm_nets_create(struct vm *vm, char *err, size_t err_size) { (void)vm; (void)err; (void)err_size; return 0; }
int vm_plugins_create(struct vm *vm, char *err, size_t err_size) { (void)vm; (void)err; (void)err_size; return 0; }
int vm_channels_create(struct vm *vm, char *err, size_t err_size) { (void)vm; (void)err; (void)err_size; return 0; }
int vm_disks_create(struct vm *vm, char *err, size_t err_size) { (void)vm; (void)err; (void)err_size; return 0; }
int vm_entropy_create(struct vm *vm, char *err, size_t err_size) { (void)vm; (void)err; (void)err_size; return 0; }
void vm_disks_destroy(struct vm *vm) { (void)vm; }
void vm_devices_destroy(struct vm *vm) { (void)vm; }
void vm_devices_reset(struct vm *vm) { (void)vm; }
uint64_t guest_dt_room(const struct vm_config *c) { (void)c; return 4096; }
int vm_build_dt(struct vm *vm, void *buf, size_t size, char *err, size_t n)
{
	(void)vm; (void)buf; (void)size; (void)err; (void)n;
	return m.dt_size;
}
int guest_write(struct vm *vm, gpa_t gpa, const void *from, uint64_t n)
{
	(void)vm; (void)gpa; (void)from; (void)n;
	return 0;
}
int image_place(const struct vm_config *c, uint64_t ram, uint64_t room, struct image_layout *out, char *err, size_t n)
{
	(void)c; (void)room; (void)err; (void)n;
	*out = (struct image_layout){ .entry = ram };
	return m.place_error;
}
int image_load(const struct vm_config *c, uint64_t ram, const struct image_layout *layout, const struct image_sink *sink)
{
	(void)c; (void)ram; (void)layout;
	if (m.end_while_loading)
		vm_end(sink->arg, VM_END_RESET, 0, "reset");
	return m.load_error;
}

int aspace_init(struct aspace *as, const struct pt_format *format, uint64_t start, uint64_t end)
{
	(void)start; (void)end;
	as->format = format;
	return 0;
}
void aspace_destroy(struct aspace *as) { (void)as; }
int aspace_map_alloc(struct aspace *as, uint64_t start, uint64_t size, unsigned perm, unsigned flags)
{
	(void)as; (void)start; (void)size; (void)perm; (void)flags;
	m.mapped += !m.map_error;
	return m.map_error;
}
int aspace_unmap(struct aspace *as, uint64_t start)
{
	(void)as; (void)start;
	if (m.mapped == m.unmapped)
		return -ENOENT;
	m.unmapped++;
	return 0;
}

struct vcpu *vcpu_create(struct vm *vm, unsigned id)
{
	struct vcpu *v = kzalloc(sizeof(*v));

	if (!v)
		return NULL;
	v->vm = vm;
	v->id = id;
	v->running_on = -1;
	return v;
}
void vcpu_destroy(struct vcpu *v) { kfree(v); }
void vcpu_reset(struct vcpu *v)
{
	v->requests = 0;
	v->hsm_state = SBI_HSM_STOPPED;
}
int vcpu_start(struct vcpu *v, uint64_t pc, uint64_t opaque)
{
	(void)pc; (void)opaque;
	v->requests |= VCPU_REQ_START;
	v->task = m.start_error ? NULL : &m.tasks[v->id];
	return m.start_error;
}
void vcpu_request(struct vcpu *v, uint64_t req) { v->requests |= req; }
void vcpu_request_still(struct vcpu *v) { v->requests |= VCPU_REQ_STILL; }

bool task_wake(struct task *t)
{
	assert_in_range(t - m.tasks, 0, CPUS - 1);
	m.wakes++;
	return true;
}
int task_join(struct task *t)
{
	assert_in_range(t - m.tasks, 0, CPUS - 1);
	m.joined++;
	return 0;
}

static struct vm *vm;

/* Time passes; after some of it the vCPUs have come out of the guest. */
void task_sleep_until(uint64_t deadline)
{
	m.now = deadline;
	if (++m.sleeps == m.leave_after)
		for (unsigned i = 0; i < CPUS; i++)
			vm->vcpus[i]->running_on = -1;
}
unsigned waitq_notify_all(struct waitq *wq) { (void)wq; return ++m.notified; }
int waitq_wait(struct waitq *wq, bool (*pred)(void *), void *arg, uint64_t deadline)
{
	(void)wq; (void)deadline;
	return pred(arg) ? 0 : -ETIMEDOUT;
}

static bool never(void) { return false; }

static int setup(void **state)
{
	char err[100];

	(void)state;
	memset(&m, 0, sizeof(m));
	m.dt_size = 100;
	assert_int_equal(vm_create(&config, &vm, err, sizeof(err)), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vm_destroy(vm);
	assert_int_equal(heap_in_use(), 0);
	return 0;
}

static void boot(void)
{
	char err[100];

	assert_int_equal(vm_boot(vm, err, sizeof(err)), 0);
}

static void run(void)
{
	boot();
	vm_start(vm);
}

static struct vm *ended(void)
{
	return vm_wait_ended(never, UINT64_MAX);
}

/* As run.c does when vCPU n is out of the guest for good. */
static void leaves(unsigned n)
{
	assert_true(n < CPUS);
	vm_vcpu_inactive(vm);
}

static void H7_boot_executes_nothing(void **state)
{
	(void)state;
	assert_int_equal(vm->state, VM_CREATED);
	boot();
	assert_int_equal(vm->state, VM_BOOTED);
	assert_int_equal(vm->active, 1);
	assert_int_equal(vm->vcpus[0]->hsm_state, SBI_HSM_START_PENDING);
	assert_int_equal(m.wakes, 0);
	assert_null(ended());
	for (unsigned i = 1; i < CPUS; i++) {
		assert_int_equal(vm->vcpus[i]->hsm_state, SBI_HSM_STOPPED);
		assert_null(vm->vcpus[i]->task);
	}
	vm_start(vm);
	assert_int_equal(vm->state, VM_RUNNING);
	assert_int_equal(m.wakes, 1);
}

static void H7_stopped_at_zero_and_not_before(void **state)
{
	(void)state;
	run();
	vm_vcpu_active(vm); /* two more start */
	vm_vcpu_active(vm);
	for (unsigned i = 0; i < CPUS; i++) {
		assert_null(ended());
		assert_int_equal(vm->end, VM_END_NONE);
		assert_int_equal(m.notified, 0);
		leaves(i);
	}
	assert_int_equal(vm->end, VM_END_SHUTDOWN);
	assert_true(m.notified > 0);
	assert_ptr_equal(ended(), vm);
	assert_int_equal(vm->state, VM_ENDED);
	assert_null(ended());
}

static void H7_an_order_ends_it_when_all_have_left(void **state)
{
	(void)state;
	run();
	vm_vcpu_active(vm);
	vm_end(vm, VM_END_STOPPED, 0, "ordered");
	for (unsigned i = 0; i < CPUS; i++)
		assert_true(vm->vcpus[i]->requests & VCPU_REQ_STOP);
	assert_null(ended());
	leaves(1);
	assert_null(ended());
	assert_int_equal(vm->state, VM_RUNNING);
	leaves(0);
	assert_ptr_equal(ended(), vm);
	assert_int_equal(m.joined, 1); /* only the primary had a task */
	assert_null(vm->vcpus[0]->task);
	assert_string_equal(vm->reason, "ordered");
}

static void H13_one_that_never_ran_leaves_no_task(void **state)
{
	(void)state;
	boot();
	teardown(state);
	assert_int_equal(m.wakes, 1);
	assert_int_equal(m.joined, 1);
	setup(state);
}

static void H13_nothing_ends_it_while_it_boots(void **state)
{
	char err[100];

	(void)state;
	run();
	vm_end(vm, VM_END_CRASH, 1, "crash");
	leaves(0);
	assert_ptr_equal(ended(), vm);
	m.end_while_loading = true;
	boot();
	assert_int_equal(vm->end, VM_END_NONE);
	assert_false(vm->vcpus[0]->requests & VCPU_REQ_STOP);
	vm_start(vm);
	vm_end(vm, VM_END_STOPPED, 0, "stopped");
	assert_true(vm->vcpus[0]->requests & VCPU_REQ_STOP);
	leaves(0);
	assert_ptr_equal(ended(), vm);
	m.place_error = -EINVAL;
	assert_int_equal(vm_boot(vm, err, sizeof(err)), -EINVAL);
	assert_int_equal(vm->end, VM_END_STOPPED);
}

static void H13_the_first_reason_stands(void **state)
{
	(void)state;
	run();
	vm_end(vm, VM_END_CRASH, 7, "crash %d", 1);
	vm_end(vm, VM_END_SHUTDOWN, 0, "shut down");
	leaves(0);
	assert_ptr_equal(ended(), vm);
	assert_int_equal(vm->end, VM_END_CRASH);
	assert_int_equal(vm->end_status, 7);
	assert_string_equal(vm->reason, "crash 1");
}

static void H13_each_boot_has_fresh_ram_and_vcpus(void **state)
{
	(void)state;
	assert_int_equal(m.mapped, 1);
	for (unsigned n = 1; n <= 3; n++) {
		run();
		assert_int_equal(vm->boots, n);
		assert_int_equal(m.mapped, n);
		assert_int_equal(m.unmapped, n - 1);
		assert_int_equal(vm->active, 1);
		assert_int_equal(vm->end, VM_END_NONE);
		assert_int_equal(vm->vcpus[0]->requests, VCPU_REQ_START);
		vm_end(vm, VM_END_STOPPED, 0, "stopped");
		leaves(0);
		assert_ptr_equal(ended(), vm);
	}
}

static void H13_a_boot_that_fails_can_be_tried_again(void **state)
{
	int *const errors[] = { &m.place_error, &m.load_error, &m.dt_size, &m.start_error, &m.map_error };
	char err[100];

	(void)state;
	run();
	leaves(0);
	assert_ptr_equal(ended(), vm);
	for (unsigned i = 0; i < ARRAY_SIZE(errors); i++) {
		int good = *errors[i];

		*errors[i] = -ENOMEM;
		assert_int_equal(vm_boot(vm, err, sizeof(err)), -ENOMEM);
		assert_int_equal(vm->state, VM_ENDED);
		*errors[i] = good;
	}
	mock_alloc_fail_at = 1; /* the device tree's buffer */
	assert_int_equal(vm_boot(vm, err, sizeof(err)), -ENOMEM);
	mock_alloc_fail_at = 0;
	run();
	assert_int_equal(vm->active, 1);
}

static void H13_paused_means_out_of_the_guest(void **state)
{
	(void)state;
	assert_int_equal(vm_pause(vm), -EBUSY);
	boot();
	assert_int_equal(vm_pause(vm), -EBUSY);
	vm_start(vm);
	vm->vcpus[0]->running_on = 1;
	m.leave_after = 3;
	assert_int_equal(vm_pause(vm), 0);
	assert_int_equal(m.sleeps, 3);
	assert_true(vm->paused);
	assert_int_equal(vm_pause(vm), -EBUSY);
	for (unsigned i = 0; i < CPUS; i++)
		assert_true(vm->vcpus[i]->requests & VCPU_REQ_PAUSE);
	assert_int_equal(vm_resume(vm), 0);
	assert_int_equal(vm_resume(vm), -EBUSY);
	for (unsigned i = 0; i < CPUS; i++)
		assert_false(vm->vcpus[i]->requests & VCPU_REQ_PAUSE);
}

/* A vCPU that does not come out is told of within a second; it stays asked to. */
static void H13_a_pause_has_an_end(void **state)
{
	(void)state;
	run();
	vm->vcpus[0]->running_on = 1;
	assert_int_equal(vm_pause(vm), -ETIMEDOUT);
	assert_in_range(m.now, HZ, HZ + HZ / 100);
	assert_true(vm->vcpus[0]->requests & VCPU_REQ_PAUSE);
	assert_true(vm->paused);
}

/* It powers off while it is being paused: it has ended, and is not paused when it starts again. */
static void H13_an_end_takes_a_pause_away(void **state)
{
	(void)state;
	run();
	assert_int_equal(vm_pause(vm), 0);
	vm_end(vm, VM_END_SHUTDOWN, 0, "off");
	leaves(0);
	assert_ptr_equal(ended(), vm);
	assert_false(vm->paused);
	assert_int_equal(vm_resume(vm), -EBUSY);
	run();
	assert_false(vm->vcpus[0]->requests & VCPU_REQ_PAUSE);
}

/* Time passes while somebody spins. */
static void leave_after_a_while(bool wfi)
{
	(void)wfi;
	m.now += time_from_us(100);
	if (++m.sleeps == m.leave_after)
		for (unsigned i = 0; i < CPUS; i++) {
			vm->vcpus[i]->running_on = -1;
			vm->vcpus[i]->leave = LEAVE_RESCHED;
		}
}

/* Who has not begun gets a new VMID; who runs, or stands still for a moment, keeps its own. */
static void M1_changed_tables_of_a_vm_that_runs_are_fenced(void **state)
{
	(void)state;
	vm->space.flush(&vm->space, vm->ram_start, 2 * MiB);
	assert_int_equal(m.ram_fences, 0);
	run();
	vm->space.flush(&vm->space, vm->ram_start, 2 * MiB);
	assert_int_equal(m.ram_fences, 1);
}

static void H13_standing_still_means_out_of_the_guest(void **state)
{
	(void)state;
	run();
	mock_wait = leave_after_a_while;
	for (unsigned deferred = 0; deferred < 2; deferred++) {
		m.sleeps = 0;
		m.leave_after = 5;
		vm->vcpus[1]->running_on = deferred ? -1 : 1;
		vm->vcpus[1]->leave = deferred ? LEAVE_CALL : LEAVE_RESCHED;
		assert_int_equal(vm_stand_still(vm), 0);
		assert_int_equal(m.sleeps, 5);
		assert_false(vm->paused);
		for (unsigned i = 0; i < CPUS; i++)
			assert_true(vm->vcpus[i]->requests & VCPU_REQ_STILL);
		m.notified = 0;
		vm_go_on(vm);
		assert_int_equal(m.notified, CPUS);
		for (unsigned i = 0; i < CPUS; i++)
			assert_false(vm->vcpus[i]->requests & VCPU_REQ_STILL);
	}
	m.leave_after = 0; /* one never does */
	vm->vcpus[2]->running_on = 0;
	assert_int_equal(vm_stand_still(vm), -ETIMEDOUT);
	for (unsigned i = 0; i < CPUS; i++)
		assert_false(vm->vcpus[i]->requests & VCPU_REQ_STAY);
	vm->vcpus[2]->running_on = -1;
	mock_wait = NULL;
}

/* One that a person has paused stays paused when memory comes back. */
static void H13_memory_ends_only_its_own_pause(void **state)
{
	(void)state;
	run();
	vm_hold(vm, 0x80001000);
	assert_int_equal(vm->held, VM_HELD_NEWS);
	assert_int_equal(vm_pause(vm), -EBUSY);
	vm_unhold(vm);
	assert_false(vm->paused);
	assert_false(vm->vcpus[0]->requests & VCPU_REQ_PAUSE);
	assert_int_equal(vm_pause(vm), 0);
	vm_unhold(vm);
	assert_true(vm->paused);
	vm_hold(vm, 0x80001000); /* it was on its way out */
	vm_unhold(vm);
	assert_int_equal(vm->held, VM_NOT_HELD);
	assert_true(vm->vcpus[0]->requests & VCPU_REQ_PAUSE);
	vm_hold(vm, 0x80001000);
	assert_int_equal(vm_resume(vm), 0);
	assert_int_equal(vm->held, VM_NOT_HELD);
	assert_false(vm->vcpus[0]->requests & VCPU_REQ_PAUSE);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(H7_boot_executes_nothing),
		T(H7_stopped_at_zero_and_not_before),
		T(H7_an_order_ends_it_when_all_have_left),
		T(H13_one_that_never_ran_leaves_no_task),
		T(H13_nothing_ends_it_while_it_boots),
		T(H13_the_first_reason_stands),
		T(H13_each_boot_has_fresh_ram_and_vcpus),
		T(H13_a_boot_that_fails_can_be_tried_again),
		T(H13_paused_means_out_of_the_guest),
		T(H13_a_pause_has_an_end),
		T(H13_an_end_takes_a_pause_away),
		T(M1_changed_tables_of_a_vm_that_runs_are_fenced),
		T(H13_standing_still_means_out_of_the_guest),
		T(H13_memory_ends_only_its_own_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
