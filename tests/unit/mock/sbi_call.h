/* Three vCPUs, the second of which makes SBI calls: for the tests of vmm/sbi. */
#pragma once

#include <sbi_mock.h>

static inline int setup(void **state)
{
	(void)state;
	memset(&m, 0, sizeof(m));
	memset(&mock_live, 0, sizeof(mock_live));
	mock_fence_is = 0;
	m.vm.ram_start = RAM;
	m.vm.ram_size = RAM_SIZE;
	m.vm.n_vcpus = VCPUS;
	for (unsigned i = 0; i < VCPUS; i++) {
		m.vm.vcpus[i] = &m.vcpu[i];
		m.vcpu[i] = (struct vcpu){ .vm = &m.vm, .id = i, .siblings = ALL, .sbi = sbi_slots, .hsm_state = SBI_HSM_STOPPED };
	}
	m.self = &m.vcpu[1];
	m.self->hsm_state = SBI_HSM_STARTED;
	m.active = 1;
	m.in = "";
	return 0;
}

struct args {
	uint64_t a[5];
};

/* As vcpu_exit_ecall: every register but a0 and a1 must be kept. */
static inline enum vcpu_next call(uint64_t eid, uint64_t fid, struct args a)
{
	uint64_t *x = m.self->ctx.x, before[32];
	const struct sbi_ext *ext = sbi_find_in(m.self->sbi, eid);
	enum vcpu_next next;

	memcpy(&x[10], a.a, sizeof(a.a));
	x[16] = fid;
	x[17] = eid;
	memcpy(before, x, sizeof(before));
	next = ext ? ext->call(m.self) : sbi_return(m.self, SBI_ERR_NOT_SUPPORTED, 0);
	if (next == VCPU_LEAVE && m.self->leave == LEAVE_CALL)
		m.self->deferred(m.self);
	before[10] = x[10];
	before[11] = x[11];
	assert_memory_equal(before, x, sizeof(before));
	return next;
}

static long error(void) { return (long)m.self->ctx.x[10]; }
static uint64_t value(void) { return m.self->ctx.x[11]; }

static inline void fails(long expected, uint64_t eid, uint64_t fid, struct args a)
{
	assert_int_equal(call(eid, fid, a), VCPU_RESUME);
	assert_int_equal(error(), expected);
}

static inline uint64_t succeeds(uint64_t eid, uint64_t fid, struct args a)
{
	fails(SBI_SUCCESS, eid, fid, a);
	return value();
}

#define ARGS(...) ((struct args){ { __VA_ARGS__ } })

static inline int init(void **state)
{
	(void)state;
	return sbi_init();
}
