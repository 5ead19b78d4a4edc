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
#include "config_reader.h"

#define DESCRIPTION_MAX (64 * KiB)
#define BOOTARGS_MAX 2047
#define MEMORY_MIN (2 * MiB)
/* Beyond what any stage-2 format can address, and low enough that sums of addresses cannot wrap. */
#define MEMORY_MAX BIT(56)

int config_refuse(struct config_reader *r, const char *name, const char *format, ...)
{
	int used = snprintf(r->err, r->err_size, "%s%s%s: ", r->where ? r->where : "", r->where ? ": " : "", name);
	va_list args;

	if (used >= 0 && (size_t)used < r->err_size) {
		va_start(args, format);
		vsnprintf(r->err + used, r->err_size - (size_t)used, format, args);
		va_end(args);
	}
	return -EINVAL;
}

/* --- the types of docs/host.md ------------------------------------------------ */

const char *config_string(struct config_reader *r, const struct config_value *v)
{
	if (v->len == 0 || memchr(v->data, '\0', (size_t)v->len) != v->data + v->len - 1) {
		(void)config_refuse(r, v->name, "is not one string");
		return NULL;
	}
	return v->data;
}

int config_number(struct config_reader *r, const struct config_value *v, int bytes, uint64_t *out)
{
	*out = 0;
	if (v->len != bytes)
		return config_refuse(r, v->name, "has %d bytes, not the %d of a u%d", v->len, bytes,
				     8 * bytes);
	for (int i = 0; i < bytes; i++)
		*out = *out << 8 | (uint8_t)v->data[i];
	return 0;
}

const char *config_lasting(const struct config_reader *r, const char *text)
{
	return r->blob + (text - r->copy);
}

/* --- readers -------------------------------------------------------------------- */

static int read_compatible(struct config_reader *r, const struct config_value *v, void *member)
{
	const char *text = config_string(r, v);

	(void)member;
	if (!text)
		return -EINVAL;
	if (strcmp(text, "caisson,vm") != 0)
		return config_refuse(r, v->name, "\"%s\" is not \"caisson,vm\"", text);
	return 0;
}

static int read_name(struct config_reader *r, const struct config_value *v, void *member)
{
	const char *text = config_string(r, v);

	if (!text)
		return -EINVAL;
	if (!*text || strlen(text) >= VM_NAME_MAX)
		return config_refuse(r, v->name, "\"%s\" is not 1 to %d characters long", text,
				     VM_NAME_MAX - 1);
	for (const char *c = text; *c; c++)
		if (!vm_name_char(*c))
			return config_refuse(r, v->name, "\"%s\" has other characters than [A-Za-z0-9._-]",
					     text);
	strcpy(member, text);
	return 0;
}

static int read_cpus(struct config_reader *r, const struct config_value *v, void *member)
{
	uint64_t n;
	int err = config_number(r, v, 4, &n);

	if (err)
		return err;
	if (n < 1 || n > VM_VCPUS_MAX)
		return config_refuse(r, v->name, "%" PRIu64 " is not 1 to %d", n, VM_VCPUS_MAX);
	*(unsigned *)member = (unsigned)n;
	return 0;
}

static int read_seconds(struct config_reader *r, const struct config_value *v, void *member)
{
	uint64_t n;
	int err = config_number(r, v, 4, &n);

	if (err)
		return err;
	if (n > VM_SECONDS_MAX)
		return config_refuse(r, v->name, "%" PRIu64 " s are more than %d", n, VM_SECONDS_MAX);
	*(unsigned *)member = (unsigned)n;
	return 0;
}

static int read_memory(struct config_reader *r, const struct config_value *v, void *member)
{
	uint64_t n;
	int err = config_number(r, v, 8, &n);

	if (err)
		return err;
	if (n < MEMORY_MIN)
		return config_refuse(r, v->name, "%" PRIu64 " bytes are less than 2 MiB", n);
	if (n > MEMORY_MAX)
		return config_refuse(r, v->name, "%" PRIu64 " bytes are more than any machine has", n);
	if (!IS_ALIGNED(n, PAGE_SIZE))
		return config_refuse(r, v->name, "%" PRIu64 " bytes are no multiple of 4 KiB", n);
	*(uint64_t *)member = n;
	return 0;
}

static int read_image(struct config_reader *r, const struct config_value *v, void *member)
{
	const char *path = config_string(r, v);
	struct vm_image *image = member;
	int err;

	if (!path)
		return -EINVAL;
	err = initrd_open(path, &image->file);
	if (err == -ENOENT)
		(void)config_refuse(r, v->name, "the initrd holds no file \"%s\"", path);
	else if (err)
		(void)config_refuse(r, v->name, "the initrd is damaged before its file \"%s\"", path);
	return err;
}

static int read_label(struct config_reader *r, const struct config_value *v, void *member)
{
	const char *text = config_string(r, v);

	if (!text)
		return -EINVAL;
	((struct vm_image *)member)->label = config_lasting(r, text);
	return 0;
}

static int read_bootargs(struct config_reader *r, const struct config_value *v, void *member)
{
	const char *text = config_string(r, v);

	if (!text)
		return -EINVAL;
	if (v->len - 1 > BOOTARGS_MAX)
		return config_refuse(r, v->name, "%d bytes are more than %d", v->len - 1, BOOTARGS_MAX);
	*(const char **)member = config_lasting(r, text);
	return 0;
}

static int read_entry(struct config_reader *r, const struct config_value *v, void *member)
{
	r->out->has_entry = true;
	return config_number(r, v, 8, member);
}

static int read_load(struct config_reader *r, const struct config_value *v, void *member)
{
	r->out->has_load = true;
	return config_number(r, v, 8, member);
}

static int read_initrd_load(struct config_reader *r, const struct config_value *v, void *member)
{
	r->out->has_initrd_load = true;
	return config_number(r, v, 8, member);
}

static int read_dtb_load(struct config_reader *r, const struct config_value *v, void *member)
{
	r->out->has_dtb_load = true;
	return config_number(r, v, 8, member);
}

int config_flag(struct config_reader *r, const struct config_value *v, void *member)
{
	if (v->len != 0)
		return config_refuse(r, v->name, "has a value, though its presence says it all");
	*(bool *)member = true;
	return 0;
}

static int read_format(struct config_reader *r, const struct config_value *v, void *member)
{
	const char *text = config_string(r, v);
	const struct pt_format *format;

	if (!text)
		return -EINVAL;
	format = pt_format_by_name(text);
	if (!format || !format->guest)
		return config_refuse(r, v->name, "\"%s\" is not sv39x4, sv48x4 or sv57x4", text);
	*(const struct pt_format **)member = format;
	return 0;
}

/* One of n words; its index. */
static int read_word(struct config_reader *r, const struct config_value *v, const char *const words[], unsigned n, unsigned *out)
{
	const char *text = config_string(r, v);
	char all[64] = "";

	if (!text)
		return -EINVAL;
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(text, words[i]) == 0) {
			*out = i;
			return 0;
		}
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " or ", words[i]);
	}
	return config_refuse(r, v->name, "\"%s\" is not %s", text, all);
}

static int read_restart(struct config_reader *r, const struct config_value *v, void *member)
{
	static const char *const words[] = {
		[VM_RESTART_NEVER] = "never", [VM_RESTART_ON_CRASH] = "on-crash", [VM_RESTART_ALWAYS] = "always",
	};

	return read_word(r, v, words, ARRAY_SIZE(words), member);
}

static int read_console(struct config_reader *r, const struct config_value *v, void *member)
{
	static const char *const words[] = { [VM_CONSOLE_UART] = "uart", [VM_CONSOLE_VIRTIO] = "virtio" };

	return read_word(r, v, words, ARRAY_SIZE(words), member);
}

/** A list of names, each ended by a zero. */
static int read_isa(struct config_reader *r, const struct config_value *v, void *member)
{
	uint64_t *set = member;

	if (v->len == 0 || v->data[v->len - 1] != '\0')
		return config_refuse(r, v->name, "is not a list of strings");
	for (const char *name = v->data; name < v->data + v->len; name += strlen(name) + 1) {
		int ext = isa_by_name(name);

		if (ext < 0)
			return config_refuse(r, v->name, "unknown extension \"%s\"", name);
		*set |= BIT(ext);
	}
	return 0;
}

static int read_scrollback(struct config_reader *r, const struct config_value *v, void *member)
{
	uint64_t n;
	int err = config_number(r, v, 4, &n);

	if (err)
		return err;
	if (n < SCROLLBACK_MIN || n > SCROLLBACK_MAX || (n & (n - 1)))
		return config_refuse(r, v->name, "%" PRIu64 " is not a power of two from %d to %d", n, SCROLLBACK_MIN,
				     SCROLLBACK_MAX);
	*(uint32_t *)member = (uint32_t)n;
	return 0;
}

static int read_harts(struct config_reader *r, const struct config_value *v, void *member)
{
	uint64_t mask;
	int err = config_number(r, v, 8, &mask);

	if (err)
		return err;
	if (!mask)
		return config_refuse(r, v->name, "0 names no hart");
	*(uint64_t *)member = mask;
	return 0;
}

static int read_weight(struct config_reader *r, const struct config_value *v, void *member)
{
	uint64_t n;
	int err = config_number(r, v, 4, &n);

	if (err)
		return err;
	if (n < 1 || n > VM_WEIGHT_MAX)
		return config_refuse(r, v->name, "%" PRIu64 " is not 1 to %d", n, VM_WEIGHT_MAX);
	*(unsigned *)member = (unsigned)n;
	return 0;
}

/* What it can be at most depends on the number of vCPUs: check_whole. */
static int read_cap(struct config_reader *r, const struct config_value *v, void *member)
{
	uint64_t n;
	int err = config_number(r, v, 4, &n);

	if (err)
		return err;
	if (!n)
		return config_refuse(r, v->name, "0 per cent of a hart are none");
	*(unsigned *)member = (unsigned)n;
	return 0;
}

static int add_channel(struct config_reader *r, const char *name, const char *text)
{
	struct vm_config *c = r->out;
	struct channel_right right;

	if (channel_right_parse(text, &right))
		return config_refuse(r, name, "\"%s\" is not NAME:rw or NAME:ro", text);
	for (unsigned i = 0; i < c->n_channels; i++)
		if (strcmp(c->channels[i].name, right.name) == 0)
			return config_refuse(r, name, "\"%s\" is there twice", right.name);
	if (c->n_channels == VM_CHANNELS_MAX)
		return config_refuse(r, name, "there are more than %d", VM_CHANNELS_MAX);
	c->channels[c->n_channels++] = right;
	return 0;
}

/** The channels to attach to: "NAME:rw" or "NAME:ro" for each. */
static int read_channels(struct config_reader *r, const struct config_value *v, void *member)
{
	int err = 0;

	(void)member;
	if (v->len == 0 || v->data[v->len - 1] != '\0')
		return config_refuse(r, v->name, "is not a list of strings");
	for (const char *text = v->data; !err && text < v->data + v->len; text += strlen(text) + 1)
		err = add_channel(r, v->name, text);
	return err;
}

/** Its network ports, a string for each. */
static int read_nets(struct config_reader *r, const struct config_value *v, void *member)
{
	struct vm_config *c = r->out;
	char why[80];

	(void)member;
	if (v->len == 0 || v->data[v->len - 1] != '\0')
		return config_refuse(r, v->name, "is not a list of strings");
	for (const char *text = v->data; text < v->data + v->len; text += strlen(text) + 1) {
		if (c->n_nets == VM_NETS_MAX)
			return config_refuse(r, v->name, "there are more than %d", VM_NETS_MAX);
		if (net_config_parse(text, &c->nets[c->n_nets++], why, sizeof(why)))
			return config_refuse(r, v->name, "%s", why);
	}
	return 0;
}

static int add_plugin(struct config_reader *r, const char *name, const char *text)
{
	struct vm_config *c = r->out;

	for (unsigned i = 0; i < c->n_plugins; i++)
		if (strcmp(c->plugins[i], text) == 0)
			return config_refuse(r, name, "\"%s\" is there twice", text);
	if (c->n_plugins == VM_PLUGINS_MAX)
		return config_refuse(r, name, "there are more than %d", VM_PLUGINS_MAX);
	c->plugins[c->n_plugins++] = config_lasting(r, text);
	return 0;
}

/** Names of plug-ins. Which there are is known where the VM is made (vmm/plugin/plugin.c). */
static int read_plugins(struct config_reader *r, const struct config_value *v, void *member)
{
	int err = 0;

	(void)member;
	if (v->len == 0 || v->data[v->len - 1] != '\0')
		return config_refuse(r, v->name, "is not a list of strings");
	for (const char *text = v->data; !err && text < v->data + v->len; text += strlen(text) + 1)
		err = add_plugin(r, v->name, text);
	return err;
}

#define MEMBER(m) offsetof(struct vm_config, m)

static const struct config_property properties[] = {
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
	{ "eager", config_flag, MEMBER(eager), false },
	{ "format", read_format, MEMBER(format), false },
	{ "harts", read_harts, MEMBER(hart_mask), false },
	{ "exclusive", config_flag, MEMBER(exclusive), false },
	{ "weight", read_weight, MEMBER(weight), false },
	{ "cap", read_cap, MEMBER(cap), false },
	{ "restart", read_restart, MEMBER(restart), false },
	{ "stop-timeout", read_seconds, MEMBER(stop_timeout), false },
	{ "watchdog", read_seconds, MEMBER(watchdog), false },
	{ "isa-hide", read_isa, MEMBER(isa_hide), false },
	{ "isa-require", read_isa, MEMBER(isa_require), false },
	{ "entropy", config_flag, MEMBER(entropy), false },
	{ "console", read_console, MEMBER(console), false },
	{ "scrollback", read_scrollback, MEMBER(scrollback), false },
	{ "console-log", config_flag, MEMBER(console_log), false },
	{ "no-autostart", config_flag, MEMBER(no_autostart), false },
	{ "channels", read_channels, MEMBER(channels), false },
	{ "plugins", read_plugins, MEMBER(plugins), false },
	{ "nets", read_nets, MEMBER(nets), false },
};

/* --- the whole ------------------------------------------------------------------- */

static int read_property(struct config_reader *r, const struct config_value *v, const struct config_property *table,
			 unsigned n, void *out, uint64_t *seen)
{
	for (unsigned i = 0; i < n; i++) {
		const struct config_property *p = &table[i];

		if (strcmp(p->name, v->name) != 0)
			continue;
		if (*seen & BIT(i))
			return config_refuse(r, v->name, "is given twice");
		*seen |= BIT(i);
		return p->read(r, v, (char *)out + p->member);
	}
	return config_refuse(r, v->name, "unknown property");
}

int config_read_properties(struct config_reader *r, int node, const struct config_property *table, unsigned n, void *out)
{
	uint64_t seen = 0;
	int offset;

	fdt_for_each_property_offset(offset, r->copy, node) {
		struct config_value v;
		int err;

		v.data = fdt_getprop_by_offset(r->copy, offset, &v.name, &v.len);
		err = v.data ? read_property(r, &v, table, n, out, &seen) : -EINVAL;
		if (err)
			return err;
	}
	for (unsigned i = 0; i < n; i++)
		if (table[i].required && !(seen & BIT(i)))
			return config_refuse(r, table[i].name, "is missing");
	return 0;
}

/** An image that has no label goes by its path; a label without an image is a mistake. */
static int settle_label(struct config_reader *r, const char *name, struct vm_image *image)
{
	if (!image->file.data && image->label)
		return config_refuse(r, name, "\"%s\" is the label of no file", image->label);
	if (image->file.data && !image->label)
		image->label = image->file.path;
	return 0;
}

static int check_whole(struct config_reader *r)
{
	int err;

	if (r->out->isa_hide & BIT(ISA_I))
		return config_refuse(r, "isa-hide", "\"i\" is the base, which cannot be hidden");
	if (r->out->has_initrd_load && !r->out->initrd.file.data)
		return config_refuse(r, "initrd-load", "there is no initrd");
	if (r->out->exclusive && (unsigned)__builtin_popcountll(r->out->hart_mask) != r->out->cpus)
		return config_refuse(r, "exclusive", "%u vCPUs need as many harts, and harts names %d", r->out->cpus,
				     __builtin_popcountll(r->out->hart_mask));
	if (r->out->cap && r->out->exclusive)
		return config_refuse(r, "cap", "of harts that are its own it has all");
	if (r->out->cap > 100 * r->out->cpus)
		return config_refuse(r, "cap", "%u is more than %u vCPUs can use, %u", r->out->cap, r->out->cpus,
				     100 * r->out->cpus);
	err = settle_label(r, "initrd-label", &r->out->initrd);
	if (!err)
		err = settle_label(r, "dtb-label", &r->out->dtb);
	return err;
}

/* What a VM has several of: a node each, with a number behind its kind. */
static const struct {
	const char *kind;
	int (*read)(struct config_reader *r, int node);
} nodes[] = {
	{ "disk", config_read_disk },
};

static int read_node(struct config_reader *r, int node)
{
	const char *name = fdt_get_name(r->copy, node, NULL);

	for (unsigned i = 0; i < ARRAY_SIZE(nodes); i++) {
		size_t n = strlen(nodes[i].kind);

		if (strncmp(name, nodes[i].kind, n) == 0 && name[n] >= '0' && name[n] <= '9') {
			r->where = name;
			if (fdt_first_subnode(r->copy, node) >= 0)
				return config_refuse(r, "description", "it has a node of its own");
			return nodes[i].read(r, node);
		}
	}
	return config_refuse(r, name, "unknown node");
}

static int read_description(struct config_reader *r, uint64_t size)
{
	int err = blob_check(r->copy, size), node;

	if (err)
		return config_refuse(r, "description", "is not a device tree (%s)", fdt_strerror(err));
	err = config_read_properties(r, 0, properties, ARRAY_SIZE(properties), r->out);
	if (err)
		return err;
	fdt_for_each_subnode(node, r->copy, 0) {
		err = read_node(r, node);
		if (err)
			return err;
	}
	r->where = NULL;
	return check_whole(r);
}

int vm_config_parse(const void *fdt, uint64_t size, struct vm_config *out,
		    char *err, size_t err_size)
{
	struct config_reader r = { .blob = fdt, .out = out, .err = err, .err_size = err_size };
	char *copy;
	int ret;

	*out = (struct vm_config){ .bootargs = "", .stop_timeout = VM_STOP_TIMEOUT };
	if (size < sizeof(struct fdt_header) || size > DESCRIPTION_MAX)
		return config_refuse(&r, "description", "%" PRIu64 " bytes are not %zu to %" PRIu64, size,
				     sizeof(struct fdt_header), DESCRIPTION_MAX);
	/* Files of an initrd are aligned to 4 bytes, device trees to 8. */
	copy = kalloc(size);
	if (!copy) {
		(void)config_refuse(&r, "description", "no memory to read it");
		return -ENOMEM;
	}
	memcpy(copy, fdt, size);
	r.copy = copy;
	ret = read_description(&r, size);
	kfree(copy);
	return ret;
}
