/* RAM: ranges of the device tree and what must be left alone in them. */
#include "ram.h"

#include <arch/layout.h>
#include <caisson/dt.h>
#include <caisson/log.h>
#include <caisson/mm.h>

#define LOG_NAME "ram"
#define MAX_RANGES 64

struct range {
	uint64_t start, end;
};

struct ranges {
	struct range r[MAX_RANGES];
	unsigned n;
};

static struct ranges linear, free_ram;
static struct range initrd;

static void ranges_add(struct ranges *s, uint64_t start, uint64_t end)
{
	if (start >= end)
		return;
	if (s->n == MAX_RANGES) {
		log_warn("range %lx-%lx left out: too many", (unsigned long)start, (unsigned long)end);
		return;
	}
	s->r[s->n++] = (struct range){ start, end };
}

/* Take [start, end) out of every range of the set; page-granular, rounding outwards. */
static void ranges_cut(struct ranges *s, uint64_t start, uint64_t end)
{
	unsigned n = s->n;

	start = ALIGN_DOWN(start, PAGE_SIZE);
	end = ALIGN_UP(MIN(end, UINT64_MAX - PAGE_SIZE), PAGE_SIZE);
	for (unsigned i = 0; i < n; i++) {
		struct range *r = &s->r[i];
		uint64_t old_end = r->end;

		if (end <= r->start || start >= r->end)
			continue;
		r->end = MAX(r->start, MIN(start, r->end));
		ranges_add(s, end, old_end);
	}
}

static bool ranges_meet(const struct ranges *s, uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < s->n; i++)
		if (start < s->r[i].end && s->r[i].start < end)
			return true;
	return false;
}

/* Is all of it in one range? */
static bool ranges_have(const struct ranges *s, const struct range *all)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->r[i].start <= all->start && all->end <= s->r[i].end)
			return true;
	return false;
}

static void add_memory(uint64_t start, uint64_t size, void *arg)
{
	uint64_t end = ALIGN_DOWN(start + size, PAGE_SIZE);

	(void)arg;
	start = ALIGN_UP(start, PAGE_SIZE);
	if (start >= LINEAR_SIZE) {
		log_warn("RAM at %lx left out: beyond the linear map", (unsigned long)start);
		return;
	}
	end = MIN(end, LINEAR_SIZE);
	if (ranges_meet(&linear, start, end)) {
		log_warn("RAM at %lx-%lx is told of twice", (unsigned long)start, (unsigned long)end);
		ranges_cut(&linear, start, end);
	}
	ranges_add(&linear, start, end);
}

static void cut_reserved_memory(const void *fdt)
{
	int parent = dt_path("/reserved-memory");
	int node;

	if (parent < 0)
		return;
	dt_for_each_child(node, fdt, parent) {
		uint64_t start, size;

		for (unsigned i = 0; dt_reg(fdt, node, i, &start, &size) == 0; i++)
			ranges_cut(&linear, start, start + MIN(size, UINT64_MAX - start));
	}
}

static uint64_t chosen_address(const char *name)
{
	const void *fdt = dt_blob();
	int chosen = dt_path("/chosen");
	uint32_t hi, lo;
	int len = 0;

	if (chosen < 0 || !dt_prop(fdt, chosen, name, &len))
		return 0;
	if (len == 8 && !dt_u32(fdt, chosen, name, 0, &hi) && !dt_u32(fdt, chosen, name, 1, &lo))
		return (uint64_t)hi << 32 | lo;
	return len == 4 && !dt_u32(fdt, chosen, name, 0, &lo) ? lo : 0;
}

void ram_discover(void)
{
	const void *fdt = dt_blob();
	uint64_t image = kva_to_hpa(__image_start).v;
	uint64_t image_end = image + (uint64_t)(__image_end - __image_start);
	uint64_t dtb = kva_to_hpa(fdt).v;

	dt_for_each_memory(add_memory, NULL);
	if (linear.n == 0)
		log_error("the device tree tells of no RAM");
	cut_reserved_memory(fdt);
	ranges_cut(&linear, image, image_end);

	free_ram = linear;
	for (int i = 0; i < fdt_num_mem_rsv(fdt); i++) {
		uint64_t start, size;

		if (fdt_get_mem_rsv(fdt, i, &start, &size) == 0)
			ranges_cut(&free_ram, start, start + MIN(size, UINT64_MAX - start));
	}
	ranges_cut(&free_ram, dtb, dtb + fdt_totalsize(fdt));
	initrd.start = chosen_address("linux,initrd-start");
	initrd.end = chosen_address("linux,initrd-end");
	if (initrd.end > initrd.start && !ranges_have(&linear, &initrd)) {
		log_error("initrd at %lx-%lx left alone: not in RAM that is ours", (unsigned long)initrd.start,
			  (unsigned long)initrd.end);
		initrd = (struct range){ 0 };
	}
	if (initrd.end > initrd.start)
		ranges_cut(&free_ram, initrd.start, initrd.end);
}

static void for_each(const struct ranges *s, void (*fn)(uint64_t start, uint64_t size))
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->r[i].start < s->r[i].end)
			fn(s->r[i].start, s->r[i].end - s->r[i].start);
}

void ram_for_each_linear(void (*fn)(uint64_t start, uint64_t size))
{
	for_each(&linear, fn);
}

void ram_for_each_free(void (*fn)(uint64_t start, uint64_t size))
{
	for_each(&free_ram, fn);
}

bool ram_initrd(uint64_t *start, uint64_t *size)
{
	*start = initrd.start;
	*size = initrd.end - initrd.start;
	return initrd.end > initrd.start;
}
