/* vCPUs that come and go: no translation of another's, or of its own from before, is ever used; flushes are rare. */
// sources: vmm/vcpu/world.c
#include <test.h>

#include <arch/hext.h>
#include <arch/timer.h>
#include <caisson/hart.h>
#include <caisson/smp.h>
#include <caisson/time.h>
#include <vmm/vcpu/vcpu_internal.h>
#include <vmm/vm.h>
#include <vmm/world.h>

#define HARTS 2
#define VMS 3
#define VCPUS 9
#define VMIDS 16384

struct hext_features hext;
struct hart harts[HART_MAX];

/* Whose translations a hart may hold under a VMID: of guest-physical and of guest-virtual addresses. */
struct holds {
	const struct vcpu *gpa, *gva;
	unsigned gpa_age, gva_age;
};

static struct {
	struct vm vm[VMS];
	struct vcpu vcpu[VCPUS];
	unsigned age[VCPUS]; /* begins anew when its translations elsewhere, or all, are no longer good */
	struct holds holds[HARTS][VMIDS];
	unsigned flushes[HARTS], fence_is;
	uint64_t called;     /* mask of harts */
} m;

unsigned hart_count(void) { return HARTS; }
uint64_t time_now(void) { return 1000; }
void timer_set_guest_deadline(uint64_t deadline) { (void)deadline; }
void vcpu_timer_expired(struct vcpu *v) { (void)v; }
void vcpu_cap_begin(struct vcpu *v) { (void)v; }
void vcpu_cap_end(struct vcpu *v) { (void)v; }
void vcpu_steal_publish(struct vcpu *v) { (void)v; }
void vcpu_steal_begin(struct vcpu *v) { (void)v; }
void vcpu_counters_switch_in(struct vcpu *v) { (void)v; }
void vcpu_counters_switch_out(struct vcpu *v) { (void)v; }
void vcpu_csrs_load(const struct vcpu_csrs *c) { (void)c; }
void vcpu_csrs_save(struct vcpu_csrs *c) { (void)c; }
void fp_state_load(const struct fp_state *fp) { (void)fp; }
void fp_state_save(struct fp_state *fp) { (void)fp; }
void hext_take_illegal(bool take) { (void)take; }

void hext_flush_all(void)
{
	m.flushes[this_hart()->index]++;
	for (unsigned i = 0; i < VMIDS; i++)
		m.holds[this_hart()->index][i].gpa = NULL;
}

void smp_call_mask(uint64_t mask, void (*fn)(void *), void *arg)
{
	struct hart *here = this_hart();

	m.called |= mask;
	for (unsigned h = 0; h < HARTS; h++)
		if (mask & BIT(h)) {
			mock_hart = &harts[h];
			fn(arg);
		}
	mock_hart = here;
}

static int setup(void **state)
{
	static const struct pt_format format = { .mode = 8 };

	(void)state;
	memset(&m, 0, sizeof(m));
	memset(&mock_live, 0, sizeof(mock_live));
	memset(worlds, 0, sizeof(struct world) * HART_MAX);
	memset(harts, 0, sizeof(struct hart) * HART_MAX);
	worlds_init();
	for (unsigned h = 0; h < HARTS; h++)
		harts[h].index = h;
	for (unsigned i = 0; i < VMS; i++) {
		m.vm[i].space.format = &format;
		m.vm[i].space.root = HPA((i + 1) * 0x4000);
		m.vm[i].n_vcpus = VCPUS / VMS;
	}
	for (unsigned i = 0; i < VCPUS; i++) {
		m.vcpu[i] = (struct vcpu){ .vm = &m.vm[i % VMS], .running_on = -1, .sstc = true };
		m.vcpu[i].vm->vcpus[i / VMS] = &m.vcpu[i];
	}
	return 0;
}

static void take_off(struct hart *h)
{
	if (h->current)
		vcpu_switch_out((struct task_ext *)h->current);
	h->current = NULL;
}

/* The vCPU runs on the hart: it may use what is there under its VMID, and leaves its own. */
static void put_on(unsigned n, unsigned hart)
{
	struct vcpu *v = &m.vcpu[n];
	struct holds *holds;

	mock_hart = &harts[hart];
	take_off(mock_hart);
	if (v->loaded_hart != hart)
		m.age[n]++;
	vcpu_switch_in(&v->ext);
	mock_hart->current = (struct task *)&v->ext;
	assert_int_equal(mock_hart->loaded_vcpu == v, true);
	assert_true(v->vmid < BIT(hext.vmid_bits));
	holds = &m.holds[hart][v->vmid];
	for (unsigned i = 0; i < mock_live.n_fences; i++) {
		assert_int_equal(mock_live.fences[i].kind, FENCE_ALL);
		assert_int_equal(mock_live.vmid, v->vmid); /* it is of hgatp's */
		assert_int_equal(mock_live.root, v->vm->space.root.v);
		holds->gva = NULL;
	}
	mock_live.n_fences = 0;
	assert_true(!holds->gpa || (holds->gpa == v && holds->gpa_age == m.age[n]));
	assert_true(!holds->gva || (holds->gva == v && holds->gva_age == m.age[n]));
	*holds = (struct holds){ v, v, m.age[n], m.age[n] };
}

/* As vcpu_reset does it. */
static void reset(unsigned n)
{
	for (unsigned h = 0; h < HARTS; h++) {
		if (harts[h].current == (struct task *)&m.vcpu[n].ext) {
			mock_hart = &harts[h];
			take_off(mock_hart);
		}
		if (harts[h].loaded_vcpu == &m.vcpu[n])
			harts[h].loaded_vcpu = NULL;
	}
	m.vcpu[n].lease = 0;
	m.age[n]++;
}

static void no_flush_while_there_are_vmids(void **state)
{
	(void)state;
	hext.vmid_bits = 4;
	for (unsigned round = 0; round < 1000; round++)
		for (unsigned n = 0; n < VCPUS; n++)
			put_on(n, n % HARTS);
	assert_int_equal(m.flushes[0] + m.flushes[1], 0);
	assert_int_equal(worlds[0].counts.flushes + worlds[1].counts.flushes, 0);
	assert_int_equal(worlds[0].counts.vmids + worlds[1].counts.vmids, VCPUS);
	assert_int_equal(worlds[0].counts.loads + worlds[1].counts.loads, 1000 * VCPUS);
}

static void one_flush_when_all_are_used_up(void **state)
{
	(void)state;
	hext.vmid_bits = 2;
	for (unsigned n = 0; n < 4; n++)
		put_on(n, 0);
	assert_int_equal(m.flushes[0], 0);
	put_on(4, 0);
	assert_int_equal(m.flushes[0], 1);
	for (unsigned n = 0; n < 3; n++)
		put_on(n, 0); /* they had theirs under the last lease */
	assert_int_equal(m.flushes[0], 1);
	for (unsigned round = 0; round < 100; round++)
		put_on(round % 2 ? 4 : round % 3, 0);
	assert_int_equal(m.flushes[0], 1);
	assert_int_equal(m.flushes[1], 0);
	assert_int_equal(worlds[0].counts.flushes, 1);
}

static void without_vmids_each_change_is_a_flush(void **state)
{
	(void)state;
	hext.vmid_bits = 0;
	for (unsigned i = 0; i < 10; i++)
		put_on(0, 0);
	assert_int_equal(m.flushes[0], 0);
	for (unsigned i = 0; i < 10; i++)
		put_on(1 + i % 2, 0);
	assert_int_equal(m.flushes[0], 10);
	assert_int_equal(m.flushes[1], 0);
}

static void at_random(unsigned bits, unsigned rounds)
{
	uint64_t seed = 7 + bits;

	hext.vmid_bits = bits;
	for (unsigned i = 0; i < rounds; i++) {
		unsigned n = (unsigned)(mock_random(&seed) % VCPUS), hart = (unsigned)(mock_random(&seed) % HARTS);

		if (mock_random(&seed) % 50 == 0)
			reset(n);
		else if (harts[!hart].current != (struct task *)&m.vcpu[n].ext)
			put_on(n, hart);
	}
}

static void nobody_meets_what_another_left(void **state)
{
	for (unsigned bits = 0; bits <= 5; bits++) {
		setup(state);
		at_random(bits, 20000);
		for (unsigned h = 0; h < HARTS; h++)
			assert_int_equal(m.flushes[h], worlds[h].counts.flushes);
		/* Numbers that were given out, all but for those of the last lease. */
		for (unsigned h = 0; h < HARTS; h++)
			assert_int_equal(m.flushes[h], (worlds[h].counts.vmids - 1) >> bits);
	}
}

static void the_common_number_of_vmids_may_shrink(void **state)
{
	at_random(5, 1000);
	hext.vmid_bits = 2; /* a hart came with fewer */
	for (unsigned n = 0; n < VCPUS; n++)
		reset(n);
	at_random(2, 1000);
	(void)state;
}

static void tables_that_go_are_left(void **state)
{
	(void)state;
	hext.vmid_bits = 14;
	put_on(0, 0);
	put_on(1, 1);
	take_off(&harts[0]);
	vm_unload(&m.vm[0]);
	assert_int_equal(m.called, BIT(0));
	assert_int_equal(mock_live.root, 0);
	assert_null(harts[0].loaded_vcpu);
	assert_ptr_equal(harts[1].loaded_vcpu, &m.vcpu[1]);
	vm_unload(&m.vm[0]);
	assert_int_equal(m.called, BIT(0));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(no_flush_while_there_are_vmids),
		T(one_flush_when_all_are_used_up),
		T(without_vmids_each_change_is_a_flush),
		T(nobody_meets_what_another_left),
		T(the_common_number_of_vmids_may_shrink),
		T(tables_that_go_are_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
