/*
 * A VM's part of the harts: its weight against other VMs, a cap, and the harts it
 * may use. Set from its description; each can be changed while the VM runs.
 *
 * The weight is the VM's: those of its vCPUs that are runnable share it
 * (task_group), so that more vCPUs do not bring more time on a hart that is wanted
 * by others. It needs the class CFS. The cap is the VM's too, and holds in every
 * class: in each period of VM_CAP_PERIOD_US its vCPUs together have
 * cap / 100 x the period; a vCPU that finds it used up sleeps until the next. What
 * was used beyond it (by several harts at once, or before the timer came) is
 * taken from the next periods.
 */
#pragma once

#include <caisson/spinlock.h>
#include <caisson/task.h>
#include <caisson/types.h>

struct vm;
struct vcpu;

#define VM_WEIGHT_DEFAULT 100
#define VM_WEIGHT_MAX 10000
#define VM_CAP_NONE 0
#define VM_CAP_PERIOD_US 10000

struct vm_share {
	struct task_group group;
	unsigned weight;        /* 1 to VM_WEIGHT_MAX; VM_WEIGHT_DEFAULT counts as a task of nice 0 */
	uint64_t hart_mask;     /* atomic; our hart numbers, 0: all */
	unsigned cap;           /* per cent of a hart, VM_CAP_NONE */
	uint64_t quota;         /* atomic: ticks in a period, 0: no cap */
	spinlock_t lock;        /* of the rest; none is taken inside. Interrupts off. */
	uint64_t used;          /* ticks of this period, and debts of earlier ones */
	uint64_t since;         /* when the cap was set, ticks: no time before counts */
	uint64_t period_end;    /* ticks */
	uint64_t throttled;     /* how often a vCPU found the cap used up */
};

/** From vm->config. Before its vCPUs are made. */
void vm_share_init(struct vm *vm);

/* The changes. Any task; they stay over reboots. A vCPU that runs is reached at once, one that sleeps when it wakes. */

/** @return 0, or -ERANGE: not 1 to VM_WEIGHT_MAX. */
int vm_set_weight(struct vm *vm, uint64_t weight) __must_check;
/** VM_CAP_NONE: no cap. @return 0; -ERANGE: more than its vCPUs can use, 100 for each; -EPERM: its harts are its own. */
int vm_set_cap(struct vm *vm, uint64_t percent) __must_check;
/** 0: all harts. @return 0, or -EINVAL and in err (n bytes) why it cannot run there. */
int vm_set_harts(struct vm *vm, uint64_t mask, char *err, size_t n) __must_check;

/* For the run loop and the switch of vCPUs (vmm/vcpu/); v's task is the current one, interrupts off, quota not 0. */

/** v gets a hart: what it uses counts from now on. */
void vcpu_cap_begin(struct vcpu *v);
/** v leaves its hart: count what it has used. */
void vcpu_cap_end(struct vcpu *v);
/**
 * v is about to enter the guest: sleep if the cap is used up, else see to it that the guest is left when it is.
 * @return true: it has slept (interrupts were on meanwhile); look at everything again.
 */
bool vcpu_cap_wait(struct vcpu *v);
/** VCPU_REQ_SHARE: the mask may have changed. */
void vcpu_share_changed(struct vcpu *v);
