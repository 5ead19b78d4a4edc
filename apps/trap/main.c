/*
 * Exceptions on purpose: one that a handler of ours serves, one whose instruction says
 * itself where to go on, and, with the argument "fatal", one that nobody expects. That
 * one is reported with its cause, address and registers, and ends the machine.
 */
#include <arch/csr.h>
#include <arch/trap.h>
#include <caisson/init.h>
#include <caisson/print.h>
#include <string.h>

#define NOWHERE (UINT64_C(1) << 50) /* no format of page tables reaches this address */

static unsigned breakpoints;

static uint64_t next_instruction(uint64_t pc)
{
	bool compressed = (*(const uint16_t *)(uintptr_t)pc & 3) != 3;

	return pc + (compressed ? 2 : 4);
}

static bool count_breakpoint(struct trap_frame *frame)
{
	breakpoints++;
	frame->pc = next_instruction(frame->pc);
	return true;
}

/* @return whether there is something to read at an address. */
static bool readable(uint64_t address)
{
	uint64_t value, good = 0;

	__asm__ volatile("1: ld %0, (%2)\n"
			 "li %1, 1\n"
			 "2:\n" TRAP_FIXUP(1b, 2b)
			 : "=&r"(value), "+&r"(good) : "r"(address));
	return good;
}

int main(void)
{
	char word[8] = "";

	trap_register(CAUSE_BREAKPOINT, count_breakpoint);
	__asm__ volatile("ebreak" ::: "memory");
	__asm__ volatile("ebreak" ::: "memory");
	print("breakpoints: %u\n", breakpoints);
	print("main() can be read: %s\n", readable((uint64_t)(uintptr_t)main & ~7UL) ? "yes" : "no");
	print("address 2^50 can be read: %s\n", readable(NOWHERE) ? "yes" : "no");
	app_arg(0, word, sizeof(word));
	if (strcmp(word, "fatal") == 0)
		*(volatile uint64_t *)NOWHERE = 1;
	return 0;
}
