/* Traps taken while the host runs: dispatch, deliberate faults, the report of the others. */
#include <stdio.h>

#include <arch/cpu.h>
#include <arch/outside.h>
#include <arch/trap.h>
#include <caisson/console.h>
#include <caisson/hart.h>
#include <caisson/irq.h>
#include <caisson/log.h>
#include <caisson/task.h>

#define LOG_NAME "trap"

static trap_handler_t handlers[CAUSE_MAX];

static const char *const cause_names[CAUSE_MAX] = {
	[CAUSE_FETCH_MISALIGNED] = "instruction address misaligned",
	[CAUSE_FETCH_ACCESS] = "instruction access fault",
	[CAUSE_ILLEGAL] = "illegal instruction",
	[CAUSE_BREAKPOINT] = "breakpoint",
	[CAUSE_LOAD_MISALIGNED] = "load address misaligned",
	[CAUSE_LOAD_ACCESS] = "load access fault",
	[CAUSE_STORE_MISALIGNED] = "store address misaligned",
	[CAUSE_STORE_ACCESS] = "store access fault",
	[CAUSE_ECALL_U] = "environment call from U-mode",
	[CAUSE_ECALL_HS] = "environment call from HS-mode",
	[CAUSE_ECALL_VS] = "environment call from VS-mode",
	[CAUSE_FETCH_PAGE] = "instruction page fault",
	[CAUSE_LOAD_PAGE] = "load page fault",
	[CAUSE_STORE_PAGE] = "store page fault",
	[CAUSE_FETCH_GUEST_PAGE] = "instruction guest-page fault",
	[CAUSE_LOAD_GUEST_PAGE] = "load guest-page fault",
	[CAUSE_VIRTUAL_INSN] = "virtual instruction",
	[CAUSE_STORE_GUEST_PAGE] = "store guest-page fault",
};

extern char trap_entry[];
extern const struct trap_fixup __ex_table_start[], __ex_table_end[];

void trap_handle(struct trap_frame *f);
void trap_stack_overflow(struct trap_frame *f) __noreturn;

void trap_init(void)
{
	CSR_WRITE(sscratch, 0);
	CSR_WRITE(stvec, trap_entry);
}

void trap_register(unsigned cause, trap_handler_t handler)
{
	ASSERT(cause < CAUSE_MAX && !handlers[cause]);
	handlers[cause] = handler;
}

const char *trap_cause_name(unsigned cause)
{
	return cause < CAUSE_MAX && cause_names[cause] ? cause_names[cause] : "reserved cause";
}

static bool fixup(struct trap_frame *f)
{
	for (const struct trap_fixup *e = __ex_table_start; e < __ex_table_end; e++) {
		if (e->pc == f->pc) {
			f->pc = e->target;
			return true;
		}
	}
	return false;
}

const char *trap_register_name(unsigned n)
{
	static const char *const names[32] = {
		"zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0",
		"a1", "a2", "a3", "a4", "a5", "a6", "a7", "s2", "s3", "s4", "s5",
		"s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
	};

	return names[n & 31];
}

void trap_dump(const struct trap_frame *f)
{
	log_error("trap: %s (cause %lu) on hart %lu", trap_cause_name((unsigned)f->cause),
		  (unsigned long)f->cause, (unsigned long)this_hart()->hwid);
	log_error("  pc %016lx  address %016lx  sstatus %016lx", (unsigned long)f->pc,
		  (unsigned long)f->tval, (unsigned long)f->status);
	for (unsigned i = 1; i < 32; i += 3) {
		char line[96];
		int n = 0;

		for (unsigned j = i; j < i + 3 && j < 32; j++)
			n += snprintf(line + n, sizeof(line) - (size_t)n, "  %-4s %016lx",
				      trap_register_name(j), (unsigned long)f->x[j]);
		log_error("%s", line);
	}
}

static void unhandled(const struct trap_frame *f)
{
	console_panic();
	trap_dump(f);
	panic("unhandled trap");
}

void trap_interrupt(unsigned cause)
{
	if (IS_ENABLED(CONFIG_COSTS_BY_CAUSE))
		costs_interrupt_begin();
	irq_dispatch(cause);
	if (IS_ENABLED(CONFIG_COSTS_BY_CAUSE))
		costs_interrupt_end();
	if (IS_ENABLED(CONFIG_MULTITASK) && this_hart()->resched && this_hart()->irq_depth == 0)
		sched_check();
}

void trap_handle(struct trap_frame *f)
{
	if (IS_ENABLED(CONFIG_IRQ) && (f->cause & CAUSE_INTERRUPT)) {
		trap_interrupt((unsigned)f->cause);
		return;
	}
	if (f->cause < CAUSE_MAX && handlers[f->cause] && handlers[f->cause](f))
		return;
	if (!fixup(f))
		unhandled(f);
}

void trap_stack_overflow(struct trap_frame *f)
{
	console_panic();
	log_error("stack overflow in task '%s'",
		  this_hart()->current ? this_hart()->current->name : "none");
	trap_dump(f);
	panic("stack overflow");
}
