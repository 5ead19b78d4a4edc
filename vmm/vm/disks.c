/* A VM's disks: what is behind each is found, or made, when the VM is made. */
#include <vmm/disks.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <caisson/block_stack.h>
#include <caisson/mm.h>
#include <vmm/vm.h>

#define LOG_NAME "vm"
#include <caisson/log.h>

struct request {
	struct vm *vm;
	unsigned number;
	char *err;
	size_t err_size;
};

static int __printf(3, 4) refuse(const struct request *rq, int error, const char *format, ...)
{
	const struct vm_disk *c = &rq->vm->config->disks[rq->number];
	int used = snprintf(rq->err, rq->err_size, "disk %u (%s): ", rq->number, c->label ? c->label : "in RAM");
	va_list args;

	if (used >= 0 && (size_t)used < rq->err_size) {
		va_start(args, format);
		vsnprintf(rq->err + used, rq->err_size - (size_t)used, format, args);
		va_end(args);
	}
	return error;
}

/* --- what is behind a disk; struct vm_disk_end has the VM's part of it --- */

static int make_ram(const struct request *rq, const struct vm_disk *c, const char *name, struct vm_disk_end *end)
{
	int error = block_ram_create(name, c->ram, &end->made);

	if (error == -ENOMEM)
		return refuse(rq, error, "the machine has too little memory for it");
	return error ? refuse(rq, error, "it cannot be made (error %d)", error) : 0;
}

/* A part of a disk of the machine, which goes with the VM. */
static int make_part(const struct request *rq, const struct vm_disk *c, const char *name, struct block_device **base)
{
	uint64_t first, n;
	int error = block_part_find(*base, c->part, &first, &n);

	if (!error)
		error = block_part_create(*base, name, first, n, base);
	if (error == -ENOENT)
		return refuse(rq, error, "its partition table has no part %u", c->part);
	if (error == -EINVAL)
		return refuse(rq, error, "its partition table makes no sense (the log says why)");
	return error ? refuse(rq, error, "part %u cannot be had (error %d)", c->part, error) : 0;
}

static int make_overlay(const struct request *rq, const struct vm_disk *c, const char *name, struct block_device *base,
			struct vm_disk_end *end)
{
	struct block_device *store = c->store[0] ? block_find(c->store) : NULL;
	int error;

	if (c->store[0] && !store)
		return refuse(rq, -ENODEV, "the machine has no disk %s", c->store);
	error = store ? block_overlay_open(base, store, name, &end->made) :
			block_overlay_create(base, name, c->overlay, &end->made);
	if (error == -EBUSY)
		return refuse(rq, error, "another VM writes to the machine's %s%s%s, or has it", c->device, store ? " or " : "",
			      c->store);
	if (error == -EINVAL && store)
		return refuse(rq, error, "the file for its changes holds something else (the log says what)");
	if (error == -ENOSPC)
		return refuse(rq, error, "the file for its changes is too small");
	return error ? refuse(rq, error, "no overlay for it can be made (error %d)", error) : 0;
}

/* With nothing between but perhaps a part. */
static int take(const struct request *rq, const struct vm_disk *c, struct block_device *base, struct vm_disk_end *end)
{
	int error = block_claim(&end->claim, base, c->read_only ? BLOCK_SHARED : BLOCK_EXCLUSIVE, rq->vm->config->name);

	if (error == -EROFS)
		return refuse(rq, error, "the machine's %s cannot be written", c->device);
	if (error)
		return refuse(rq, error, "another VM %s the machine's %s", c->read_only ? "writes to" : "has", c->device);
	end->disk.dev = base;
	return 0;
}

static int find_on_machine(const struct request *rq, const struct vm_disk *c, const char *name, struct vm_disk_end *end)
{
	struct block_device *base = block_find(c->device), *whole = base;
	int error = base ? 0 : refuse(rq, -ENODEV, "the machine has no disk %s", c->device);

	if (!error && c->part)
		error = make_part(rq, c, name, &base);
	if (!error && (c->overlay || c->store[0]))
		error = make_overlay(rq, c, name, base, end);
	else if (!error)
		error = take(rq, c, base, end);
	if (base != whole && end->disk.dev == base)
		end->made = base;
	else if (base != whole)
		block_put(base); /* the overlay has it, or nobody */
	return error;
}

static int find(const struct request *rq, const struct vm_disk *c, struct vm_disk_end *end)
{
	char name[BLOCK_NAME];
	int error;

	snprintf(name, sizeof(name), "%s.%u", rq->vm->config->name, rq->number);
	error = c->ram ? make_ram(rq, c, name, end) : find_on_machine(rq, c, name, end);
	if (!end->disk.dev)
		end->disk.dev = end->made;
	end->disk.read_only = c->read_only;
	memcpy(end->disk.serial, c->serial, VIO_BLK_SERIAL);
	return error;
}

static int add(const struct request *rq, struct vm_disk_end *end)
{
	const struct vm_disk *c = &rq->vm->config->disks[rq->number];
	char label[16];
	int error = find(rq, c, end);

	if (error)
		return error;
	snprintf(label, sizeof(label), "disk %u", rq->number);
	error = vio_add(rq->vm, &vio_blk_type, label, &end->disk, &end->vio);
	if (error == -ENOSPC)
		return refuse(rq, error, "a VM has places for %d virtio devices", GUEST_VIRTIO_PLACES);
	if (error)
		return refuse(rq, error, "it cannot be made (error %d)", error);
	log_info("%s: disk %u is %s, %lu sectors%s", rq->vm->config->name, rq->number, end->disk.dev->name,
		 (unsigned long)end->disk.dev->n_sectors, end->disk.read_only ? ", read-only" : "");
	return 0;
}

int vm_disks_create(struct vm *vm, char *err, size_t err_size)
{
	unsigned n = vm->config->n_disks;

	if (n == 0)
		return 0;
	vm->disks = kzalloc(n * sizeof(vm->disks[0]));
	if (!vm->disks) {
		snprintf(err, err_size, "disk: the machine has too little memory for it");
		return -ENOMEM;
	}
	for (unsigned i = 0; i < n; i++) {
		const struct request rq = { vm, i, err, err_size };
		int error = add(&rq, &vm->disks[i]);

		if (error)
			return error;
	}
	return 0;
}

void vm_disks_destroy(struct vm *vm)
{
	for (unsigned i = 0; vm->disks && i < vm->config->n_disks; i++) {
		block_release(&vm->disks[i].claim);
		if (vm->disks[i].made)
			block_put(vm->disks[i].made);
	}
	kfree(vm->disks);
	vm->disks = NULL;
}

const struct vm_disk_end *vm_disk(const struct vm *vm, unsigned i)
{
	return vm->disks && i < vm->config->n_disks ? &vm->disks[i] : NULL;
}
