/* Interrupts into vCPUs and requests to them: who is kicked, what is served when, and that nobody waits for ever. */
// sources: vmm/vcpu/irq.c vmm/vcpu/fence.c
#include <test.h>
#include <arch/cpu.h>
#include <caisson/hart.h>
#include <caisson/smp.h>
#include <vmm/vcpu.h>
#include <vmm/vcpu/vcpu_internal.h>
#include <vmm/vm.h>

#define VCPUS 3
#define EXT BIT(IRQ_VS_EXT)
#define TIMER BIT(IRQ_VS_TIMER)
#define SOFT BIT(IRQ_VS_SOFT)

/* The test runs on hart 0, where vCPU 0 is. */
static struct {
	struct vm vm;
	struct vcpu vcpu[VCPUS];
	uint64_t kicked;          /* mask of harts */
	unsigned kicks;           /* calls */
	unsigned notified;
	uint64_t guest_deadline;
	unsigned waits;
} m;

void ipi_send_mask(uint64_t harts, enum ipi reason)
{
	assert_int_equal(reason, IPI_KICK);
	assert_false(mock_irq_on); /* others wait for it, once it is said to be on its way */
	assert_true(harts && !(harts & BIT(this_hart()->index)));
	m.kicked |= harts;
	m.kicks++;
}

void smp_serve_calls(void) { }

unsigned waitq_notify_all(struct waitq *wq)
{
	assert_true(wq == &m.vcpu[0].wait || wq == &m.vcpu[1].wait || wq == &m.vcpu[2].wait);
	m.notified++;
	return 0;
}

void timer_set_guest_deadline(uint64_t deadline)
{
	m.guest_deadline = deadline;
}

static void put_on(struct vcpu *v, unsigned hart)
{
	v->running_on = (int)hart;
	mock_harts[hart].loaded_vcpu = v;
}

static int setup(void **state)
{
	(void)state;
	memset(&m, 0, sizeof(m));
	memset(&mock_live, 0, sizeof(mock_live));
	memset(mock_harts, 0, sizeof(struct hart) * HART_MAX);
	mock_fence_is = 0;
	mock_wait = NULL;
	m.vm.n_vcpus = VCPUS;
	for (unsigned i = 0; i < VCPUS; i++) {
		mock_harts[i].index = i;
		m.vm.vcpus[i] = &m.vcpu[i];
		m.vcpu[i] = (struct vcpu){ .vm = &m.vm, .id = i, .running_on = -1, .deadline = UINT64_MAX, .sstc = true };
	}
	mock_hart = &mock_harts[0];
	put_on(&m.vcpu[0], 0);
	mock_irq_on = false; /* as in an exit handler */
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mock_wait = NULL;
	mock_irq_on = true;
	return 0;
}

static void H5_request_finds_the_vcpu_wherever_it_is(void **state)
{
	(void)state;
	mock_irq_on = true; /* as a task does it */
	put_on(&m.vcpu[1], 2);
	vcpu_request(&m.vcpu[1], VCPU_REQ_STOP);
	assert_true(mock_irq_on);
	assert_int_equal(m.kicked, BIT(2)); /* in the guest: its hart */
	assert_int_equal(m.notified, 0);
	vcpu_request(&m.vcpu[2], VCPU_REQ_STOP);
	assert_int_equal(m.kicked, BIT(2)); /* asleep: its task */
	assert_int_equal(m.notified, 1);
	vcpu_request(&m.vcpu[0], VCPU_REQ_STOP);
	assert_int_equal(m.kicked, BIT(2)); /* ourselves: looks before it enters */
	assert_int_equal(m.notified, 1);
	for (unsigned i = 0; i < VCPUS; i++)
		assert_int_equal(m.vcpu[i].requests, VCPU_REQ_STOP);
}

static void H5_standing_still_wakes_nobody(void **state)
{
	(void)state;
	mock_irq_on = true; /* as a task does it */
	put_on(&m.vcpu[1], 2);
	for (unsigned i = 0; i < VCPUS; i++)
		vcpu_request_still(&m.vcpu[i]);
	assert_true(mock_irq_on);
	assert_int_equal(m.kicked, BIT(2));
	assert_int_equal(m.notified, 0);
	for (unsigned i = 0; i < VCPUS; i++)
		assert_int_equal(m.vcpu[i].requests, VCPU_REQ_STILL);
}

static void H5_serving_leaves_what_needs_task_context(void **state)
{
	struct vcpu *v = &m.vcpu[0];

	(void)state;
	v->requests = VCPU_REQ_STOP | VCPU_REQ_START | VCPU_REQ_FENCE | VCPU_REQ_IRQ;
	v->fence.todo.insns = true;
	assert_int_equal(vcpu_serve(v), VCPU_REQ_STOP | VCPU_REQ_START);
	assert_int_equal(v->requests, VCPU_REQ_STOP | VCPU_REQ_START);
	assert_int_equal(mock_fence_is, 1);
	assert_int_equal(mock_live.n_fences, 0);
	vcpu_serve(v);
	assert_int_equal(mock_fence_is, 1);
}

static void H11_lines_of_the_loaded_vcpu_change_at_once(void **state)
{
	struct vcpu *v = &m.vcpu[0];

	(void)state;
	vcpu_set_line(v, EXT, true);
	assert_int_equal(mock_live.hvip, EXT);
	vcpu_set_line(v, EXT, true);
	vcpu_set_line(v, EXT, false);
	assert_int_equal(mock_live.hvip, 0);
	vcpu_send_ipi(v);
	assert_int_equal(mock_live.hvip, SOFT);
	assert_int_equal(v->requests | m.kicked | m.notified, 0);
}

static void H11_lines_of_others_are_asked_for_once(void **state)
{
	struct vcpu *v = &m.vcpu[1];

	(void)state;
	put_on(v, 1);
	vcpu_set_line(v, EXT, true);
	assert_int_equal(v->requests, VCPU_REQ_IRQ);
	assert_int_equal(m.kicked, BIT(1));
	assert_int_equal(mock_live.hvip, 0); /* those are vCPU 0's CSRs */
	m.kicked = 0;
	vcpu_set_line(v, EXT, true);
	assert_int_equal(m.kicked, 0); /* nothing new */
	mock_hart = &mock_harts[1];
	vcpu_serve(v);
	assert_int_equal(mock_live.hvip, EXT);
	mock_hart = &mock_harts[0];
	vcpu_set_line(v, EXT, false);
	assert_int_equal(m.kicked, BIT(1));
	mock_hart = &mock_harts[1];
	vcpu_serve(v);
	assert_int_equal(mock_live.hvip, 0);
}

/* Loaded, but its task has let go of the hart: what it has in hvip is saved already. */
static void H11_lines_of_a_vcpu_that_left_wake_it(void **state)
{
	struct vcpu *v = &m.vcpu[0];

	(void)state;
	v->running_on = -1;
	vcpu_set_line(v, EXT, true);
	vcpu_send_ipi(v);
	assert_int_equal(mock_live.hvip, 0);
	assert_int_equal(m.notified, 1); /* once is enough until it looks */
	put_on(v, 0);
	vcpu_serve(v);
	assert_int_equal(mock_live.hvip, EXT | SOFT);
	mock_live.hvip &= ~SOFT; /* the guest has taken it */
	vcpu_request(v, VCPU_REQ_IRQ);
	vcpu_serve(v);
	assert_int_equal(mock_live.hvip, EXT); /* an IPI comes once, a level stays */
}

static void H10_ipis_to_many_are_one_call_and_each_is_asked_once(void **state)
{
	(void)state;
	put_on(&m.vcpu[1], 1);
	put_on(&m.vcpu[2], 2);
	vcpu_send_ipis(&m.vm, 7);
	assert_int_equal(mock_live.hvip, SOFT); /* ourselves */
	assert_int_equal(m.kicked, BIT(1) | BIT(2));
	assert_int_equal(m.kicks, 1);
	for (unsigned i = 0; i < 100; i++)
		vcpu_send_ipis(&m.vm, 6); /* before they look */
	vcpu_set_line(&m.vcpu[1], EXT, true);
	assert_int_equal(m.kicks, 1);
	mock_hart = &mock_harts[1];
	mock_live.hvip = 0;
	vcpu_serve(&m.vcpu[1]);
	assert_int_equal(mock_live.hvip, EXT | SOFT);
	mock_hart = &mock_harts[0];
	vcpu_send_ipis(&m.vm, 6);
	assert_int_equal(m.kicks, 2);
	assert_int_equal(m.notified, 0);
}

static void H10_ipis_to_one_that_does_not_run_interrupt_nobody(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10; i++)
		vcpu_send_ipis(&m.vm, 2);
	assert_int_equal(m.kicks, 0);
	assert_int_equal(m.notified, 1); /* it may sleep */
	put_on(&m.vcpu[1], 0);
	vcpu_serve(&m.vcpu[1]);
	assert_int_equal(mock_live.hvip, SOFT);
}

static void H10_timer_with_sstc(void **state)
{
	(void)state;
	vcpu_set_timer(&m.vcpu[0], 1234);
	assert_int_equal(mock_live.vstimecmp, 1234);
	assert_int_equal(m.guest_deadline, 0);
}

static void H10_timer_without_sstc(void **state)
{
	struct vcpu *v = &m.vcpu[0];

	(void)state;
	v->sstc = false;
	vcpu_set_timer(v, 1234);
	assert_int_equal(v->deadline, 1234);
	assert_int_equal(m.guest_deadline, 1234);
	assert_int_equal(mock_live.vstimecmp, 0);
	vcpu_timer_expired(v);
	assert_int_equal(mock_live.hvip, TIMER);
	assert_int_equal(v->deadline, UINT64_MAX);
	vcpu_request(v, VCPU_REQ_IRQ);
	vcpu_serve(v);
	assert_int_equal(mock_live.hvip, TIMER); /* stays up until the next setting */
	vcpu_set_timer(v, UINT64_MAX);
	assert_int_equal(mock_live.hvip, 0);
	vcpu_request(v, VCPU_REQ_IRQ);
	vcpu_serve(v);
	assert_int_equal(mock_live.hvip, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(H5_request_finds_the_vcpu_wherever_it_is),
		T(H5_standing_still_wakes_nobody),
		T(H5_serving_leaves_what_needs_task_context),
		T(H11_lines_of_the_loaded_vcpu_change_at_once),
		T(H11_lines_of_others_are_asked_for_once),
		T(H11_lines_of_a_vcpu_that_left_wake_it),
		T(H10_ipis_to_many_are_one_call_and_each_is_asked_once),
		T(H10_ipis_to_one_that_does_not_run_interrupt_nobody),
		T(H10_timer_with_sstc),
		T(H10_timer_without_sstc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
