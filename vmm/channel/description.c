/* Reading a channel's description (docs/host.md, "The bundle"). The host tool has checked it before. */
#include <vmm/channel.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <libfdt.h>

#include <caisson/mm.h>

#include "../image/blob.h"

#define DESCRIPTION_MAX (4 * KiB)

struct reader {
	const void *fdt;
	struct channel_config *out;
	char *err;
	size_t err_size;
};

static int __printf(2, 3) refuse(const struct reader *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(r->err, r->err_size, format, args);
	va_end(args);
	return -EINVAL;
}

/* Copy a name of n bytes. @return 0 or -EINVAL: it is none. */
static int copy_name(char *to, const char *from, size_t n)
{
	if (n < 1 || n >= VM_NAME_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (!vm_name_char(from[i]))
			return -EINVAL;
	memcpy(to, from, n);
	to[n] = '\0';
	return 0;
}

int channel_right_parse(const char *text, struct channel_right *out)
{
	const char *colon = strchr(text, ':');

	if (!colon || copy_name(out->name, text, (size_t)(colon - text)))
		return -EINVAL;
	out->write = strcmp(colon, ":rw") == 0;
	return out->write || strcmp(colon, ":ro") == 0 ? 0 : -EINVAL;
}

static int read_compatible(const struct reader *r, const char *data, int len)
{
	static const char want[] = "caisson,channel";

	return len == sizeof(want) && memcmp(data, want, sizeof(want)) == 0 ? 0 :
	       refuse(r, "compatible: is not \"%s\"", want);
}

static int read_name(const struct reader *r, const char *data, int len)
{
	if (len < 2 || data[len - 1] != '\0' || copy_name(r->out->name, data, (size_t)len - 1))
		return refuse(r, "name: is not 1 to %d characters out of [A-Za-z0-9._-]", VM_NAME_MAX - 1);
	return 0;
}

static int read_size(const struct reader *r, const char *data, int len)
{
	uint64_t size = 0;

	if (len != 8)
		return refuse(r, "size: has %d bytes, not the 8 of a u64", len);
	for (int i = 0; i < len; i++)
		size = size << 8 | (uint8_t)data[i];
	if (size < CHANNEL_SIZE_MIN || size > CHANNEL_SIZE_MAX || (size & (size - 1)))
		return refuse(r, "size: %" PRIu64 " is not a power of two from 4 KiB to 16 MiB", size);
	r->out->size = size;
	return 0;
}

static bool is_listed(const struct channel_config *c, const char *vm)
{
	for (unsigned i = 0; i < c->n_members; i++)
		if (strcmp(c->members[i].name, vm) == 0)
			return true;
	return false;
}

static int add_member(const struct reader *r, const char *text)
{
	struct channel_config *c = r->out;
	struct channel_right right;

	if (channel_right_parse(text, &right))
		return refuse(r, "members: \"%s\" is not NAME:rw or NAME:ro", text);
	if (is_listed(c, right.name))
		return refuse(r, "members: \"%s\" is there twice", right.name);
	if (c->n_members == CHANNEL_MEMBERS_MAX)
		return refuse(r, "members: there are more than %d", CHANNEL_MEMBERS_MAX);
	c->members[c->n_members++] = right;
	return 0;
}

static int read_members(const struct reader *r, const char *data, int len)
{
	int error = 0;

	if (len == 0 || data[len - 1] != '\0')
		return refuse(r, "members: is not a list of strings");
	for (const char *text = data; !error && text < data + len; text += strlen(text) + 1)
		error = add_member(r, text);
	return error;
}

static const struct {
	const char *name;
	int (*read)(const struct reader *r, const char *data, int len);
} properties[] = {
	{ "compatible", read_compatible },
	{ "name", read_name },
	{ "size", read_size },
	{ "members", read_members },
};

static int read_property(const struct reader *r, int offset, uint32_t *seen)
{
	const char *name;
	int len;
	const char *data = fdt_getprop_by_offset(r->fdt, offset, &name, &len);

	for (unsigned i = 0; data && i < ARRAY_SIZE(properties); i++) {
		if (strcmp(properties[i].name, name) != 0)
			continue;
		if (*seen & BIT(i))
			return refuse(r, "%s: is given twice", name);
		*seen |= (uint32_t)BIT(i);
		return properties[i].read(r, data, len);
	}
	return refuse(r, "%s: unknown property", data ? name : "?");
}

static int read_all(const struct reader *r, uint64_t size)
{
	uint32_t seen = 0;
	int offset, error = blob_check(r->fdt, size);

	if (error)
		return refuse(r, "description: is not a device tree (%s)", fdt_strerror(error));
	fdt_for_each_property_offset(offset, r->fdt, 0) {
		error = read_property(r, offset, &seen);
		if (error)
			return error;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(properties); i++)
		if (!(seen & BIT(i)))
			return refuse(r, "%s: is missing", properties[i].name);
	return fdt_first_subnode(r->fdt, 0) < 0 ? 0 : refuse(r, "description: has a node");
}

int channel_config_parse(const void *fdt, uint64_t size, struct channel_config *out, char *err, size_t err_size)
{
	struct reader r = { .out = out, .err = err, .err_size = err_size };
	void *copy;
	int error;

	*out = (struct channel_config){ .size = 0 };
	if (size < sizeof(struct fdt_header) || size > DESCRIPTION_MAX)
		return refuse(&r, "description: %" PRIu64 " bytes are not %zu to %" PRIu64, size,
			      sizeof(struct fdt_header), DESCRIPTION_MAX);
	/* Files of an initrd are aligned to 4 bytes, device trees to 8. */
	copy = kalloc(size);
	if (!copy) {
		(void)refuse(&r, "description: no memory to read it");
		return -ENOMEM;
	}
	memcpy(copy, fdt, size);
	r.fdt = copy;
	error = read_all(&r, size);
	kfree(copy);
	return error;
}
