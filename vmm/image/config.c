/*
 * Reading a VM's description (docs/host.md, "The bundle"): one table says which
 * properties there are and which function reads each. The host tool has checked
 * the description before, so messages here are for other writers of bundles.
 */
#include <vmm/config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <libfdt.h>

#include <caisson/mm.h>
#include <vmm/channel.h>
#include <vmm/isa.h>
#include <vmm/share.h>

#include "blob.h"

#define DESCRIPTION_MAX (64 * KiB)
#define BOOTARGS_MAX 2047
#define MEMORY_MIN (2 * MiB)
/* Beyond what any stage-2 format can address, and low enough that sums of addresses cannot wrap. */
#define MEMORY_MAX BIT(56)

struct reader {
	const char *blob;      /* as handed in: strings of the result point there */
	const char *copy;      /* the same bytes, aligned as libfdt wants them */
	struct vm_config *out;
	char *err;
	size_t err_size;
};

/** A property as it stands in the description. */
struct value {
	const char *name;
	const char *data;
	int len;
};

struct property {
	const char *name;
	int (*read)(struct reader *r, const struct value *v, void *member);
	size_t member;         /* offset in struct vm_config */
	bool required;
};

/** Write the message "name: what is wrong". @return -EINVAL. */
static int __printf(3, 4) refuse(struct reader *r, const char *name, const char *format, ...)
{
	int used = snprintf(r->err, r->err_size, "%s: ", name);
	va_list args;

	if (used >= 0 && (size_t)used < r->err_size) {
		va_start(args, format);
		vsnprintf(r->err + used, r->err_size - (size_t)used, format, args);
		va_end(args);
	}
	return -EINVAL;
}

/* --- the types of docs/host.md ------------------------------------------------ */

/** @return the string, or NULL with the message written. */
static const char *as_string(struct reader *r, const struct value *v)
{
	if (v->len == 0 || memchr(v->data, '\0', (size_t)v->len) != v->data + v->len - 1) {
		(void)refuse(r, v->name, "is not one string");
		return NULL;
	}
	return v->data;
}

/** A cell or two, most significant byte first. */
static int as_number(struct reader *r, const struct value *v, int bytes, uint64_t *out)
{
	*out = 0;
	if (v->len != bytes)
		return refuse(r, v->name, "has %d bytes, not the %d of a u%d", v->len, bytes,
			      8 * bytes);
	for (int i = 0; i < bytes; i++)
		*out = *out << 8 | (uint8_t)v->data[i];
	return 0;
}

/** The same string in the blob that the caller keeps. */
static const char *lasting(const struct reader *r, const char *text)
{
	return r->blob + (text - r->copy);
}

/* --- readers -------------------------------------------------------------------- */

static int read_compatible(struct reader *r, const struct value *v, void *member)
{
	const char *text = as_string(r, v);

	(void)member;
	if (!text)
		return -EINVAL;
	if (strcmp(text, "caisson,vm") != 0)
		return refuse(r, v->name, "\"%s\" is not \"caisson,vm\"", text);
	return 0;
}

static int read_name(struct reader *r, const struct value *v, void *member)
{
	const char *text = as_string(r, v);

	if (!text)
		return -EINVAL;
	if (!*text || strlen(text) >= VM_NAME_MAX)
		return refuse(r, v->name, "\"%s\" is not 1 to %d characters long", text,
			      VM_NAME_MAX - 1);
	for (const char *c = text; *c; c++)
		if (!vm_name_char(*c))
			return refuse(r, v->name, "\"%s\" has other characters than [A-Za-z0-9._-]",
				      text);
	strcpy(member, text);
	return 0;
}

static int read_cpus(struct reader *r, const struct value *v, void *member)
{
	uint64_t n;
	int err = as_number(r, v, 4, &n);

	if (err)
		return err;
	if (n < 1 || n > VM_VCPUS_MAX)
		return refuse(r, v->name, "%" PRIu64 " is not 1 to %d", n, VM_VCPUS_MAX);
	*(unsigned *)member = (unsigned)n;
	return 0;
}

static int read_seconds(struct reader *r, const struct value *v, void *member)
{
	uint64_t n;
	int err = as_number(r, v, 4, &n);

	if (err)
		return err;
	if (n > VM_SECONDS_MAX)
		return refuse(r, v->name, "%" PRIu64 " s are more than %d", n, VM_SECONDS_MAX);
	*(unsigned *)member = (unsigned)n;
	return 0;
}

static int read_memory(struct reader *r, const struct value *v, void *member)
{
	uint64_t n;
	int err = as_number(r, v, 8, &n);

	if (err)
		return err;
	if (n < MEMORY_MIN)
		return refuse(r, v->name, "%" PRIu64 " bytes are less than 2 MiB", n);
	if (n > MEMORY_MAX)
		return refuse(r, v->name, "%" PRIu64 " bytes are more than any machine has", n);
	if (!IS_ALIGNED(n, PAGE_SIZE))
		return refuse(r, v->name, "%" PRIu64 " bytes are no multiple of 4 KiB", n);
	*(uint64_t *)member = n;
	return 0;
}

static int read_image(struct reader *r, const struct value *v, void *member)
{
	const char *path = as_string(r, v);
	struct vm_image *image = member;
	int err;

	if (!path)
		return -EINVAL;
	err = initrd_open(path, &image->file);
	if (err == -ENOENT)
		(void)refuse(r, v->name, "the initrd holds no file \"%s\"", path);
	else if (err)
		(void)refuse(r, v->name, "the initrd is damaged before its file \"%s\"", path);
	return err;
}

static int read_label(struct reader *r, const struct value *v, void *member)
{
	const char *text = as_string(r, v);

	if (!text)
		return -EINVAL;
	((struct vm_image *)member)->label = lasting(r, text);
	return 0;
}

static int read_bootargs(struct reader *r, const struct value *v, void *member)
{
	const char *text = as_string(r, v);

	if (!text)
		return -EINVAL;
	if (v->len - 1 > BOOTARGS_MAX)
		return refuse(r, v->name, "%d bytes are more than %d", v->len - 1, BOOTARGS_MAX);
	*(const char **)member = lasting(r, text);
	return 0;
}

static int read_entry(struct reader *r, const struct value *v, void *member)
{
	r->out->has_entry = true;
	return as_number(r, v, 8, member);
}

static int read_load(struct reader *r, const struct value *v, void *member)
{
	r->out->has_load = true;
	return as_number(r, v, 8, member);
}

static int read_initrd_load(struct reader *r, const struct value *v, void *member)
{
	r->out->has_initrd_load = true;
	return as_number(r, v, 8, member);
}

static int read_dtb_load(struct reader *r, const struct value *v, void *member)
{
	r->out->has_dtb_load = true;
	return as_number(r, v, 8, member);
}

static int read_flag(struct reader *r, const struct value *v, void *member)
{
	if (v->len != 0)
		return refuse(r, v->name, "has a value, though its presence says it all");
	*(bool *)member = true;
	return 0;
}

static int read_format(struct reader *r, const struct value *v, void *member)
{
	const char *text = as_string(r, v);
	const struct pt_format *format;

	if (!text)
		return -EINVAL;
	format = pt_format_by_name(text);
	if (!format || !format->guest)
		return refuse(r, v->name, "\"%s\" is not sv39x4, sv48x4 or sv57x4", text);
	*(const struct pt_format **)member = format;
	return 0;
}

static int read_restart(struct reader *r, const struct value *v, void *member)
{
	static const char *const words[] = {
		[VM_RESTART_NEVER] = "never", [VM_RESTART_ON_CRASH] = "on-crash", [VM_RESTART_ALWAYS] = "always",
	};
	const char *text = as_string(r, v);

	if (!text)
		return -EINVAL;
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(text, words[i]) == 0) {
			*(enum vm_restart *)member = (enum vm_restart)i;
			return 0;
		}
	}
	return refuse(r, v->name, "\"%s\" is not never, on-crash or always", text);
}

/** A list of names, each ended by a zero. */
static int read_isa(struct reader *r, const struct value *v, void *member)
{
	uint64_t *set = member;

	if (v->len == 0 || v->data[v->len - 1] != '\0')
		return refuse(r, v->name, "is not a list of strings");
	for (const char *name = v->data; name < v->data + v->len; name += strlen(name) + 1) {
		int ext = isa_by_name(name);

		if (ext < 0)
			return refuse(r, v->name, "unknown extension \"%s\"", name);
		*set |= BIT(ext);
	}
	return 0;
}

static int read_scrollback(struct reader *r, const struct value *v, void *member)
{
	uint64_t n;
	int err = as_number(r, v, 4, &n);

	if (err)
		return err;
	if (n < SCROLLBACK_MIN || n > SCROLLBACK_MAX || (n & (n - 1)))
		return refuse(r, v->name, "%" PRIu64 " is not a power of two from %d to %d", n, SCROLLBACK_MIN,
			      SCROLLBACK_MAX);
	*(uint32_t *)member = (uint32_t)n;
	return 0;
}

static int read_harts(struct reader *r, const struct value *v, void *member)
{
	uint64_t mask;
	int err = as_number(r, v, 8, &mask);

	if (err)
		return err;
	if (!mask)
		return refuse(r, v->name, "0 names no hart");
	*(uint64_t *)member = mask;
	return 0;
}

static int read_weight(struct reader *r, const struct value *v, void *member)
{
	uint64_t n;
	int err = as_number(r, v, 4, &n);

	if (err)
		return err;
	if (n < 1 || n > VM_WEIGHT_MAX)
		return refuse(r, v->name, "%" PRIu64 " is not 1 to %d", n, VM_WEIGHT_MAX);
	*(unsigned *)member = (unsigned)n;
	return 0;
}

/* What it can be at most depends on the number of vCPUs: check_whole. */
static int read_cap(struct reader *r, const struct value *v, void *member)
{
	uint64_t n;
	int err = as_number(r, v, 4, &n);

	if (err)
		return err;
	if (!n)
		return refuse(r, v->name, "0 per cent of a hart are none");
	*(unsigned *)member = (unsigned)n;
	return 0;
}

static int add_channel(struct reader *r, const char *name, const char *text)
{
	struct vm_config *c = r->out;
	struct channel_right right;

	if (channel_right_parse(text, &right))
		return refuse(r, name, "\"%s\" is not NAME:rw or NAME:ro", text);
	for (unsigned i = 0; i < c->n_channels; i++)
		if (strcmp(c->channels[i].name, right.name) == 0)
			return refuse(r, name, "\"%s\" is there twice", right.name);
	if (c->n_channels == VM_CHANNELS_MAX)
		return refuse(r, name, "there are more than %d", VM_CHANNELS_MAX);
	c->channels[c->n_channels++] = right;
	return 0;
}

/** The channels to attach to: "NAME:rw" or "NAME:ro" for each. */
static int read_channels(struct reader *r, const struct value *v, void *member)
{
	int err = 0;

	(void)member;
	if (v->len == 0 || v->data[v->len - 1] != '\0')
		return refuse(r, v->name, "is not a list of strings");
	for (const char *text = v->data; !err && text < v->data + v->len; text += strlen(text) + 1)
		err = add_channel(r, v->name, text);
	return err;
}

#define MEMBER(m) offsetof(struct vm_config, m)

static const struct property properties[] = {
	{ "compatible", read_compatible, 0, true },
	{ "name", read_name, MEMBER(name), true },
	{ "cpus", read_cpus, MEMBER(cpus), true },
	{ "memory", read_memory, MEMBER(memory), true },
	{ "kernel", read_image, MEMBER(kernel), true },
	{ "kernel-label", read_label, MEMBER(kernel), true },
	{ "initrd", read_image, MEMBER(initrd), false },
	{ "initrd-label", read_label, MEMBER(initrd), false },
	{ "dtb", read_image, MEMBER(dtb), false },
	{ "dtb-label", read_label, MEMBER(dtb), false },
	{ "bootargs", read_bootargs, MEMBER(bootargs), false },
	{ "entry", read_entry, MEMBER(entry), false },
	{ "load", read_load, MEMBER(load), false },
	{ "initrd-load", read_initrd_load, MEMBER(initrd_load), false },
	{ "dtb-load", read_dtb_load, MEMBER(dtb_load), false },
	{ "eager", read_flag, MEMBER(eager), false },
	{ "format", read_format, MEMBER(format), false },
	{ "harts", read_harts, MEMBER(hart_mask), false },
	{ "exclusive", read_flag, MEMBER(exclusive), false },
	{ "weight", read_weight, MEMBER(weight), false },
	{ "cap", read_cap, MEMBER(cap), false },
	{ "restart", read_restart, MEMBER(restart), false },
	{ "stop-timeout", read_seconds, MEMBER(stop_timeout), false },
	{ "watchdog", read_seconds, MEMBER(watchdog), false },
	{ "isa-hide", read_isa, MEMBER(isa_hide), false },
	{ "isa-require", read_isa, MEMBER(isa_require), false },
	{ "scrollback", read_scrollback, MEMBER(scrollback), false },
	{ "console-log", read_flag, MEMBER(console_log), false },
	{ "no-autostart", read_flag, MEMBER(no_autostart), false },
	{ "channels", read_channels, MEMBER(channels), false },
};

_Static_assert(ARRAY_SIZE(properties) <= 32, "one bit of `seen` each");

/* --- the whole ------------------------------------------------------------------- */

static int read_property(struct reader *r, const struct value *v, uint32_t *seen)
{
	for (unsigned i = 0; i < ARRAY_SIZE(properties); i++) {
		const struct property *p = &properties[i];

		if (strcmp(p->name, v->name) != 0)
			continue;
		if (*seen & BIT(i))
			return refuse(r, v->name, "is given twice");
		*seen |= (uint32_t)BIT(i);
		return p->read(r, v, (char *)r->out + p->member);
	}
	return refuse(r, v->name, "unknown property");
}

/** An image that has no label goes by its path; a label without an image is a mistake. */
static int settle_label(struct reader *r, const char *name, struct vm_image *image)
{
	if (!image->file.data && image->label)
		return refuse(r, name, "\"%s\" is the label of no file", image->label);
	if (image->file.data && !image->label)
		image->label = image->file.path;
	return 0;
}

static int check_whole(struct reader *r, uint32_t seen)
{
	int err;

	for (unsigned i = 0; i < ARRAY_SIZE(properties); i++)
		if (properties[i].required && !(seen & BIT(i)))
			return refuse(r, properties[i].name, "is missing");
	if (r->out->isa_hide & BIT(ISA_I))
		return refuse(r, "isa-hide", "\"i\" is the base, which cannot be hidden");
	if (r->out->has_initrd_load && !r->out->initrd.file.data)
		return refuse(r, "initrd-load", "there is no initrd");
	if (r->out->exclusive && (unsigned)__builtin_popcountll(r->out->hart_mask) != r->out->cpus)
		return refuse(r, "exclusive", "%u vCPUs need as many harts, and harts names %d", r->out->cpus,
			      __builtin_popcountll(r->out->hart_mask));
	if (r->out->cap && r->out->exclusive)
		return refuse(r, "cap", "of harts that are its own it has all");
	if (r->out->cap > 100 * r->out->cpus)
		return refuse(r, "cap", "%u is more than %u vCPUs can use, %u", r->out->cap, r->out->cpus,
			      100 * r->out->cpus);
	err = settle_label(r, "initrd-label", &r->out->initrd);
	if (!err)
		err = settle_label(r, "dtb-label", &r->out->dtb);
	return err;
}

static int read_properties(struct reader *r, uint32_t *seen)
{
	int offset, err;

	fdt_for_each_property_offset(offset, r->copy, 0) {
		struct value v;

		v.data = fdt_getprop_by_offset(r->copy, offset, &v.name, &v.len);
		err = v.data ? read_property(r, &v, seen) : -EINVAL;
		if (err)
			return err;
	}
	return 0;
}

static int read_description(struct reader *r, uint64_t size)
{
	uint32_t seen = 0;
	int err = blob_check(r->copy, size), node;

	if (err)
		return refuse(r, "description", "is not a device tree (%s)", fdt_strerror(err));
	err = read_properties(r, &seen);
	if (err)
		return err;
	node = fdt_first_subnode(r->copy, 0);
	if (node >= 0)
		return refuse(r, fdt_get_name(r->copy, node, NULL), "unknown node");
	return check_whole(r, seen);
}

int vm_config_parse(const void *fdt, uint64_t size, struct vm_config *out,
		    char *err, size_t err_size)
{
	struct reader r = { .blob = fdt, .out = out, .err = err, .err_size = err_size };
	char *copy;
	int ret;

	*out = (struct vm_config){ .bootargs = "", .stop_timeout = VM_STOP_TIMEOUT };
	if (size < sizeof(struct fdt_header) || size > DESCRIPTION_MAX)
		return refuse(&r, "description", "%" PRIu64 " bytes are not %zu to %" PRIu64, size,
			      sizeof(struct fdt_header), DESCRIPTION_MAX);
	/* Files of an initrd are aligned to 4 bytes, device trees to 8. */
	copy = kalloc(size);
	if (!copy) {
		(void)refuse(&r, "description", "no memory to read it");
		return -ENOMEM;
	}
	memcpy(copy, fdt, size);
	r.copy = copy;
	ret = read_description(&r, size);
	kfree(copy);
	return ret;
}
