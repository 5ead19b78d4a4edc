/* The hypervisor extension of this machine: what it offers, switching it on (Privileged Architecture, "H" Extension). */
#pragma once

#include <caisson/pt.h>
#include <caisson/types.h>

/** What every hart offers to guests; probed on each, the common part kept. */
struct hext_features {
	bool h;             /* the extension itself */
	bool sstc;          /* vstimecmp */
	bool stateen;       /* Smstateen's hstateen0/sstateen0 */
	bool counters;      /* cycle and instret can be read */
	unsigned vmid_bits; /* implemented bits of hgatp.VMID */
	bool sv39x4, sv48x4, sv57x4;
	uint64_t henvcfg;   /* writable bits of henvcfg */
};

extern struct hext_features hext;

/**
 * Probe the calling hart, switch its hypervisor CSRs to what guests need
 * (delegation, counters, environment), and narrow `hext` to what this hart has too.
 * @return 0, or -ENODEV: no H extension. Interrupts off.
 */
int hext_enable(void) __must_check;

/** Use at most so many bits of VMIDs, as if the machine had no more. Before any VM is made. */
void hext_limit_vmid_bits(unsigned bits);

/** Is the format usable by guests on this machine? */
bool hext_has_format(const struct pt_format *format);

/** From here on, illegal instructions of guests on this hart trap to us (or no longer). Interrupts off, no guest entered. */
void hext_take_illegal(bool take);

/** Drop all guest-physical translations, and what was made of them, of all VMIDs (hfence.gvma); this hart. */
void hext_flush_all(void);
