/* Ending the machine with a status. */
#include <caisson/init.h>

#include <arch/cpu.h>
#include <arch/sbi.h>
#include <caisson/console.h>
#include <caisson/time.h>

/* What a process on the other side can end with: a failure must not become 0 on the way. */
#define STATUS_MAX 255

static void (*exit_fn)(int status);

void machine_register_exit(void (*fn)(int status))
{
	__atomic_store_n(&exit_fn, fn, __ATOMIC_RELEASE);
}

/* The machine may go on for a moment; asking the firmware meanwhile would replace the status by its own. */
static void wait_for_the_end(void)
{
	uint64_t start = time_now();

	while (time_now() - start < timebase_hz)
		cpu_relax();
}

void machine_stop(int status)
{
	void (*fn)(int) = __atomic_load_n(&exit_fn, __ATOMIC_ACQUIRE);

	irq_disable();
	if (status < 0 || status > STATUS_MAX)
		status = STATUS_MAX;
	if (fn) {
		fn(status);
		wait_for_the_end();
	}
	sbi_shutdown(status != 0);
	for (;;)
		cpu_wfi();
}

void machine_exit(int status)
{
	irq_disable();
	console_flush();
	machine_stop(status);
}
