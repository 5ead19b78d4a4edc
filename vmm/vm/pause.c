/* Keeping a VM's vCPUs out of the guest for a while. */
#include <errno.h>

#include <caisson/log.h>
#include <caisson/time.h>
#include <vmm/vm.h>

#define LOG_NAME "vm"
#define PAUSE_TIMEOUT_US 1000000
#define LOOK_AGAIN_US 50

static void request_all(struct vm *vm)
{
	vm->paused = true;
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		vcpu_request(vm->vcpus[i], VCPU_REQ_PAUSE);
}

void vm_hold(struct vm *vm, uint64_t gpa)
{
	request_all(vm);
	vm->held_at = gpa;
	__atomic_store_n(&vm->held, VM_HELD_NEWS, __ATOMIC_RELEASE);
	vm_interrupt_wait();
}

static bool any_in_guest(const struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		if (__atomic_load_n(&vm->vcpus[i]->running_on, __ATOMIC_SEQ_CST) >= 0)
			return true;
	return false;
}

int vm_pause(struct vm *vm)
{
	uint64_t deadline = time_now() + time_from_us(PAUSE_TIMEOUT_US);

	if (vm->state != VM_RUNNING || vm->paused)
		return -EBUSY;
	request_all(vm);
	while (any_in_guest(vm)) {
		if (time_now() >= deadline)
			return -ETIMEDOUT;
		task_sleep_until(time_now() + time_from_us(LOOK_AGAIN_US));
	}
	log_info("%s: paused", vm->config->name);
	return 0;
}

int vm_resume(struct vm *vm)
{
	if (vm->state != VM_RUNNING || !vm->paused)
		return -EBUSY;
	vm->paused = false;
	vm->held = VM_NOT_HELD;
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		__atomic_and_fetch(&vm->vcpus[i]->requests, ~(uint64_t)VCPU_REQ_PAUSE, __ATOMIC_SEQ_CST);
		waitq_notify_all(&vm->vcpus[i]->wait);
	}
	log_info("%s: goes on", vm->config->name);
	return 0;
}
