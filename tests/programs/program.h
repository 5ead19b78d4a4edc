/* What a flat program has: its entry, and system calls. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int program(void);

static inline long syscall3(long number, long a, long b, long c)
{
	register long a0 __asm__("a0") = a;
	register long a1 __asm__("a1") = b;
	register long a2 __asm__("a2") = c;
	register long a7 __asm__("a7") = number;

	__asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
	return a0;
}

static inline long write(int fd, const void *from, unsigned long n)
{
	return syscall3(64, fd, (long)from, (long)n);
}

static inline void exit(int status) { syscall3(93, status, 0, 0); }
static inline long getpid(void) { return syscall3(172, 0, 0, 0); }
static inline long yield(void) { return syscall3(124, 0, 0, 0); }

static inline void say(const char *text)
{
	unsigned long n = 0;

	while (text[n])
		n++;
	write(1, text, n);
}

/* No stack is needed before the first call: the kernel set sp. */
__asm__(".section .text.start, \"ax\"\n"
	".globl _start\n"
	"_start: call program\n"
	"	li a7, 93\n"
	"	ecall\n");
