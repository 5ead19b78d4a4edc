/*
 * What the readers of the kernel formats share with image.c. Each format is one
 * file that fills in one struct image_kind.
 */
#pragma once

#include <vmm/config.h>
#include <vmm/image.h>

/** One placement under way. */
struct placement {
	const struct vm_config *cfg;
	uint64_t ram, end;     /* RAM is [ram, end) */
	char *err;
	size_t err_size;
};

struct image_kind {
	const char *name;
	/** Is a file (never empty) of this kind? A broken one is, so that nothing else runs it. */
	bool (*matches)(const struct file *f);
	/** Set kernel_start, kernel_size and entry. @return 0, -EINVAL, -E2BIG with a message. */
	int (*place)(const struct placement *p, struct image_layout *out);
	/** Copy what the file holds. @return 0 or the sink's error. */
	int (*load)(const struct placement *p, const struct image_layout *layout,
		    const struct image_sink *sink);
};

extern const struct image_kind image_kind_elf, image_kind_riscv;

/** Is [start, start + size) inside RAM? Any numbers. */
bool placement_in_ram(const struct placement *p, uint64_t start, uint64_t size);

/**
 * The kernel's place when it is one piece: at config->load, else at RAM + offset.
 * @param size  bytes in memory, the part beyond the file included
 */
int placement_of_piece(const struct placement *p, uint64_t offset, uint64_t size,
		       struct image_layout *out) __must_check;

/** Write the message "LABEL: ...". @return code. */
int placement_refuse(const struct placement *p, int code, const char *label,
		     const char *format, ...)
	__printf(4, 5);

/** A size for people: "4 KiB", "34.1 MiB". Needs are rounded up, what is there is rounded down. */
struct size_text {
	char text[24];
};

struct size_text size_needed(uint64_t bytes);
struct size_text size_there(uint64_t bytes);

/** Little-endian numbers at any alignment. */
static inline uint64_t read_le(const void *from, unsigned bytes)
{
	const uint8_t *b = from;
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | b[bytes];
	return value;
}
