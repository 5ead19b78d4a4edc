/*
 * QEMU's fw_cfg as a zeroing engine (caisson/zero.h). The device hands items of configuration to firmware, also by
 * DMA, and what is read of an item beyond its end is zeros (QEMU's docs/specs/fw_cfg.rst): so a read of any length
 * behind the end of the shortest item zeroes memory, for one store to a register. Nothing else here uses the device.
 */
#include <errno.h>
#include <string.h>

#include <arch/cpu.h>
#include <caisson/dt.h>
#include <caisson/init.h>
#include <caisson/mm.h>
#include <caisson/time.h>
#include <caisson/zero.h>

enum {
	REG_DATA = 0x00, /* the selected item, byte after byte */
	REG_DMA = 0x10,  /* address of a struct request, the high byte first: storing it is the order */
	REGS_BYTES = 0x18,
};

/* What REG_DMA reads as: "QEMU CFG". */
#define SIGNATURE_LOW 0x554d4551u
#define SIGNATURE_HIGH 0x47464320u

#define ITEM_ID 1 /* 4 bytes: what the device can do */
#define ID_DMA 2u /* in it: there is DMA */

/* What to do, in request.control; the device clears it when it is done. */
enum { CONTROL_ERROR = 1, CONTROL_READ = 2, CONTROL_SELECT = 8 };
#define CONTROL_ITEM(item) ((uint32_t)(item) << 16)

#define ANSWER_US 100000
/* A page takes QEMU as long as cbo.zero on one of its harts, four pages half as long, 2 MiB (0.2 ms) a fifth. */
#define LEAST_BYTES (16 << 10)
#define MOST_BYTES (2 << 20)

/** In memory, every field with its high byte first. */
struct request {
	uint32_t control;
	uint32_t length;
	uint64_t address;
} ALIGNED_TO(16);

static struct request request;
static volatile char *registers;
static uint64_t order; /* what is stored to REG_DMA for it */

static void prepare(uint32_t control, hpa_t to, uint64_t bytes)
{
	request.control = __builtin_bswap32(control);
	request.length = __builtin_bswap32((uint32_t)bytes);
	request.address = __builtin_bswap64(to.v);
}

static uint32_t control_now(void)
{
	return __builtin_bswap32(__atomic_load_n(&request.control, __ATOMIC_RELAXED));
}

/** The device works while the order is stored; the specification lets it take its time. */
static enum zero_outcome wait_for_end(void)
{
	uint64_t deadline = time_now() + time_from_us(ANSWER_US);
	uint32_t control;
	bool late;

	do {
		late = time_now() > deadline;
		control = control_now();
		if (control == 0)
			return ZERO_DONE;
		if (control & CONTROL_ERROR)
			return ZERO_FAILED;
		cpu_relax();
	} while (!late);
	return ZERO_LOST;
}

static enum zero_outcome read_item(uint32_t control, hpa_t to, uint64_t bytes)
{
	enum zero_outcome outcome;

	prepare(control, to, bytes);
	cpu_mb();
	mmio_write64(registers + REG_DMA, order);
	cpu_mb();
	outcome = likely(control_now() == 0) ? ZERO_DONE : wait_for_end();
	cpu_mb();
	return outcome;
}

/** The item of 4 bytes stays selected from the probe on, and has been read to its end. */
static enum zero_outcome fw_cfg_zero(hpa_t start, uint64_t size)
{
	return read_item(CONTROL_READ, start, size);
}

static const struct zero_engine fw_cfg_engine = {
	.name = "fw-cfg",
	.least = LEAST_BYTES,
	.most = MOST_BYTES,
	.zero = fw_cfg_zero,
};

/** By loads alone: a store might do anything to another device. @return 0; -ENODEV: it has no DMA; or -ENXIO. */
static int look_at_registers(void)
{
	if (!arch_io_answers(registers + REG_DATA, 4))
		return -ENXIO;
	if (!arch_io_answers(registers + REG_DMA, 4))
		return -ENODEV;
	return mmio_read32(registers + REG_DMA) == SIGNATURE_LOW && mmio_read32(registers + REG_DMA + 4) == SIGNATURE_HIGH ?
		       0 : -ENXIO;
}

/** Move behind the end of the item, and see whether zeros come. @return 0 or -ENXIO. */
static int try_out(void)
{
	static uint32_t words[16] ALIGNED_TO(64);
	hpa_t to = kva_to_hpa(words);

	memset(words, 0xa5, sizeof(words));
	if (read_item(CONTROL_SELECT | CONTROL_READ | CONTROL_ITEM(ITEM_ID), to, sizeof(words[0])) != ZERO_DONE ||
	    !(words[0] & ID_DMA) || read_item(CONTROL_READ, to, sizeof(words)) != ZERO_DONE)
		return -ENXIO;
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i])
			return -ENXIO;
	return 0;
}

static int fw_cfg_probe(const void *fdt, int node)
{
	uint64_t size;
	int error, len;

	if (registers || dt_prop(fdt, node, "dma-noncoherent", &len))
		return -ENODEV;
	error = dt_map(fdt, node, 0, REGS_BYTES, &registers, &size);
	if (!error)
		error = look_at_registers();
	if (error)
		return error;
	order = __builtin_bswap64(kva_to_hpa(&request).v);
	error = try_out();
	if (!error)
		zero_engine_register(&fw_cfg_engine);
	return error;
}

static const char *const fw_cfg_compatible[] = { "qemu,fw-cfg-mmio", NULL };

DRIVER(fw_cfg) = {
	.name = "fw-cfg",
	.compatible = fw_cfg_compatible,
	.probe = fw_cfg_probe,
	.order = 1,
};
