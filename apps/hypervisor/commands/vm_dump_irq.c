/* `vm dump VM irq`: its interrupt controller (a PLIC), and what is pending at each vCPU. */
#include "vm_dump.h"

#include <stdio.h>

#include <caisson/mm.h>
#include <shell/output.h>
#include <vmm/vm.h>
#include <vmm/vplic_state.h>

struct source_row {
	uint64_t source, priority, level, pending, in_service;
	const char *enabled;
	char enabled_bytes[3 * VM_VCPUS_MAX];
};

static const struct shell_field source_fields[] = {
	SHELL_FIELD(struct source_row, source, SHELL_NUMBER, "source", 6),
	SHELL_FIELD(struct source_row, priority, SHELL_NUMBER, "priority", 8),
	SHELL_FIELD(struct source_row, level, SHELL_FLAG, "raised", -6),
	SHELL_FIELD(struct source_row, pending, SHELL_FLAG, "pending", -7),
	SHELL_FIELD(struct source_row, in_service, SHELL_FLAG, "claimed", -7),
	SHELL_FIELD(struct source_row, enabled, SHELL_TEXT, "enabled for vCPU", -16),
};
static const struct shell_layout source_layout = SHELL_LAYOUT(source_fields);

struct target_row {
	uint64_t vcpu, threshold, line, hvip, vsie, soft;
};

static const struct shell_field target_fields[] = {
	SHELL_FIELD(struct target_row, vcpu, SHELL_NUMBER, "vCPU", 4),
	SHELL_FIELD(struct target_row, threshold, SHELL_NUMBER, "threshold", 9),
	SHELL_FIELD(struct target_row, line, SHELL_FLAG, "external", -8),
	SHELL_FIELD(struct target_row, soft, SHELL_FLAG, "IPI", -4),
	SHELL_FIELD(struct target_row, hvip, SHELL_HEX, "hvip", 8),
	SHELL_FIELD(struct target_row, vsie, SHELL_HEX, "vsie", 8),
};
static const struct shell_layout target_layout = SHELL_LAYOUT(target_fields);

struct irq_copy {
	unsigned n_sources, n_targets;
	struct target_row targets[VM_VCPUS_MAX];
	struct source_row sources[VPLIC_IDS];
};

static bool bit(const uint64_t *words, unsigned i)
{
	return words[i / 64] >> (i % 64) & 1;
}

static void name_targets(uint32_t mask, struct source_row *row)
{
	size_t n = 0;

	for (unsigned v = 0; v < VM_VCPUS_MAX; v++)
		if (mask >> v & 1)
			n += (size_t)snprintf(row->enabled_bytes + n, sizeof(row->enabled_bytes) - n, "%s%u", n ? "," : "", v);
	row->enabled = n ? row->enabled_bytes : NULL;
}

/* Those of which there is something to say. The controller's lock is held. */
static void take_sources(const struct vplic *p, struct irq_copy *copy)
{
	for (unsigned i = 1; i < VPLIC_IDS; i++) {
		struct source_row *row = &copy->sources[copy->n_sources];

		*row = (struct source_row){
			.source = i, .priority = p->prio[i], .level = bit(p->level, i),
			.pending = vplic_pending(p, i / 64) >> (i % 64) & 1, .in_service = bit(p->in_service, i),
		};
		name_targets(p->targets[i], row);
		if (row->priority || row->level || row->pending || row->in_service || row->enabled)
			copy->n_sources++;
	}
}

static void *take(struct vm *vm)
{
	struct irq_copy *copy = kzalloc(sizeof(*copy));
	struct vplic *p = vm->plic->state;
	irqflags_t flags;

	if (!copy)
		return NULL;
	flags = spin_lock_irqsave(&p->lock);
	take_sources(p, copy);
	copy->n_targets = vm->n_vcpus;
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		const struct vcpu *v = vm->vcpus[i];

		copy->targets[i] = (struct target_row){
			.vcpu = i, .threshold = p->context[2 * i + 1].threshold, .line = p->lines >> i & 1,
			.hvip = v->csrs.hvip, .vsie = v->csrs.vsie, .soft = v->soft,
		};
	}
	spin_unlock_irqrestore(&p->lock, flags);
	return copy;
}

/* The rows stand where they were taken, so that their texts do. */
static void show(struct shell *sh, const void *data)
{
	const struct irq_copy *copy = data;

	shell_table(sh, "targets", &target_layout);
	for (unsigned i = 0; i < copy->n_targets; i++)
		shell_row(sh, &target_layout, &copy->targets[i]);
	shell_table_end(sh);
	shell_table(sh, "sources", &source_layout);
	for (unsigned i = 0; i < copy->n_sources; i++)
		shell_row(sh, &source_layout, &copy->sources[i]);
	shell_table_end(sh);
}

const struct vm_dump_part vm_dump_irq = { "irq", take, show };
