/* A VM's disks: what is behind each is found, or made, when the VM is made. */
#include <vmm/disks.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

/* What is behind a disk. */
static int find(const struct request *rq, const struct vm_disk *c, struct vm_disk_end *end)
{
	end->disk.dev = block_find(c->device);
	if (!end->disk.dev)
		return refuse(rq, -ENODEV, "the machine has no disk %s", c->device);
	if (end->disk.dev->read_only && !c->read_only)
		return refuse(rq, -EROFS, "the machine's %s cannot be written", c->device);
	end->disk.read_only = c->read_only;
	memcpy(end->disk.serial, c->serial, VIO_BLK_SERIAL);
	return 0;
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
	kfree(vm->disks);
	vm->disks = NULL;
}

const struct vm_disk_end *vm_disk(const struct vm *vm, unsigned i)
{
	return vm->disks && i < vm->config->n_disks ? &vm->disks[i] : NULL;
}
