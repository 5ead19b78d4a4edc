/* What this machine's harts can give to guests, and what a VM gets of it (H12). */
#include <vmm/isa.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <arch/csr.h>
#include <arch/hext.h>
#include <caisson/dt.h>
#include <caisson/log.h>
#include <vmm/config.h>

#define LOG_NAME "vm"
#define LOG_PIECE 160 /* characters of a long ISA string in one log line */

static uint64_t available;

/* Can guests use an extension that the machine has? What needs an enable bit has its own condition. */
static bool usable(enum isa_ext ext)
{
	switch (ext) {
	case ISA_SSTC:
		return hext.sstc;
	case ISA_ZICBOZ:
		return hext.henvcfg & ENVCFG_CBZE;
	case ISA_ZICBOM:
		return (hext.henvcfg & ENVCFG_CBCFE) && (hext.henvcfg & ENVCFG_CBIE_FLUSH);
	case ISA_SVPBMT:
		return hext.henvcfg & ENVCFG_PBMTE;
	case ISA_ZIHPM:
		return false; /* hcounteren keeps these counters from guests */
	default:
		return true;
	}
}

/* A string of any length, in lines of the log, cut before a "_". */
static void log_isa(const char *isa)
{
	size_t len = strlen(isa), piece = len;

	if (len > LOG_PIECE)
		for (piece = LOG_PIECE; piece > 1 && isa[piece] != '_'; piece--)
			;
	log_info("host ISA: %.*s", (int)piece, isa);
	if (piece < len)
		log_isa(isa + piece);
}

/* Words that end in a zero each, or in whatever the firmware wrote. */
static void log_list(const char *list, int len)
{
	char line[LOG_PIECE + 1];
	unsigned n = 0;

	for (int i = 0; i < len; i++) {
		line[n++] = list[i] ? list[i] : ' ';
		if (n < LOG_PIECE && i + 1 < len && (list[i] || n < LOG_PIECE - 40))
			continue;
		line[n] = '\0';
		log_info("host ISA: %s", line);
		n = 0;
	}
}

static void log_first(uint64_t hwid, int node, void *arg)
{
	bool *done = arg;
	const char *isa = dt_string(dt_blob(), node, "riscv,isa"), *list;
	int len;

	(void)hwid;
	if (*done)
		return;
	*done = true;
	list = isa ? NULL : dt_prop(dt_blob(), node, "riscv,isa-extensions", &len);
	if (isa)
		log_isa(isa);
	else if (list)
		log_list(list, len);
}

void guest_isa_init(void)
{
	bool done = false;

	if (log_level >= LOG_INFO)
		dt_for_each_cpu(log_first, &done);
	available = dt_isa_mask(isa_names, ISA_LISTED);
	for (unsigned i = 0; i < ISA_LISTED; i++)
		if (!usable(i))
			available &= ~BIT(i);
	if (hext.henvcfg & ENVCFG_ADUE)
		available |= BIT(ISA_SVADU);
	if (hext.stateen)
		available |= BIT(ISA_SSSTATEEN);
}

static int refuse(uint64_t missing, uint64_t hidden, char *err, size_t n)
{
	unsigned ext = (unsigned)__builtin_ctzl(missing);

	if (hidden & BIT(ext))
		snprintf(err, n, "isa-require: \"%s\" is hidden from it (isa-hide)", isa_names[ext]);
	else
		snprintf(err, n, "isa-require: this machine has no \"%s\" for guests", isa_names[ext]);
	return -ENODEV;
}

int guest_isa_choose(const struct vm_config *config, uint64_t *set, char *err, size_t err_size)
{
	uint64_t hidden = config->isa_hide, missing;

	if (hidden & BIT(ISA_F))
		hidden |= BIT(ISA_D); /* D is F's registers and more */
	*set = available & ~hidden;
	missing = config->isa_require & ~*set;
	return missing ? refuse(missing, hidden, err, err_size) : 0;
}

uint64_t guest_isa_henvcfg(uint64_t set)
{
	uint64_t bits = ENVCFG_FIOM;

	if (set & BIT(ISA_SSTC))
		bits |= ENVCFG_STCE;
	if (set & BIT(ISA_ZICBOZ))
		bits |= ENVCFG_CBZE;
	/* CBO.INVAL flushes: dropping dirty lines could bring back what others had in this memory before. */
	if (set & BIT(ISA_ZICBOM))
		bits |= ENVCFG_CBCFE | ENVCFG_CBIE_FLUSH;
	if (set & BIT(ISA_SVPBMT))
		bits |= ENVCFG_PBMTE;
	return hext.henvcfg & bits;
}
