/* Writing a device tree from its start to its end. */
#include <vmm/dt_writer.h>

#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

void dt_begin(struct dt_writer *w, const char *name)
{
	if (!w->err)
		w->err = fdt_begin_node(w->fdt, name);
}

void dt_begin_at(struct dt_writer *w, const char *name, uint64_t unit)
{
	char full[48];

	snprintf(full, sizeof(full), "%s@%" PRIx64, name, unit);
	dt_begin(w, full);
}

void dt_end(struct dt_writer *w)
{
	if (!w->err)
		w->err = fdt_end_node(w->fdt);
}

void dt_put(struct dt_writer *w, const char *name, const void *data, int len)
{
	if (!w->err)
		w->err = fdt_property(w->fdt, name, data, len);
}

void dt_put_flag(struct dt_writer *w, const char *name)
{
	dt_put(w, name, "", 0);
}

void dt_put_text(struct dt_writer *w, const char *name, const char *text)
{
	dt_put(w, name, text, (int)strlen(text) + 1);
}

void dt_put_texts(struct dt_writer *w, const char *name, const char *const *texts)
{
	void *place;
	char *next;
	int len = 0;

	for (const char *const *t = texts; *t; t++)
		len += (int)strlen(*t) + 1;
	if (!w->err)
		w->err = fdt_property_placeholder(w->fdt, name, len, &place);
	if (w->err)
		return;
	next = place;
	for (const char *const *t = texts; *t; t++) {
		strcpy(next, *t);
		next += strlen(*t) + 1;
	}
}

void dt_put_u32(struct dt_writer *w, const char *name, uint32_t value)
{
	const fdt32_t cell = cpu_to_fdt32(value);

	dt_put(w, name, &cell, sizeof(cell));
}

void dt_put_range(struct dt_writer *w, uint64_t start, uint64_t size)
{
	const fdt64_t cells[2] = { cpu_to_fdt64(start), cpu_to_fdt64(size) };

	dt_put(w, "reg", cells, sizeof(cells));
}
