/*
 * What SBI handlers ask of the rest of the hypervisor, recorded. Included by the
 * tests of vmm/sbi.
 */
#pragma once

#include <test.h>
#include <arch/cpu.h>
#include <caisson/task.h>
#include <vmm/console_mux.h>
#include <vmm/memory.h>
#include <vmm/sbi.h>
#include <vmm/vm.h>

#define VCPUS 3
#define RAM_SIZE (64 * KiB)
#define RAM GUEST_RAM_BASE
#define RAM_END (RAM + RAM_SIZE)
#define ALL (BIT(VCPUS) - 1)

static struct {
	struct vm vm;
	struct vcpu vcpu[VCPUS];
	struct vcpu *self;
	struct task task;
	char ram[RAM_SIZE];
	bool no_memory;           /* for guest RAM */
	uint64_t timer;
	unsigned timers;
	uint64_t ipis;            /* mask of vCPUs */
	uint64_t synced;          /* mask of vCPUs, and what was asked of them */
	struct fence fence;
	unsigned syncs;
	char out[1024];
	size_t out_n, out_limit; /* 0: none */
	const char *in;
	enum vm_end end;
	int end_status;
	unsigned ends;
	int active;
	struct vcpu *started;
	uint64_t start_pc, start_opaque;
	int start_error;
	unsigned wakes;
	unsigned yields;
	struct vcpu *yielded_to;
	uint64_t mask_at, mask;   /* one readable guest-virtual word */
} m;

void vcpu_set_timer(struct vcpu *v, uint64_t deadline)
{
	assert_ptr_equal(v, m.self);
	m.timer = deadline;
	m.timers++;
}

void vcpu_send_ipis(struct vm *vm, uint64_t vcpus)
{
	assert_ptr_equal(vm, m.self->vm);
	m.ipis |= vcpus;
}

void vcpu_fence_others(struct vcpu *self, uint64_t vcpus, const struct fence *what)
{
	assert_ptr_equal(self, m.self);
	assert_false(vcpus & BIT(self->id));
	m.synced = vcpus;
	m.fence = *what;
	m.syncs++;
}

struct fence fence_of_pages(uint64_t start, uint64_t size, bool has_asid, uint64_t asid)
{
	return (struct fence){ .spaces = has_asid ? FENCE_ONE_SPACE : FENCE_ALL_SPACES, .asid = (uint16_t)asid, .start = start,
			       .last = start + size - 1 };
}

int vcpu_start(struct vcpu *v, uint64_t pc, uint64_t opaque)
{
	m.started = v;
	m.start_pc = pc;
	m.start_opaque = opaque;
	v->task = &m.task;
	return m.start_error;
}

bool task_wake(struct task *t)
{
	assert_ptr_equal(t, &m.task);
	m.wakes++;
	return true;
}

bool vcpu_yield_to(struct vcpu *v)
{
	m.yielded_to = v;
	return true;
}

void task_yield(void)
{
	m.yields++;
}

void vm_end(struct vm *vm, enum vm_end how, int status, const char *fmt, ...)
{
	assert_ptr_equal(vm, &m.vm);
	assert_non_null(fmt);
	m.end = how;
	m.end_status = status;
	m.ends++;
}

void vm_vcpu_active(struct vm *vm)
{
	assert_ptr_equal(vm, &m.vm);
	m.active++;
}

void vm_vcpu_inactive(struct vm *vm)
{
	assert_ptr_equal(vm, &m.vm);
	m.active--;
	assert_true(m.active > 0); /* the caller at least */
}

size_t console_mux_write(struct vm *vm, const char *buf, size_t n)
{
	assert_ptr_equal(vm, &m.vm);
	if (m.out_limit)
		n = MIN(n, m.out_limit - m.out_n);
	assert_true(m.out_n + n <= sizeof(m.out));
	memcpy(m.out + m.out_n, buf, n);
	m.out_n += n;
	return n;
}

enum vdev_output console_mux_put(struct vm *vm, char byte)
{
	return console_mux_write(vm, &byte, 1) ? VDEV_TAKEN : VDEV_FULL;
}

size_t console_mux_read(struct vm *vm, char *buf, size_t n)
{
	size_t got = strnlen(m.in, n);

	assert_ptr_equal(vm, &m.vm);
	memcpy(buf, m.in, got);
	m.in += got;
	return got;
}

int vcpu_live_read64(gva_t va, uint64_t *out)
{
	if (va.v != m.mask_at)
		return -EFAULT;
	*out = m.mask;
	return 0;
}

enum fault_result aspace_resolve(struct aspace *as, uint64_t addr, unsigned access, hpa_t *hpa, uint64_t *len)
{
	assert_ptr_equal(as, &m.vm.space);
	assert_true(access == PERM_R || access == PERM_W);
	assert_true(addr >= RAM && addr < RAM_END);
	if (m.no_memory)
		return FAULT_NOMEM;
	*hpa = HPA((uintptr_t)&m.ram[addr - RAM]);
	*len = PAGE_SIZE - (addr & (PAGE_SIZE - 1));
	return FAULT_RESOLVED;
}
