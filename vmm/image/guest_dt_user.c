/*
 * The user's own device tree: taken over whole, with only /chosen and the
 * memory node brought up to date. It is any bytes at all until libfdt has
 * walked it once from end to end.
 */
#include "guest_dt_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "blob.h"

static int refuse(const struct guest_dt *dt, const char *what, int fdt_err)
{
	return guest_dt_refuse(dt, dt->cfg->dtb.label, what, fdt_err);
}

static int refuse_size(const struct guest_dt *dt, uint64_t has, const char *compared, uint64_t with)
{
	snprintf(dt->err, dt->err_size, "%s: has %" PRIu64 " bytes, %s %" PRIu64,
		 dt->cfg->dtb.label, has, compared, with);
	return -EINVAL;
}

/** Copy the blob and check it there: files are aligned to 4 bytes, device trees to 8. */
static int copy_in(const struct guest_dt *dt)
{
	const struct file *f = &dt->cfg->dtb.file;
	int err;

	if (f->size > GUEST_DT_USER_MAX)
		return refuse_size(dt, f->size, "more than", GUEST_DT_USER_MAX);
	if (f->size > (uint64_t)dt->size)
		return refuse(dt, "is too large", -FDT_ERR_NOSPACE);
	memcpy(dt->fdt, f->data, f->size);
	err = blob_check(dt->fdt, f->size);
	if (!err)
		return 0;
	if (f->size >= sizeof(struct fdt_header) && fdt_check_header(dt->fdt) == 0 &&
	    fdt_totalsize(dt->fdt) > f->size)
		return refuse_size(dt, f->size, "its header says", fdt_totalsize(dt->fdt));
	return refuse(dt, "is not a device tree", err);
}

static bool is_memory(const void *fdt, int node)
{
	int len;
	const char *type = fdt_getprop(fdt, node, "device_type", &len);
	const char *name = fdt_get_name(fdt, node, NULL);

	if (type)
		return len == sizeof("memory") && !memcmp(type, "memory", sizeof("memory"));
	return name && !strncmp(name, "memory", 6) && (name[6] == '\0' || name[6] == '@');
}

/** The first memory node; the others are blanked out, which moves nothing. */
static int take_memory_nodes(void *fdt)
{
	int node = fdt_first_subnode(fdt, 0), first = -FDT_ERR_NOTFOUND, next, err;

	for (; node >= 0; node = next) {
		next = fdt_next_subnode(fdt, node);
		if (!is_memory(fdt, node))
			continue;
		if (first < 0) {
			first = node;
			continue;
		}
		err = fdt_nop_node(fdt, node);
		if (err)
			return err;
	}
	return node == -FDT_ERR_NOTFOUND ? first : node;
}

static int add_memory_node(const struct guest_dt *dt)
{
	char name[32];
	int node, err;

	snprintf(name, sizeof(name), "memory@%" PRIx64, dt->ram);
	node = fdt_add_subnode(dt->fdt, 0, name);
	if (node < 0)
		return node;
	err = fdt_setprop_string(dt->fdt, node, "device_type", "memory");
	return err ? err : node;
}

static int update_memory(const struct guest_dt *dt)
{
	int node = take_memory_nodes(dt->fdt), err;

	if (node == -FDT_ERR_NOTFOUND)
		node = add_memory_node(dt);
	if (node < 0)
		return node;
	err = fdt_delprop(dt->fdt, node, "reg");
	if (err && err != -FDT_ERR_NOTFOUND)
		return err;
	return fdt_appendprop_addrrange(dt->fdt, 0, node, "reg", dt->ram, dt->cfg->memory);
}

static int update_chosen(const struct guest_dt *dt)
{
	int node = fdt_subnode_offset(dt->fdt, 0, "chosen"), err;
	struct chosen chosen;

	if (node == -FDT_ERR_NOTFOUND)
		node = fdt_add_subnode(dt->fdt, 0, "chosen");
	if (node < 0)
		return node;
	guest_dt_chosen(dt, &chosen);
	for (unsigned i = 0; i < ARRAY_SIZE(chosen.properties); i++) {
		const char *name = chosen.properties[i].name;

		if (chosen.properties[i].data)
			err = fdt_setprop(dt->fdt, node, name, chosen.properties[i].data,
					  chosen.properties[i].len);
		else
			err = fdt_delprop(dt->fdt, node, name);
		if (err && err != -FDT_ERR_NOTFOUND)
			return err;
	}
	return 0;
}

/**
 * Let the blob have the whole buffer. Where its parts stand in another order than libfdt's,
 * libfdt sorts them right behind it, which therefore has to be an aligned place.
 */
static int open_up(const struct guest_dt *dt)
{
	uint32_t size = (uint32_t)ALIGN_UP(fdt_totalsize(dt->fdt), 8);

	if (size > (uint32_t)dt->size)
		return -FDT_ERR_NOSPACE;
	fdt_set_totalsize(dt->fdt, size);
	return fdt_open_into(dt->fdt, dt->fdt, dt->size);
}

int guest_dt_adopt(const struct guest_dt *dt)
{
	int err = copy_in(dt);

	if (err)
		return err;
	err = open_up(dt);
	if (err)
		return refuse(dt, "cannot be taken over", err);
	err = update_memory(dt);
	if (err)
		return refuse(dt, "cannot be given the VM's memory", err);
	err = update_chosen(dt);
	if (!err)
		err = fdt_pack(dt->fdt);
	return err ? refuse(dt, "cannot be given a new /chosen", err) : 0;
}
