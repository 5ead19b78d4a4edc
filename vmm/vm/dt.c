/* What the guest's device tree takes from this machine. */
#include <caisson/dt.h>
#include <caisson/log.h>
#include <caisson/random.h>
#include <caisson/time.h>
#include <vmm/guest_dt.h>
#include <vmm/vm.h>

#define LOG_NAME "vm"

static void first_mmu_type(uint64_t hwid, int node, void *arg)
{
	const char **type = arg;

	(void)hwid;
	if (!*type)
		*type = dt_string(dt_blob(), node, "mmu-type");
}

static const char *mmu_type(void)
{
	const char *type = NULL;

	dt_for_each_cpu(first_mmu_type, &type);
	return type ? type : "riscv,sv39";
}

static void first_cpu_cell(uint64_t hwid, int node, void *arg)
{
	struct { const char *name; uint32_t value; } *want = arg;

	(void)hwid;
	if (want->value == 0)
		(void)!dt_u32(dt_blob(), node, want->name, 0, &want->value);
}

static uint32_t block_size(const char *name, bool wanted)
{
	struct { const char *name; uint32_t value; } want = { name, 0 };

	if (wanted)
		dt_for_each_cpu(first_cpu_cell, &want);
	return want.value;
}

/* A guest takes its seed for good, so somebody should know when it is not. */
static void make_seeds(struct guest_dt_machine *m)
{
	static bool told;

	random_bytes(&m->seeds, sizeof(m->seeds));
	if (!random_is_seeded() && !told)
		log_warn("this machine has no seed and no entropy device: guests' seeds can be guessed");
	told = true;
}

int vm_build_dt(struct vm *vm, void *buf, size_t size, char *err, size_t err_size)
{
	struct isa_text isa;
	struct guest_dt_machine m = {
		.timebase_hz = (uint32_t)timebase_hz,
		.isa = isa.string,
		.isa_extensions = isa.list,
		.mmu_type = mmu_type(),
		.cbom_block = block_size("riscv,cbom-block-size", vm_has_ext(vm, ISA_ZICBOM)),
		.cboz_block = block_size("riscv,cboz-block-size", vm_has_ext(vm, ISA_ZICBOZ)),
		.write_devices = vm_devices_write_nodes,
		.arg = vm,
		.plic_phandle = GUEST_PLIC_PHANDLE,
	};

	isa_describe(vm->isa, &isa);
	make_seeds(&m);
	return guest_dt_build(vm->config, vm->ram_start, &vm->layout, &m, buf, size, err, err_size);
}
