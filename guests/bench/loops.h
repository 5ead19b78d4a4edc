/* Loops of the bench guest, in assembly so that a compiler cannot change what is counted. */
#pragma once

#include <stdint.h>

/* Each runs its operation n times. */
void loop_empty(uint64_t n);
void loop_null_call(uint64_t n);
void loop_unknown_call(uint64_t n);
void loop_call(uint64_t n, uint64_t extension); /* a function that none has */
void loop_set_timer(uint64_t n, uint64_t deadline);
void loop_stimecmp(uint64_t n);
void loop_time(uint64_t n);
void loop_cycle(uint64_t n);
void loop_read8(uint64_t n, uint64_t address);
void loop_read8_s1(uint64_t n, uint64_t address); /* into a register that C functions preserve */
void loop_write8(uint64_t n, uint64_t address, uint64_t value);
void loop_write8_s1(uint64_t n, uint64_t address, uint64_t value);
void loop_uart_output(uint64_t n, char byte);
void loop_read_in_turn(uint64_t n, uint64_t from, uint64_t to); /* a word of each page */
void loop_read32(uint64_t n, uint64_t address);
void loop_remote_sfence(uint64_t n, uint64_t hart);
void loop_remote_fence_i(uint64_t n, uint64_t hart);
void loop_dbcn_write(uint64_t n, const char *buf, uint64_t len);
void loop_touch(uint64_t pages, uint64_t address);

/* n rounds of: raise, wait until the bench vector has counted it. Interrupts on. */
void loop_ipi(uint64_t n, uint64_t hart);
void loop_uart_interrupt(uint64_t n);

/** Wait for a tick of the time counter, then run offset (0 to 99) more instructions. */
void align_tick(uint64_t offset);

/* Set the timer by stimecmp or by call to now + ticks, and return the deadline. */
uint64_t arm_stimecmp(uint64_t ticks);
uint64_t arm_sbi(uint64_t ticks);

/** Spin until the vector has counted an interrupt; @return the time its handler read. */
uint64_t spin_for_interrupt(void);
/** The same, waiting in WFI. */
uint64_t wfi_for_interrupt(void);

/** Save every register as a kernel does, read the time first, and answer by cause. */
void bench_vector(void);

/** The hart's state for the vector. Reached through sscratch. */
struct bench_state {
	uint64_t saved[32];
	uint64_t count;		/* interrupts taken */
	uint64_t time;		/* time counter, read when the registers are saved */
	uint64_t claim;		/* the PLIC's claim register for this hart */
};
