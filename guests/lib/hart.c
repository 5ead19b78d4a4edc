/* Harts and traps. */
#include "guest.h"

struct hart harts[HARTS_MAX];

extern void hart_entry(void);

trap_handler trap_set_handler(trap_handler handler)
{
	trap_handler before = this_hart->handler;

	this_hart->handler = handler;
	return before;
}

void trap_unexpected(struct trap *trap)
{
	print("FAIL unexpected trap: cause %lx pc %lx value %lx\n",
	      trap->scause, trap->sepc, trap->stval);
	guest_exit(1);
}

long hart_start(unsigned index, void (*function)(void *arg), void *arg)
{
	struct hart *hart = &harts[index];

	hart->function = function;
	hart->argument = arg;
	hart->handler = trap_unexpected;
	__asm__ volatile("fence rw, rw" : : : "memory");
	return sbi_call(SBI_EXT_HSM, HSM_START, hart->id, hart_entry, hart).error;
}

bool hart_wait_state(unsigned index, long state)
{
	uint64_t end = time_now() + 2 * machine.timebase;

	while (time_now() < end) {
		struct sbi_result r = sbi_call(SBI_EXT_HSM, HSM_STATUS, harts[index].id);

		if (r.error == SBI_SUCCESS && r.value == state)
			return true;
	}
	return false;
}
