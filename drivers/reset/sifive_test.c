/* QEMU's test finisher: ends the machine with an exit status. */
#include <arch/cpu.h>
#include <caisson/dt.h>
#include <caisson/init.h>
#include <caisson/kspace.h>
#include <errno.h>

#define FINISH_PASS 0x5555u
#define FINISH_FAIL 0x3333u

static void *finisher;

static void finish(int status)
{
	mmio_write32(finisher, status ? (uint32_t)status << 16 | FINISH_FAIL : FINISH_PASS);
}

static int finisher_probe(const void *fdt, int node)
{
	uint64_t base, size;
	int error;

	if (finisher)
		return -ENODEV;
	error = dt_reg(fdt, node, 0, &base, &size);
	if (error)
		return error;
	finisher = io_map(HPA(base), MAX(size, sizeof(uint32_t)));
	if (!finisher)
		return -ENOMEM;
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
