/* A VM's weight, cap and harts: set from its description, and changed while it runs. */
#include <errno.h>
#include <stdio.h>

#include <caisson/hart.h>
#include <caisson/time.h>
#include <vmm/partition.h>
#include <vmm/vm.h>

/* The vCPUs look again: at their task's mask, and at the cap. */
static void tell_vcpus(struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		if (vm->vcpus[i])
			vcpu_request(vm->vcpus[i], VCPU_REQ_SHARE);
}

static void put_weight(struct vm_share *s, unsigned weight)
{
	s->weight = weight;
	(void)task_group_set_weight(&s->group, weight * (uint64_t)TASK_WEIGHT_0 / VM_WEIGHT_DEFAULT);
}

_Static_assert(VM_WEIGHT_MAX * TASK_WEIGHT_0 / VM_WEIGHT_DEFAULT <= TASK_WEIGHT_MAX &&
	       TASK_WEIGHT_0 / VM_WEIGHT_DEFAULT >= TASK_WEIGHT_MIN, "tasks take every weight of VMs");

int vm_set_weight(struct vm *vm, uint64_t weight)
{
	if (weight < 1 || weight > VM_WEIGHT_MAX)
		return -ERANGE;
	put_weight(&vm->share, (unsigned)weight);
	return 0;
}

static void put_cap(struct vm_share *s, uint64_t percent)
{
	irqflags_t flags = spin_lock_irqsave(&s->lock);

	s->cap = (unsigned)percent;
	s->used = 0;
	s->since = time_now();
	s->period_end = s->since + time_from_us(VM_CAP_PERIOD_US);
	__atomic_store_n(&s->quota, time_from_us(VM_CAP_PERIOD_US) * percent / 100, __ATOMIC_RELAXED);
	spin_unlock_irqrestore(&s->lock, flags);
}

int vm_set_cap(struct vm *vm, uint64_t percent)
{
	if (percent > 100 * (uint64_t)vm->n_vcpus)
		return -ERANGE;
	if (percent && vm->config->exclusive)
		return -EPERM;
	put_cap(&vm->share, percent);
	tell_vcpus(vm);
	return 0;
}

static bool any_online(uint64_t mask)
{
	for (unsigned h = 0; h < hart_count(); h++)
		if ((mask & BIT(h)) && harts[h].online)
			return true;
	return false;
}

/* @return 0, or -EINVAL with the reason in err: it cannot run with this mask. */
static int check_harts(const struct vm *vm, uint64_t mask, char *err, size_t n)
{
	if (vm->config->exclusive)
		snprintf(err, n, "harts: it has harts of its own (exclusive)");
	else if (mask & ~(BIT(hart_count() - 1) * 2 - 1))
		snprintf(err, n, "harts: the machine's last one is hart %u", hart_count() - 1);
	else if (mask && !any_online(mask))
		snprintf(err, n, "harts: none of them is online");
	else
		return vm_partition_check(mask, err, n);
	return -EINVAL;
}

int vm_set_harts(struct vm *vm, uint64_t mask, char *err, size_t n)
{
	int error = check_harts(vm, mask, err, n);

	if (error)
		return error;
	__atomic_store_n(&vm->share.hart_mask, mask, __ATOMIC_SEQ_CST);
	tell_vcpus(vm);
	return 0;
}

void vm_share_init(struct vm *vm)
{
	const struct vm_config *c = vm->config;

	put_weight(&vm->share, c->weight ? c->weight : VM_WEIGHT_DEFAULT);
	put_cap(&vm->share, c->cap);
	vm->share.hart_mask = c->hart_mask;
}
