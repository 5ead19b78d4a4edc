/* One memory access of a given kind; a trap is noted in `caught`. */
#pragma once

#include <stdint.h>

struct access {
	const char *name;
	unsigned size;
	uint64_t (*run)(uint64_t address, uint64_t value);
};

/* lb lbu lh lhu lw lwu ld sb sh sw sd, the compressed ones, then the atomic ones. */
extern const struct access accesses[];
extern const unsigned n_accesses;
extern const unsigned n_plain;	/* how many come before the atomic ones */

/** @return the access of that name. */
const struct access *access_find(const char *name);

/** Run it with caught cleared. @return what was loaded (or the value, for stores). */
uint64_t access_run(const struct access *access, uint64_t address, uint64_t value);

/** Call that address, and come back by the trap or by a return. */
void access_fetch(uint64_t address);

/** Print `NAME at ADDRESS: cause C value V` or `: loaded X`. */
void access_report(const struct access *access, uint64_t address, uint64_t value);
