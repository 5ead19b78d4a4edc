/* First contexts of host tasks. */
#include <arch/context.h>

void context_start(void);

void context_init(struct context *ctx, void (*entry)(void *), void *arg, void *stack_top)
{
	*ctx = (struct context){
		.ra = (uint64_t)(uintptr_t)context_start,
		.sp = (uint64_t)(uintptr_t)stack_top,
		.s = { (uint64_t)(uintptr_t)entry, (uint64_t)(uintptr_t)arg },
	};
}
