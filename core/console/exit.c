/* Ending the machine with a status. */
#include <caisson/init.h>

#include <arch/cpu.h>
#include <arch/sbi.h>
#include <caisson/console.h>
#include <caisson/time.h>
#include <stdio.h>

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

static int in_range(int status)
{
	return status < 0 || status > STATUS_MAX ? STATUS_MAX : status;
}

void machine_stop(int status)
{
	void (*fn)(int) = __atomic_load_n(&exit_fn, __ATOMIC_ACQUIRE);

	irq_disable();
	status = in_range(status);
	if (fn) {
		fn(status);
		wait_for_the_end();
	}
	sbi_shutdown(status != 0);
	for (;;)
		cpu_wfi();
}

/* This machine hands no status on: have the other end of the line do it, and end us (docs/host.md, "End"). */
static void say_status(int status)
{
	char text[8];
	int n = snprintf(text, sizeof(text), "%d\n", in_range(status));

	console_write(CONSOLE_END, text, (size_t)n);
}

void machine_exit(int status)
{
	irq_disable();
	if (!__atomic_load_n(&exit_fn, __ATOMIC_ACQUIRE) && console_framed())
		say_status(status);
	console_flush();
	machine_stop(status);
}
