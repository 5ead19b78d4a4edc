/* `vm dump VM dt`: the device tree that is built for the guest, as text. */
#include "vm_dump.h"

#include <stdio.h>
#include <string.h>

#include <libfdt.h>

#include <caisson/mm.h>
#include <shell/output.h>
#include <vmm/guest_dt.h>
#include <vmm/vm.h>

#define LONGEST 4096  /* bytes of a property that are shown */
#define DEEPEST 32
#define ERR_MAX 256

struct dt_copy {
	int size;      /* below 0: it could not be built */
	char err[ERR_MAX];
	char text[4 * LONGEST];
	uint64_t blob[];
};

/* As at the VM's start, except for the seeds, which are drawn anew each time. */
static void *take(struct vm *vm)
{
	size_t room = (size_t)guest_dt_room(vm->config);
	struct dt_copy *copy = kzalloc(sizeof(*copy) + ALIGN_UP(room, 8));

	if (copy)
		copy->size = vm_build_dt(vm, copy->blob, room, copy->err, sizeof(copy->err));
	return copy;
}

/* An empty string, or several ones, each ended, none empty, all printable. */
static bool is_text(const char *data, int len)
{
	bool begins = true;

	for (int i = 0; i < len; i++) {
		if (data[i] == '\0' ? begins && len > 1 : data[i] < ' ' || data[i] > '~')
			return false;
		begins = data[i] == '\0';
	}
	return len > 0 && begins;
}

static void write_strings(const char *data, int len, char *out, size_t size)
{
	size_t n = 0;

	for (int i = 0; i < len && n < size; i += (int)strlen(data + i) + 1)
		n += (size_t)snprintf(out + n, size - n, "%s\"%s\"", i ? ", " : "", data + i);
}

static void write_cells(const char *data, int len, char *out, size_t size)
{
	size_t n = 0;

	for (int i = 0; i < len; i += 4) {
		uint32_t cell;

		memcpy(&cell, data + i, sizeof(cell));
		n += (size_t)snprintf(out + n, size - n, "%s0x%x", i ? " " : "<", fdt32_to_cpu(cell));
	}
	snprintf(out + n, size - n, ">");
}

static void write_bytes(const char *data, int len, char *out, size_t size)
{
	size_t n = 0;

	for (int i = 0; i < len; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%02x", i ? " " : "[", (uint8_t)data[i]);
	snprintf(out + n, size - n, "]");
}

static void write_value(const char *data, int len, char *out, size_t size)
{
	out[0] = '\0';
	if (len > LONGEST)
		snprintf(out, size, "(%d bytes)", len);
	else if (is_text(data, len))
		write_strings(data, len, out, size);
	else if (len && len % 4 == 0)
		write_cells(data, len, out, size);
	else if (len)
		write_bytes(data, len, out, size);
}

static void indent(struct shell *sh, int depth)
{
	shell_say(sh, "%*s", 4 * depth, "");
}

static void show_property(struct shell *sh, struct dt_copy *copy, int offset, int depth)
{
	const char *name, *data;
	int len;

	data = fdt_getprop_by_offset(copy->blob, offset, &name, &len);
	if (!data)
		return;
	write_value(data, len, copy->text, sizeof(copy->text));
	shell_member(sh, name, copy->text);
	indent(sh, depth);
	shell_say_text(sh, name);
	shell_say_text(sh, len ? " = " : "");
	shell_say_text(sh, copy->text);
	shell_say(sh, ";\n");
}

static void end_node(struct shell *sh, int depth)
{
	indent(sh, depth);
	shell_say(sh, "};\n");
	shell_object_end(sh);
}

static void begin_node(struct shell *sh, struct dt_copy *copy, int node, int depth)
{
	const char *name = fdt_get_name(copy->blob, node, NULL);
	int property;

	shell_object(sh, depth ? name : "dt");
	indent(sh, depth);
	shell_say_text(sh, depth ? name : "/");
	shell_say(sh, " {\n");
	fdt_for_each_property_offset(property, copy->blob, node)
		show_property(sh, copy, property, depth + 1);
}

static void show_tree(struct shell *sh, struct dt_copy *copy)
{
	int node = 0, depth = 0, open = 0;

	for (; node >= 0 && depth >= 0 && depth < DEEPEST; node = fdt_next_node(copy->blob, node, &depth)) {
		while (open > depth)
			end_node(sh, --open);
		begin_node(sh, copy, node, depth);
		open = depth + 1;
	}
	while (open > 0)
		end_node(sh, --open);
}

static void show(struct shell *sh, const void *data)
{
	struct dt_copy *copy = (struct dt_copy *)(uintptr_t)data;

	if (copy->size < 0) {
		shell_member(sh, "dt_error", copy->err);
		shell_say(sh, "device tree: ");
		shell_say_text(sh, copy->err);
		shell_say(sh, "\n");
	} else {
		show_tree(sh, copy);
	}
}

const struct vm_dump_part vm_dump_dt = { "dt", take, show };
