/* What a guest program includes: the machine it found, printing, and ending. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "csr.h"
#include "hart.h"
#include "sbi.h"
#include "uart.h"

/** The machine, as the device tree tells. */
struct machine {
	const void *dtb;
	unsigned harts;		/* at most HARTS_MAX; their ids are in harts[] */
	uint64_t ram_base;
	uint64_t ram_size;
	uint64_t timebase;	/* ticks of the time counter per second */
	bool sstc;
	const char *bootargs;	/* never NULL */
};

extern struct machine machine;

/** First address after this program, page-aligned: free RAM from here to the device tree. */
extern char guest_end[];

/** A guest's program. Returning shuts the machine down, as failed if not 0. */
int main(void);

/** @return the value of `name=value` among the boot arguments, copied to buf, or NULL. */
const char *bootarg(const char *name, char *buf, size_t size);

/** @return the number that boot argument has, or otherwise. */
uint64_t bootarg_number(const char *name, uint64_t otherwise);

void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Keep what is printed (at most 4 KiB) until held off: for tests of the UART's own interrupt. */
void print_hold(bool on);

/** Interrupt at that time (ticks); ~0 is never. Uses stimecmp where there is one. */
void timer_set(uint64_t deadline);

void delay_ms(unsigned ms);

_Noreturn void guest_exit(int status);
