/* SBI Base extension ("Base Extension (EID #0x10)"). */
#include <vmm/sbi.h>

enum { GET_SPEC_VERSION, GET_IMPL_ID, GET_IMPL_VERSION, PROBE, GET_MVENDORID, GET_MARCHID, GET_MIMPID, N_FUNCTIONS };

#define SPEC_VERSION 0x03000000 /* 3.0 */
#define IMPL_ID 0x43414953      /* "CAIS": no number has been assigned to us */
#define IMPL_VERSION 1

/* Machine ids are 0: not told. */
static const uint32_t values[N_FUNCTIONS] = {
	[GET_SPEC_VERSION] = SPEC_VERSION,
	[GET_IMPL_ID] = IMPL_ID,
	[GET_IMPL_VERSION] = IMPL_VERSION,
};

static enum vcpu_next base_call(struct vcpu *v)
{
	uint64_t fid = sbi_fid(v);

	if (unlikely(fid >= N_FUNCTIONS))
		return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
	if (fid == PROBE)
		return sbi_return(v, SBI_SUCCESS, sbi_find(sbi_arg(v, 0)) != NULL);
	return sbi_return(v, SBI_SUCCESS, values[fid]);
}

SBI_EXT(base) = { "base", SBI_EXT_BASE, SBI_EXT_BASE, base_call };
