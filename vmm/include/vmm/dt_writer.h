/*
 * A device tree written in one go, with libfdt's sequential functions. The
 * writer remembers the first error and does nothing from there on, so that it
 * is asked for once, at the end.
 */
#pragma once

#include <caisson/types.h>

struct dt_writer {
	void *fdt;
	int err;      /* 0 or a negative libfdt error */
};

void dt_begin(struct dt_writer *w, const char *name);
/** Begin the node name@unit, the address in hexadecimal. */
void dt_begin_at(struct dt_writer *w, const char *name, uint64_t unit);
void dt_end(struct dt_writer *w);

/** A property of len bytes. */
void dt_put(struct dt_writer *w, const char *name, const void *data, int len);
void dt_put_flag(struct dt_writer *w, const char *name);
void dt_put_text(struct dt_writer *w, const char *name, const char *text);
/** A list of strings, NULL behind the last. */
void dt_put_texts(struct dt_writer *w, const char *name, const char *const *texts);
void dt_put_u32(struct dt_writer *w, const char *name, uint32_t value);
/** A reg with one range, two cells for each number. */
void dt_put_range(struct dt_writer *w, uint64_t start, uint64_t size);
