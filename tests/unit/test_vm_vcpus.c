/* A VM's vCPUs: the set (H6), what each begins with, and what its extensions switch (H12). */
// sources: vmm/vm/vcpus.c vmm/vcpu/vcpu.c vmm/vcpu/world.c vmm/vcpu/counters.c
#include <errno.h>
#include <test.h>

#include <arch/csr.h>
#include <arch/hext.h>
#include <caisson/hart.h>
#include <caisson/mm.h>
#include <caisson/smp.h>
#include <caisson/time.h>
#include <mem.h>
#include <vmm/sbi.h>
#include <vmm/vcpu/vcpu_internal.h>
#include <vmm/vm.h>

struct hext_features hext = { .sstc = true, .counters = true, .henvcfg = UINT64_MAX, .vmid_bits = 14 };
static struct vm vm;
static struct {
	uint64_t guest_deadline;
	unsigned guest_deadlines, expired, fp_loads, fp_saves;
} seen;

/* --- what vcpu.c calls --- */

struct hart harts[HART_MAX];
struct sbi_slot sbi_slots[SBI_SLOTS], sbi_counting_slots[SBI_SLOTS];
unsigned hart_count(void) { return 1; }
uint64_t time_now(void) { return 1000; }
void timer_cancel_sync(struct timer *t) { (void)t; }
void waitq_init(struct waitq *wq) { (void)wq; }

uint64_t guest_isa_henvcfg(uint64_t set) { return set & BIT(ISA_SSTC) ? ENVCFG_STCE : ENVCFG_CBZE; }
struct task *task_create(const char *name, void (*entry)(void *), void *arg, const struct task_attr *attr)
{
	(void)name;
	(void)entry;
	(void)arg;
	(void)attr;
	return NULL;
}
void vcpu_run(void *arg) { (void)arg; }
void vcpu_sample_init(struct vcpu *v) { (void)v; }
void vcpu_request(struct vcpu *v, uint64_t req) { v->requests |= req; }
void vcpu_timer_expired(struct vcpu *v) { seen.expired += v->deadline != UINT64_MAX; }
void vcpu_spin_init(struct vcpu *v) { (void)v; }
void vcpu_cap_init(struct vcpu *v) { (void)v; }
void vcpu_cap_begin(struct vcpu *v) { (void)v; }
void vcpu_cap_end(struct vcpu *v) { (void)v; }
void vcpu_steal_publish(struct vcpu *v) { (void)v; }
void vcpu_steal_begin(struct vcpu *v) { (void)v; }
void vcpu_csrs_load(const struct vcpu_csrs *c) { (void)c; }
void vcpu_csrs_save(struct vcpu_csrs *c) { (void)c; }
void fp_state_load(const struct fp_state *fp) { seen.fp_loads += fp != NULL; }
void fp_state_save(struct fp_state *fp) { seen.fp_saves += fp != NULL; }
void hext_flush_all(void) { }
void smp_call_mask(uint64_t mask, void (*fn)(void *), void *arg) { (void)mask; (void)fn; (void)arg; }
void hext_take_illegal(bool take) { (void)take; }

void timer_set_guest_deadline(uint64_t deadline)
{
	seen.guest_deadline = deadline;
	seen.guest_deadlines++;
}

static int setup(void **state)
{
	static const struct pt_format format = { .name = "sv39x4", .guest = true, .mode = 8 };
	static const struct vm_config config = { .name = "vm" };

	(void)state;
	memset(&vm, 0, sizeof(vm));
	memset(&seen, 0, sizeof(seen));
	vm.config = &config;
	vm.space.format = &format;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < vm.n_vcpus; i++)
		vcpu_destroy(vm.vcpus[i]);
	assert_int_equal(heap_in_use(), 0);
	return 0;
}

static void add(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(vm_vcpu_add(&vm, i), 0);
}

static void H6_one_to_eight_vcpus(void **state)
{
	(void)state;
	assert_int_equal(vm_vcpu_count(&vm), 0);
	assert_null(vm_vcpu(&vm, 0));
	for (unsigned i = 0; i < VM_VCPUS_MAX; i++) {
		assert_int_equal(vm_vcpu_add(&vm, i), 0);
		assert_int_equal(vm_vcpu_count(&vm), i + 1);
		assert_int_equal(vm_vcpu(&vm, i)->id, i);
		assert_ptr_equal(vm_vcpu(&vm, i)->vm, &vm);
		for (unsigned j = 0; j <= i; j++)
			assert_int_equal(vm_vcpu(&vm, j)->siblings, BIT(i + 1) - 1);
	}
	assert_int_equal(vm_vcpu_add(&vm, VM_VCPUS_MAX), -EINVAL); /* a ninth */
	assert_int_equal(vm_vcpu_count(&vm), VM_VCPUS_MAX);
	assert_null(vm_vcpu(&vm, VM_VCPUS_MAX));
	assert_null(vm_vcpu(&vm, BIT(32)));
	assert_null(vm_vcpu(&vm, UINT64_MAX));
}

static void H6_a_repeated_id_is_an_error(void **state)
{
	struct vcpu *first;

	(void)state;
	add(2);
	first = vm_vcpu(&vm, 0);
	assert_int_equal(vm_vcpu_add(&vm, 0), -EEXIST);
	assert_int_equal(vm_vcpu_add(&vm, 1), -EEXIST);
	assert_int_equal(vm_vcpu_add(&vm, 3), -EINVAL); /* none between */
	assert_int_equal(vm_vcpu_add(&vm, UINT32_MAX), -EINVAL);
	assert_int_equal(vm_vcpu_count(&vm), 2);
	assert_ptr_equal(vm_vcpu(&vm, 0), first);
	assert_int_equal(first->siblings, 3);
}

static void H6_no_memory_for_a_vcpu(void **state)
{
	(void)state;
	add(1);
	mock_alloc_fail_at = 1;
	assert_int_equal(vm_vcpu_add(&vm, 1), -ENOMEM);
	mock_alloc_fail_at = 0;
	assert_int_equal(vm_vcpu_count(&vm), 1);
	assert_int_equal(vm_vcpu(&vm, 0)->siblings, 1);
	assert_int_equal(vm_vcpu_add(&vm, 1), 0);
}

static void H6_a_vm_can_be_asked(void **state)
{
	struct vdev plic;

	(void)state;
	vm.space.root = HPA(0x1234000);
	vm.plic = &plic;
	assert_int_equal(vm_root_table(&vm).v, 0x1234000);
	assert_string_equal(vm_format(&vm)->name, "sv39x4");
	assert_ptr_equal(vm.plic, &plic);
}

static void H12_extensions_switch_what_a_vcpu_begins_with(void **state)
{
	struct vcpu *v;

	(void)state;
	vm.isa = BIT(ISA_ZICNTR) | BIT(ISA_F) | BIT(ISA_SSTC) | BIT(ISA_SSSTATEEN);
	add(1);
	v = vm_vcpu(&vm, 0);
	assert_true(v->sstc);
	assert_int_equal(v->csrs.henvcfg, ENVCFG_STCE);
	assert_int_equal(v->csrs.hcounteren, COUNTEREN_CY | COUNTEREN_TM | COUNTEREN_IR);
	assert_int_equal(v->csrs.hstateen0, STATEEN_ENVCFG | STATEEN_SE0);
	assert_int_equal(v->ctx.sstatus & SSTATUS_FS, SSTATUS_FS_CLEAN);
	vm.isa = 0;
	assert_int_equal(vm_vcpu_add(&vm, 1), 0);
	v = vm_vcpu(&vm, 1);
	assert_false(v->sstc);
	assert_int_equal(v->csrs.henvcfg, ENVCFG_CBZE);
	assert_int_equal(v->csrs.hcounteren, 0);
	assert_int_equal(v->csrs.hstateen0, STATEEN_ENVCFG);
	assert_int_equal(v->ctx.sstatus & SSTATUS_FS, 0);
	assert_int_equal(v->csrs.vstimecmp, UINT64_MAX);
}

/* On a machine that has Sstc, too, the VM without it has its timer from us, and only while it is there. */
static void H12_without_sstc_the_timer_goes_with_the_vcpu(void **state)
{
	struct vcpu *v;

	(void)state;
	add(1);
	v = vm_vcpu(&vm, 0);
	assert_int_equal(vcpu_start(v, 0, 0), -ENOMEM); /* it needs no task here */
	v->deadline = time_now() + 1000000;
	v->ext.ops->switch_in(&v->ext);
	assert_int_equal(seen.guest_deadline, v->deadline);
	v->ext.ops->switch_out(&v->ext);
	assert_int_equal(seen.guest_deadline, UINT64_MAX);
	v->deadline = 0;
	v->ext.ops->switch_in(&v->ext);
	assert_int_equal(seen.expired, 1);
	v->ext.ops->switch_out(&v->ext);
	v->sstc = true;
	seen.guest_deadlines = 0;
	v->ext.ops->switch_in(&v->ext);
	v->ext.ops->switch_out(&v->ext);
	assert_int_equal(seen.guest_deadlines, 0);
	assert_int_equal(seen.expired, 1);
}

/* One turn on the hart, in which it uses its FP registers or not. @return how often they were loaded and saved. */
static unsigned fp_turn(struct vcpu *v, bool uses)
{
	unsigned before = seen.fp_loads + seen.fp_saves;

	v->ext.ops->switch_in(&v->ext);
	if (uses)
		v->ctx.sstatus |= SSTATUS_FS_DIRTY;
	v->ext.ops->switch_out(&v->ext);
	return seen.fp_loads + seen.fp_saves - before;
}

static void H2_fp_registers_move_for_those_that_use_them(void **state)
{
	struct vcpu *a, *b, *c;

	(void)state;
	vm.isa = BIT(ISA_F);
	add(3);
	a = vm_vcpu(&vm, 0);
	b = vm_vcpu(&vm, 1);
	c = vm_vcpu(&vm, 2);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(vcpu_start(vm_vcpu(&vm, i), 0, 0), -ENOMEM);
	mock_hart->fp_owner = NULL;
	assert_int_equal(fp_turn(a, false), 1); /* whoever was there before */
	assert_int_equal(fp_turn(b, false), 0); /* as at power-on, like a's */
	assert_int_equal(fp_turn(c, true), 1);
	assert_int_equal(fp_turn(c, false), 0); /* still its own */
	assert_int_equal(fp_turn(a, false), 1); /* c's are not a's */
	assert_int_equal(fp_turn(b, false), 0);
	assert_int_equal(fp_turn(c, false), 1);
	vcpu_reset(c);
	assert_int_equal(fp_turn(c, false), 1); /* power-on values */
	assert_int_equal(fp_turn(b, false), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(H6_one_to_eight_vcpus),
		T(H6_a_repeated_id_is_an_error),
		T(H6_no_memory_for_a_vcpu),
		T(H6_a_vm_can_be_asked),
		T(H12_extensions_switch_what_a_vcpu_begins_with),
		T(H12_without_sstc_the_timer_goes_with_the_vcpu),
		T(H2_fp_registers_move_for_those_that_use_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
