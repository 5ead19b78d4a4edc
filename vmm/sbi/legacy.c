/*
 * SBI legacy calls ("Legacy Extensions (EIDs #0x00 - #0x0F)"). They return in
 * a0 only and keep a1. Hart masks are read through the guest's own translation.
 */
#include <vmm/console_mux.h>
#include <vmm/sbi.h>
#include <vmm/vm.h>

enum {
	SET_TIMER, PUTCHAR, GETCHAR, CLEAR_IPI, SEND_IPI, REMOTE_FENCE_I, REMOTE_SFENCE_VMA,
	REMOTE_SFENCE_VMA_ASID, SHUTDOWN,
};

static enum vcpu_next legacy_return(struct vcpu *v, long a0)
{
	v->ctx.x[10] = (uint64_t)a0;
	return VCPU_RESUME;
}

/* a0 points to the mask; 0 stands for all harts. Bits past the last hart name nobody. */
static int read_mask(const struct vcpu *v, uint64_t *vcpus)
{
	uint64_t all = BIT(v->vm->n_vcpus) - 1;
	uint64_t mask = all;
	int error = 0;

	if (sbi_arg(v, 0))
		error = vcpu_live_read64(GVA(sbi_arg(v, 0)), &mask);
	*vcpus = mask & all;
	return error;
}

/* These calls know no bad addresses: a range over the end of the address space is everything. */
static void sfence(struct vcpu *v, uint64_t vcpus, bool has_asid)
{
	uint64_t start = sbi_arg(v, 1), size = sbi_arg(v, 2);

	if (size && start + size - 1 < start)
		size = UINT64_MAX;
	sbi_sfence_mask(v, vcpus, start, size, has_asid, sbi_arg(v, 3));
}

static enum vcpu_next with_mask(struct vcpu *v, uint64_t eid)
{
	uint64_t vcpus;

	if (read_mask(v, &vcpus))
		return legacy_return(v, SBI_ERR_INVALID_ADDRESS);
	switch (eid) {
	case SEND_IPI:
		sbi_ipi_mask(v, vcpus);
		break;
	case REMOTE_FENCE_I:
		sbi_fence_i_mask(v, vcpus);
		break;
	default:
		sfence(v, vcpus, eid == REMOTE_SFENCE_VMA_ASID);
		break;
	}
	return legacy_return(v, SBI_SUCCESS);
}

static enum vcpu_next console(struct vcpu *v, uint64_t eid)
{
	char byte = (char)sbi_arg(v, 0);

	if (eid == PUTCHAR && console_mux_put(v->vm, byte) == VDEV_FULL)
		return vcpu_call_again(v);
	if (eid == PUTCHAR)
		return legacy_return(v, SBI_SUCCESS);
	return legacy_return(v, console_mux_read(v->vm, &byte, 1) ? (long)(unsigned char)byte : -1);
}

static enum vcpu_next legacy_call(struct vcpu *v)
{
	uint64_t eid = sbi_eid(v);

	switch (eid) {
	case SET_TIMER:
		vcpu_set_timer(v, sbi_arg(v, 0));
		return legacy_return(v, SBI_SUCCESS);
	case PUTCHAR:
	case GETCHAR:
		return console(v, eid);
	case CLEAR_IPI:
		vcpu_live_hvip_clear(BIT(IRQ_VS_SOFT));
		return legacy_return(v, SBI_SUCCESS);
	case SHUTDOWN:
		vm_end(v->vm, VM_END_SHUTDOWN, 0, "shut down by vCPU %u", v->id);
		return vcpu_leave(v, LEAVE_RESCHED);
	default:
		return with_mask(v, eid);
	}
}

SBI_EXT(legacy) = { "legacy", SET_TIMER, SHUTDOWN, legacy_call };
