/* Reading the device tree: harts, RAM, time base, boot arguments. */
#include "guest.h"

#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

struct machine machine = { .bootargs = "" };

void guest_begin(uint64_t hart, const void *dtb);

static bool is_cpu(int node)
{
	const char *type = fdt_getprop(machine.dtb, node, "device_type", NULL);
	const char *status = fdt_getprop(machine.dtb, node, "status", NULL);

	return type && !strcmp(type, "cpu") && (!status || !strcmp(status, "okay"));
}

static void find_isa(int cpu)
{
	int len;
	const char *list = fdt_getprop(machine.dtb, cpu, "riscv,isa-extensions", &len);
	const char *isa = fdt_getprop(machine.dtb, cpu, "riscv,isa", NULL);

	if (list)
		machine.sstc = fdt_stringlist_contains(list, len, "sstc");
	else if (isa)
		machine.sstc = strstr(isa, "_sstc") != NULL;
}

static void find_harts(void)
{
	int cpus = fdt_path_offset(machine.dtb, "/cpus"), node, len;
	const fdt32_t *base = fdt_getprop(machine.dtb, cpus, "timebase-frequency", &len);

	machine.timebase = base && len == 4 ? fdt32_to_cpu(*base) : 10000000;
	machine.harts = 1;
	fdt_for_each_subnode(node, machine.dtb, cpus) {
		const fdt32_t *reg = fdt_getprop(machine.dtb, node, "reg", &len);
		uint64_t id;

		if (!is_cpu(node) || !reg)
			continue;
		id = len == 8 ? fdt64_to_cpu(*(const fdt64_t *)reg) : fdt32_to_cpu(*reg);
		if (id == harts[0].id)
			find_isa(node);
		else if (machine.harts < HARTS_MAX)
			harts[machine.harts++].id = id;
	}
}

static void find_ram(void)
{
	int node = fdt_node_offset_by_prop_value(machine.dtb, -1, "device_type", "memory", 7), len;
	const fdt64_t *reg = fdt_getprop(machine.dtb, node, "reg", &len);

	if (reg && len >= 16) {
		machine.ram_base = fdt64_to_cpu(reg[0]);
		machine.ram_size = fdt64_to_cpu(reg[1]);
	}
}

/* Runs on the first hart before main(). */
void guest_begin(uint64_t hart, const void *dtb)
{
	int chosen;
	const char *args;

	harts[0].id = hart;
	harts[0].handler = trap_unexpected;
	if (fdt_check_header(dtb))
		return;
	machine.dtb = dtb;
	find_harts();
	find_ram();
	chosen = fdt_path_offset(dtb, "/chosen");
	args = chosen < 0 ? NULL : fdt_getprop(dtb, chosen, "bootargs", NULL);
	if (args)
		machine.bootargs = args;
}

const char *bootarg(const char *name, char *buf, size_t size)
{
	size_t len = strlen(name);
	const char *at = machine.bootargs;

	while (*at) {
		size_t word = strcspn(at, " ");

		if (word > len && at[len] == '=' && !strncmp(at, name, len)) {
			word -= len + 1;
			if (word >= size)
				word = size - 1;
			memcpy(buf, at + len + 1, word);
			buf[word] = '\0';
			return buf;
		}
		at += word;
		at += strspn(at, " ");
	}
	return NULL;
}

uint64_t bootarg_number(const char *name, uint64_t otherwise)
{
	char buf[24];

	return bootarg(name, buf, sizeof(buf)) ? strtoull(buf, NULL, 0) : otherwise;
}
