/* Reading the disks of a VM's description: a node disk0, disk1 ... each (docs/host.md, "The bundle"). */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <caisson/block.h>

#include "config_reader.h"

/* Copy a string of 1 to room - 1 printable characters. */
static int read_text(struct config_reader *r, const struct config_value *v, char *out, size_t room)
{
	const char *text = config_string(r, v);

	if (!text)
		return -EINVAL;
	if (!*text || strlen(text) >= room)
		return config_refuse(r, v->name, "\"%s\" is not 1 to %zu characters long", text, room - 1);
	for (const char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			return config_refuse(r, v->name, "has other characters than those of ASCII that can be printed");
	strcpy(out, text);
	return 0;
}

static int read_device(struct config_reader *r, const struct config_value *v, void *member)
{
	return read_text(r, v, member, BLOCK_NAME_MAX);
}

static int read_serial(struct config_reader *r, const struct config_value *v, void *member)
{
	return read_text(r, v, member, VM_DISK_SERIAL_MAX + 1);
}

static int read_label(struct config_reader *r, const struct config_value *v, void *member)
{
	const char *text = config_string(r, v);

	if (!text)
		return -EINVAL;
	*(const char **)member = config_lasting(r, text);
	return 0;
}

static int read_ram(struct config_reader *r, const struct config_value *v, void *member)
{
	uint64_t n;
	int err = config_number(r, v, 8, &n);

	if (err)
		return err;
	if (n == 0 || n % BLOCK_SECTOR)
		return config_refuse(r, v->name, "%" PRIu64 " bytes are no whole number of sectors", n);
	*(uint64_t *)member = n;
	return 0;
}

static int read_overlay(struct config_reader *r, const struct config_value *v, void *member)
{
	uint64_t n;
	int err = config_number(r, v, 8, &n);

	if (!err && n == 0)
		return config_refuse(r, v->name, "0 bytes of memory are none");
	*(uint64_t *)member = n;
	return err;
}

static int read_part(struct config_reader *r, const struct config_value *v, void *member)
{
	uint64_t n;
	int err = config_number(r, v, 4, &n);

	if (err)
		return err;
	if (n < 1 || n > VM_DISK_PARTS_MAX)
		return config_refuse(r, v->name, "%" PRIu64 " is not 1 to %d", n, VM_DISK_PARTS_MAX);
	*(unsigned *)member = (unsigned)n;
	return 0;
}

#define MEMBER(m) offsetof(struct vm_disk, m)

static const struct config_property properties[] = {
	{ "device", read_device, MEMBER(device), false },
	{ "label", read_label, MEMBER(label), false },
	{ "ram", read_ram, MEMBER(ram), false },
	{ "part", read_part, MEMBER(part), false },
	{ "read-only", config_flag, MEMBER(read_only), false },
	{ "overlay", read_overlay, MEMBER(overlay), false },
	{ "store", read_device, MEMBER(store), false },
	{ "serial", read_serial, MEMBER(serial), false },
};

static int check(struct config_reader *r, const struct vm_disk *d)
{
	bool overlay = d->overlay || d->store[0];

	if (!d->device[0] == !d->ram)
		return config_refuse(r, "device", d->ram ? "a disk in RAM has none" : "is missing, and so is ram");
	if (d->ram && (d->part || overlay || d->read_only))
		return config_refuse(r, "ram", "it has no parts, no overlay, and it is written to");
	if (overlay && d->read_only)
		return config_refuse(r, "read-only", "what is written would go to an overlay");
	if (d->overlay && d->store[0])
		return config_refuse(r, "store", "what is written goes into RAM already");
	return 0;
}

int config_read_disk(struct config_reader *r, int node)
{
	struct vm_config *c = r->out;
	struct vm_disk *d = &c->disks[c->n_disks];
	int err;

	if (c->n_disks == VM_DISKS_MAX)
		return config_refuse(r, "disks", "there are more than %d", VM_DISKS_MAX);
	err = config_read_properties(r, node, properties, ARRAY_SIZE(properties), d);
	if (err)
		return err;
	c->n_disks++;
	return check(r, d);
}
