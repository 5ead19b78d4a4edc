/* Finding a channel in the device tree. */
#include "channel.h"

#include "guest.h"

#include <libfdt.h>
#include <string.h>

static bool is_called(int node, const char *label)
{
	const char *text = fdt_getprop(machine.dtb, node, "label", NULL);

	return !label || (text && !strcmp(text, label));
}

static bool read_node(int node, struct channel *out)
{
	int reg_len, irq_len;
	const fdt64_t *reg = fdt_getprop(machine.dtb, node, "reg", &reg_len);
	const fdt32_t *interrupt = fdt_getprop(machine.dtb, node, "interrupts", &irq_len);

	if (!reg || reg_len != 32 || !interrupt || irq_len != 4)
		return false;
	*out = (struct channel){
		.registers = fdt64_to_cpu(reg[0]),
		.memory = (volatile uint64_t *)fdt64_to_cpu(reg[2]),
		.size = fdt64_to_cpu(reg[3]),
		.interrupt = fdt32_to_cpu(*interrupt),
		.read_only = fdt_getprop(machine.dtb, node, "read-only", NULL) != NULL,
	};
	return true;
}

bool channel_find(const char *label, struct channel *out)
{
	int node = -1;

	while ((node = fdt_node_offset_by_compatible(machine.dtb, node, "caisson,channel")) >= 0)
		if (is_called(node, label) && read_node(node, out))
			return true;
	return false;
}
