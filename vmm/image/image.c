/*
 * Placing guest images: the kernel where its format says, device tree and
 * initrd as high as they fit beside it. The formats are image_*.c; what none
 * of them takes is a raw image.
 */
#include "placement.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include <vmm/memory.h>

/* --- messages -------------------------------------------------------------------- */

int placement_refuse(const struct placement *p, int code, const char *label,
		     const char *format, ...)
{
	int used = snprintf(p->err, p->err_size, "%s: ", label);
	va_list args;

	if (used >= 0 && (size_t)used < p->err_size) {
		va_start(args, format);
		vsnprintf(p->err + used, p->err_size - (size_t)used, format, args);
		va_end(args);
	}
	return code;
}

static struct size_text size_format(uint64_t bytes, bool round_up)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	struct size_text out;
	uint64_t unit = KiB, tenths;
	unsigned i = 0;

	if (bytes < KiB) {
		snprintf(out.text, sizeof(out.text), "%" PRIu64 " bytes", bytes);
		return out;
	}
	while (i + 1 < ARRAY_SIZE(units) && bytes >= unit * KiB) {
		unit *= KiB;
		i++;
	}
	tenths = bytes / unit * 10 + (bytes % unit * 10 + (round_up ? unit - 1 : 0)) / unit;
	if (tenths % 10)
		snprintf(out.text, sizeof(out.text), "%" PRIu64 ".%" PRIu64 " %s", tenths / 10,
			 tenths % 10, units[i]);
	else
		snprintf(out.text, sizeof(out.text), "%" PRIu64 " %s", tenths / 10, units[i]);
	return out;
}

struct size_text size_needed(uint64_t bytes)
{
	return size_format(bytes, true);
}

struct size_text size_there(uint64_t bytes)
{
	return size_format(bytes, false);
}

/* --- the kernel ------------------------------------------------------------------- */

bool placement_in_ram(const struct placement *p, uint64_t start, uint64_t size)
{
	return start >= p->ram && start <= p->end && size <= p->end - start;
}

static int refuse_outside(const struct placement *p, const char *label, uint64_t address)
{
	return placement_refuse(p, -EINVAL, label, "0x%" PRIx64 " is outside the VM's RAM, 0x%"
				PRIx64 " to 0x%" PRIx64, address, p->ram, p->end);
}

int placement_of_piece(const struct placement *p, uint64_t offset, uint64_t size,
		       struct image_layout *out)
{
	const char *label = p->cfg->kernel.label;
	uint64_t needed;

	if (p->cfg->has_load && !placement_in_ram(p, p->cfg->load, 1))
		return refuse_outside(p, "load", p->cfg->load);
	if (p->cfg->has_load)
		offset = p->cfg->load - p->ram;
	if (__builtin_add_overflow(offset, size, &needed))
		return placement_refuse(p, -EINVAL, label, "0x%" PRIx64 " bytes at offset 0x%"
					PRIx64 " are beyond any memory", size, offset);
	if (needed > p->end - p->ram && p->cfg->has_load)
		return placement_refuse(p, -E2BIG, "load", "0x%" PRIx64 " leaves %s to the end of the VM's RAM, "
					"%s needs %s", p->cfg->load, size_there(p->end - p->cfg->load).text, label,
					size_needed(size).text);
	if (needed > p->end - p->ram)
		return placement_refuse(p, -E2BIG, label, "needs %s of memory, the VM has %s",
					size_needed(needed).text, size_there(p->end - p->ram).text);
	out->kernel_start = p->ram + offset;
	out->kernel_size = size;
	out->entry = out->kernel_start;
	return 0;
}

static bool raw_matches(const struct file *f)
{
	(void)f;
	return true;
}

static int raw_place(const struct placement *p, struct image_layout *out)
{
	return placement_of_piece(p, GUEST_FIRMWARE_SIZE, p->cfg->kernel.file.size, out);
}

static int raw_load(const struct placement *p, const struct image_layout *layout,
		    const struct image_sink *sink)
{
	const struct file *f = &p->cfg->kernel.file;

	return sink->write(sink->arg, layout->kernel_start, f->data, f->size);
}

static const struct image_kind image_kind_raw = {
	.name = "raw image",
	.matches = raw_matches,
	.place = raw_place,
	.load = raw_load,
};

/* The first that matches. */
static const struct image_kind *const kinds[] = {
	&image_kind_elf, &image_kind_riscv, &image_kind_raw,
};

static const struct image_kind *kind_of(const struct file *f)
{
	unsigned i = 0;

	while (!kinds[i]->matches(f))
		i++;
	return kinds[i];
}

static int settle_entry(const struct placement *p, struct image_layout *out)
{
	const char *label = p->cfg->has_entry ? "entry" : p->cfg->kernel.label;

	if (p->cfg->has_entry)
		out->entry = p->cfg->entry;
	if (!placement_in_ram(p, out->entry, 2))
		return refuse_outside(p, label, out->entry);
	if (out->entry & 1)
		return placement_refuse(p, -EINVAL, label, "0x%" PRIx64
					" is odd: no instruction can start there", out->entry);
	return 0;
}

/* --- what stands beside it ---------------------------------------------------------- */

struct span {
	uint64_t start, size;
};

enum { KERNEL, INITRD, DTB, THINGS };

/** Where things may go: in [floor, limit), clear of what is taken. */
struct room {
	uint64_t floor, limit;
	struct span taken[THINGS];
};

static const struct span *taken_by(const struct room *room, uint64_t start, uint64_t size)
{
	for (unsigned i = 0; i < ARRAY_SIZE(room->taken); i++) {
		const struct span *s = &room->taken[i];

		if (s->size && start < s->start + s->size && s->start < start + size)
			return s;
	}
	return NULL;
}

/** The highest free place below limit. Each round goes below one span, so there are few. */
static bool find_highest(const struct room *room, uint64_t limit, uint64_t size, uint64_t align,
			 uint64_t *start)
{
	const struct span *hit;

	while (limit >= room->floor && limit - room->floor >= size) {
		*start = ALIGN_DOWN(limit - size, align);
		if (*start < room->floor)
			return false;
		hit = taken_by(room, *start, size);
		if (!hit)
			return true;
		limit = hit->start;
	}
	return false;
}

/** What has no place yet. */
static bool place_rest(struct room room, uint64_t dtb_align, struct image_layout *out)
{
	if (!room.taken[DTB].size &&
	    !find_highest(&room, room.limit, out->dtb_size, dtb_align, &out->dtb_start))
		return false;
	if (!out->initrd_size || room.taken[INITRD].size)
		return true;
	room.taken[DTB] = (struct span){ out->dtb_start, out->dtb_size };
	return find_highest(&room, MIN(out->dtb_start, room.limit), out->initrd_size, PAGE_SIZE,
			    &out->initrd_start) ||
	       find_highest(&room, room.limit, out->initrd_size, PAGE_SIZE, &out->initrd_start);
}

static int refuse_rest(const struct placement *p, uint64_t limit, const struct image_layout *out)
{
	struct size_text dtb = size_needed(out->dtb_size), kernel = size_needed(out->kernel_size);
	struct size_text there = size_there(limit - p->ram);

	if (out->initrd_size)
		return placement_refuse(p, -E2BIG, p->cfg->initrd.label,
					"needs %s beside the firmware's 2 MiB, the kernel's %s and "
					"the device tree's %s, the VM has %s below 0x%" PRIx64,
					size_needed(out->initrd_size).text, kernel.text, dtb.text,
					there.text, limit);
	return placement_refuse(p, -E2BIG, p->cfg->kernel.label,
				"leaves no room for the device tree, which needs %s beside the "
				"firmware's 2 MiB and the kernel's %s, the VM has %s below 0x%"
				PRIx64,
				dtb.text, kernel.text, there.text, limit);
}

/** Put something of `size` bytes where the configuration says. */
static int place_at(const struct placement *p, const char *key, uint64_t address, uint64_t size, struct room *room,
		    int thing)
{
	static const char *const names[THINGS] = { "kernel", "initrd", "device tree" };
	const struct span *hit;

	if (!placement_in_ram(p, address, 1))
		return refuse_outside(p, key, address);
	if (!placement_in_ram(p, address, size))
		return placement_refuse(p, -E2BIG, key, "0x%" PRIx64 " leaves %s to the end of the VM's RAM, the %s "
					"needs %s", address, size_there(p->end - address).text, names[thing],
					size_needed(size).text);
	hit = taken_by(room, address, size);
	if (hit)
		return placement_refuse(p, -EINVAL, key, "at 0x%" PRIx64 " the %s, which needs %s, would overlap the %s "
					"at 0x%" PRIx64, address, names[thing], size_needed(size).text,
					names[hit - room->taken], hit->start);
	room->taken[thing] = (struct span){ address, size };
	return 0;
}

static int settle_fixed(const struct placement *p, struct room *room, struct image_layout *out)
{
	const struct vm_config *cfg = p->cfg;
	int err = 0;

	if (cfg->has_initrd_load)
		err = place_at(p, "initrd-load", cfg->initrd_load, out->initrd_size, room, INITRD);
	if (err || !cfg->has_dtb_load)
		return err;
	if (!IS_ALIGNED(cfg->dtb_load, 8))
		return placement_refuse(p, -EINVAL, "dtb-load", "0x%" PRIx64 " is not a multiple of 8", cfg->dtb_load);
	return place_at(p, "dtb-load", cfg->dtb_load, out->dtb_size, room, DTB);
}

/** Small VMs may not have 2 MiB to spare for the device tree's alignment, and need less of it. */
static int settle_rest(const struct placement *p, struct image_layout *out)
{
	static const uint64_t dtb_aligns[] = { 2 * MiB, PAGE_SIZE, 8 };
	struct room room = {
		.floor = p->ram + GUEST_FIRMWARE_SIZE,
		.limit = MIN(p->end, p->ram + GiB),
		.taken = { [KERNEL] = { out->kernel_start, out->kernel_size } },
	};
	int err = settle_fixed(p, &room, out);

	if (err)
		return err;
	out->initrd_start = room.taken[INITRD].start;
	out->dtb_start = room.taken[DTB].start;
	/* A kernel that was put into the firmware's place says that nobody keeps it free. */
	if (out->kernel_start < room.floor)
		room.floor = p->ram;
	for (unsigned i = 0; i < ARRAY_SIZE(dtb_aligns); i++)
		if (place_rest(room, dtb_aligns[i], out))
			return 0;
	return refuse_rest(p, room.limit, out);
}

/* --- the whole ------------------------------------------------------------------------ */

static int refuse_empty(const struct placement *p)
{
	const struct vm_config *cfg = p->cfg;

	if (!cfg->kernel.file.size)
		return placement_refuse(p, -EINVAL, cfg->kernel.label, "is empty");
	if (cfg->initrd.file.data && !cfg->initrd.file.size)
		return placement_refuse(p, -EINVAL, cfg->initrd.label, "is empty");
	return 0;
}

int image_place(const struct vm_config *cfg, uint64_t ram, uint64_t dtb_room,
		struct image_layout *out, char *err, size_t err_size)
{
	const struct placement p = { cfg, ram, ram + cfg->memory, err, err_size };
	int ret = refuse_empty(&p);

	*out = (struct image_layout){
		.initrd_size = cfg->initrd.file.data ? cfg->initrd.file.size : 0,
		.dtb_size = dtb_room,
	};
	if (!ret)
		ret = kind_of(&cfg->kernel.file)->place(&p, out);
	if (!ret)
		ret = settle_entry(&p, out);
	if (!ret)
		ret = settle_rest(&p, out);
	return ret;
}

int image_load(const struct vm_config *cfg, uint64_t ram, const struct image_layout *layout,
	       const struct image_sink *sink)
{
	const struct placement p = { .cfg = cfg, .ram = ram, .end = ram + cfg->memory };
	int err = kind_of(&cfg->kernel.file)->load(&p, layout, sink);

	if (err || !layout->initrd_size)
		return err;
	return sink->write(sink->arg, layout->initrd_start, cfg->initrd.file.data,
			   layout->initrd_size);
}
