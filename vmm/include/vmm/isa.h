/*
 * The ISA extensions of guests (H12): what a VM may have is what the machine
 * has, less what guests cannot use here and what its description hides.
 *
 * A set of extensions is a mask of BIT(enum isa_ext). What is not in a VM's set
 * is not in its device tree. Where the hardware has a switch for it, the
 * instruction or CSR is also off and raises an illegal-instruction exception in
 * the guest: guest_isa_henvcfg() and the users of vm_has_ext() say where.
 */
#pragma once

#include <caisson/types.h>

struct vm_config;

/** In the canonical order of the ISA manual ("ISA Extension Naming Conventions"). */
enum isa_ext {
	ISA_I, ISA_M, ISA_A, ISA_F, ISA_D, ISA_C,
	ISA_ZICBOM, ISA_ZICBOZ, ISA_ZICNTR, ISA_ZICSR, ISA_ZIFENCEI, ISA_ZIHINTPAUSE, ISA_ZIHPM, ISA_ZAWRS,
	ISA_ZBA, ISA_ZBB, ISA_ZBC, ISA_ZBS, ISA_ZBKB, ISA_ZBKC, ISA_ZBKX,
	ISA_SSTC, ISA_SVINVAL, ISA_SVNAPOT, ISA_SVPBMT,
	ISA_LISTED,               /* those before can stand in a guest's device tree */
	ISA_SVADU = ISA_LISTED,   /* offered by SBI FWFT */
	ISA_SSSTATEEN,            /* the sstateen CSRs */
	ISA_USABLE,               /* those before can be in a VM's set */
	ISA_V = ISA_USABLE, ISA_H, /* never: the first has state that is not switched, the second is ours */
	ISA_EXTS
};

/** "zicbom" ... */
extern const char *const isa_names[ISA_EXTS];

/** @return the extension of that name (lower case), or -1: none of ours. */
int isa_by_name(const char *name);

/** A set as device trees say it. */
struct isa_text {
	char string[320];                  /* "rv64imac_zicsr", for riscv,isa */
	const char *list[ISA_LISTED + 1];  /* NULL-terminated, for riscv,isa-extensions */
};

void isa_describe(uint64_t set, struct isa_text *out);

/** Look at the machine, once its harts' H extensions are on; log its ISA. */
void guest_isa_init(void);

/**
 * The set of a VM.
 * @param[out] err  on failure which extension is missing (err_size bytes)
 * @return 0, or -ENODEV: it requires what this machine, or its own isa-hide, does not give it
 */
int guest_isa_choose(const struct vm_config *config, uint64_t *set, char *err, size_t err_size) __must_check;

/** The bits of henvcfg that a guest with this set gets. */
uint64_t guest_isa_henvcfg(uint64_t set);
