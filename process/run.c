/*
 * Running programs. A thread's task goes round: enter U-mode, look at what stopped the program, go on. So there is no
 * frame of the program's on the kernel stack, and whatever ends it ends a plain loop.
 */
#include "run.h"

#include <errno.h>

#include <arch/cpu.h>
#include <arch/csr.h>
#include <arch/trap.h>
#include <caisson/hart.h>
#include <caisson/log.h>

#define LOG_NAME "process"

struct thread *thread_current(void)
{
	return container_of(task_current()->ext, struct thread, ext);
}

/* --- the task extension --- */

static void switch_in(struct task_ext *ext)
{
	struct thread *t = container_of(ext, struct thread, ext);

	fp_state_load(&t->fp);
	this_hart()->fp_owner = t;
	if (t->mm)
		mm_load(t->mm);
}

static void switch_out(struct task_ext *ext)
{
	struct thread *t = container_of(ext, struct thread, ext);

	if (task_current()->state == TASK_BLOCKED)
		t->waits++;
	else
		t->preempted++;
	if (t->mm)
		mm_unload(t->mm);
	if (t->ctx.fs != SSTATUS_FS_DIRTY)
		return;
	fp_state_save(&t->fp);
	t->ctx.fs = SSTATUS_FS_CLEAN;
}

static const struct task_ext_ops ext_ops = {
	.name = "process",
	.switch_in = switch_in,
	.switch_out = switch_out,
};

const struct task_ext_ops *thread_ext_ops(void)
{
	return &ext_ops;
}

/* --- what stops a program --- */

static unsigned access_of(uint64_t cause)
{
	switch (cause) {
	case CAUSE_FETCH_PAGE:
		return PERM_X | PERM_U;
	case CAUSE_LOAD_PAGE:
		return PERM_R | PERM_U;
	default:
		return PERM_W | PERM_U;
	}
}

static bool is_page_fault(uint64_t cause)
{
	return cause == CAUSE_FETCH_PAGE || cause == CAUSE_LOAD_PAGE || cause == CAUSE_STORE_PAGE;
}

static unsigned signal_of(uint64_t cause, enum fault_result result)
{
	switch (cause) {
	case CAUSE_ILLEGAL:
		return SIGILL;
	case CAUSE_BREAKPOINT:
		return SIGTRAP;
	case CAUSE_FETCH_MISALIGNED:
	case CAUSE_LOAD_MISALIGNED:
	case CAUSE_STORE_MISALIGNED:
		return SIGBUS;
	default:
		return result == FAULT_NO_PAGE ? SIGBUS : SIGSEGV;
	}
}

static int32_t code_of(unsigned signal, enum fault_result result)
{
	switch (signal) {
	case SIGILL:
		return ILL_ILLOPC;
	case SIGTRAP:
		return TRAP_BRKPT;
	case SIGBUS:
		return result == FAULT_NO_PAGE ? BUS_ADRERR : BUS_ADRALN;
	default:
		return result == FAULT_PERM ? SEGV_ACCERR : SEGV_MAPERR;
	}
}

/* What siginfo's address is: the instruction's, unless it is memory that is missing. */
static uint64_t address_of(const struct user_ctx *ctx)
{
	return ctx->cause == CAUSE_ILLEGAL || ctx->cause == CAUSE_BREAKPOINT ? ctx->pc : ctx->tval;
}

/* Has the program no handler that it would come to? */
static bool will_die_of(const struct thread *t, unsigned signal)
{
	return t->process->signals->actions[signal - 1].handler <= 1 || (t->blocked & SIG_BIT(signal));
}

void thread_out_of_memory(const struct user_mm *mm)
{
	const struct task_ext *ext = task_current()->ext;
	struct process *p = ext && ext->ops == &ext_ops ? thread_current()->process : NULL;

	if (!p || p->mm != mm)
		return;
	log_warn("process %u (%s): out of memory in a system call: killed", p->pid, p->name);
	process_die(p, SIGKILL);
}

static void fault(struct thread *t)
{
	const struct user_ctx *ctx = &t->ctx;
	enum fault_result result = FAULT_NO_AREA;
	struct process *p = t->process;
	unsigned signal;

	if (is_page_fault(ctx->cause))
		result = mm_fault(p->mm, ctx->tval, access_of(ctx->cause));
	if (result == FAULT_RESOLVED) {
		t->faults++;
		return;
	}
	signal = signal_of(ctx->cause, result);
	if (result == FAULT_NOMEM || will_die_of(t, signal))
		log_warn("process %u (%s): %s%s at %lx, pc %lx: killed", p->pid, p->name, trap_cause_name((unsigned)ctx->cause),
			 result == FAULT_NOMEM ? ", out of memory," : "", (unsigned long)ctx->tval, (unsigned long)ctx->pc);
	if (result == FAULT_NOMEM)
		process_die(p, SIGKILL);
	else
		signal_fault(t, signal, &(struct signal_info){
			.code = code_of(signal, result), .addr = address_of(ctx) });
}

/* Interrupts off; on for what may take long. */
static void after_trap(struct thread *t)
{
	if (t->ctx.cause & CAUSE_INTERRUPT) {
		trap_interrupt((unsigned)t->ctx.cause);
		return;
	}
	irq_enable();
	if (t->ctx.cause == CAUSE_ECALL_U) {
		t->ctx.pc += ECALL_SIZE;
		syscall_handle(t);
	} else {
		fault(t);
	}
	irq_disable();
}

static void run(void *arg)
{
	struct thread *t = arg;

	irq_disable();
	for (;;) {
		if (t->restart || t->has_saved_blocked || signal_waits(t) || t->process->stopped_by) {
			irq_enable();
			signal_take(t);
			irq_disable();
		}
		if (__atomic_load_n(&t->leaving, __ATOMIC_RELAXED))
			break;
		user_run(&t->ctx);
		after_trap(t);
	}
	irq_enable();
	thread_leave(t);
	task_exit(0);
}

int thread_create_task(struct thread *t, const char *name)
{
	t->ext.ops = &ext_ops;
	t->ctx.fs = SSTATUS_FS_CLEAN;
	t->mm = t->process->mm;
	t->task = task_create(name, run, t, &(struct task_attr){ .ext = &t->ext, .suspended = true, .nice = task_current()->nice });
	return t->task ? 0 : -ENOMEM;
}
