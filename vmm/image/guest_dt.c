/*
 * The device tree that describes a VM to its guest, in the spirit of QEMU's
 * `virt` (Devicetree Specification 0.4; Linux's bindings riscv/cpus.yaml and
 * riscv/extensions.yaml).
 */
#include "guest_dt_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <vmm/dt_writer.h>
#include <vmm/memory.h>

/* --- nodes ----------------------------------------------------------------------------- */

static void write_root(struct dt_writer *w)
{
	dt_put_text(w, "model", "caisson,vm");
	dt_put_text(w, "compatible", "riscv-virtio");
	dt_put_u32(w, "#address-cells", 2);
	dt_put_u32(w, "#size-cells", 2);
}

static void write_chosen(struct dt_writer *w, const struct guest_dt *dt)
{
	struct chosen chosen;
	char stdout_path[32];

	guest_dt_chosen(dt, &chosen);
	snprintf(stdout_path, sizeof(stdout_path), "/soc/serial@%" PRIx64, GUEST_UART_BASE);
	dt_begin(w, "chosen");
	dt_put_text(w, "stdout-path", stdout_path);
	for (unsigned i = 0; i < ARRAY_SIZE(chosen.properties); i++)
		if (chosen.properties[i].data)
			dt_put(w, chosen.properties[i].name, chosen.properties[i].data,
			       (size_t)chosen.properties[i].len);
	dt_end(w);
	dt_begin(w, "aliases");
	dt_put_text(w, "serial0", stdout_path);
	dt_end(w);
}

static void write_memory(struct dt_writer *w, const struct guest_dt *dt)
{
	dt_begin_at(w, "memory", dt->ram);
	dt_put_text(w, "device_type", "memory");
	dt_put_range(w, dt->ram, dt->cfg->memory);
	dt_end(w);
}

/**
 * How much of RAM's start is the firmware's: 2 MiB, or less where the VM was told to
 * put something of its own there, which a guest must then be able to use.
 */
static uint64_t firmware_size(const struct guest_dt *dt)
{
	uint64_t end = MIN(dt->ram + GUEST_FIRMWARE_SIZE, dt->layout->kernel_start);

	if (dt->layout->dtb_size)
		end = MIN(end, dt->layout->dtb_start);
	if (dt->layout->initrd_size)
		end = MIN(end, dt->layout->initrd_start);
	return ALIGN_DOWN(end - dt->ram, PAGE_SIZE);
}

static void write_reserved_memory(struct dt_writer *w, const struct guest_dt *dt)
{
	uint64_t size = firmware_size(dt);

	if (!size)
		return;
	dt_begin(w, "reserved-memory");
	dt_put_u32(w, "#address-cells", 2);
	dt_put_u32(w, "#size-cells", 2);
	dt_put_flag(w, "ranges");
	dt_begin_at(w, "firmware", dt->ram);
	dt_put_range(w, dt->ram, size);
	dt_put_flag(w, "no-map");
	dt_end(w);
	dt_end(w);
}

static void write_block_sizes(struct dt_writer *w, const struct guest_dt_machine *m)
{
	if (m->cbom_block)
		dt_put_u32(w, "riscv,cbom-block-size", m->cbom_block);
	if (m->cboz_block)
		dt_put_u32(w, "riscv,cboz-block-size", m->cboz_block);
	if (m->cbop_block)
		dt_put_u32(w, "riscv,cbop-block-size", m->cbop_block);
}

static void write_cpu(struct dt_writer *w, const struct guest_dt_machine *m, uint32_t n)
{
	dt_begin_at(w, "cpu", n);
	dt_put_text(w, "device_type", "cpu");
	dt_put_text(w, "compatible", "riscv");
	dt_put_u32(w, "reg", n);
	dt_put_text(w, "status", "okay");
	dt_put_text(w, "mmu-type", m->mmu_type);
	dt_put_text(w, "riscv,isa", m->isa);
	dt_put_text(w, "riscv,isa-base", "rv64i");
	if (m->isa_extensions)
		dt_put_texts(w, "riscv,isa-extensions", m->isa_extensions);
	write_block_sizes(w, m);

	dt_begin(w, "interrupt-controller");
	dt_put_text(w, "compatible", "riscv,cpu-intc");
	dt_put_flag(w, "interrupt-controller");
	dt_put_u32(w, "#interrupt-cells", 1);
	dt_put_u32(w, "phandle", GUEST_CPU_INTC_PHANDLE + n);
	dt_end(w);
	dt_end(w);
}

static void write_cpus(struct dt_writer *w, const struct guest_dt *dt)
{
	dt_begin(w, "cpus");
	dt_put_u32(w, "#address-cells", 1);
	dt_put_u32(w, "#size-cells", 0);
	dt_put_u32(w, "timebase-frequency", dt->machine->timebase_hz);
	for (uint32_t n = 0; n < dt->cfg->cpus; n++)
		write_cpu(w, dt->machine, n);
	dt_end(w);
}

static void write_soc(struct dt_writer *w, const struct guest_dt_machine *m)
{
	dt_begin(w, "soc");
	dt_put_text(w, "compatible", "simple-bus");
	dt_put_u32(w, "#address-cells", 2);
	dt_put_u32(w, "#size-cells", 2);
	dt_put_flag(w, "ranges");
	if (m->write_devices)
		m->write_devices(w, m->arg);
	dt_end(w);
}

/* --- the whole ------------------------------------------------------------------------------ */

static int generate(const struct guest_dt *dt)
{
	struct dt_writer w;
	int size;

	dt_start(&w, dt->fdt, (size_t)dt->size);
	dt_begin(&w, "");
	write_root(&w);
	write_chosen(&w, dt);
	write_memory(&w, dt);
	write_reserved_memory(&w, dt);
	write_cpus(&w, dt);
	write_soc(&w, dt->machine);
	dt_end(&w);
	size = dt_finish(&w);
	return size < 0 ? guest_dt_refuse(dt, "device tree", "cannot be built", size) : 0;
}

void guest_dt_chosen(const struct guest_dt *dt, struct chosen *out)
{
	const struct image_layout *l = dt->layout;
	const bool initrd = l->initrd_size != 0;
	const char *bootargs = dt->cfg->bootargs;

	*out = (struct chosen){
		.initrd_start = cpu_to_fdt64(l->initrd_start),
		.initrd_end = cpu_to_fdt64(l->initrd_start + l->initrd_size),
		.properties = {
			{ "bootargs", bootargs, (int)strlen(bootargs) + 1 },
			{ "linux,initrd-start", initrd ? &out->initrd_start : NULL, 8 },
			{ "linux,initrd-end", initrd ? &out->initrd_end : NULL, 8 },
			{ "rng-seed", dt->machine->seeds.rng, sizeof(dt->machine->seeds.rng) },
			{ "kaslr-seed", dt->machine->seeds.kaslr, sizeof(dt->machine->seeds.kaslr) },
		},
	};
}

int guest_dt_refuse(const struct guest_dt *dt, const char *label, const char *what, int fdt_err)
{
	snprintf(dt->err, dt->err_size, "%s: %s (%s)", label, what, fdt_strerror(fdt_err));
	return fdt_err == -FDT_ERR_NOSPACE ? -ENOSPC : -EINVAL;
}

uint64_t guest_dt_room(const struct vm_config *cfg)
{
	if (!cfg->dtb.file.data)
		return 64 * KiB;
	/* libfdt may have to sort the blob's parts, and needs a second place for that. */
	return ALIGN_UP(2 * MIN(cfg->dtb.file.size, GUEST_DT_USER_MAX) + 8 * KiB, PAGE_SIZE);
}

int guest_dt_build(const struct vm_config *cfg, uint64_t ram, const struct image_layout *layout,
		   const struct guest_dt_machine *machine, void *buf, size_t size,
		   char *err, size_t err_size)
{
	struct guest_dt dt = {
		.cfg = cfg, .ram = ram, .layout = layout, .machine = machine, .fdt = buf,
		.size = (int)MIN(MIN(size, layout->dtb_size), INT32_MAX),
		.err = err, .err_size = err_size,
	};
	int ret = cfg->dtb.file.data ? guest_dt_adopt(&dt) : generate(&dt);

	return ret ? ret : (int)fdt_totalsize(buf);
}
