/*
 * Illegal instructions. They are the guest's own affair and never come here, but in VMs whose plug-ins answer CSRs
 * (vmm/plugin.h): there each is looked at first. What no plug-in answers, and all of user programs, the guest gets
 * as it would have without us.
 */
#include <arch/hext.h>
#include <arch/trap.h>
#include <vmm/plugin.h>
#include <vmm/vcpu.h>
#include <vmm/vm.h>

#include "vcpu_internal.h"

#define OPCODE_SYSTEM 0x73
#define INSN_LEN 4

/* A CSR instruction (Unprivileged ISA, "Zicsr"). */
struct csr_insn {
	unsigned number, rd, source;   /* source: rs1, or the immediate value */
	bool immediate;
	enum { CSR_SWAP = 1, CSR_SET_BITS, CSR_CLEAR_BITS } what;
	bool reads, writes;
};

static bool decode(uint32_t insn, struct csr_insn *out)
{
	unsigned funct3 = insn >> 12 & 7;

	if ((insn & 0x7f) != OPCODE_SYSTEM || (funct3 & 3) == 0)
		return false;
	*out = (struct csr_insn){ .number = insn >> 20, .rd = insn >> 7 & 31, .source = insn >> 15 & 31,
				  .immediate = funct3 & 4, .what = funct3 & 3 };
	/* Those that set or clear nothing do not write; one that throws the value away does not read. */
	out->writes = out->what == CSR_SWAP || out->source != 0;
	out->reads = out->what != CSR_SWAP || out->rd != 0;
	return true;
}

static uint64_t new_value(const struct csr_insn *i, const struct vcpu *v, uint64_t old)
{
	uint64_t operand = i->immediate ? i->source : v->ctx.x[i->source];

	return i->what == CSR_SWAP ? operand : i->what == CSR_SET_BITS ? old | operand : old & ~operand;
}

/* @return false: it is illegal after all, and nothing has changed. */
static bool answer(struct vcpu *v, const struct csr_insn *i, const struct plugin_csr *csr, struct vdev *dev)
{
	uint64_t old = 0;

	if ((i->reads && !csr->read) || (i->writes && !csr->write))
		return false;
	if (i->reads && csr->read(dev, v->id, &old))
		return false;
	if (i->writes && csr->write(dev, v->id, new_value(i, v, old)))
		return false;
	v->ctx.x[i->rd] = old;
	v->ctx.x[0] = 0;
	return true;
}

static enum vcpu_next illegal(struct vcpu *v)
{
	vcpu_count_exit(v, EXIT_OTHER);
	vcpu_live_inject(CAUSE_ILLEGAL, vcpu_live_stval());
	return VCPU_RESUME;
}

enum vcpu_next vcpu_illegal_insn(struct vcpu *v, uint64_t saved)
{
	const struct plugin_csr *csr = NULL;
	struct vdev *dev;
	struct csr_insn i;

	if ((vcpu_live_sstatus() & SSTATUS_SPP) && decode(vcpu_trapped_insn(), &i))
		csr = vm_plugin_csr(v->vm, i.number, &dev);
	if (!csr)
		return illegal(v);
	if (~saved) /* it may name any register */
		return VCPU_SAVED;
	if (!answer(v, &i, csr, dev))
		return illegal(v);
	vcpu_count_exit(v, EXIT_OTHER);
	vcpu_live_skip(INSN_LEN);
	/* A write may have ended the VM, or have woken another vCPU on this hart. */
	if (v->requests & (VCPU_REQ_STOP | VCPU_REQ_PAUSE | VCPU_REQ_RESCHED))
		return vcpu_leave(v, LEAVE_RESCHED);
	return VCPU_RESUME;
}

/* Nothing else asks for all registers. */
enum vcpu_next vcpu_exit_saved(struct vcpu_ctx *ctx)
{
	return vcpu_illegal_insn(vcpu_of(ctx), ~UINT64_C(0));
}
