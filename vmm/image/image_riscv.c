/*
 * The RISC-V Image: a flat binary that begins with a 64-byte header
 * (Linux Documentation/arch/riscv/boot-image-header.rst).
 */
#include "placement.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/** The header. All numbers are little-endian. */
struct riscv_image {
	uint8_t code[8];
	uint8_t text_offset[8];
	uint8_t image_size[8];      /* in memory, what the kernel clears itself included */
	uint8_t flags[8];
	uint8_t version[4];         /* major << 16 | minor */
	uint8_t reserved[12];
	uint8_t magic[8];           /* deprecated since version 0.2 */
	uint8_t magic2[4];
	uint8_t pe_offset[4];
};

_Static_assert(sizeof(struct riscv_image) == 64, "RISC-V Image header");

#define FLAG_BIG_ENDIAN BIT(0)

static bool riscv_matches(const struct file *f)
{
	const struct riscv_image *h = f->data;

	return f->size >= sizeof(*h) && !memcmp(h->magic2, "RSC\x05", 4);
}

static int riscv_place(const struct placement *p, struct image_layout *out)
{
	const struct vm_image *kernel = &p->cfg->kernel;
	const struct riscv_image *h = kernel->file.data;
	uint64_t size = read_le(h->image_size, 8);

	if (read_le(h->flags, 8) & FLAG_BIG_ENDIAN)
		return placement_refuse(p, -EINVAL, kernel->label,
					"a big-endian RISC-V Image; guests are little-endian");
	if (read_le(h->version, 4) >> 16 != 0)
		return placement_refuse(p, -EINVAL, kernel->label,
					"its header has version %" PRIu64 ".%" PRIu64
					", only 0.x is known",
					read_le(h->version, 4) >> 16, read_le(h->version, 2));
	if (size < kernel->file.size)
		return placement_refuse(p, -EINVAL, kernel->label,
					"its header says %" PRIu64 " bytes, but the file has %"
					PRIu64, size, kernel->file.size);
	return placement_of_piece(p, read_le(h->text_offset, 8), size, out);
}

static int riscv_load(const struct placement *p, const struct image_layout *layout,
		      const struct image_sink *sink)
{
	const struct file *f = &p->cfg->kernel.file;

	return sink->write(sink->arg, layout->kernel_start, f->data, f->size);
}

const struct image_kind image_kind_riscv = {
	.name = "RISC-V Image",
	.matches = riscv_matches,
	.place = riscv_place,
	.load = riscv_load,
};
