/*
 * Writing a flattened device tree from its start to its end: header, an empty
 * list of reservations and the structure block as it comes, then the strings.
 */
#include <vmm/dt_writer.h>

#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#define RESERVATIONS_OFFSET ALIGN_UP(sizeof(struct fdt_header), 8)
#define STRUCT_OFFSET (RESERVATIONS_OFFSET + sizeof(struct fdt_reserve_entry))

/** The next n bytes of the buffer, or NULL. */
static void *take(struct dt_writer *w, size_t n)
{
	void *place = w->buf + w->at;

	if (!w->err && n > w->size - w->at)
		w->err = -FDT_ERR_NOSPACE;
	if (w->err)
		return NULL;
	w->at += (uint32_t)n;
	return place;
}

static void write_word(struct dt_writer *w, uint32_t value)
{
	fdt32_t *place = take(w, sizeof(*place));

	if (place)
		*place = cpu_to_fdt32(value);
}

static void write_bytes(struct dt_writer *w, const void *data, size_t n)
{
	void *place = take(w, n);

	if (place)
		memcpy(place, data, n);
}

/** Zeros up to the next word. */
static void pad(struct dt_writer *w)
{
	while (!w->err && w->at % sizeof(fdt32_t))
		write_bytes(w, "", 1);
}

void dt_start(struct dt_writer *w, void *buf, size_t size)
{
	void *head;

	*w = (struct dt_writer){ .buf = buf, .size = (uint32_t)MIN(size, INT32_MAX) };
	head = take(w, STRUCT_OFFSET);
	if (head)
		memset(head, 0, STRUCT_OFFSET); /* a reservation of no bytes ends their list */
}

static void write_header(const struct dt_writer *w, uint32_t strings)
{
	*(struct fdt_header *)(void *)w->buf = (struct fdt_header){
		.magic = cpu_to_fdt32(FDT_MAGIC),
		.totalsize = cpu_to_fdt32(w->at),
		.off_dt_struct = cpu_to_fdt32(STRUCT_OFFSET),
		.off_dt_strings = cpu_to_fdt32(strings),
		.off_mem_rsvmap = cpu_to_fdt32(RESERVATIONS_OFFSET),
		.version = cpu_to_fdt32(17),
		.last_comp_version = cpu_to_fdt32(16),
		.size_dt_strings = cpu_to_fdt32(w->names_bytes),
		.size_dt_struct = cpu_to_fdt32(strings - STRUCT_OFFSET),
	};
}

int dt_finish(struct dt_writer *w)
{
	uint32_t strings;

	write_word(w, FDT_END);
	strings = w->at;
	for (unsigned i = 0; i < w->n_names; i++)
		write_bytes(w, w->names[i].name, strlen(w->names[i].name) + 1);
	if (w->err)
		return w->err;
	write_header(w, strings);
	return (int)w->at;
}

/* --- nodes ------------------------------------------------------------------------------ */

void dt_begin(struct dt_writer *w, const char *name)
{
	write_word(w, FDT_BEGIN_NODE);
	write_bytes(w, name, strlen(name) + 1);
	pad(w);
}

void dt_begin_at(struct dt_writer *w, const char *name, uint64_t unit)
{
	char full[48];

	snprintf(full, sizeof(full), "%s@%" PRIx64, name, unit);
	dt_begin(w, full);
}

void dt_end(struct dt_writer *w)
{
	write_word(w, FDT_END_NODE);
}

/* --- properties ------------------------------------------------------------------------- */

/** Offset of a name in the strings block to come. */
static uint32_t name_offset(struct dt_writer *w, const char *name)
{
	unsigned i = 0;

	while (i < w->n_names && w->names[i].name != name)
		i++;
	if (i == DT_NAMES_MAX) {
		w->err = w->err ? w->err : -FDT_ERR_NOSPACE;
		return 0;
	}
	if (i == w->n_names) {
		w->names[w->n_names].name = name;
		w->names[w->n_names++].offset = w->names_bytes;
		w->names_bytes += (uint32_t)strlen(name) + 1;
	}
	return w->names[i].offset;
}

/** What stands before a value of len bytes. */
static void write_prop(struct dt_writer *w, const char *name, size_t len)
{
	write_word(w, FDT_PROP);
	write_word(w, (uint32_t)len);
	write_word(w, name_offset(w, name));
}

void dt_put(struct dt_writer *w, const char *name, const void *data, size_t len)
{
	write_prop(w, name, len);
	write_bytes(w, data, len);
	pad(w);
}

void dt_put_flag(struct dt_writer *w, const char *name)
{
	write_prop(w, name, 0);
}

void dt_put_text(struct dt_writer *w, const char *name, const char *text)
{
	dt_put(w, name, text, strlen(text) + 1);
}

void dt_put_texts(struct dt_writer *w, const char *name, const char *const *texts)
{
	size_t len = 0;

	for (const char *const *t = texts; *t; t++)
		len += strlen(*t) + 1;
	write_prop(w, name, len);
	for (const char *const *t = texts; *t; t++)
		write_bytes(w, *t, strlen(*t) + 1);
	pad(w);
}

void dt_put_u32(struct dt_writer *w, const char *name, uint32_t value)
{
	write_prop(w, name, sizeof(value));
	write_word(w, value);
}

void dt_put_range(struct dt_writer *w, uint64_t start, uint64_t size)
{
	const fdt64_t cells[2] = { cpu_to_fdt64(start), cpu_to_fdt64(size) };

	dt_put(w, "reg", cells, sizeof(cells));
}
