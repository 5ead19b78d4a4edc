/* Features for the host's own use. The device tree names them; a probe that may trap has the last word. */
#include <arch/csr.h>
#include <arch/features.h>
#include <arch/timer.h>
#include <arch/trap.h>
#include <caisson/dt.h>

bool arch_has_sstc;
static char probe_block[512] ALIGNED_TO(512);

static bool stimecmp_works(void)
{
	unsigned long ok = 0, value;

	__asm__ volatile("1: csrr %0, stimecmp\n"
			 "   li %1, 1\n"
			 "2:\n" TRAP_FIXUP(1b, 2b)
			 : "=&r"(value), "+r"(ok)::"memory");
	return ok;
}

static bool cbo_zero_works(void)
{
	unsigned long ok = 0;

	__asm__ volatile("1: cbo.zero (%1)\n"
			 "   li %0, 1\n"
			 "2:\n" TRAP_FIXUP(1b, 2b)
			 : "+r"(ok)
			 : "r"(probe_block)
			 : "memory");
	return ok;
}

static void read_block_size(uint64_t hwid, int node, void *arg)
{
	uint32_t *block = arg;

	(void)hwid;
	if (*block == 0)
		(void)!dt_u32(dt_blob(), node, "riscv,cboz-block-size", 0, block);
}

void arch_features_init(void)
{
	static const char *const names[] = { "sstc", "zicboz" };
	uint64_t has = dt_isa_mask(names, ARRAY_SIZE(names));
	uint32_t block = 0;

	arch_has_sstc = (has & BIT(0)) && stimecmp_works();
	dt_for_each_cpu(read_block_size, &block);
	if (block && block <= 4096 && !(block & (block - 1)) && (has & BIT(1)) && cbo_zero_works())
		cboz_block = block;
}
