/* The VM list. */
// sources: vmm/vm/list.c
#include <errno.h>
#include <test.h>
#include <arch/cpu.h>
#include <vmm/vm.h>

#define VMS 5

static struct vm_config config[VMS];
static struct vm vm[VMS];

static int setup(void **state)
{
	(void)state;
	memset(vm, 0, sizeof(vm));
	for (unsigned i = 0; i < VMS; i++) {
		snprintf(config[i].name, sizeof(config[i].name), "vm-%u", i);
		vm[i].config = &config[i];
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VMS; i++)
		if (vm_by_name(config[i].name) == &vm[i])
			vm_list_remove(&vm[i]);
	assert_null(vm_by_id(0));
	assert_true(mock_irq_on);
	return 0;
}

static void add_all(void)
{
	for (unsigned i = 0; i < VMS; i++)
		assert_int_equal(vm_list_add(&vm[i]), 0);
}

static bool count(struct vm *v, void *arg)
{
	unsigned *n = arg;

	(void)v;
	return ++*n < 3;
}

static bool in_order(struct vm *v, void *arg)
{
	unsigned *next = arg;

	assert_true(v->id >= *next);
	*next = v->id + 1;
	return true;
}

static void H6_found_by_id_and_name(void **state)
{
	(void)state;
	add_all();
	for (unsigned i = 0; i < VMS; i++) {
		assert_int_equal(vm[i].id, i);
		assert_ptr_equal(vm_by_id(i), &vm[i]);
		assert_ptr_equal(vm_by_name(config[i].name), &vm[i]);
	}
	assert_null(vm_by_id(VMS));
	assert_null(vm_by_name("vm-"));
	assert_null(vm_by_name("vm-00"));
	assert_null(vm_by_name(""));
}

static void H6_duplicate_names_are_refused(void **state)
{
	struct vm_config same = { .name = "vm-1" };
	struct vm twin = { .config = &same };

	(void)state;
	add_all();
	assert_int_equal(vm_list_add(&twin), -EEXIST);
	assert_int_equal(vm_list_add(&vm[1]), -EEXIST);
	assert_ptr_equal(vm_by_name("vm-1"), &vm[1]);
	assert_null(vm_by_id(VMS));
	vm_list_remove(&vm[1]);
	assert_int_equal(vm_list_add(&twin), 0);
	assert_ptr_equal(vm_by_name("vm-1"), &twin);
	vm_list_remove(&twin);
}

static void H6_ids_are_unique_and_used_again(void **state)
{
	unsigned next = 0;

	(void)state;
	add_all();
	vm_list_remove(&vm[1]);
	vm_list_remove(&vm[3]);
	assert_null(vm_by_id(1));
	assert_null(vm_by_name("vm-3"));
	assert_int_equal(vm_list_add(&vm[3]), 0);
	assert_int_equal(vm[3].id, 1);
	assert_int_equal(vm_list_add(&vm[1]), 0);
	assert_int_equal(vm[1].id, 3);
	for (unsigned i = 0; i < VMS; i++)
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(vm[i].id, vm[j].id);
	vm_for_each(in_order, &next);
	assert_int_equal(next, VMS);
}

static void H6_for_each_ends_when_told(void **state)
{
	unsigned n = 0;

	(void)state;
	vm_for_each(count, &n);
	assert_int_equal(n, 0);
	add_all();
	vm_for_each(count, &n);
	assert_int_equal(n, 3);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(H6_found_by_id_and_name),
		T(H6_duplicate_names_are_refused),
		T(H6_ids_are_unique_and_used_again),
		T(H6_for_each_ends_when_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
