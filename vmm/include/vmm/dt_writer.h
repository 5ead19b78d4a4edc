/*
 * A flattened device tree written in one go (Devicetree Specification 0.4,
 * chapter 5). libfdt's sequential functions walk all of it again at its end and
 * cost two and a half times as much, which every VM's start would wait for.
 *
 * The writer remembers the first error and does nothing from there on, so that
 * it is asked for once, at the end.
 */
#pragma once

#include <caisson/types.h>

#define DT_NAMES_MAX 64

struct dt_writer {
	uint8_t *buf;
	uint32_t size;
	uint32_t at;               /* bytes written so far */
	int err;                   /* 0 or a negative libfdt error */
	unsigned n_names;
	uint32_t names_bytes;
	/** Names of properties so far, in the order of the strings block. */
	struct {
		const char *name;
		uint32_t offset;
	} names[DT_NAMES_MAX];
};

/** Begin a tree in buf, which is 4-byte aligned. The root node comes next: dt_begin(w, ""). */
void dt_start(struct dt_writer *w, void *buf, size_t size);
/** End it, all nodes being ended.
 *  @return its size in bytes or -FDT_ERR_NOSPACE: the buffer is too small, or more than DT_NAMES_MAX names. */
int dt_finish(struct dt_writer *w) __must_check;

void dt_begin(struct dt_writer *w, const char *name);
/** Begin the node name@unit, the address in hexadecimal. */
void dt_begin_at(struct dt_writer *w, const char *name, uint64_t unit);
void dt_end(struct dt_writer *w);

/*
 * Properties. Their names are string constants: the writer keeps the pointers, and
 * equal ones make one entry of the strings block.
 */

/** A property of len bytes. */
void dt_put(struct dt_writer *w, const char *name, const void *data, size_t len);
void dt_put_flag(struct dt_writer *w, const char *name);
void dt_put_text(struct dt_writer *w, const char *name, const char *text);
/** A list of strings, NULL behind the last. */
void dt_put_texts(struct dt_writer *w, const char *name, const char *const *texts);
void dt_put_u32(struct dt_writer *w, const char *name, uint32_t value);
/** A reg with one range, two cells for each number. */
void dt_put_range(struct dt_writer *w, uint64_t start, uint64_t size);
