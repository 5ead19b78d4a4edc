/* SBI Base extension ("Base Extension (EID #0x10)"). */
#include <vmm/sbi.h>

enum { GET_SPEC_VERSION, GET_IMPL_ID, GET_IMPL_VERSION, PROBE, GET_MVENDORID, GET_MARCHID, GET_MIMPID };

#define SPEC_VERSION 0x03000000 /* 3.0 */
#define IMPL_ID 0x43414953      /* "CAIS": no number has been assigned to us */
#define IMPL_VERSION 1

static enum vcpu_next base_call(struct vcpu *v)
{
	switch (sbi_fid(v)) {
	case GET_SPEC_VERSION:
		return sbi_return(v, SBI_SUCCESS, SPEC_VERSION);
	case GET_IMPL_ID:
		return sbi_return(v, SBI_SUCCESS, IMPL_ID);
	case GET_IMPL_VERSION:
		return sbi_return(v, SBI_SUCCESS, IMPL_VERSION);
	case PROBE:
		return sbi_return(v, SBI_SUCCESS, sbi_find(sbi_arg(v, 0)) != NULL);
	case GET_MVENDORID:
	case GET_MARCHID:
	case GET_MIMPID:
		return sbi_return(v, SBI_SUCCESS, 0);
	default:
		return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
	}
}

SBI_EXT(base) = { "base", SBI_EXT_BASE, SBI_EXT_BASE, base_call };
