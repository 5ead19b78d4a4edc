/* Frames of signal handlers on a program's stack, as Linux's riscv64 has them (struct rt_sigframe). */
#include <errno.h>
#include <string.h>

#include <arch/cpu.h>
#include <arch/csr.h>
#include <caisson/mm.h>

#include "linux_abi.h"
#include "thread.h"

#define FAULTS (SIG_BIT(SIGSEGV) | SIG_BIT(SIGBUS) | SIG_BIT(SIGILL) | SIG_BIT(SIGTRAP) | SIG_BIT(SIGFPE))

enum { SA_ONSTACK = 0x08000000 };
enum { SS_ONSTACK = 1, SS_DISABLE = 2 };
enum { REG_RA = 1, REG_A1 = 11, REG_A2 = 12 };

struct frame {
	struct linux_siginfo info;
	uint64_t flags, link;
	uint64_t stack_base;
	uint32_t stack_flags, pad;
	uint64_t stack_size;
	uint64_t blocked;
	uint8_t unused[120];
	uint64_t regs[32] __attribute__((aligned(16))); /* pc, then x1 to x31 */
	uint64_t f[32];
	uint32_t fcsr;
	uint8_t fp_rest[264 - 4] __attribute__((aligned(4)));
};

static const uint32_t trampoline[] = {
	0x08b00893, /* li a7, 139: rt_sigreturn */
	0x00000073, /* ecall */
};

static hpa_t trampoline_frame;

static int trampoline_page(struct page_source *s, uint64_t offset, hpa_t *out)
{
	(void)s;
	if (offset)
		return -ENXIO;
	frame_get(trampoline_frame);
	*out = trampoline_frame;
	return 0;
}

static const struct page_source_ops trampoline_ops = { .page = trampoline_page };
static struct page_source trampoline_source = { &trampoline_ops, 1 }; /* one reference stays here */

int signal_init(void)
{
	int error = frame_alloc(0, FRAME_ZERO, &trampoline_frame);

	if (!error)
		memcpy(hpa_to_kva(trampoline_frame), trampoline, sizeof(trampoline));
	return error;
}

int signal_map_trampoline(struct user_mm *mm)
{
	uint64_t at = USER_TRAMPOLINE;

	return mm_map(mm, &at, PAGE_SIZE, PERM_R | PERM_X, MM_FIXED, &trampoline_source, 0);
}

/* FP registers may still be in the unit. */
static void fetch_fp(struct thread *t)
{
	irqflags_t flags = irq_save();

	if (t->ctx.fs == SSTATUS_FS_DIRTY) {
		fp_state_save(&t->fp);
		t->ctx.fs = SSTATUS_FS_CLEAN;
	}
	irq_restore(flags);
}

static bool is_on_stack(const struct thread *t, uint64_t sp)
{
	return sp - t->alt_stack.base < t->alt_stack.size;
}

static uint64_t place_frame(const struct thread *t, const struct signal_action *a)
{
	uint64_t sp = t->ctx.x[REG_SP];

	bool already = is_on_stack(t, sp);

	if ((a->flags & SA_ONSTACK) && t->alt_stack.size && !already)
		sp = t->alt_stack.base + t->alt_stack.size;
	sp = (sp - sizeof(struct frame)) & ~UINT64_C(15);
	return already && !is_on_stack(t, sp) ? 0 : sp; /* what lies below that stack is not the handler's */
}

void signal_info_to_linux(struct linux_siginfo *to, unsigned signal, const struct signal_info *info)
{
	memset(to, 0, sizeof(*to)); /* all of it is shown */
	to->signal = (int32_t)signal;
	to->code = info->code;
	if (info->code > 0 && (FAULTS & SIG_BIT(signal))) {
		to->addr = info->addr;
	} else if (signal == SIGCHLD && info->code > 0) {
		to->child.pid = info->pid;
		to->child.status = info->status;
	} else if (info->code == SI_TIMER) {
		to->timer.id = (int32_t)info->pid;
		to->timer.overrun = info->status;
		to->timer.value = info->value;
	} else {
		to->sender.pid = info->pid;
		to->sender.value = info->value;
	}
}

static void fill_context(struct frame *f, struct thread *t)
{
	f->stack_base = t->alt_stack.base;
	f->stack_size = t->alt_stack.size;
	f->stack_flags = !t->alt_stack.size ? SS_DISABLE : is_on_stack(t, t->ctx.x[REG_SP]) ? SS_ONSTACK : 0;
	f->blocked = t->has_saved_blocked ? t->saved_blocked : t->blocked;
	t->has_saved_blocked = false;
	f->regs[0] = t->ctx.pc;
	memcpy(&f->regs[1], &t->ctx.x[1], 31 * sizeof(f->regs[0]));
	fetch_fp(t);
	memcpy(f->f, t->fp.f, sizeof(f->f));
	f->fcsr = (uint32_t)t->fp.fcsr;
}

int signal_push_frame(struct thread *t, unsigned signal, const struct signal_info *info, const struct signal_action *a)
{
	uint64_t at = place_frame(t, a);
	struct frame *f = kzalloc(sizeof(*f));
	int error;

	if (!f)
		return -ENOMEM;
	signal_info_to_linux(&f->info, signal, info);
	fill_context(f, t);
	error = copy_to_user(t->process->mm, at, f, sizeof(*f));
	kfree(f);
	if (error)
		return error;
	t->ctx.pc = a->handler;
	t->ctx.x[REG_SP] = at;
	t->ctx.x[REG_RA] = USER_TRAMPOLINE;
	t->ctx.x[REG_A0] = signal;
	t->ctx.x[REG_A1] = at + offsetof(struct frame, info);
	t->ctx.x[REG_A2] = at + offsetof(struct frame, flags);
	return 0;
}

static void restore(struct thread *t, const struct frame *f)
{
	irqflags_t flags;

	signal_set_blocked(t, f->blocked);
	t->ctx.pc = f->regs[0] & ~UINT64_C(1);
	memcpy(&t->ctx.x[1], &f->regs[1], 31 * sizeof(f->regs[0]));
	flags = irq_save();
	memcpy(t->fp.f, f->f, sizeof(f->f));
	t->fp.fcsr = f->fcsr & 0xff;
	fp_state_load(&t->fp);
	t->ctx.fs = SSTATUS_FS_CLEAN;
	irq_restore(flags);
}

int signal_pop_frame(struct thread *t)
{
	struct frame *f = kalloc(sizeof(*f));
	int error = f ? copy_from_user(t->process->mm, f, t->ctx.x[REG_SP], sizeof(*f)) : -ENOMEM;

	if (!error)
		restore(t, f);
	kfree(f);
	return error;
}
