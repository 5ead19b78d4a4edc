/* QEMU's test finisher: ends the machine with an exit status. */
#include <arch/cpu.h>
#include <caisson/dt.h>
#include <caisson/init.h>
#include <errno.h>

#define FINISH_PASS 0x5555u
#define FINISH_FAIL 0x3333u

static volatile char *finisher;

static void finish(int status)
{
	mmio_write32(finisher, status ? (uint32_t)status << 16 | FINISH_FAIL : FINISH_PASS);
}

static int finisher_probe(const void *fdt, int node)
{
	volatile char *regs;
	uint64_t size;
	int error;

	if (finisher)
		return -ENODEV;
	error = dt_map(fdt, node, 0, sizeof(uint32_t), &regs, &size);
	if (error)
		return error;
	if (!arch_io_answers(regs, 4))
		return -ENXIO;
	finisher = regs;
	machine_register_exit(finish);
	return 0;
}

static const char *const finisher_compatible[] = { "sifive,test0", NULL };

DRIVER(sifive_test) = {
	.name = "sifive-test",
	.compatible = finisher_compatible,
	.probe = finisher_probe,
	.order = 1,
};
