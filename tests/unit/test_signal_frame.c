/* Frames of handlers: where they are put, what stands in them, and that a forged one gives nothing away. */
// sources: process/signal_frame.c
#include <errno.h>
#include <string.h>

#include <arch/csr.h>
#include <caisson/mm.h>
#include <test.h>

#include "process/linux_abi.h"
#include "process/thread.h"

#define STACK UINT64_C(0x10000)
#define STACK_SIZE 8192
#define HANDLER UINT64_C(0x400000)

enum { SA_ONSTACK = 0x08000000, SIGUSR1 = 10 };
enum { RA = 1, A1 = 11, A2 = 12 };
/* As Linux's headers have them: siginfo, then ucontext with its registers. */
enum { UCONTEXT = 128, UC_MASK = UCONTEXT + 40, UC_REGS = UCONTEXT + 176, UC_FP = UC_REGS + 256, FRAME = UC_FP + 528 };

static uint8_t stack[STACK_SIZE];
static struct process process;
static struct thread thread;
static struct fp_state unit; /* the registers of the machine */

void fp_state_save(struct fp_state *fp)
{
	*fp = unit;
}

void fp_state_load(const struct fp_state *fp)
{
	unit = *fp;
}

void signal_set_blocked(struct thread *t, uint64_t set)
{
	t->blocked = set & ~NEVER_BLOCKED;
}

static uint8_t *place(uint64_t at, size_t n)
{
	return at >= STACK && at - STACK + n <= sizeof(stack) ? &stack[at - STACK] : NULL;
}

int copy_to_user(struct user_mm *mm, uint64_t to, const void *from, size_t n)
{
	uint8_t *at = place(to, n);

	(void)mm;
	return at ? (memcpy(at, from, n), 0) : -EFAULT;
}

int copy_from_user(struct user_mm *mm, void *to, uint64_t from, size_t n)
{
	const uint8_t *at = place(from, n);

	(void)mm;
	return at ? (memcpy(to, at, n), 0) : -EFAULT;
}

int mm_map(struct user_mm *mm, uint64_t *at, uint64_t size, unsigned perm, unsigned flags, struct page_source *source, uint64_t offset)
{
	(void)mm;
	(void)at;
	(void)size;
	(void)perm;
	(void)flags;
	(void)source;
	(void)offset;
	return 0;
}

static int setup(void **state)
{
	(void)state;
	memset(stack, 0, sizeof(stack));
	thread = (struct thread){ .process = &process, .blocked = SIG_BIT(SIGHUP) };
	for (unsigned i = 1; i < 32; i++)
		thread.ctx.x[i] = 1000 + i;
	thread.ctx.x[REG_SP] = STACK + STACK_SIZE - 8;
	thread.ctx.pc = 0x1234;
	thread.ctx.fs = SSTATUS_FS_DIRTY;
	for (unsigned i = 0; i < 32; i++)
		unit.f[i] = 2000 + i;
	unit.fcsr = 0x21;
	return 0;
}

static int push(uint64_t flags)
{
	struct signal_action a = { .handler = HANDLER, .flags = flags };

	return signal_push_frame(&thread, SIGUSR1, &(struct signal_info){ .code = SI_QUEUE, .pid = 7, .value = 77 }, &a);
}

static uint64_t word(uint64_t at)
{
	uint64_t value;

	memcpy(&value, place(at, 8), 8);
	return value;
}

static void a_frame_looks_like_linux_s(void **state)
{
	struct linux_siginfo info;
	uint64_t sp;

	(void)state;
	assert_int_equal(push(0), 0);
	sp = thread.ctx.x[REG_SP];
	assert_int_equal(sp % 16, 0);
	assert_true(sp + FRAME <= STACK + STACK_SIZE - 8);
	memcpy(&info, place(sp, sizeof(info)), sizeof(info));
	assert_int_equal(info.signal, SIGUSR1);
	assert_int_equal(info.code, SI_QUEUE);
	assert_int_equal(info.sender.pid, 7);
	assert_int_equal(info.sender.value, 77);
	assert_int_equal(word(sp + UC_MASK), SIG_BIT(SIGHUP));
	assert_int_equal(word(sp + UC_REGS), 0x1234);
	assert_int_equal(word(sp + UC_REGS + 8 * 5), 1005);
	assert_int_equal(word(sp + UC_FP + 8 * 5), 2005);
	assert_int_equal(word(sp + UC_FP + 8 * 32), 0x21);
	assert_int_equal(thread.ctx.pc, HANDLER);
	assert_int_equal(thread.ctx.x[REG_A0], SIGUSR1);
	assert_int_equal(thread.ctx.x[A1], sp);
	assert_int_equal(thread.ctx.x[A2], sp + UCONTEXT);
	assert_int_equal(thread.ctx.x[RA], USER_TRAMPOLINE);
}

static void returning_gives_everything_back(void **state)
{
	struct user_ctx before;

	(void)state;
	before = thread.ctx;
	assert_int_equal(push(0), 0);
	thread.blocked = UINT64_MAX;
	memset(&thread.ctx.x[3], 0xee, 29 * 8);
	memset(&unit, 0xee, sizeof(unit));
	assert_int_equal(signal_pop_frame(&thread), 0);
	assert_memory_equal(&thread.ctx.x[1], &before.x[1], 31 * 8);
	assert_int_equal(thread.ctx.pc, before.pc);
	assert_int_equal(thread.blocked, SIG_BIT(SIGHUP));
	assert_int_equal(unit.f[31], 2031);
	assert_int_equal(unit.fcsr, 0x21);
}

static void a_forged_frame_sets_only_what_is_the_program_s(void **state)
{
	(void)state;
	memset(stack, 0xff, sizeof(stack));
	thread.ctx.x[REG_SP] = STACK;
	thread.ctx.host_sp = 5;
	thread.ctx.host_tp = 6;
	assert_int_equal(signal_pop_frame(&thread), 0);
	assert_int_equal(thread.ctx.pc, UINT64_MAX - 1);
	assert_int_equal(thread.ctx.host_sp, 5);
	assert_int_equal(thread.ctx.host_tp, 6);
	assert_int_equal(thread.ctx.fs, SSTATUS_FS_CLEAN);
	assert_int_equal(unit.fcsr, 0xff);
	assert_int_equal(thread.blocked & (SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP)), 0);
}

static void a_frame_needs_a_stack(void **state)
{
	struct user_ctx before;

	(void)state;
	for (uint64_t sp = 0; sp <= STACK + FRAME; sp += (STACK + FRAME) / 7) {
		thread.ctx.x[REG_SP] = sp;
		before = thread.ctx;
		assert_int_equal(push(0), -EFAULT);
		assert_int_equal(thread.ctx.pc, before.pc);
		assert_int_equal(thread.ctx.x[REG_SP], sp);
	}
	thread.ctx.x[REG_SP] = STACK + STACK_SIZE - 64;
	assert_int_equal(signal_pop_frame(&thread), -EFAULT);
}

static void the_other_stack_is_used_once_and_not_left(void **state)
{
	(void)state;
	thread.alt_stack.base = STACK;
	thread.alt_stack.size = 2 * FRAME + 32;
	assert_int_equal(push(SA_ONSTACK), 0);
	assert_in_range(thread.ctx.x[REG_SP], STACK + FRAME, STACK + 2 * FRAME);
	assert_int_equal(word(thread.ctx.x[REG_SP] + UCONTEXT + 24) & 0xffffffff, 0); /* it was not in use */
	assert_int_equal(push(SA_ONSTACK), 0);
	assert_in_range(thread.ctx.x[REG_SP], STACK, STACK + FRAME);
	assert_int_equal(word(thread.ctx.x[REG_SP] + UCONTEXT + 24) & 0xffffffff, 1); /* now it is */
	assert_int_equal(push(SA_ONSTACK), -EFAULT); /* below it lies something else */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_frame_looks_like_linux_s, setup),
		cmocka_unit_test_setup(returning_gives_everything_back, setup),
		cmocka_unit_test_setup(a_forged_frame_sets_only_what_is_the_program_s, setup),
		cmocka_unit_test_setup(a_frame_needs_a_stack, setup),
		cmocka_unit_test_setup(the_other_stack_is_used_once_and_not_left, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
