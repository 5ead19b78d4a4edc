/* The cap of a VM: what its vCPUs use counts from when it is set, and who has used it up waits for the next period. */
// sources: vmm/vcpu/cap.c vmm/vm/share.c
#include <errno.h>
#include <test.h>

#include <caisson/hart.h>
#include <caisson/time.h>
#include <vmm/partition.h>
#include <vmm/vcpu/vcpu_internal.h>
#include <vmm/vm.h>

#define TICKS_PER_US 10
#define PERIOD (VM_CAP_PERIOD_US * TICKS_PER_US)
#define UPTIME (1000 * (uint64_t)PERIOD)

struct hart harts[HART_MAX];
static struct vm_config config;
static struct vm vm;
static struct vcpu vcpu;
static struct task task;
static uint64_t now, armed, waited_until;

uint64_t time_now(void) { return now; }
uint64_t time_from_us(uint64_t us) { return us * TICKS_PER_US; }
unsigned hart_count(void) { return 1; }
void timer_init(struct timer *t, void (*fn)(struct timer *)) { t->fn = fn; }
void timer_cancel(struct timer *t) { (void)t; armed = 0; }
void timer_arm(struct timer *t, uint64_t deadline) { (void)t; armed = deadline; }
struct task *task_current(void) { return &task; }
void task_set_mask(struct task *t, uint64_t mask) { (void)t; (void)mask; }
int task_group_set_weight(struct task_group *g, uint64_t weight) { (void)g; (void)weight; return 0; }
uint64_t vm_vcpu_harts(const struct vm *of, unsigned id) { (void)of; (void)id; return 0; }
int vm_partition_check(uint64_t mask, char *err, size_t n) { (void)mask; (void)err; (void)n; return 0; }
void vcpu_request(struct vcpu *v, uint64_t req) { v->requests |= req; }
void vcpu_steal_withhold(struct vcpu *v) { (void)v; }
void vcpu_steal_release(struct vcpu *v) { (void)v; }

int waitq_wait(struct waitq *wq, bool (*pred)(void *), void *arg, uint64_t deadline)
{
	(void)wq;
	if (pred(arg))
		return 0;
	vcpu_cap_end(&vcpu);
	waited_until = now = deadline;
	vcpu_cap_begin(&vcpu);
	return -ETIMEDOUT;
}

static int begin(void **state)
{
	(void)state;
	config = (struct vm_config){ .cpus = 1, .weight = 100 };
	vm = (struct vm){ .config = &config, .n_vcpus = 1, .vcpus = { &vcpu } };
	vcpu = (struct vcpu){ .vm = &vm };
	harts[0].current = &task;
	mock_hart = &harts[0];
	now = UPTIME;
	armed = waited_until = 0;
	vm_share_init(&vm);
	vcpu_cap_init(&vcpu);
	return 0;
}

static void cap_holds_in_each_period(void **state)
{
	(void)state;
	assert_int_equal(vm_set_cap(&vm, 25), 0);
	vcpu_share_changed(&vcpu);
	vcpu_cap_begin(&vcpu);
	for (unsigned n = 1; n <= 4; n++) {
		assert_false(vcpu_cap_wait(&vcpu));
		assert_int_equal(armed, now + PERIOD / 4);
		now = armed;
		assert_true(vcpu_cap_wait(&vcpu));
		assert_int_equal(waited_until, UPTIME + n * PERIOD);
	}
}

/* It runs already, and has for long. */
static void time_before_a_cap_costs_nothing(void **state)
{
	(void)state;
	assert_int_equal(vm_set_cap(&vm, 50), 0);
	assert_false(vcpu_cap_wait(&vcpu));
	assert_int_equal(armed, now + PERIOD / 2);
	now += PERIOD / 4;
	assert_int_equal(vm_set_cap(&vm, VM_CAP_NONE), 0);
	now += UPTIME;
	assert_int_equal(vm_set_cap(&vm, 50), 0);
	vcpu_cap_end(&vcpu); /* it loses its hart before it has heard of it */
	vcpu_cap_begin(&vcpu);
	assert_false(vcpu_cap_wait(&vcpu));
	assert_int_equal(armed, now + PERIOD / 2);
}

static void who_is_to_stop_does_not_wait(void **state)
{
	static const uint64_t reasons[] = { VCPU_REQ_STOP, VCPU_REQ_PAUSE, VCPU_REQ_SHARE };

	(void)state;
	assert_int_equal(vm_set_cap(&vm, 1), 0);
	vcpu_cap_begin(&vcpu);
	now += PERIOD / 2;
	for (unsigned i = 0; i < ARRAY_SIZE(reasons); i++) {
		vcpu.requests = reasons[i];
		assert_true(vcpu_cap_wait(&vcpu));
		assert_int_equal(waited_until, 0);
	}
}

static void caps_that_make_no_sense_are_refused(void **state)
{
	(void)state;
	assert_int_equal(vm_set_cap(&vm, 101), -ERANGE);
	assert_int_equal(vm_set_cap(&vm, UINT64_MAX), -ERANGE);
	config.exclusive = true;
	assert_int_equal(vm_set_cap(&vm, 50), -EPERM);
	assert_int_equal(vm_set_cap(&vm, VM_CAP_NONE), 0);
	assert_int_equal(vm.share.quota, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, begin)
	const struct CMUnitTest tests[] = {
		T(cap_holds_in_each_period),
		T(time_before_a_cap_costs_nothing),
		T(who_is_to_stop_does_not_wait),
		T(caps_that_make_no_sense_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
