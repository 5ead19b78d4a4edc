/* Patterns in registers over exits; the assembly is in patterns.S. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/** Fill all registers but a0, a1, a6 and a7, call, and compare. */
bool registers_kept_over_call(long ext, long function);

/** Suspend that loses registers (HSM or SUSP). @return 0 after resuming on the hart, else an SBI error or 1. */
long suspend_and_resume(uint64_t type, uint64_t hart, long ext, long function);

/*
 * Load x1 to x31 from in[1] to in[31], do the operation, store all to out[].
 * The operations use: ecall as x10 to x17 say; `lbu x5, (x6)`; `sb x5, (x6)`.
 */
void registers_ecall(const uint64_t in[32], uint64_t out[32]);
void registers_load(const uint64_t in[32], uint64_t out[32]);
void registers_store(const uint64_t in[32], uint64_t out[32]);

/* FP registers f0 to f31 and, as the 33rd, fcsr. sstatus.FS must be on. */
void fp_load(const uint64_t in[33]);
void fp_store(uint64_t out[33]);

/* Load from the address into every register in turn: out[1] to out[31]; x0 is written too. */
typedef void (*load_all)(uint64_t address, uint64_t out[32]);
void load_all_lb(uint64_t address, uint64_t out[32]);
void load_all_lbu(uint64_t address, uint64_t out[32]);
void load_all_lh(uint64_t address, uint64_t out[32]);
void load_all_lhu(uint64_t address, uint64_t out[32]);
void load_all_lw(uint64_t address, uint64_t out[32]);
void load_all_lwu(uint64_t address, uint64_t out[32]);
void load_all_ld(uint64_t address, uint64_t out[32]);
