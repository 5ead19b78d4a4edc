/* SBI calls of guests: every function, and every way in which SBI 3.0 lets a call fail. */
// sources: vmm/sbi/sbi.c vmm/sbi/base.c vmm/sbi/time.c vmm/sbi/ipi.c vmm/sbi/rfence.c vmm/sbi/hsm.c vmm/sbi/srst.c vmm/sbi/dbcn.c vmm/sbi/legacy.c vmm/vm/memory.c
#include <sbi_call.h>

#define UNTOUCHED UINT64_C(0x5151515151515151)

extern const struct sbi_ext __sbi_exts_start[], __sbi_exts_end[];

/* --- look-up and base --- */

static bool in_table(uint64_t eid)
{
	for (const struct sbi_ext *e = __sbi_exts_start; e < __sbi_exts_end; e++)
		if (eid >= e->first && eid <= e->last)
			return true;
	return false;
}

static void H10_probe_is_what_the_table_says(void **state)
{
	static const uint64_t standard[] = { SBI_EXT_BASE, SBI_EXT_TIME, SBI_EXT_IPI, SBI_EXT_RFENCE,
					     SBI_EXT_HSM, SBI_EXT_SRST, SBI_EXT_DBCN };
	uint64_t seed = 7;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(standard); i++) {
		assert_true(in_table(standard[i]));
		assert_int_equal(succeeds(SBI_EXT_BASE, 3, ARGS(standard[i])), 1);
		assert_int_equal(succeeds(SBI_EXT_BASE, 3, ARGS(standard[i] | BIT(32))), 0);
		assert_int_equal(succeeds(SBI_EXT_BASE, 3, ARGS(standard[i] ^ 0x40)), in_table(standard[i] ^ 0x40));
	}
	for (uint64_t eid = 0; eid < 0x40; eid++)
		assert_int_equal(succeeds(SBI_EXT_BASE, 3, ARGS(eid)), in_table(eid));
	for (unsigned i = 0; i < 10000; i++) {
		uint64_t eid = mock_random(&seed) >> (i % 64);

		assert_int_equal(succeeds(SBI_EXT_BASE, 3, ARGS(eid)), in_table(eid));
		assert_int_equal(sbi_find(eid) != NULL, in_table(eid));
	}
}

/* Who looks finds or does not find in one look: every id has a place of its own, and a second one there is refused. */
static void every_extension_has_a_place_of_its_own(void **state)
{
	uint64_t places = 0;

	(void)state;
	for (const struct sbi_ext *e = __sbi_exts_start; e < __sbi_exts_end; e++) {
		for (uint64_t eid = e->first; eid <= e->last; eid++) {
			uint64_t place = BIT(sbi_hash(eid));

			assert_false(places & place);
			places |= place;
			assert_ptr_equal(sbi_find(eid), e);
			/* Others that come to the same place, and the place's number itself. */
			assert_null(sbi_find(eid ^ BIT(20)));
			assert_null(sbi_find(eid ^ BIT(40) ^ BIT(20)));
		}
	}
	assert_int_equal(sbi_init(), -EEXIST);
}

static void H10_unknown_ids_are_not_supported(void **state)
{
	static const uint64_t functions[][2] = { /* eid, how many fids there are */
		{ SBI_EXT_BASE, 7 }, { SBI_EXT_TIME, 1 }, { SBI_EXT_IPI, 1 }, { SBI_EXT_RFENCE, 3 },
		{ SBI_EXT_HSM, 4 }, { SBI_EXT_SRST, 1 }, { SBI_EXT_DBCN, 3 },
	};

	(void)state;
	fails(SBI_ERR_NOT_SUPPORTED, 0x09, 0, ARGS(0));
	fails(SBI_ERR_NOT_SUPPORTED, UINT64_MAX, 0, ARGS(0));
	for (unsigned i = 0; i < ARRAY_SIZE(functions); i++) {
		uint64_t eid = functions[i][0];

		for (uint64_t fid = functions[i][1]; fid < 20; fid++)
			fails(SBI_ERR_NOT_SUPPORTED, eid, fid, ARGS(0));
		fails(SBI_ERR_NOT_SUPPORTED, eid, UINT64_MAX, ARGS(0));
		fails(SBI_ERR_NOT_SUPPORTED, eid, BIT(32), ARGS(0));
	}
	assert_int_equal(m.ends + m.timers + m.syncs, 0);
}

static void H10_base_answers(void **state)
{
	(void)state;
	assert_int_equal(succeeds(SBI_EXT_BASE, 0, ARGS(0)), 0x03000000);
	assert_true(succeeds(SBI_EXT_BASE, 1, ARGS(0)) > 11); /* no other implementation's number */
	for (uint64_t fid = 4; fid < 7; fid++)
		succeeds(SBI_EXT_BASE, fid, ARGS(0));
}

static void H10_timer_takes_any_value(void **state)
{
	static const uint64_t values[] = { 0, 1, UINT64_MAX, BIT(63) };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
		succeeds(SBI_EXT_TIME, 0, ARGS(values[i]));
		assert_int_equal(m.timer, values[i]);
	}
	assert_int_equal(m.timers, ARRAY_SIZE(values));
}

/* --- hart masks --- */

static const struct {
	uint64_t mask, base;
	bool ok;
	uint64_t vcpus;
} masks[] = {
	{ 0, 0, true, 0 },
	{ 1, 0, true, 1 }, { 2, 0, true, 2 }, { 7, 0, true, 7 },
	{ 1, 2, true, 4 }, { 3, 1, true, 6 },
	{ 0, UINT64_MAX, true, ALL }, { 0xdead, UINT64_MAX, true, ALL }, { UINT64_MAX, UINT64_MAX, true, ALL },
	{ 8, 0, false, 0 }, { 9, 0, false, 0 }, { BIT(63), 0, false, 0 }, { UINT64_MAX, 0, false, 0 },
	{ 1, VCPUS, false, 0 }, { 7, 1, false, 0 }, { 2, 2, false, 0 },
	{ 1, 64, false, 0 }, { 1, 65, false, 0 }, { 1, UINT64_MAX - 1, false, 0 },
	{ 4, UINT64_MAX - 1, false, 0 }, /* the sum would wrap to hart 0 */
	{ BIT(63), 63, false, 0 }, { BIT(62), 2, false, 0 }, { 1, BIT(32), false, 0 }, { 1, BIT(63), false, 0 },
};

/* A vCPU that waits for this very hart gets it at once; one that runs elsewhere changes nothing here. */
static void H9_ipi_to_a_waiting_vcpu_gives_it_the_hart(void **state)
{
	(void)state;
	setup(NULL);
	fails(SBI_SUCCESS, SBI_EXT_IPI, 0, ARGS(1, 0));
	assert_null(m.yielded_to);
	m.vcpu[0].running_on = -1;
	fails(SBI_SUCCESS, SBI_EXT_IPI, 0, ARGS(1, 0));
	assert_ptr_equal(m.yielded_to, &m.vcpu[0]);
}

static void H10_hart_masks(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(masks); i++) {
		long expected = masks[i].ok ? SBI_SUCCESS : SBI_ERR_INVALID_PARAM;
		bool self = masks[i].vcpus & BIT(1);

		setup(NULL);
		fails(expected, SBI_EXT_IPI, 0, ARGS(masks[i].mask, masks[i].base));
		if (mock_live.hvip & BIT(IRQ_VS_SOFT))
			m.ipis |= BIT(1);
		assert_int_equal(m.ipis, masks[i].vcpus);

		fails(expected, SBI_EXT_RFENCE, 0, ARGS(masks[i].mask, masks[i].base));
		assert_int_equal(m.synced, masks[i].vcpus & ~BIT(1));
		assert_int_equal(mock_fence_is, self);

		m.synced = 0;
		fails(expected, SBI_EXT_RFENCE, 1, ARGS(masks[i].mask, masks[i].base));
		assert_int_equal(m.synced, masks[i].vcpus & ~BIT(1));
		assert_int_equal(mock_live.n_fences, self);
	}
}

/* --- fences --- */

static void fences_of_self(struct args a, uint64_t fid, unsigned n)
{
	mock_live.n_fences = 0;
	succeeds(SBI_EXT_RFENCE, fid, a);
	assert_int_equal(mock_live.n_fences, n);
}

static void is_fence(unsigned i, enum mock_fence_kind kind, uint64_t address, uint64_t id)
{
	assert_true(i < mock_live.n_fences);
	assert_int_equal(mock_live.fences[i].kind, kind);
	assert_int_equal(mock_live.fences[i].address, address);
	assert_int_equal(mock_live.fences[i].id, id);
}

static void H10_fence_ranges(void **state)
{
	static const struct {
		uint64_t start, size, pages; /* 0 pages: everything */
	} ranges[] = {
		{ 0, 0, 0 }, { 0, UINT64_MAX, 0 }, { 0x5000, UINT64_MAX, 0 }, { UINT64_MAX, UINT64_MAX, 0 },
		{ 0x5000, 1, 1 }, { 0x5000, PAGE_SIZE, 1 }, { 0x5fff, 1, 1 }, { 0x5fff, 2, 2 },
		{ 0x5000, PAGE_SIZE + 1, 2 }, { 0x5800, PAGE_SIZE, 2 }, { 0x5800, 2 * PAGE_SIZE, 3 },
		{ 0x5000, BIT(40), 0 }, { 0, BIT(63), 0 }, { BIT(63), BIT(63) - 1, 0 }, { BIT(63), BIT(63), 0 },
		/* ranges that end with the last byte of the address space */
		{ UINT64_MAX, 1, 1 }, { -PAGE_SIZE, PAGE_SIZE, 1 }, { -2 * PAGE_SIZE, 2 * PAGE_SIZE, 2 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(ranges); i++) {
		uint64_t start = ranges[i].start, size = ranges[i].size, pages = ranges[i].pages;

		fences_of_self(ARGS(2, 0, start, size, 0x77), 1, pages ? pages : 1);
		if (!pages)
			is_fence(0, FENCE_ALL, 0, 0);
		for (uint64_t p = 0; p < pages; p++)
			is_fence(p, FENCE_VA, ALIGN_DOWN(start, PAGE_SIZE) + p * PAGE_SIZE, 0);

		fences_of_self(ARGS(2, 0, start, size, 0x77), 2, pages ? pages : 1);
		if (!pages)
			is_fence(0, FENCE_ASID, 0, 0x77);
		for (uint64_t p = 0; p < pages; p++)
			is_fence(p, FENCE_ASID_VA, ALIGN_DOWN(start, PAGE_SIZE) + p * PAGE_SIZE, 0x77);
	}
	assert_int_equal(m.syncs, 0);
}

static void H10_fence_ranges_past_the_end_are_refused(void **state)
{
	static const uint64_t bad[][2] = {
		{ UINT64_MAX, 2 }, { -PAGE_SIZE, PAGE_SIZE + 1 }, { 3, UINT64_MAX - 1 }, { BIT(63), BIT(63) + 1 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		for (uint64_t fid = 1; fid <= 2; fid++)
			fails(SBI_ERR_INVALID_ADDRESS, SBI_EXT_RFENCE, fid, ARGS(7, 0, bad[i][0], bad[i][1]));
	assert_int_equal(m.syncs + mock_live.n_fences, 0);
	succeeds(SBI_EXT_RFENCE, 0, ARGS(7, 0, 2, UINT64_MAX - 1)); /* fence.i has no range */
}

static void H10_fences_of_others_are_awaited(void **state)
{
	(void)state;
	succeeds(SBI_EXT_RFENCE, 0, ARGS(5, 0));
	assert_true(m.fence.insns && m.fence.spaces == FENCE_NO_SPACE);
	assert_int_equal(mock_fence_is, 0);
	succeeds(SBI_EXT_RFENCE, 2, ARGS(7, 0, 0x1000, 0x1000, 3));
	assert_true(!m.fence.insns && m.fence.spaces == FENCE_ONE_SPACE);
	assert_int_equal(m.fence.asid, 3);
	assert_int_equal(m.fence.start, 0x1000);
	assert_int_equal(m.fence.last, 0x1fff);
	assert_int_equal(m.synced, 5);
	assert_int_equal(mock_live.n_fences, 1);
	assert_int_equal(m.syncs, 2);
}

/* --- HSM --- */

static void H10_hart_start(void **state)
{
	(void)state;
	assert_int_equal(call(SBI_EXT_HSM, SBI_HSM_START, ARGS(2, RAM + 0x200, 0x1234)), VCPU_LEAVE);
	assert_int_equal(error(), SBI_SUCCESS);
	assert_ptr_equal(m.started, &m.vcpu[2]);
	assert_int_equal(m.start_pc, RAM + 0x200);
	assert_int_equal(m.start_opaque, 0x1234);
	assert_int_equal(m.wakes, 1);
	assert_int_equal(m.active, 2);
	assert_int_equal(succeeds(SBI_EXT_HSM, SBI_HSM_STATUS, ARGS(2)), SBI_HSM_START_PENDING);
	m.started = NULL;
	fails(SBI_ERR_ALREADY_AVAILABLE, SBI_EXT_HSM, SBI_HSM_START, ARGS(2, RAM));
	fails(SBI_ERR_ALREADY_AVAILABLE, SBI_EXT_HSM, SBI_HSM_START, ARGS(1, RAM)); /* itself */
	m.vcpu[0].hsm_state = SBI_HSM_SUSPENDED;
	fails(SBI_ERR_ALREADY_AVAILABLE, SBI_EXT_HSM, SBI_HSM_START, ARGS(0, RAM));
	m.vcpu[0].hsm_state = SBI_HSM_STOP_PENDING; /* its task has ended with the VM */
	fails(SBI_ERR_ALREADY_AVAILABLE, SBI_EXT_HSM, SBI_HSM_START, ARGS(0, RAM));
	assert_null(m.started);
	assert_int_equal(m.active, 2);
}

static void H10_hart_start_errors(void **state)
{
	static const uint64_t no_harts[] = { VCPUS, 64, UINT64_MAX, BIT(32) };
	static const uint64_t no_addresses[] = { 0, RAM - 2, RAM_END, RAM_END - 1, RAM + 1, UINT64_MAX, UINT64_MAX - 1,
						 GUEST_UART_BASE, RAM | BIT(56) };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(no_harts); i++) {
		fails(SBI_ERR_INVALID_PARAM, SBI_EXT_HSM, SBI_HSM_START, ARGS(no_harts[i], RAM));
		fails(SBI_ERR_INVALID_PARAM, SBI_EXT_HSM, SBI_HSM_STATUS, ARGS(no_harts[i]));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(no_addresses); i++)
		fails(SBI_ERR_INVALID_ADDRESS, SBI_EXT_HSM, SBI_HSM_START, ARGS(2, no_addresses[i]));
	assert_null(m.started);
	call(SBI_EXT_HSM, SBI_HSM_START, ARGS(2, RAM_END - 2));
	assert_ptr_equal(m.started, &m.vcpu[2]);
}

static void H10_hart_start_without_memory_can_be_tried_again(void **state)
{
	(void)state;
	m.start_error = -ENOMEM;
	call(SBI_EXT_HSM, SBI_HSM_START, ARGS(2, RAM));
	assert_int_equal(error(), SBI_ERR_FAILED);
	assert_int_equal(m.wakes, 0);
	assert_int_equal(m.active, 1);
	assert_int_equal(succeeds(SBI_EXT_HSM, SBI_HSM_STATUS, ARGS(2)), SBI_HSM_STOPPED);
	m.start_error = 0;
	call(SBI_EXT_HSM, SBI_HSM_START, ARGS(2, RAM));
	assert_int_equal(error(), SBI_SUCCESS);
	assert_int_equal(m.active, 2);
}

static void H10_hart_stop_leaves(void **state)
{
	(void)state;
	assert_int_equal(call(SBI_EXT_HSM, SBI_HSM_STOP, ARGS(0)), VCPU_LEAVE);
	assert_int_equal(m.self->leave, LEAVE_HSM_STOP);
}

static void H10_hart_suspend(void **state)
{
	static const uint64_t no_types[] = { 1, 0x0fffffff, 0x10000000, 0x7fffffff, 0x80000001, 0x8fffffff,
					     0x90000000, 0xffffffff };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(no_types); i++)
		fails(SBI_ERR_INVALID_PARAM, SBI_EXT_HSM, SBI_HSM_SUSPEND, ARGS(no_types[i], RAM));
	fails(SBI_ERR_INVALID_ADDRESS, SBI_EXT_HSM, SBI_HSM_SUSPEND, ARGS(0x80000000, RAM_END));
	fails(SBI_ERR_INVALID_ADDRESS, SBI_EXT_HSM, SBI_HSM_SUSPEND, ARGS(0x80000000, RAM + 1));
	assert_int_equal(m.self->hsm_state, SBI_HSM_STARTED);
	assert_false(m.self->suspended_nonretentive);

	/* Retentive: no address is needed. Of the type 32 bits count. */
	assert_int_equal(call(SBI_EXT_HSM, SBI_HSM_SUSPEND, ARGS(BIT(63), 1)), VCPU_LEAVE);
	assert_int_equal(m.self->leave, LEAVE_WFI);
	assert_int_equal(error(), SBI_SUCCESS);
	assert_int_equal(m.self->hsm_state, SBI_HSM_SUSPENDED);
	assert_false(m.self->suspended_nonretentive);

	/* Sign-extended, as the calling convention has a uint32_t. */
	assert_int_equal(call(SBI_EXT_HSM, SBI_HSM_SUSPEND, ARGS(0xffffffff80000000, RAM + 8, 9)), VCPU_LEAVE);
	assert_true(m.self->suspended_nonretentive);
	assert_int_equal(m.self->start_pc, RAM + 8);
	assert_int_equal(m.self->start_opaque, 9);
}

/* --- system reset --- */

static void ends_with(struct args a, enum vm_end how, int status)
{
	m.ends = 0;
	assert_int_equal(call(SBI_EXT_SRST, 0, a), VCPU_LEAVE);
	assert_int_equal(m.self->leave, LEAVE_RESCHED);
	assert_int_equal(m.ends, 1);
	assert_int_equal(m.end, how);
	assert_int_equal(m.end_status, status);
}

static void H10_system_reset(void **state)
{
	static const uint64_t no_types[] = { 3, 0xefffffff, 0xf0000000, 0xffffffff };
	static const uint64_t no_reasons[] = { 2, 0xdfffffff, 0xe0000000, 0xf0000000, 0xffffffff };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(no_types); i++)
		fails(SBI_ERR_INVALID_PARAM, SBI_EXT_SRST, 0, ARGS(no_types[i], 0));
	for (unsigned i = 0; i < ARRAY_SIZE(no_reasons); i++)
		for (uint64_t type = 0; type < 3; type++)
			fails(SBI_ERR_INVALID_PARAM, SBI_EXT_SRST, 0, ARGS(type, no_reasons[i]));
	assert_int_equal(m.ends, 0);
	ends_with(ARGS(0, 0), VM_END_SHUTDOWN, 0);
	ends_with(ARGS(1, 0), VM_END_RESET, 0);
	ends_with(ARGS(2, 0), VM_END_RESET, 0);
	ends_with(ARGS(0, 1), VM_END_CRASH, 1);
	ends_with(ARGS(BIT(32), BIT(40)), VM_END_SHUTDOWN, 0);
}

/* --- debug console --- */

static void H10_console_buffers_are_checked(void **state)
{
	static const struct args bad[] = {
		{ { 1, RAM - 1, 0 } }, { { 2, RAM - 1, 0 } }, { { 1, RAM_END, 0 } },
		{ { 2, RAM_END - 1, 0 } }, { { RAM_SIZE + 1, RAM, 0 } }, { { 1000, RAM_END - 999, 0 } },
		{ { UINT64_MAX, RAM, 0 } }, { { UINT64_MAX, RAM_END - 1, 0 } }, { { UINT64_MAX, 1, 0 } },
		{ { -RAM, RAM, 0 } }, { { 1, 0, 0 } }, { { 1, UINT64_MAX, 0 } }, { { 1, GUEST_UART_BASE, 0 } },
		{ { 1, RAM, 1 } }, { { 1, RAM, UINT64_MAX } }, { { 1, RAM, BIT(63) } },
	};

	(void)state;
	m.in = "typed";
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		fails(SBI_ERR_INVALID_PARAM, SBI_EXT_DBCN, 0, bad[i]);
		assert_int_equal(value(), 0);
		fails(SBI_ERR_INVALID_PARAM, SBI_EXT_DBCN, 1, bad[i]);
		assert_int_equal(value(), 0);
	}
	assert_int_equal(m.out_n, 0);
	assert_string_equal(m.in, "typed");
}

static void H10_console_write(void **state)
{
	uint64_t n;

	(void)state;
	memcpy(m.ram + PAGE_SIZE - 2, "across", 6);
	assert_int_equal(succeeds(SBI_EXT_DBCN, 0, ARGS(6, RAM + PAGE_SIZE - 2)), 6);
	assert_memory_equal(m.out, "across", 6);
	assert_int_equal(m.out_n, 6);
	assert_int_equal(succeeds(SBI_EXT_DBCN, 0, ARGS(0, RAM)), 0);
	assert_int_equal(succeeds(SBI_EXT_DBCN, 0, ARGS(1, RAM_END - 1)), 1);
	/* All of RAM: as much as it takes, told honestly. */
	m.out_n = 0;
	n = succeeds(SBI_EXT_DBCN, 0, ARGS(RAM_SIZE, RAM));
	assert_true(n > 0);
	assert_int_equal(m.out_n, n);
	assert_memory_equal(m.out, m.ram, n);
	assert_int_equal(succeeds(SBI_EXT_DBCN, 2, ARGS(0xfff41)), 0);
	assert_int_equal(m.out[m.out_n - 1], 'A');
}

/* What the console does not take is not lost: the guest is told, or the call is made once more. */
static void H10_console_that_is_slow(void **state)
{
	(void)state;
	m.out_limit = 4;
	memcpy(m.ram, "across", 6);
	assert_int_equal(call(SBI_EXT_DBCN, 0, ARGS(6, RAM)), VCPU_LEAVE);
	assert_int_equal(m.self->leave, LEAVE_YIELD);
	assert_int_equal(error(), SBI_SUCCESS);
	assert_int_equal(value(), 4);
	for (unsigned i = 0; i < 2; i++) {
		mock_live.pc = 0x1004;
		assert_int_equal(call(i ? 1 : SBI_EXT_DBCN, i ? 0 : 2, ARGS('x')), VCPU_LEAVE);
		assert_int_equal(m.self->leave, LEAVE_YIELD);
		assert_int_equal(mock_live.pc, 0x1000);
		assert_int_equal(error(), 'x'); /* its arguments stay */
	}
	assert_int_equal(m.out_n, 4);
}

static void H10_console_read(void **state)
{
	(void)state;
	memset(m.ram, '.', 16);
	assert_int_equal(succeeds(SBI_EXT_DBCN, 1, ARGS(8, RAM)), 0);
	assert_memory_equal(m.ram, "........", 8);
	m.in = "hello";
	assert_int_equal(succeeds(SBI_EXT_DBCN, 1, ARGS(3, RAM)), 3);
	assert_memory_equal(m.ram, "hel.", 4);
	assert_int_equal(succeeds(SBI_EXT_DBCN, 1, ARGS(RAM_SIZE, RAM)), 2);
	assert_memory_equal(m.ram, "lol.", 4);
}

static void H10_console_without_memory_fails(void **state)
{
	(void)state;
	m.no_memory = true;
	fails(SBI_ERR_FAILED, SBI_EXT_DBCN, 0, ARGS(3, RAM));
	assert_int_equal(m.out_n, 0);
	m.in = "x";
	fails(SBI_ERR_FAILED, SBI_EXT_DBCN, 1, ARGS(3, RAM));
}

/* --- legacy --- */

static long legacy(uint64_t eid, uint64_t a0, struct args a)
{
	a.a[0] = a0;
	a.a[1] = UNTOUCHED;
	assert_int_equal(call(eid, 99, a), VCPU_RESUME);
	assert_int_equal(value(), UNTOUCHED); /* a0 is all that they return in */
	return error();
}

static void H10_legacy_calls_keep_a1(void **state)
{
	(void)state;
	assert_int_equal(legacy(0, 77, ARGS(0)), 0);
	assert_int_equal(m.timer, 77);
	assert_int_equal(legacy(1, 'x', ARGS(0)), 0);
	assert_int_equal(m.out[0], 'x');
	assert_int_equal(legacy(2, 0, ARGS(0)), -1);
	m.in = "\xff";
	assert_int_equal(legacy(2, 0, ARGS(0)), 0xff);
	mock_live.hvip = BIT(IRQ_VS_SOFT) | BIT(IRQ_VS_EXT);
	assert_int_equal(legacy(3, 0, ARGS(0)), 0);
	assert_int_equal(mock_live.hvip, BIT(IRQ_VS_EXT));
	assert_int_equal(call(8, 0, ARGS(0)), VCPU_LEAVE);
	assert_int_equal(m.end, VM_END_SHUTDOWN);
}

static void H10_legacy_masks_lie_in_guest_memory(void **state)
{
	(void)state;
	m.mask_at = 0x7000;
	m.mask = UINT64_MAX << 1;
	assert_int_equal(legacy(4, 0x7000, ARGS(0)), 0);
	assert_int_equal(m.ipis, ALL & ~BIT(0));
	assert_int_equal(legacy(5, 0, ARGS(0)), 0); /* no mask: all */
	assert_int_equal(m.synced, ALL & ~BIT(1));
	assert_true(m.fence.insns && m.fence.spaces == FENCE_NO_SPACE);
	assert_int_equal(mock_fence_is, 1);
	m.ipis = 0;
	assert_true(legacy(4, 0x7008, ARGS(0)) < 0);
	assert_true(legacy(6, 0x7008, ARGS(0)) < 0);
	assert_int_equal(m.ipis + mock_live.n_fences, 0);
	m.mask = BIT(1);
	call(7, 0, ARGS(0x7000, 0x3000, 0x1000, 5));
	is_fence(0, FENCE_ASID_VA, 0x3000, 5);
	call(6, 0, ARGS(0x7000, 0x3000, UINT64_MAX - 1));
	is_fence(1, FENCE_ALL, 0, 0);
	/* Past the end of the address space: more than it names, here and elsewhere. */
	m.mask = BIT(0) | BIT(1);
	mock_live.n_fences = 0;
	m.synced = 0;
	call(6, 0, ARGS(0x7000, -PAGE_SIZE, 2 * PAGE_SIZE));
	is_fence(0, FENCE_ALL, 0, 0);
	assert_int_equal(m.synced, BIT(0));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(H10_probe_is_what_the_table_says),
		T(every_extension_has_a_place_of_its_own),
		T(H10_unknown_ids_are_not_supported),
		T(H10_base_answers),
		T(H10_timer_takes_any_value),
		T(H10_hart_masks),
		T(H9_ipi_to_a_waiting_vcpu_gives_it_the_hart),
		T(H10_fence_ranges),
		T(H10_fence_ranges_past_the_end_are_refused),
		T(H10_fences_of_others_are_awaited),
		T(H10_hart_start),
		T(H10_hart_start_errors),
		T(H10_hart_start_without_memory_can_be_tried_again),
		T(H10_hart_stop_leaves),
		T(H10_hart_suspend),
		T(H10_system_reset),
		T(H10_console_buffers_are_checked),
		T(H10_console_write),
		T(H10_console_that_is_slow),
		T(H10_console_read),
		T(H10_console_without_memory_fails),
		T(H10_legacy_calls_keep_a1),
		T(H10_legacy_masks_lie_in_guest_memory),
	};

	return cmocka_run_group_tests(tests, init, NULL);
}
