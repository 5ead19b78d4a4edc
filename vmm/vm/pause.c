/* Keeping a VM's vCPUs out of the guest for a while, or a moment. */
#include <errno.h>

#include <arch/cpu.h>
#include <caisson/log.h>
#include <caisson/time.h>
#include <vmm/vm.h>

#define LOG_NAME "vm"
#define PAUSE_TIMEOUT_US 1000000
#define LOOK_AGAIN_US 50
#define STILL_TIMEOUT_US 20000 /* an interrupt's time; more where harts share the CPUs of a machine below */

/* Lock held, as below: two vCPUs, the manager's orders and memory that comes back may all meet here. */
static void request_all(struct vm *vm)
{
	vm->paused = true;
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		vcpu_request(vm->vcpus[i], VCPU_REQ_PAUSE);
}

void vm_hold(struct vm *vm, uint64_t gpa)
{
	irqflags_t flags = spin_lock_irqsave(&vm->pause_lock);

	request_all(vm);
	vm->held_at = gpa;
	__atomic_store_n(&vm->held, VM_HELD_NEWS, __ATOMIC_RELEASE);
	spin_unlock_irqrestore(&vm->pause_lock, flags);
	vm_interrupt_wait();
}

static bool any_in_guest(const struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		if (__atomic_load_n(&vm->vcpus[i]->running_on, __ATOMIC_SEQ_CST) >= 0)
			return true;
	return false;
}

static bool begin_pause(struct vm *vm)
{
	irqflags_t flags = spin_lock_irqsave(&vm->pause_lock);
	bool can = vm->state == VM_RUNNING && !vm->paused;

	if (can) {
		vm->pause_ordered = true;
		request_all(vm);
	}
	spin_unlock_irqrestore(&vm->pause_lock, flags);
	return can;
}

int vm_pause(struct vm *vm)
{
	uint64_t deadline = time_now() + time_from_us(PAUSE_TIMEOUT_US);

	if (!begin_pause(vm))
		return -EBUSY;
	while (any_in_guest(vm)) {
		if (time_now() >= deadline)
			return -ETIMEDOUT;
		task_sleep_until(time_now() + time_from_us(LOOK_AGAIN_US));
	}
	log_info("%s: paused", vm->config->name);
	return 0;
}

/* @param ordered  end what vm_pause began, too. @return whether it was paused and no longer is. */
static bool end_pause(struct vm *vm, bool ordered)
{
	if (vm->state != VM_RUNNING || !vm->paused)
		return false;
	vm->held = VM_NOT_HELD;
	if (vm->pause_ordered && !ordered)
		return false;
	vm->paused = vm->pause_ordered = false;
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		__atomic_and_fetch(&vm->vcpus[i]->requests, ~(uint64_t)VCPU_REQ_PAUSE, __ATOMIC_SEQ_CST);
		waitq_notify_all(&vm->vcpus[i]->wait);
	}
	return true;
}

static int go_on(struct vm *vm, bool ordered)
{
	irqflags_t flags = spin_lock_irqsave(&vm->pause_lock);
	bool goes_on = end_pause(vm, ordered);

	spin_unlock_irqrestore(&vm->pause_lock, flags);
	if (!goes_on)
		return -EBUSY;
	log_info("%s: goes on", vm->config->name);
	return 0;
}

int vm_resume(struct vm *vm)
{
	return go_on(vm, true);
}

void vm_unhold(struct vm *vm)
{
	(void)!go_on(vm, false);
}

/* Neither in the guest, nor in what it has deferred: that may have lost its hart in the middle of guest memory. */
static bool is_out(const struct vcpu *v)
{
	return __atomic_load_n(&v->running_on, __ATOMIC_SEQ_CST) < 0 &&
	       __atomic_load_n(&v->leave, __ATOMIC_ACQUIRE) != LEAVE_CALL;
}

/* Nobody is waited for who lost its hart: a vCPU that gets one looks at its requests first. */
static bool wait_until_out(const struct vm *vm, uint64_t deadline)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		while (!is_out(vm->vcpus[i])) {
			if (time_now() >= deadline)
				return false;
			cpu_relax();
		}
	return true;
}

int vm_stand_still(struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		vcpu_request_still(vm->vcpus[i]);
	if (wait_until_out(vm, time_now() + time_from_us(STILL_TIMEOUT_US)))
		return 0;
	vm_go_on(vm);
	return -ETIMEDOUT;
}

void vm_go_on(struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		__atomic_and_fetch(&vm->vcpus[i]->requests, ~(uint64_t)VCPU_REQ_STILL, __ATOMIC_SEQ_CST);
		waitq_notify_all(&vm->vcpus[i]->wait);
	}
}
