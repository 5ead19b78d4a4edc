/*
 * Start-up in order, one log line per step: what happens between _start and
 * main() (docs/architecture.md, "The boot path").
 */
#include <errno.h>

#include <arch/cpu.h>
#include <arch/features.h>
#include <arch/hart.h>
#include <arch/layout.h>
#include <arch/timer.h>
#include <arch/trap.h>
#include <caisson/console.h>
#include <caisson/dt.h>
#include <caisson/fail.h>
#include <caisson/fs.h>
#include <caisson/init.h>
#include <caisson/irq.h>
#include <caisson/kspace.h>
#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/smp.h>
#include <caisson/task.h>
#include <caisson/time.h>

#include "ram.h"

#define LOG_NAME "boot"
/** Hz, where the device tree is silent: what most machines have. */
#define TIMEBASE_GUESS 10000000
#define STATUS_CANNOT_START 3

extern void (*const __constructors_start[])(void);
extern void (*const __constructors_end[])(void);

void boot_entry(uint64_t hwid, uint64_t dtb, const uint64_t *offset) __noreturn;
void secondary_entry(struct hart *h) __noreturn;
static void kernel_main(void) __noreturn;

/* The first frame also says that we are there at all, whatever the log level. */
static void start_frames(void)
{
	console_set_framed(true);
	console_mark(CONSOLE_LOG);
}

static void read_boot_args(void)
{
	char value[16];
	enum log_level level;

	if (boot_arg("framed", value, sizeof(value)))
		start_frames();
	alloc_fail_boot();
	if (!boot_arg("loglevel", value, sizeof(value)))
		return;
	if (log_parse_level(value, &level) == 0)
		log_set_level(level);
	else
		log_warn("boot argument loglevel=%s is not a level", value);
}

/* First C function: stack, trap vector and the high addresses are in use. */
void boot_entry(uint64_t hwid, uint64_t dtb, const uint64_t *offset)
{
	char on_stack;

	if (dt_init((const void *)(uintptr_t)(LINEAR_BASE + dtb)) != 0)
		panic("no device tree at %lx (a1)", (unsigned long)dtb);
	arch_harts_discover(hwid);
	read_boot_args();
	log_info("entered on hart %lu (a0), device tree at %lx (a1)", (unsigned long)hwid,
		 (unsigned long)dtb);
	log_debug("boot arguments: %s", dt_chosen("bootargs") ? dt_chosen("bootargs") : "none");
	log_info("running at pc %lx, sp %lx, offset %lx", (unsigned long)(uintptr_t)boot_entry,
		 (unsigned long)(uintptr_t)&on_stack, (unsigned long)*offset);
	if (IS_ENABLED(CONFIG_DEBUG))
		log_info("debug build: with assertions about our own data, and without inlining of large functions");
	kernel_main();
}

/* Without this step there is nothing to go on with. */
static void give_up(const char *step, int error) __noreturn;
static void give_up(const char *step, int error)
{
	if (error == -ENOMEM)
		log_error("cannot start: out of memory for the %s", step);
	else
		log_error("cannot start: the %s: error %d", step, error);
	machine_exit(STATUS_CANNOT_START);
}

static void add_frames(uint64_t start, uint64_t size)
{
	log_debug("free RAM %lx-%lx", (unsigned long)start, (unsigned long)(start + size));
	frame_add(HPA(start), size);
}

static void start_allocator(void)
{
	ram_discover();
	ram_for_each_free(add_frames);
	log_info("allocator: %lu MiB free", (unsigned long)(frame_free_count() >> 8));
}

static void start_memory_management(void)
{
	int error = kspace_init();

	if (error)
		give_up("kernel space", error);
	log_info("memory management: %s, %u areas", kernel_space.format->name, kernel_space.n_areas);
}

static void start_platform(void)
{
	const void *fdt = dt_blob();
	const char *model = dt_string(fdt, 0, "model");

	timebase_hz = dt_timebase();
	if (timebase_hz == 0) {
		timebase_hz = TIMEBASE_GUESS;
		log_error("the device tree does not tell the timebase-frequency: times are a guess");
	}
	if (IS_ENABLED(CONFIG_IRQ))
		timer_hart_init();
	drivers_probe();
	log_info("platform: %s, %u harts, timebase %lu Hz", model ? model : "unnamed", hart_count(),
		 (unsigned long)timebase_hz);
}

static void start_scheduler(void)
{
	int error = sched_init();

	if (error)
		give_up("scheduler", error);
	log_info("scheduler: ready");
}

static void start_interrupts(void)
{
	if (IS_ENABLED(CONFIG_SMP))
		smp_init();
	arch_hart_init();
	irq_hart_init();
	irq_enable();
	log_info("interrupts and timer: on%s", arch_has_sstc ? " (Sstc)" : "");
}

static void open_initrd(void)
{
	uint64_t start, size;
	int files;

	if (!ram_initrd(&start, &size))
		return;
	files = initrd_init(hpa_to_kva(HPA(start)), size);
	if (files < 0)
		log_error("initrd at %lx: not a cpio archive", (unsigned long)start);
	else
		log_info("initrd: %d files", files);
}

static void run_constructors(void)
{
	unsigned n = 0;

	for (void (*const *c)(void) = __constructors_start; c < __constructors_end; c++, n++)
		(*c)();
	log_info("constructors: %u run", n);
}

static void kernel_main(void)
{
	int status;

	arch_features_init();
	start_allocator();
	if (IS_ENABLED(CONFIG_PAGING))
		start_memory_management();
	start_platform();
	if (IS_ENABLED(CONFIG_MULTITASK))
		start_scheduler();
	if (IS_ENABLED(CONFIG_IRQ))
		start_interrupts();
	if (IS_ENABLED(CONFIG_SMP))
		smp_start_secondaries();
	if (IS_ENABLED(CONFIG_FS_INITRD))
		open_initrd();
	run_constructors();
	if (IS_ENABLED(CONFIG_DEBUG_HEAP))
		heap_leak_mark();
	log_info("main");
	status = main();
	log_info("exit: status %d", status);
	if (IS_ENABLED(CONFIG_DEBUG_HEAP))
		heap_leak_report();
	machine_exit(status);
}

/* A hart that was started by another: on its own stack, in the kernel space. */
void secondary_entry(struct hart *h)
{
	arch_hart_init();
	irq_hart_init();
	timer_hart_init();
	smp_hart_up();
	log_info("hart %lu: secondary_main", (unsigned long)h->hwid);
	sched_secondary();
}
