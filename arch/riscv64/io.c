/* Device registers that may not be there. */
#include <arch/cpu.h>
#include <arch/trap.h>

#define TRY(load, at)                                               \
	({                                                          \
		unsigned long answers_ = 0, value_;                 \
		__asm__ volatile("1: " load " %0, (%2)\n"           \
				 "   li %1, 1\n"                    \
				 "2:\n" TRAP_FIXUP(1b, 2b)          \
				 : "=&r"(value_), "+r"(answers_)    \
				 : "r"(at)                          \
				 : "memory");                       \
		answers_ != 0;                                      \
	})

bool arch_io_answers(const volatile void *at, unsigned width)
{
	return width == 1 ? TRY("lbu", at) : TRY("lwu", at);
}
