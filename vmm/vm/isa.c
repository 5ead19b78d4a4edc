/*
 * The ISA that guests see: what the machine has, less what guests cannot use.
 * H is never listed; V and other state that we do not switch are not either.
 */
#include <string.h>

#include <arch/hext.h>
#include <caisson/dt.h>
#include <caisson/log.h>
#include <vmm/vm.h>

#define LOG_NAME "vm"

/* In the canonical order of the ISA manual. What has state or needs an enable bit has its own condition. */
static const char *const passed_on[] = {
	"i", "m", "a", "f", "d", "c", "zicbom", "zicboz", "zicntr", "zicsr", "zifencei", "zihintpause",
	"zihpm", "zawrs", "zba", "zbb", "zbc", "zbs", "zbkb", "zbkc", "zbkx", "sstc", "svinval",
	"svnapot", "svpbmt",
};

#define N_PASSED ARRAY_SIZE(passed_on)
static const char *extensions[N_PASSED + 1];
static char isa[320];

/** Can guests use an extension that the machine has? */
static bool usable(const char *ext)
{
	if (strcmp(ext, "sstc") == 0)
		return hext.sstc;
	if (strcmp(ext, "zicboz") == 0)
		return hext.henvcfg & ENVCFG_CBZE;
	if (strcmp(ext, "zicbom") == 0)
		return (hext.henvcfg & ENVCFG_CBCFE) && (hext.henvcfg & ENVCFG_CBIE_FLUSH);
	if (strcmp(ext, "svpbmt") == 0)
		return hext.henvcfg & ENVCFG_PBMTE;
	return true;
}

void guest_isa_init(void)
{
	const uint64_t here = dt_isa_mask(passed_on, N_PASSED);
	char *end = stpcpy(isa, "rv64");
	unsigned n = 0;

	for (unsigned i = 0; i < N_PASSED; i++) {
		if (!(here & BIT(i)) || !usable(passed_on[i]))
			continue;
		extensions[n++] = passed_on[i];
		if (passed_on[i][1])
			*end++ = '_';
		end = stpcpy(end, passed_on[i]);
	}
	extensions[n] = NULL;
	log_info("guest ISA: %s", isa);
}

const char *guest_isa_string(void)
{
	return isa;
}

const char *const *guest_isa_extensions(void)
{
	return extensions;
}
