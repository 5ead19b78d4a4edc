/* SBI calls of guests: system suspend and firmware features, with every way in which SBI 3.0 lets them fail. */
// sources: vmm/sbi/sbi.c vmm/sbi/base.c vmm/sbi/hsm.c vmm/sbi/susp.c vmm/sbi/fwft.c vmm/vm/memory.c
#include <sbi_call.h>

#define MISALIGNED SBI_FWFT_MISALIGNED_EXC_DELEG
#define AD SBI_FWFT_PTE_AD_HW_UPDATING

static struct sbiret firmware; /* what our own firmware answers */

struct sbiret sbi_call(unsigned long ext, unsigned long fid, unsigned long a0, unsigned long a1, unsigned long a2,
		       unsigned long a3)
{
	assert_int_equal(ext, SBI_EXT_FWFT);
	assert_int_equal(fid, SBI_FWFT_GET);
	assert_int_equal(a0 | a1 | a2 | a3, MISALIGNED);
	return firmware;
}

static void H10_probe_and_functions(void **state)
{
	static const uint64_t ids[] = { SBI_EXT_SUSP, SBI_EXT_FWFT };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++) {
		assert_int_equal(succeeds(SBI_EXT_BASE, 3, ARGS(ids[i])), 1);
		fails(SBI_ERR_NOT_SUPPORTED, ids[i], 2, ARGS(0, RAM));
		fails(SBI_ERR_NOT_SUPPORTED, ids[i], BIT(32), ARGS(0, RAM));
		fails(SBI_ERR_NOT_SUPPORTED, ids[i], UINT64_MAX, ARGS(0, RAM));
	}
	fails(SBI_ERR_NOT_SUPPORTED, SBI_EXT_SUSP, 1, ARGS(0, RAM));
	assert_int_equal(m.self->hsm_state, SBI_HSM_STARTED);
}

static void H10_system_suspend(void **state)
{
	(void)state;
	assert_int_equal(call(SBI_EXT_SUSP, 0, ARGS(BIT(32), RAM + 8, 9)), VCPU_LEAVE);
	assert_int_equal(m.self->leave, LEAVE_WFI);
	assert_int_equal(m.self->hsm_state, SBI_HSM_SUSPENDED);
	assert_true(m.self->suspended_nonretentive);
	assert_int_equal(m.self->start_pc, RAM + 8);
	assert_int_equal(m.self->start_opaque, 9);
}

static void H10_system_suspend_errors(void **state)
{
	static const uint64_t no_types[] = { 1, 0x7fffffff, 0x80000000, 0xffffffff, UINT64_MAX };
	static const uint64_t no_addresses[] = { 0, RAM + 1, RAM_END, RAM_END - 1, UINT64_MAX - 1, GUEST_UART_BASE };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(no_types); i++)
		fails(SBI_ERR_INVALID_PARAM, SBI_EXT_SUSP, 0, ARGS(no_types[i], RAM));
	for (unsigned i = 0; i < ARRAY_SIZE(no_addresses); i++)
		fails(SBI_ERR_INVALID_ADDRESS, SBI_EXT_SUSP, 0, ARGS(0, no_addresses[i]));
	for (unsigned s = SBI_HSM_STARTED; s <= SBI_HSM_RESUME_PENDING; s++) {
		if (s == SBI_HSM_STOPPED)
			continue;
		m.vcpu[VCPUS - 1].hsm_state = s;
		fails(SBI_ERR_DENIED, SBI_EXT_SUSP, 0, ARGS(0, RAM));
	}
	assert_int_equal(m.self->hsm_state, SBI_HSM_STARTED);
	assert_false(m.self->suspended_nonretentive);
}

static void H10_features_that_are_not_there(void **state)
{
	static const uint64_t known[] = { MISALIGNED, SBI_FWFT_LANDING_PAD, SBI_FWFT_SHADOW_STACK, SBI_FWFT_DOUBLE_TRAP,
					  AD, SBI_FWFT_POINTER_MASKING_PMLEN };
	static const uint64_t others[] = { 6, 0x3fffffff, 0x40000000, 0x7fffffff, 0x80000000, 0xbfffffff, 0xc0000000,
					   0xffffffff, UINT64_MAX };

	(void)state;
	m.vm.isa = ~BIT(ISA_SVADU);
	firmware.error = SBI_ERR_NOT_SUPPORTED;
	for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
		fails(SBI_ERR_NOT_SUPPORTED, SBI_EXT_FWFT, SBI_FWFT_GET, ARGS(known[i]));
		assert_int_equal(value(), 0);
		fails(SBI_ERR_NOT_SUPPORTED, SBI_EXT_FWFT, SBI_FWFT_SET, ARGS(known[i], 1));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
		fails(SBI_ERR_DENIED, SBI_EXT_FWFT, SBI_FWFT_GET, ARGS(others[i]));
		assert_int_equal(value(), 0);
		fails(SBI_ERR_DENIED, SBI_EXT_FWFT, SBI_FWFT_SET, ARGS(others[i], 1));
	}
	assert_int_equal(m.self->fwft.henvcfg | m.self->fwft.locked | mock_live.henvcfg, 0);
}

static void H10_feature_ad_updating(void **state)
{
	(void)state;
	m.vm.isa = BIT(ISA_SVADU);
	m.self->csrs.henvcfg = ENVCFG_STCE;
	assert_int_equal(succeeds(SBI_EXT_FWFT, SBI_FWFT_GET, ARGS(AD)), 0);
	assert_int_equal(succeeds(SBI_EXT_FWFT, SBI_FWFT_SET, ARGS(AD | BIT(32), 1)), 0);
	assert_int_equal(mock_live.henvcfg, ENVCFG_ADUE | ENVCFG_STCE);
	assert_int_equal(m.self->csrs.henvcfg, ENVCFG_ADUE | ENVCFG_STCE);
	assert_int_equal(mock_live.n_fences, 1);
	assert_int_equal(succeeds(SBI_EXT_FWFT, SBI_FWFT_GET, ARGS(AD)), 1);
	fails(SBI_ERR_INVALID_PARAM, SBI_EXT_FWFT, SBI_FWFT_SET, ARGS(AD, 2));
	fails(SBI_ERR_INVALID_PARAM, SBI_EXT_FWFT, SBI_FWFT_SET, ARGS(AD, BIT(32)));
	fails(SBI_ERR_INVALID_PARAM, SBI_EXT_FWFT, SBI_FWFT_SET, ARGS(AD, 0, 2));
	fails(SBI_ERR_INVALID_PARAM, SBI_EXT_FWFT, SBI_FWFT_SET, ARGS(AD, 0, BIT(63) | 1));
	assert_int_equal(succeeds(SBI_EXT_FWFT, SBI_FWFT_GET, ARGS(AD)), 1);
	succeeds(SBI_EXT_FWFT, SBI_FWFT_SET, ARGS(AD, 0, 1));
	assert_int_equal(mock_live.henvcfg, ENVCFG_STCE);
	fails(SBI_ERR_DENIED, SBI_EXT_FWFT, SBI_FWFT_SET, ARGS(AD, 1));
	fails(SBI_ERR_DENIED, SBI_EXT_FWFT, SBI_FWFT_SET, ARGS(AD, 0));
	assert_int_equal(succeeds(SBI_EXT_FWFT, SBI_FWFT_GET, ARGS(AD)), 0);
	assert_int_equal(m.vcpu[0].fwft.locked, 0); /* per hart */
}

static void H10_feature_misaligned_is_the_firmwares(void **state)
{
	(void)state;
	for (long deleg = 0; deleg <= 1; deleg++) {
		firmware = (struct sbiret){ 0, deleg };
		m.self->fwft.locked = 0;
		assert_int_equal(succeeds(SBI_EXT_FWFT, SBI_FWFT_GET, ARGS(MISALIGNED)), deleg);
		fails(SBI_ERR_DENIED, SBI_EXT_FWFT, SBI_FWFT_SET, ARGS(MISALIGNED, !deleg));
		fails(SBI_ERR_INVALID_PARAM, SBI_EXT_FWFT, SBI_FWFT_SET, ARGS(MISALIGNED, 2));
		succeeds(SBI_EXT_FWFT, SBI_FWFT_SET, ARGS(MISALIGNED, deleg));
		succeeds(SBI_EXT_FWFT, SBI_FWFT_SET, ARGS(MISALIGNED, deleg, 1));
		fails(SBI_ERR_DENIED, SBI_EXT_FWFT, SBI_FWFT_SET, ARGS(MISALIGNED, deleg));
		assert_int_equal(succeeds(SBI_EXT_FWFT, SBI_FWFT_GET, ARGS(MISALIGNED)), deleg);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(H10_probe_and_functions),
		T(H10_system_suspend),
		T(H10_system_suspend_errors),
		T(H10_features_that_are_not_there),
		T(H10_feature_ad_updating),
		T(H10_feature_misaligned_is_the_firmwares),
	};

	return cmocka_run_group_tests(tests, init, NULL);
}
