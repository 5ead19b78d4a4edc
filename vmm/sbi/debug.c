/*
 * Experimental SBI extension 0x08000020, in builds that check locks (DEBUG_LOCKS): what an operation of the guest
 * takes of locks. `./caisson bench --locks` asks before and after.
 */
#include <vmm/sbi.h>

/* Function 0: how many locks the hart has taken so far. */
static enum vcpu_next debug_call(struct vcpu *v)
{
	if (sbi_fid(v) != 0)
		return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
	return sbi_return(v, SBI_SUCCESS, lockcheck_taken());
}

SBI_EXT(debug) = { "debug", SBI_EXT_DEBUG, SBI_EXT_DEBUG, debug_call };
