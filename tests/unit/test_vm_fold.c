/* Folding a VM's RAM: when there is memory for it, and only while nobody uses the block. */
// sources: vmm/vm/fold.c core/mm/aspace.c core/mm/aspace_fault.c core/mm/aspace_fold.c core/mm/pt.c
#include <errno.h>
#include <space.h>
#include <vmm/fold.h>
#include <vmm/memory.h>
#include <vmm/virtio.h>
#include <vmm/vm.h>

#define BLOCK (2 * MiB)
#define BLOCKS 4

static struct vm vm;
static struct vcpu vcpu;
static struct vio vios[2];
static struct {
	uint64_t now;
	unsigned still, moving, moves;
	bool runs_on, held;
	void (*at_move)(void);
} m;

uint64_t time_now(void) { return m.now++; }

int vm_stand_still(struct vm *v)
{
	assert_ptr_equal(v, &vm);
	if (m.runs_on)
		return -ETIMEDOUT;
	assert_int_equal(m.still++, 0);
	return 0;
}

void vm_go_on(struct vm *v)
{
	assert_ptr_equal(v, &vm);
	assert_int_equal(m.still--, 1);
	assert_int_equal(m.moving, 0);
	assert_null(vm.space.fold);
}

bool vio_move_begin(struct vio *dev)
{
	assert_int_equal(m.still, 1);
	if (dev == &vios[1] && m.held)
		return false;
	m.moving++;
	m.moves++;
	if (m.at_move)
		m.at_move();
	return true;
}

void vio_move_end(struct vio *dev)
{
	(void)dev;
	m.moving--;
}

/* The frames are the mocks' own: they are their pointers. */
hpa_t kva_to_hpa(const void *kva) { return HPA((uintptr_t)kva); }
void *hpa_to_kva(hpa_t pa) { return (void *)(uintptr_t)pa.v; }

static void *touch_small(uint64_t at)
{
	hpa_t hpa;

	mock_frames_max_order = 8;
	assert_int_equal(aspace_resolve(&vm.space, at, PERM_W, &hpa, NULL), FAULT_RESOLVED);
	mock_frames_max_order = 9;
	return hpa_to_kva(hpa);
}

static int setup(void **state)
{
	open_space(state);
	memset(&m, 0, sizeof(m));
	vm = (struct vm){ .space = as, .n_vcpus = 1, .vcpus = { &vcpu }, .n_vios = 2, .vios = { &vios[0], &vios[1] } };
	vcpu = (struct vcpu){ .vm = &vm };
	vm.space.flush = NULL;
	assert_int_equal(aspace_map_alloc(&vm.space, RAM, BLOCKS * BLOCK, RWX, ALLOC_LARGE), 0);
	for (unsigned i = 0; i < 128; i++) {
		touch_small(RAM + i * PAGE_SIZE);
		touch_small(RAM + 2 * BLOCK + i * PAGE_SIZE);
	}
	touch_small(RAM + BLOCK); /* not worth it */
	return 0;
}

static int teardown(void **state)
{
	as = vm.space;
	assert_int_equal(m.still, 0);
	assert_int_equal(m.moving, 0);
	assert_null(as.fold);
	return close_space(state);
}

static void M1_every_block_that_is_worth_it_is_folded_once(void **state)
{
	(void)state;
	assert_int_equal(vm_fold(&vm), 0);
	assert_int_equal(vm_fold(&vm), 0);
	assert_int_equal(vm_fold(&vm), -ENOENT);
	assert_int_equal(vm.space.folds, 2);
	assert_int_equal(vm.space.split, 1);
	assert_int_equal(vm.space.leaves[0], 1);
	assert_int_equal(vm.space.leaves[1], 2);
	assert_int_equal(m.moves, 4);
	assert_int_equal(vm.fold.stopped, 0);
	assert_true(vm.fold.longest > 0);
}

static void M1_none_is_folded_while_memory_is_short(void **state)
{
	(void)state;
	mock_frames_total = mock_frames_used + 512;
	assert_false(vm_fold_plentiful());
	assert_int_equal(vm_fold(&vm), -ENOMEM);
	mock_frames_total = BIT(20);
	assert_true(vm_fold_plentiful());
	mock_frames_max_order = 8;
	assert_int_equal(vm_fold(&vm), -ENOMEM);
	assert_int_equal(m.moves, 0);
	mock_frames_max_order = 9;
	assert_int_equal(vm_fold(&vm), 0);
}

/* Nothing interrupts its harts; whoever looks for a VM to fold does not even find it. */
static void H9_a_vm_whose_harts_are_its_own_is_never_stopped(void **state)
{
	(void)state;
	assert_true(vm_is_split(&vm));
	vm.own_harts = BIT(1);
	assert_false(vm_is_split(&vm));
	assert_int_equal(vm_fold(&vm), -ENOENT);
	assert_int_equal(m.moves, 0);
	assert_int_equal(vm.fold.stopped, 0);
	vm.own_harts = 0;
	assert_int_equal(vm_fold(&vm), 0);
}

static void stop(void)
{
	guest_stop_fold(&vm);
}

/* In the guest, held by a device, used by a device meanwhile: it stays, and the next one has its turn. */
static void M1_a_block_in_use_stays_as_it_is(void **state)
{
	uint64_t used = mock_frames_used;

	(void)state;
	for (unsigned why = 0; why < 3; why++) {
		m.runs_on = why == 0;
		m.held = why == 1;
		m.at_move = why == 2 ? stop : NULL;
		assert_int_equal(vm_fold(&vm), -EAGAIN);
		assert_int_equal(vm.fold.stopped, why + 1);
		assert_int_equal(mock_frames_used, used);
		assert_int_equal(vm.space.folds, 0);
	}
	m.at_move = NULL;
	assert_int_equal(vm_fold(&vm), 0);
	assert_int_equal(vm_fold(&vm), 0);
}

static void M1_a_record_of_stolen_time_stays_where_it_is(void **state)
{
	void *record = (char *)touch_small(RAM + 77 * PAGE_SIZE) + 128;
	hpa_t hpa;

	(void)state;
	vcpu.steal.record = record;
	assert_int_equal(vm_fold(&vm), -EAGAIN);
	assert_int_equal(vm_fold(&vm), 0);
	assert_int_equal(vm_fold(&vm), -EAGAIN);
	assert_int_equal(aspace_resolve(&vm.space, RAM + 77 * PAGE_SIZE + 128, PERM_R, &hpa, NULL), FAULT_RESOLVED);
	assert_ptr_equal(hpa_to_kva(hpa), record);
	vcpu.steal.record = NULL;
	assert_int_equal(vm_fold(&vm), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(M1_every_block_that_is_worth_it_is_folded_once),
		T(M1_none_is_folded_while_memory_is_short),
		T(H9_a_vm_whose_harts_are_its_own_is_never_stopped),
		T(M1_a_block_in_use_stays_as_it_is),
		T(M1_a_record_of_stolen_time_stays_where_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
