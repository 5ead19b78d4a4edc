/*
 * Processes: making, running and ending them.
 *
 * A process's task goes round: enter U-mode, look at what stopped the program, go on.
 * So there is no frame of the program's on the kernel stack, and whatever ends it
 * ends a plain loop.
 */
#include <caisson/process.h>

#include <errno.h>
#include <string.h>

#include <arch/cpu.h>
#include <arch/layout.h>
#include <arch/trap.h>
#include <caisson/hart.h>
#include <caisson/kspace.h>
#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/smp.h>

#include "private.h"

#define LOG_NAME "process"
#define IMAGE_MAX (16 * MiB)
#define REG_SP 2
#define ECALL_SIZE 4

/* Signals by Linux's numbers: what a program dies of. */
enum { SIGILL = 4, SIGTRAP = 5, SIGBUS = 7, SIGSEGV = 11, SIGNAL_MAX = 31 };

static unsigned last_pid; /* atomic */

int process_init(void)
{
	uint64_t *tables = &kernel_space.tables;
	int error = pt_keep_tables(kernel_space.format, kernel_space.root, KSTACK_BASE, KSTACK_SIZE, tables);

	if (!error)
		error = pt_keep_tables(kernel_space.format, kernel_space.root, IO_BASE, IO_SIZE, tables);
	return error;
}

/* --- the task extension --- */

static void switch_in(struct task_ext *ext)
{
	user_space_load(container_of(ext, struct process, ext)->space.root);
}

static void switch_out(struct task_ext *ext)
{
	(void)ext;
	user_space_unload();
}

static const struct task_ext_ops ext_ops = {
	.name = "process",
	.switch_in = switch_in,
	.switch_out = switch_out,
};

/* --- what stops a program --- */

void process_end(struct process *p, int status)
{
	p->status = status;
	p->ended = true;
}

static void die(struct process *p, unsigned signal)
{
	process_end(p, 128 + (int)signal);
}

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

static unsigned signal_of(uint64_t cause)
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
		return SIGSEGV;
	}
}

static void fault(struct process *p)
{
	struct user_ctx *ctx = &p->ctx;
	enum fault_result result = FAULT_NO_AREA;

	if (is_page_fault(ctx->cause))
		result = aspace_fault(&p->space, ctx->tval, access_of(ctx->cause));
	if (result == FAULT_RESOLVED) {
		user_space_fence(ctx->tval);
		return;
	}
	log_warn("process %u (%s): %s%s at %lx, pc %lx: killed", p->pid, p->name,
		 trap_cause_name((unsigned)ctx->cause), result == FAULT_NOMEM ? ", out of memory," : "",
		 (unsigned long)ctx->tval, (unsigned long)ctx->pc);
	die(p, signal_of(ctx->cause));
}

/* Interrupts off; on for what may take long. */
static void after_trap(struct process *p)
{
	if (p->ctx.cause & CAUSE_INTERRUPT) {
		trap_interrupt((unsigned)p->ctx.cause);
		return;
	}
	irq_enable();
	if (p->ctx.cause == CAUSE_ECALL_U) {
		p->ctx.pc += ECALL_SIZE;
		syscall_handle(p);
	} else {
		fault(p);
	}
	irq_disable();
}

static void obey_signal(struct process *p)
{
	unsigned signal = __atomic_load_n(&p->signal, __ATOMIC_ACQUIRE);

	if (signal && !p->ended)
		die(p, signal);
}

static void run(void *arg)
{
	struct process *p = arg;

	irq_disable();
	for (;;) {
		obey_signal(p);
		if (p->ended)
			break;
		user_run(&p->ctx);
		after_trap(p);
	}
	irq_enable();
	log_debug("process %u (%s): ended with status %d", p->pid, p->name, p->status);
	task_exit(p->status);
}

/* --- making and ending --- */

int process_create(const char *name, const void *image, size_t size, struct process **out)
{
	struct process *p;
	int error;

	if (size == 0 || size > IMAGE_MAX)
		return -ENOEXEC;
	p = kzalloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	strncpy(p->name, name, sizeof(p->name) - 1);
	p->ext.ops = &ext_ops;
	p->ctx.pc = USER_TEXT;
	p->ctx.x[REG_SP] = USER_TOP;
	error = user_space_create(p, image, size);
	if (error) {
		kfree(p);
		return error;
	}
	p->task = task_create(p->name, run, p, &(struct task_attr){ .ext = &p->ext, .suspended = true });
	if (!p->task) {
		user_space_destroy(p);
		kfree(p);
		return -ENOMEM;
	}
	p->pid = __atomic_add_fetch(&last_pid, 1, __ATOMIC_RELAXED);
	*out = p;
	return 0;
}

void process_start(struct process *p)
{
	task_wake(p->task);
}

int process_join(struct process *p)
{
	int status = task_join(p->task);

	user_space_destroy(p);
	kfree(p);
	return status;
}

void process_kill(struct process *p, unsigned signal)
{
	if (signal == 0 || signal > SIGNAL_MAX)
		return;
	__atomic_store_n(&p->signal, signal, __ATOMIC_RELEASE);
	/* In U-mode it would not look before its next trap: this is one. */
	ipi_send(p->task->hart, IPI_RESCHED);
}
