/*
 * A device read through a window: the flash memory that the device tree names is mapped
 * into the kernel's address space, and its first line read.
 */
#include <caisson/dt.h>
#include <caisson/init.h>
#include <caisson/kspace.h>
#include <caisson/print.h>

#define BANK 1 /* the machine's firmware would be in bank 0 */

static const volatile char *map_flash(uint64_t *size)
{
	const void *fdt = dt_blob();
	int node = fdt_node_offset_by_compatible(fdt, -1, "cfi-flash");
	uint64_t base;

	if (node < 0 || dt_reg(fdt, node, BANK, &base, size))
		return NULL;
	print("flash: %lu MiB at %lx\n", (unsigned long)(*size >> 20), (unsigned long)base);
	return io_map(HPA(base), *size);
}

int main(void)
{
	uint64_t size;
	const volatile char *flash = map_flash(&size);
	char line[64];
	size_t n = 0;

	if (!flash)
		return 1;
	while (n < sizeof(line) - 1 && n < size && flash[n] >= ' ' && flash[n] <= '~') {
		line[n] = flash[n];
		n++;
	}
	line[n] = 0;
	print("it begins with: %s\n", line);
	print("last byte: %02x\n", (unsigned char)flash[size - 1]);
	return 0;
}
