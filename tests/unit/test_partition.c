/* VMs whose harts are their own: what is taken and refused, who may run where. Four harts. */
// sources: vmm/vm/partition.c
#include <errno.h>
#include <string.h>
#include <test.h>

#include <caisson/hart.h>
#include <caisson/smp.h>
#include <caisson/time.h>
#include <logged.h>
#include <vmm/partition.h>
#include <vmm/vm.h>

#define HARTS 4

struct hart harts[HART_MAX];
static const char *owners[HARTS];
static int stubborn = -1; /* a hart that its tasks do not leave */
static struct vm *list[4];
static char err[128];

unsigned hart_count(void) { return HARTS; }
uint64_t timer_ticks(unsigned hart) { return 100 + hart; }
const char *smp_owner(unsigned hart) { return owners[hart]; }

int smp_reserve(unsigned hart, const char *owner)
{
	if (hart >= HARTS)
		return -ENODEV;
	if (owners[hart])
		return -EALREADY;
	if ((int)hart == stubborn)
		return -ETIMEDOUT;
	if (harts[0].reserved + harts[1].reserved + harts[2].reserved + harts[3].reserved == HARTS - 1)
		return -EBUSY;
	owners[hart] = owner;
	harts[hart].reserved = true;
	return 0;
}

void smp_release(unsigned hart)
{
	owners[hart] = NULL;
	harts[hart].reserved = false;
}

void vm_for_each(bool (*fn)(struct vm *vm, void *arg), void *arg)
{
	for (unsigned i = 0; i < ARRAY_SIZE(list) && list[i]; i++)
		if (!fn(list[i], arg))
			return;
}

struct fixture {
	struct vm_config config[3];
	struct vm vm[3];
};

static struct fixture f;

static struct vm *make(unsigned i, const char *name, unsigned cpus, uint64_t mask, bool exclusive)
{
	struct vm_config *c = &f.config[i];

	strcpy(c->name, name);
	c->cpus = cpus;
	c->hart_mask = mask;
	c->exclusive = exclusive;
	f.vm[i].config = c;
	f.vm[i].share.hart_mask = mask;
	list[i] = &f.vm[i];
	return &f.vm[i];
}

static int fresh(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	memset(harts, 0, sizeof(harts));
	memset(owners, 0, sizeof(owners));
	memset(list, 0, sizeof(list));
	stubborn = -1;
	err[0] = '\0';
	return 0;
}

static void take(struct vm *vm)
{
	err[0] = '\0';
	assert_int_equal(vm_partition(vm, err, sizeof(err)), 0);
	assert_string_equal(err, "");
}

static void refuse(struct vm *vm, const char *why)
{
	assert_int_equal(vm_partition(vm, err, sizeof(err)), -EINVAL);
	assert_string_equal(err, why);
}

static void H9_each_vcpu_gets_one_hart(void **state)
{
	struct vm *rt = make(0, "rt", 2, BIT(1) | BIT(3), true), *other = make(1, "other", 2, 0, false);

	(void)state;
	take(rt);
	take(other);
	assert_int_equal(rt->own_harts, BIT(1) | BIT(3));
	assert_string_equal(owners[3], "rt");
	assert_int_equal(vm_vcpu_harts(rt, 0), BIT(1));
	assert_int_equal(vm_vcpu_harts(rt, 1), BIT(3));
	assert_int_equal(vm_vcpu_harts(other, 1), 0);
	vm_unpartition(other);
	assert_true(harts[1].reserved && harts[3].reserved);
	vm_unpartition(rt);
	assert_false(harts[1].reserved || harts[3].reserved);
}

static void H9_hart_of_another_is_refused(void **state)
{
	(void)state;
	take(make(0, "rt", 1, BIT(1), true));
	refuse(make(1, "rt2", 2, BIT(1) | BIT(2), true), "exclusive: hart 1 is rt's own");
	refuse(make(1, "rt2", 1, BIT(5), true), "harts: the machine has no hart 5, or it is offline");
	refuse(make(1, "vm", 1, BIT(1), false), "harts: none is left of them, hart 1 is rt's own");
	take(make(1, "vm", 1, BIT(1) | BIT(2), false));
	assert_int_equal(vm_partition_check(0, err, sizeof(err)), 0);
	assert_int_equal(vm_partition_check(BIT(1) | BIT(0), err, sizeof(err)), 0);
	assert_int_equal(vm_partition_check(BIT(1), err, sizeof(err)), -EINVAL);
}

static void H9_who_was_there_first_keeps_a_hart(void **state)
{
	struct vm *first = make(0, "first", 1, BIT(2), false);

	(void)state;
	take(first);
	refuse(make(1, "rt", 1, BIT(2), true), "exclusive: first may run on no other harts");
	assert_int_equal(f.vm[1].own_harts, 0);
	first->share.hart_mask = BIT(2) | BIT(0); /* `vm set` */
	take(&f.vm[1]);
	first->share.hart_mask = BIT(0);
	refuse(make(2, "rt2", 1, BIT(0), true), "exclusive: first may run on no other harts");
}

static void H9_what_was_taken_before_a_refusal_is_given_back(void **state)
{
	struct vm *rt = make(0, "rt", 2, BIT(1) | BIT(2), true);

	(void)state;
	stubborn = 2;
	refuse(rt, "exclusive: what runs on hart 2 does not leave it");
	assert_int_equal(rt->own_harts, BIT(1));
	vm_unpartition(rt);
	assert_false(harts[1].reserved);
	stubborn = -1;
	refuse(make(0, "all", 4, 15, true), "exclusive: without hart 3 none would be left for everything else");
	vm_unpartition(rt);
	assert_int_equal(rt->own_harts, 0);
}

static void H9_what_happened_on_its_harts_is_logged(void **state)
{
	struct vm *rt = make(0, "rt", 1, BIT(1), true);

	(void)state;
	take(rt);
	harts[1].switches = UINT32_MAX; /* it may wrap around */
	vm_partition_begin(rt);
	harts[1].switches += 2;
	mock_log_clear();
	vm_partition_log(rt);
	assert_non_null(strstr(mock_log_text(), "rt: hart 1 was its own: 2 task switches, 0 timer interrupts"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(H9_each_vcpu_gets_one_hart, fresh),
		cmocka_unit_test_setup(H9_hart_of_another_is_refused, fresh),
		cmocka_unit_test_setup(H9_who_was_there_first_keeps_a_hart, fresh),
		cmocka_unit_test_setup(H9_what_was_taken_before_a_refusal_is_given_back, fresh),
		cmocka_unit_test_setup(H9_what_happened_on_its_harts_is_logged, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
