/* Ending the machine with a status. */
#include <caisson/init.h>

#include <arch/cpu.h>
#include <arch/sbi.h>
#include <caisson/console.h>

static void (*exit_fn)(int status);

void machine_register_exit(void (*fn)(int status))
{
	__atomic_store_n(&exit_fn, fn, __ATOMIC_RELEASE);
}

void machine_stop(int status)
{
	void (*fn)(int) = __atomic_load_n(&exit_fn, __ATOMIC_ACQUIRE);

	irq_disable();
	if (fn)
		fn(status);
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
