/* `vm dump VM regs`: the registers of each vCPU. */
#include "vm_dump.h"

#include <caisson/mm.h>
#include <shell/output.h>
#include <vmm/vm.h>

#include "vm_commands.h"

struct vcpu_copy {
	uint64_t vcpu;
	const char *state;
	struct vcpu_ctx ctx;
	struct vcpu_csrs csrs;
};

struct regs_copy {
	unsigned n;
	struct vcpu_copy vcpus[VM_VCPUS_MAX];
};

#define HEX(name, member) \
	{ .key = name, .title = name, .kind = SHELL_HEX, .offset = offsetof(struct vcpu_copy, member) }

static const struct shell_field head_fields[] = {
	SHELL_FIELD(struct vcpu_copy, vcpu, SHELL_NUMBER, "vCPU", 0),
	SHELL_FIELD(struct vcpu_copy, state, SHELL_TEXT, "state", 0),
};
static const struct shell_layout head_layout = { head_fields, ARRAY_SIZE(head_fields), 2 };

static const struct shell_field regs_fields[] = {
	HEX("pc", ctx.sepc), HEX("ra", ctx.x[1]), HEX("sp", ctx.x[2]), HEX("gp", ctx.x[3]), HEX("tp", ctx.x[4]),
	HEX("t0", ctx.x[5]), HEX("t1", ctx.x[6]), HEX("t2", ctx.x[7]), HEX("s0", ctx.x[8]), HEX("s1", ctx.x[9]),
	HEX("a0", ctx.x[10]), HEX("a1", ctx.x[11]), HEX("a2", ctx.x[12]), HEX("a3", ctx.x[13]), HEX("a4", ctx.x[14]),
	HEX("a5", ctx.x[15]), HEX("a6", ctx.x[16]), HEX("a7", ctx.x[17]), HEX("s2", ctx.x[18]), HEX("s3", ctx.x[19]),
	HEX("s4", ctx.x[20]), HEX("s5", ctx.x[21]), HEX("s6", ctx.x[22]), HEX("s7", ctx.x[23]), HEX("s8", ctx.x[24]),
	HEX("s9", ctx.x[25]), HEX("s10", ctx.x[26]), HEX("s11", ctx.x[27]), HEX("t3", ctx.x[28]), HEX("t4", ctx.x[29]),
	HEX("t5", ctx.x[30]), HEX("t6", ctx.x[31]),
};
static const struct shell_layout regs_layout = { regs_fields, ARRAY_SIZE(regs_fields), 4 };

static const struct shell_field csr_fields[] = {
	HEX("sstatus", ctx.sstatus), HEX("hstatus", ctx.hstatus), HEX("vsstatus", csrs.vsstatus), HEX("vsie", csrs.vsie),
	HEX("vstvec", csrs.vstvec), HEX("vsscratch", csrs.vsscratch), HEX("vsepc", csrs.vsepc),
	HEX("vscause", csrs.vscause), HEX("vstval", csrs.vstval), HEX("vsatp", csrs.vsatp),
	HEX("vstimecmp", csrs.vstimecmp), HEX("hvip", csrs.hvip), HEX("henvcfg", csrs.henvcfg),
	HEX("senvcfg", csrs.senvcfg), HEX("scounteren", csrs.scounteren), HEX("sstateen0", csrs.sstateen0),
};
static const struct shell_layout csr_layout = { csr_fields, ARRAY_SIZE(csr_fields), 4 };

static void *take(struct vm *vm)
{
	struct regs_copy *copy = kzalloc(sizeof(*copy));

	if (!copy)
		return NULL;
	copy->n = vm->n_vcpus;
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		copy->vcpus[i] = (struct vcpu_copy){
			.vcpu = i, .state = vcpu_state_name(vm->vcpus[i]), .ctx = vm->vcpus[i]->ctx,
			.csrs = vm->vcpus[i]->csrs,
		};
	return copy;
}

static void show(struct shell *sh, const void *data)
{
	const struct regs_copy *copy = data;

	shell_array(sh, "regs");
	for (unsigned i = 0; i < copy->n; i++) {
		shell_object(sh, NULL);
		shell_members(sh, &head_layout, &copy->vcpus[i]);
		shell_members(sh, &regs_layout, &copy->vcpus[i]);
		shell_members(sh, &csr_layout, &copy->vcpus[i]);
		shell_object_end(sh);
	}
	shell_array_end(sh);
}

const struct vm_dump_part vm_dump_regs = { "regs", take, show };
