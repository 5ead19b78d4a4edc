/* What a VM looked like when it crashed. */
#include <stdio.h>

#include <arch/trap.h>
#include <caisson/console.h>
#include <caisson/log.h>
#include <vmm/vm.h>

#define LOG_NAME "vm"

static void line(const char *text, int n)
{
	console_write(CONSOLE_ERROR, text, (size_t)n);
}

static void report_vcpu(const struct vcpu *v)
{
	const struct vcpu_csrs *c = &v->csrs;
	char buf[192];

	line(buf, snprintf(buf, sizeof(buf), "  vCPU %u: pc %016lx  vstvec %016lx  vsatp %016lx\n", v->id,
			   (unsigned long)v->ctx.sepc, (unsigned long)c->vstvec, (unsigned long)c->vsatp));
	line(buf, snprintf(buf, sizeof(buf), "    vsepc %016lx  vscause %lx  vstval %016lx  vsstatus %016lx\n",
			   (unsigned long)c->vsepc, (unsigned long)c->vscause, (unsigned long)c->vstval,
			   (unsigned long)c->vsstatus));
	for (unsigned i = 0; i < 32; i += 4) {
		int n = 0;

		for (unsigned j = i; j < i + 4; j++)
			n += snprintf(buf + n, sizeof(buf) - (size_t)n, "    %-4s %016lx", trap_register_name(j),
				      (unsigned long)v->ctx.x[j]);
		n += snprintf(buf + n, sizeof(buf) - (size_t)n, "\n");
		line(buf, n);
	}
}

void vm_report(struct vm *vm)
{
	char buf[VM_REASON_MAX + VM_NAME_MAX + 32];

	line(buf, snprintf(buf, sizeof(buf), "%s: crashed: %s\n", vm->config->name, vm->reason));
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		if (vm->vcpus[i]->ctx.sepc)
			report_vcpu(vm->vcpus[i]);
}
