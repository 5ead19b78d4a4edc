/* Fences for other vCPUs: nothing is lost by merging, nobody is interrupted twice or for nothing, nobody waits for ever. */
// sources: vmm/vcpu/fence.c vmm/vcpu/irq.c
#include <test.h>

#include <caisson/hart.h>
#include <caisson/smp.h>
#include <vmm/fence.h>
#include <vmm/vcpu.h>
#include <vmm/vm.h>

#define VCPUS 4
#define ASIDS 3
#define PAGES 40

/* The test runs on hart 0, where vCPU 0 is. */
static struct {
	struct vm vm;
	struct vcpu vcpu[VCPUS];
	uint64_t kicked;    /* mask of harts */
	unsigned kicks, notified, waits, calls_served;
} m;

void ipi_send_mask(uint64_t harts, enum ipi reason)
{
	assert_int_equal(reason, IPI_KICK);
	m.kicked |= harts;
	m.kicks++;
}

unsigned waitq_notify_all(struct waitq *wq)
{
	(void)wq;
	m.notified++;
	return 0;
}

void timer_set_guest_deadline(uint64_t deadline) { (void)deadline; }

void smp_serve_calls(void)
{
	assert_false(mock_irq_on);
	m.calls_served++;
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
		m.vcpu[i] = (struct vcpu){ .vm = &m.vm, .id = i, .running_on = -1, .vmid = 10 + i };
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

/* --- what a fence drops --- */

/* Does one of the fences done drop this page's translation? */
static bool dropped(uint64_t page, uint64_t asid)
{
	for (unsigned i = 0; i < mock_live.n_fences; i++) {
		const struct mock_fence *f = &mock_live.fences[i];
		bool here = f->address == page << PAGE_SHIFT;

		if (f->kind == FENCE_ALL || (f->kind == FENCE_VA && here) || (f->kind == FENCE_ASID && f->id == asid) ||
		    (f->kind == FENCE_ASID_VA && f->id == asid && here))
			return true;
	}
	return false;
}

static void serve(struct vcpu *v)
{
	mock_live.n_fences = 0;
	vcpu_serve(v);
}

static void ask(uint64_t start, uint64_t size, bool has_asid, uint64_t asid)
{
	struct fence f = fence_of_pages(start, size, has_asid, asid);

	vcpu_fence_others(&m.vcpu[0], BIT(1), &f);
}

static void H10_one_range_is_dropped_page_by_page(void **state)
{
	(void)state;
	ask(0x5123, 0x2000, true, 2);
	serve(&m.vcpu[1]);
	assert_int_equal(mock_live.n_fences, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(mock_live.fences[i].kind, FENCE_ASID_VA);
		assert_int_equal(mock_live.fences[i].address, 0x5000 + i * PAGE_SIZE);
		assert_int_equal(mock_live.fences[i].id, 2);
	}
	ask(-PAGE_SIZE, PAGE_SIZE, false, 0); /* the last page there is */
	serve(&m.vcpu[1]);
	assert_int_equal(mock_live.n_fences, 1);
	assert_int_equal(mock_live.fences[0].address, -PAGE_SIZE);
	ask(0x5000, 0, false, 0); /* nothing, to be safe a page */
	serve(&m.vcpu[1]);
	assert_int_equal(mock_live.n_fences, 1);
}

static void H10_large_ranges_drop_everything(void **state)
{
	static const struct { uint64_t start, size; } large[] = {
		{ 0, 0 }, { 0, UINT64_MAX }, { 0x1000, UINT64_MAX }, { 0x1000, 17 * PAGE_SIZE }, { 0, BIT(39) },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(large); i++)
		for (unsigned asid = 0; asid < 2; asid++) {
			ask(large[i].start, large[i].size, asid, 9);
			serve(&m.vcpu[1]);
			assert_int_equal(mock_live.n_fences, 1);
			assert_int_equal(mock_live.fences[0].kind, asid ? FENCE_ASID : FENCE_ALL);
		}
}

/* Whatever is asked, in any order, before it looks: every page that was named is dropped. */
static void H10_merging_loses_nothing(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		bool named[PAGES][ASIDS] = { 0 }, insns = false, ram = false;
		unsigned n = 1 + (unsigned)(mock_random(&seed) % 4), before = mock_fence_is;

		for (unsigned i = 0; i < n; i++) {
			uint64_t first = mock_random(&seed) % PAGES, pages = 1 + mock_random(&seed) % 20;
			uint64_t asid = mock_random(&seed) % ASIDS, offset = mock_random(&seed) % PAGE_SIZE;
			bool has_asid = mock_random(&seed) & 1;

			if (mock_random(&seed) % 4 == 0) {
				struct fence what = { .insns = true, .spaces = FENCE_NO_SPACE };

				vcpu_fence_others(&m.vcpu[0], BIT(1), &what);
				insns = true;
				continue;
			}
			if (mock_random(&seed) % 8 == 0) {
				vm_fence_ram(&m.vm);
				ram = insns = true; /* what was copied there may be instructions */
				continue;
			}
			ask((first << PAGE_SHIFT) + offset, (pages << PAGE_SHIFT) - offset, has_asid, asid);
			for (uint64_t p = first; p < MIN(first + pages, (uint64_t)PAGES); p++)
				for (uint64_t a = 0; a < ASIDS; a++)
					named[p][a] |= !has_asid || a == asid;
		}
		serve(&m.vcpu[1]);
		for (uint64_t p = 0; p < PAGES; p++)
			for (uint64_t a = 0; a < ASIDS; a++)
				assert_true(!named[p][a] || dropped(p, a));
		assert_int_equal(mock_fence_is - before, insns);
		assert_true(!ram || (mock_live.n_fences && mock_live.fences[0].kind == FENCE_RAM && mock_live.fences[0].id == 11));
		assert_true(mock_live.n_fences <= FENCE_PAGES_MAX + 2);
		serve(&m.vcpu[1]);
		assert_int_equal(mock_live.n_fences, 0); /* once */
		serve(&m.vcpu[0]); /* vm_fence_ram's */
	}
}

/* What stands in other frames now may be instructions, and a hart may have fetched others from there before. */
static void H10_ram_that_moved_is_fetched_anew_by_all(void **state)
{
	(void)state;
	vm_fence_ram(&m.vm);
	for (unsigned i = 0; i < VCPUS; i++) {
		mock_fence_is = 0;
		serve(&m.vcpu[i]);
		assert_int_equal(mock_live.n_fences, 1);
		assert_int_equal(mock_live.fences[0].kind, FENCE_RAM);
		assert_int_equal(mock_live.fences[0].id, 10 + i);
		assert_int_equal(mock_fence_is, 1);
	}
}

static void H10_near_ranges_stay_ranges(void **state)
{
	(void)state;
	ask(0x4000, PAGE_SIZE, true, 1);
	ask(0x6000, PAGE_SIZE, true, 1);
	serve(&m.vcpu[1]);
	assert_int_equal(mock_live.n_fences, 3);
	assert_int_equal(mock_live.fences[0].kind, FENCE_ASID_VA);
	ask(0x4000, PAGE_SIZE, true, 1);
	ask(0x6000, PAGE_SIZE, true, 2);
	serve(&m.vcpu[1]);
	assert_int_equal(mock_live.n_fences, 3);
	assert_int_equal(mock_live.fences[0].kind, FENCE_VA);
	ask(0x4000, PAGE_SIZE, true, 1);
	ask(BIT(38), PAGE_SIZE, true, 1);
	serve(&m.vcpu[1]);
	assert_int_equal(mock_live.n_fences, 1);
	assert_int_equal(mock_live.fences[0].kind, FENCE_ASID);
}

/* --- who is interrupted, who waits --- */

static void H10_one_that_does_not_run_is_not_interrupted(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10; i++)
		ask(0x1000, PAGE_SIZE, false, 0);
	assert_int_equal(m.kicks + m.notified, 0); /* not woken, either */
	assert_int_equal(m.vcpu[1].requests, VCPU_REQ_FENCE);
	serve(&m.vcpu[1]);
	assert_int_equal(mock_live.n_fences, 1);
	assert_int_equal(m.vcpu[1].requests, 0);
}

static void both_serve(bool wfi)
{
	assert_false(wfi);
	assert_true(++m.waits < 20);
	for (unsigned i = 1; m.waits % 4 == 0 && i <= 2; i++) {
		mock_hart = &mock_harts[i];
		vcpu_serve(&m.vcpu[i]);
	}
	mock_hart = &mock_harts[0];
}

static void H10_running_ones_get_one_interrupt_each(void **state)
{
	struct fence f = fence_of_pages(0x1000, PAGE_SIZE, false, 0);

	(void)state;
	put_on(&m.vcpu[1], 1);
	put_on(&m.vcpu[2], 2);
	mock_wait = both_serve;
	vcpu_fence_others(&m.vcpu[0], BIT(1) | BIT(2) | BIT(3), &f);
	assert_int_equal(m.kicked, BIT(1) | BIT(2));
	assert_int_equal(m.kicks, 1); /* one call for both */
	assert_int_equal(m.waits, 4);
	assert_int_equal(mock_live.n_fences, 2);
	assert_int_equal(m.vcpu[3].requests, VCPU_REQ_FENCE);
	/* What was asked and not looked at yet needs no second one. */
	m.kicks = 0;
	vm_fence_ram(&m.vm);
	assert_int_equal(m.kicked, BIT(1) | BIT(2));
	assert_int_equal(m.kicks, 1);
	vm_fence_ram(&m.vm);
	vcpu_fence_others(&m.vcpu[0], BIT(1) | BIT(2), &f);
	assert_int_equal(m.kicks, 1);
	assert_int_equal(m.waits, 8);
}

static void target_leaves(bool wfi)
{
	(void)wfi;
	m.waits++;
	m.vcpu[1].running_on = -1;
}

static void H10_a_vcpu_that_leaves_the_guest_is_not_awaited(void **state)
{
	(void)state;
	put_on(&m.vcpu[1], 1);
	mock_wait = target_leaves;
	ask(0x1000, PAGE_SIZE, false, 0);
	assert_int_equal(m.waits, 1);
	assert_int_equal(m.vcpu[1].requests, VCPU_REQ_FENCE); /* but it does it before it enters */
}

/* The other one waits for us in the same way, and serves only once we have served it. */
static void target_waits_for_us(bool wfi)
{
	struct fence f = fence_of_pages(0x1000, PAGE_SIZE, false, 0);

	(void)wfi;
	assert_true(++m.waits < 10);
	if (m.waits == 1) {
		fence_merge(&m.vcpu[0].fence.todo, &f);
		m.vcpu[0].requests = VCPU_REQ_FENCE;
	} else if (!(m.vcpu[0].requests & VCPU_REQ_FENCE)) {
		m.vcpu[1].requests = 0;
	}
}

static void H10_two_that_fence_each_other_both_get_on(void **state)
{
	(void)state;
	put_on(&m.vcpu[1], 1);
	mock_wait = target_waits_for_us;
	ask(0x1000, PAGE_SIZE, false, 0);
	assert_int_equal(mock_live.n_fences, 1); /* ours, on its behalf */
}

/* Its hart is in a call that waits until ours has run one, too. */
static void target_goes_on_after_a_call(bool wfi)
{
	(void)wfi;
	assert_true(++m.waits < 10);
	if (m.calls_served)
		m.vcpu[1].requests = 0;
}

static void H10_calls_are_run_while_it_waits(void **state)
{
	(void)state;
	put_on(&m.vcpu[1], 1);
	mock_wait = target_goes_on_after_a_call;
	ask(0x1000, PAGE_SIZE, false, 0);
	assert_true(m.calls_served);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(H10_one_range_is_dropped_page_by_page),
		T(H10_large_ranges_drop_everything),
		T(H10_merging_loses_nothing),
		T(H10_ram_that_moved_is_fetched_anew_by_all),
		T(H10_near_ranges_stay_ranges),
		T(H10_one_that_does_not_run_is_not_interrupted),
		T(H10_running_ones_get_one_interrupt_each),
		T(H10_a_vcpu_that_leaves_the_guest_is_not_awaited),
		T(H10_two_that_fence_each_other_both_get_on),
		T(H10_calls_are_run_while_it_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
