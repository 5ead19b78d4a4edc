/* `vm dump VM map`: the areas of its address space, and what of them is mapped. */
#include "vm_dump.h"

#include <caisson/aspace.h>
#include <caisson/mm.h>
#include <shell/output.h>
#include <vmm/vm.h>

#define AREAS_MAX 32
#define RANGES_MAX 256

struct area_row {
	uint64_t start, end, size, frames;
	const char *kind, *perm, *device;
};

static const struct shell_field area_fields[] = {
	SHELL_FIELD(struct area_row, start, SHELL_HEX, "area from", 18),
	SHELL_FIELD(struct area_row, end, SHELL_HEX, "to", 18),
	SHELL_FIELD(struct area_row, size, SHELL_SIZE, "size", 11),
	SHELL_FIELD(struct area_row, perm, SHELL_TEXT, "may", -3),
	SHELL_FIELD(struct area_row, kind, SHELL_TEXT, "kind", -6),
	SHELL_FIELD(struct area_row, frames, SHELL_SIZE, "backed", 11),
	SHELL_FIELD(struct area_row, device, SHELL_TEXT, "device", -12),
};
static const struct shell_layout area_layout = SHELL_LAYOUT(area_fields);

struct range_row {
	uint64_t start, end, size;
};

static const struct shell_field range_fields[] = {
	SHELL_FIELD(struct range_row, start, SHELL_HEX, "mapped from", 18),
	SHELL_FIELD(struct range_row, end, SHELL_HEX, "to", 18),
	SHELL_FIELD(struct range_row, size, SHELL_SIZE, "size", 11),
};
static const struct shell_layout range_layout = SHELL_LAYOUT(range_fields);

struct map_copy {
	unsigned n_areas, n_ranges;
	bool more;
	struct area_row areas[AREAS_MAX];
	struct range_row ranges[RANGES_MAX];
};

static const char *perm_name(unsigned perm)
{
	static const char *const names[] = { "---", "r--", "-w-", "rw-", "--x", "r-x", "-wx", "rwx" };

	return names[perm & 7];
}

static void take_ranges(struct aspace *space, const struct area *a, struct map_copy *copy)
{
	uint64_t at = a->start, end = a->start + a->size;

	while (copy->n_ranges < RANGES_MAX) {
		struct range_row *r = &copy->ranges[copy->n_ranges];

		if (!aspace_next_mapped(space, at, end, &r->start, &r->size))
			return;
		at = r->start + r->size;
		r->end = at - 1;
		copy->n_ranges++;
	}
	copy->more = true;
}

static void *take(struct vm *vm)
{
	static const char *const kinds[] = {
		[AREA_LINEAR] = "linear", [AREA_ALLOC] = "alloc", [AREA_DEVICE] = "device",
	};
	struct map_copy *copy = kzalloc(sizeof(*copy));
	struct area a;

	for (unsigned i = 0; copy && i < AREAS_MAX && aspace_area(&vm->space, i, &a); i++) {
		copy->areas[copy->n_areas++] = (struct area_row){
			.start = a.start, .end = a.start + a.size - 1, .size = a.size, .perm = perm_name(a.perm),
			.kind = (unsigned)a.kind < ARRAY_SIZE(kinds) ? kinds[a.kind] : "other",
			.frames = a.frames * PAGE_SIZE, .device = a.device ? a.device->name : NULL,
		};
		if (a.kind != AREA_DEVICE)
			take_ranges(&vm->space, &a, copy);
	}
	return copy;
}

static void show(struct shell *sh, const void *data)
{
	const struct map_copy *copy = data;

	shell_table(sh, "areas", &area_layout);
	for (unsigned i = 0; i < copy->n_areas; i++)
		shell_row(sh, &area_layout, &copy->areas[i]);
	shell_table_end(sh);
	shell_table(sh, "mapped", &range_layout);
	for (unsigned i = 0; i < copy->n_ranges; i++)
		shell_row(sh, &range_layout, &copy->ranges[i]);
	shell_table_end(sh);
	if (copy->more)
		shell_say(sh, "and more\n");
}

const struct vm_dump_part vm_dump_map = { "map", take, show };
