/* Google's goldfish clock, which QEMU's virt machine has: nanoseconds since 1970 in two halves. */
#include <arch/cpu.h>
#include <caisson/dt.h>
#include <caisson/init.h>
#include <caisson/rtc.h>
#include <errno.h>

/* Reading the low half latches the high one. */
enum { REG_TIME_LOW = 0x00, REG_TIME_HIGH = 0x04, REGS_BYTES = 0x08 };

static int goldfish_probe(const void *fdt, int node)
{
	volatile char *regs;
	uint64_t size, low;
	int error = dt_map(fdt, node, 0, REGS_BYTES, &regs, &size);

	if (error)
		return error;
	if (!arch_io_answers(regs, 4))
		return -ENXIO;
	low = mmio_read32(regs + REG_TIME_LOW);
	rtc_register("goldfish", (uint64_t)mmio_read32(regs + REG_TIME_HIGH) << 32 | low);
	return 0;
}

static const char *const goldfish_compatible[] = { "google,goldfish-rtc", NULL };

DRIVER(goldfish_rtc) = {
	.name = "goldfish-rtc",
	.compatible = goldfish_compatible,
	.probe = goldfish_probe,
	.order = 1,
};
