/* The monitor's command about what vCPUs that come and go cost each hart. */
#include <caisson/hart.h>
#include <shell/output.h>
#include <shell/shell.h>
#include <vmm/world.h>

struct world_row {
	uint64_t hart, loads, vmids, flushes, fp_loads, fp_saves;
};

static const struct shell_field fields[] = {
	SHELL_FIELD(struct world_row, hart, SHELL_NUMBER, "hart", 4),
	SHELL_FIELD(struct world_row, loads, SHELL_NUMBER, "vCPUs loaded", 12),
	SHELL_FIELD(struct world_row, vmids, SHELL_NUMBER, "VMIDs", 10),
	SHELL_FIELD(struct world_row, flushes, SHELL_NUMBER, "flushes", 10),
	SHELL_FIELD(struct world_row, fp_loads, SHELL_NUMBER, "FP loads", 10),
	SHELL_FIELD(struct world_row, fp_saves, SHELL_NUMBER, "FP saves", 10),
};
static const struct shell_layout layout = SHELL_LAYOUT(fields);

static int do_world(struct shell *sh, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	shell_table(sh, NULL, &layout);
	for (unsigned i = 0; i < hart_count(); i++) {
		const struct world_counts *c = &worlds[i].counts;

		shell_row(sh, &layout, &(struct world_row){
			.hart = i, .loads = c->loads, .vmids = c->vmids, .flushes = c->flushes,
			.fp_loads = c->fp_loads, .fp_saves = c->fp_saves,
		});
	}
	shell_table_end(sh);
	return 0;
}

SHELL_COMMAND(world) = {
	"world", "[--json]", "harts: vCPUs loaded, VMIDs, flushes, FP moves", do_world,
	"vCPUs loaded: another one than the last came. VMIDs: given out on the hart, one to each vCPU that comes from\n"
	"elsewhere. Flushes: all translations were dropped, because the hart had no VMID left.\n",
};
