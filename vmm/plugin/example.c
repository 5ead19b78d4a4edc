/*
 * The plug-in to copy: what a guest written for another machine expects to find.
 * There the hart's number is 0x1234, though S-mode has no mhartid, and a word at
 * address 64 says 0x6688, though virt has nothing there (guests/foreign asks for both).
 */
#include <errno.h>
#include <vmm/plugin.h>

#define CSR_MHARTID 0xf14
#define HART_NUMBER 0x1234
#define WORD_OFFSET 64
#define WORD 0x6688

static int hart_number(struct vdev *dev, unsigned vcpu, uint64_t *value)
{
	(void)dev;
	*value = HART_NUMBER + vcpu;
	return 0;
}

static int page_read(void *dev, uint64_t off, unsigned size, uint64_t *value)
{
	(void)dev;
	if (off != WORD_OFFSET || size < 2)
		return -EINVAL;
	*value = WORD;
	return 0;
}

static int page_write(void *dev, uint64_t off, unsigned size, uint64_t value)
{
	(void)dev;
	(void)off;
	(void)size;
	(void)value;
	return -EINVAL;
}

static const struct plugin_csr csrs[] = { { .number = CSR_MHARTID, .read = hart_number } };

PLUGIN(plugin_example) = {
	.device = {
		.name = "example",
		.base = 0,
		.size = PAGE_SIZE,
		.ops = { .name = "example", .read = page_read, .write = page_write },
	},
	.csrs = csrs,
	.n_csrs = ARRAY_SIZE(csrs),
};
