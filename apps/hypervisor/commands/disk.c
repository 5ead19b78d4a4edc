/* The monitor's command about disks: the machine's, the VMs', and what went through them. */
#include <caisson/block.h>
#include <shell/output.h>
#include <shell/shell.h>
#include <vmm/disks.h>
#include <vmm/vm.h>

struct disk_row {
	const char *vm, *device, *image, *access;
	uint64_t number, size, reads, read_bytes, writes, written_bytes, flushes, discards, errors, in_flight, memory;
};

static const struct shell_field fields[] = {
	SHELL_FIELD(struct disk_row, vm, SHELL_TEXT, "VM", -10),
	SHELL_FIELD(struct disk_row, number, SHELL_NUMBER, "no", 3),
	SHELL_FIELD(struct disk_row, device, SHELL_TEXT, "behind", -6),
	SHELL_FIELD(struct disk_row, size, SHELL_SIZE, "size", 8),
	SHELL_FIELD(struct disk_row, access, SHELL_TEXT, "access", -7),
	SHELL_FIELD(struct disk_row, reads, SHELL_NUMBER, "reads", 7),
	SHELL_FIELD(struct disk_row, read_bytes, SHELL_SIZE, "read", 8),
	SHELL_FIELD(struct disk_row, writes, SHELL_NUMBER, "writes", 7),
	SHELL_FIELD(struct disk_row, written_bytes, SHELL_SIZE, "written", 8),
	SHELL_FIELD(struct disk_row, flushes, SHELL_NUMBER, NULL, 0),
	SHELL_FIELD(struct disk_row, discards, SHELL_NUMBER, NULL, 0),
	SHELL_FIELD(struct disk_row, errors, SHELL_NUMBER, "errors", 6),
	SHELL_FIELD(struct disk_row, in_flight, SHELL_NUMBER, "busy", 4),
	SHELL_FIELD(struct disk_row, memory, SHELL_SIZE, NULL, 0),
	SHELL_FIELD(struct disk_row, image, SHELL_TEXT, "image", -16),
};
static const struct shell_layout layout = SHELL_LAYOUT(fields);

static const char *access_name(const struct vm_disk *c)
{
	return c->read_only ? "ro" : c->overlay || c->store[0] ? "overlay" : "rw";
}

static void show(struct shell *sh, const struct vm *vm, unsigned i)
{
	const struct vm_disk *c = &vm->config->disks[i];
	const struct vm_disk_end *end = vm_disk(vm, i);
	const struct vio_blk_counters *n = &end->disk.counters;

	shell_row(sh, &layout, &(struct disk_row){
		.vm = vm->config->name, .number = i, .device = c->ram ? "RAM" : c->device, .image = c->label,
		.size = end->disk.dev->n_sectors * BLOCK_SECTOR, .access = access_name(c),
		.reads = n->reads, .read_bytes = n->read_bytes, .writes = n->writes, .written_bytes = n->written_bytes,
		.flushes = n->flushes, .discards = n->discards, .errors = n->errors,
		.in_flight = end->vio->queues[0].held, .memory = block_memory(end->disk.dev),
	});
}

static bool show_vm(struct vm *vm, void *arg)
{
	for (unsigned i = 0; vm_disk(vm, i); i++)
		show(arg, vm, i);
	return true;
}

struct search {
	const struct block_device *dev;
	bool found;
};

static bool uses(struct vm *vm, void *arg)
{
	struct search *s = arg;

	for (unsigned i = 0; vm_disk(vm, i); i++)
		s->found |= block_find(vm->config->disks[i].device) == s->dev;
	return !s->found;
}

/* Of the machine, without a VM that has it. */
static bool show_machine(struct block_device *dev, void *arg)
{
	struct search s = { .dev = dev };

	vm_for_each(uses, &s);
	if (!s.found)
		shell_row(arg, &layout, &(struct disk_row){
			.device = dev->name, .size = dev->n_sectors * BLOCK_SECTOR, .access = dev->read_only ? "ro" : "rw",
		});
	return true;
}

static int do_disk(struct shell *sh, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	shell_table(sh, NULL, &layout);
	vm_for_each(show_vm, sh);
	block_for_each(show_machine, sh);
	shell_table_end(sh);
	return 0;
}

SHELL_COMMAND(disk) = {
	"disk", "[--json]", "disks: the VMs' and what went through them, the machine's",
	do_disk,
	"Behind a VM's disk is one of the machine's (vda ...) or RAM; image is the file of the host. What is counted is what\n"
	"the guest asked for since the VM was made; busy are the requests under way.\n",
};
