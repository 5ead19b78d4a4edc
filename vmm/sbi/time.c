/* SBI Timer extension ("Timer Extension (EID #0x54494D45)"). */
#include <vmm/sbi.h>

static enum vcpu_next time_call(struct vcpu *v)
{
	if (sbi_fid(v) != 0)
		return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
	vcpu_set_timer(v, sbi_arg(v, 0));
	return sbi_return(v, SBI_SUCCESS, 0);
}

SBI_EXT(timer) = { "time", SBI_EXT_TIME, SBI_EXT_TIME, time_call };
