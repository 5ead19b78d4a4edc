/* One instruction per kind of access, so that its trap is exactly where it is expected. */
#include "access.h"
#include "probe.h"

#include <string.h>

#define LOAD(name) \
	static uint64_t run_##name(uint64_t address, uint64_t value) \
	{ \
		__asm__ volatile(".option push; .option norvc; " #name " %0, (%1); .option pop" \
				 : "=&r"(value) : "r"(address), "0"(value) : "memory"); \
		return value; \
	}
#define STORE(name) \
	static uint64_t run_##name(uint64_t address, uint64_t value) \
	{ \
		__asm__ volatile(".option push; .option norvc; " #name " %0, (%1); .option pop" \
				 : : "r"(value), "r"(address) : "memory"); \
		return value; \
	}
#define COMPRESSED(name) \
	static uint64_t run_c_##name(uint64_t address, uint64_t value) \
	{ \
		register uint64_t a __asm__("a4") = address; \
		register uint64_t v __asm__("a5") = value; \
		__asm__ volatile("c." #name " %0, 0(%1)" : "+r"(v) : "r"(a) : "memory"); \
		return v; \
	}
#define ATOMIC(label, text) \
	static uint64_t run_##label(uint64_t address, uint64_t value) \
	{ \
		__asm__ volatile(text : "+&r"(value) : "r"(address) : "memory"); \
		return value; \
	}

LOAD(lb)
LOAD(lbu)
LOAD(lh)
LOAD(lhu)
LOAD(lw)
LOAD(lwu)
LOAD(ld)
STORE(sb)
STORE(sh)
STORE(sw)
STORE(sd)
COMPRESSED(lw)
COMPRESSED(ld)
COMPRESSED(sw)
COMPRESSED(sd)
ATOMIC(lr_w, "lr.w %0, (%1)")
ATOMIC(lr_d, "lr.d %0, (%1)")
ATOMIC(sc_w, "sc.w %0, %0, (%1)")
ATOMIC(sc_d, "sc.d %0, %0, (%1)")
ATOMIC(amoadd_w, "amoadd.w %0, %0, (%1)")
ATOMIC(amoadd_d, "amoadd.d %0, %0, (%1)")
ATOMIC(amoswap_w, "amoswap.w.aqrl %0, %0, (%1)")

const struct access accesses[] = {
	{ "lb", 1, run_lb }, { "lbu", 1, run_lbu }, { "lh", 2, run_lh }, { "lhu", 2, run_lhu },
	{ "lw", 4, run_lw }, { "lwu", 4, run_lwu }, { "ld", 8, run_ld },
	{ "sb", 1, run_sb }, { "sh", 2, run_sh }, { "sw", 4, run_sw }, { "sd", 8, run_sd },
	{ "c.lw", 4, run_c_lw }, { "c.ld", 8, run_c_ld }, { "c.sw", 4, run_c_sw }, { "c.sd", 8, run_c_sd },
	{ "lr.w", 4, run_lr_w }, { "lr.d", 8, run_lr_d }, { "sc.w", 4, run_sc_w }, { "sc.d", 8, run_sc_d },
	{ "amoadd.w", 4, run_amoadd_w }, { "amoadd.d", 8, run_amoadd_d }, { "amoswap.w", 4, run_amoswap_w },
};

const unsigned n_accesses = sizeof(accesses) / sizeof(accesses[0]);
const unsigned n_plain = 15;

const struct access *access_find(const char *name)
{
	for (unsigned i = 0; i < n_accesses; i++)
		if (!strcmp(accesses[i].name, name))
			return &accesses[i];
	return &accesses[0];
}

uint64_t access_run(const struct access *access, uint64_t address, uint64_t value)
{
	catch_clear();
	return access->run(address, value);
}

void access_fetch(uint64_t address)
{
	catch_clear();
	((void (*)(void))address)();
}

void access_report(const struct access *access, uint64_t address, uint64_t value)
{
	uint64_t got = access_run(access, address, value);

	if (caught.any)
		print("%s at %lx: cause %lx value %lx\n", access->name, address, caught.cause, caught.value);
	else
		print("%s at %lx: %lx\n", access->name, address, got);
}
