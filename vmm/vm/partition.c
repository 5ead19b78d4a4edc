/* VMs whose harts are their own: taking the harts, giving them back, and proof that nothing else ran there. */
#include <errno.h>
#include <stdio.h>

#include <caisson/hart.h>
#include <caisson/log.h>
#include <caisson/smp.h>
#include <caisson/time.h>
#include <vmm/partition.h>
#include <vmm/vm.h>

#define LOG_NAME "vm"

/* Counts of each hart when its VM was started. Each is its owner's. */
static struct {
	uint32_t switches;
	uint64_t timer_interrupts;
} before[HART_MAX];

static uint64_t reserved_harts(void)
{
	uint64_t mask = 0;

	for (unsigned h = 0; h < hart_count(); h++)
		if (harts[h].reserved)
			mask |= BIT(h);
	return mask;
}

/* The n-th hart of a mask. */
static unsigned nth_hart(uint64_t mask, unsigned n)
{
	while (n--)
		mask &= mask - 1;
	return (unsigned)__builtin_ctzll(mask);
}

uint64_t vm_vcpu_harts(const struct vm *vm, unsigned id)
{
	uint64_t mask = __atomic_load_n(&vm->share.hart_mask, __ATOMIC_SEQ_CST);

	return vm->config->exclusive && id < vm->config->cpus ? BIT(nth_hart(mask, id)) : mask;
}

/* --- taking --- */

struct left_without {
	uint64_t taken;
	const struct vm *vm;
};

/* Is this a VM that may run on harts only that are, or are about to be, another's own? */
static bool find_left_without(struct vm *vm, void *arg)
{
	struct left_without *l = arg;

	if (vm->config->exclusive || !vm->share.hart_mask || (vm->share.hart_mask & ~l->taken))
		return true;
	l->vm = vm;
	return false;
}

static int refuse_hart(unsigned hart, int error, char *err, size_t n)
{
	switch (error) {
	case -ENODEV:
		snprintf(err, n, "harts: the machine has no hart %u, or it is offline", hart);
		break;
	case -EALREADY:
		snprintf(err, n, "exclusive: hart %u is %s's own", hart, smp_owner(hart));
		break;
	case -EBUSY:
		snprintf(err, n, "exclusive: without hart %u none would be left for everything else", hart);
		break;
	default:
		snprintf(err, n, "exclusive: what runs on hart %u does not leave it", hart);
		break;
	}
	return -EINVAL;
}

static int take_harts(struct vm *vm, char *err, size_t n)
{
	for (unsigned i = 0; i < vm->config->cpus; i++) {
		unsigned hart = nth_hart(vm->config->hart_mask, i);
		int error = smp_reserve(hart, vm->config->name);

		if (error)
			return refuse_hart(hart, error, err, n);
		vm->own_harts |= BIT(hart);
	}
	return 0;
}

int vm_partition_check(uint64_t hart_mask, char *err, size_t n)
{
	uint64_t reserved = reserved_harts();
	unsigned first;

	if (!hart_mask || (hart_mask & ~reserved))
		return 0;
	first = nth_hart(hart_mask, 0);
	snprintf(err, n, "harts: none is left of them, hart %u is %s's own", first, smp_owner(first));
	return -EINVAL;
}

int vm_partition(struct vm *vm, char *err, size_t n)
{
	struct left_without l = { .taken = reserved_harts() | vm->config->hart_mask };

	if (!vm->config->exclusive)
		return vm_partition_check(vm->config->hart_mask, err, n);
	vm_for_each(find_left_without, &l);
	if (!l.vm)
		return take_harts(vm, err, n);
	snprintf(err, n, "exclusive: %s may run on no other harts", l.vm->config->name);
	return -EINVAL;
}

void vm_unpartition(struct vm *vm)
{
	for (; vm->own_harts; vm->own_harts &= vm->own_harts - 1)
		smp_release(nth_hart(vm->own_harts, 0));
}

/* --- proof --- */

void vm_partition_begin(struct vm *vm)
{
	for (uint64_t left = vm->own_harts; left; left &= left - 1) {
		unsigned hart = nth_hart(left, 0);

		before[hart].switches = harts[hart].switches;
		before[hart].timer_interrupts = timer_ticks(hart);
	}
}

void vm_partition_log(const struct vm *vm)
{
	for (uint64_t left = vm->own_harts; left; left &= left - 1) {
		unsigned hart = nth_hart(left, 0);

		log_info("%s: hart %u was its own: %u task switches, %lu timer interrupts", vm->config->name, hart,
			 harts[hart].switches - before[hart].switches,
			 (unsigned long)(timer_ticks(hart) - before[hart].timer_interrupts));
	}
}
