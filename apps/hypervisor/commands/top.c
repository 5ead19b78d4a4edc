/* The monitor's `top`: what each vCPU does now, from the difference of two looks at its counters. */
#include <errno.h>
#include <stdio.h>

#include <caisson/mm.h>
#include <caisson/task.h>
#include <caisson/time.h>
#include <shell/output.h>
#include <shell/shell.h>
#include <vmm/vm.h>

#include "vm_commands.h"

#define ROUNDS_MAX 86400
#define PROD_US 50000    /* for guests to be interrupted, at most */
#define LOOK_AGAIN_US 500
#define FRESH_US 60000   /* samples no older are good enough; more than PROD_US */

/* The counters of one vCPU at one time. */
struct look {
	unsigned vm, vcpu;
	uint64_t run, idle, exits[EXIT_KINDS];
};

struct looks {
	uint64_t at;
	unsigned n, room;
	struct look rows[];
};

/* The causes that have columns; the rest is "other". Exits are per second. */
struct top_row {
	const char *name, *state;
	uint64_t vcpu, cpu, idle, exits, ecall, mmio, fault, wfi, timer, ipi, external, other;
};

static const struct shell_field top_fields[] = {
	SHELL_FIELD(struct top_row, name, SHELL_TEXT, "VM", -16),
	SHELL_FIELD(struct top_row, vcpu, SHELL_NUMBER, "vCPU", 4),
	SHELL_FIELD(struct top_row, state, SHELL_TEXT, "state", -9),
	SHELL_FIELD(struct top_row, cpu, SHELL_TENTHS, "hart %", 6),
	SHELL_FIELD(struct top_row, idle, SHELL_TENTHS, "idle %", 6),
	SHELL_FIELD(struct top_row, exits, SHELL_NUMBER, "exits/s", 8),
	SHELL_FIELD(struct top_row, ecall, SHELL_NUMBER, "ecall", 7),
	SHELL_FIELD(struct top_row, mmio, SHELL_NUMBER, "mmio", 7),
	SHELL_FIELD(struct top_row, fault, SHELL_NUMBER, "fault", 6),
	SHELL_FIELD(struct top_row, wfi, SHELL_NUMBER, "wfi", 6),
	SHELL_FIELD(struct top_row, timer, SHELL_NUMBER, "timer", 6),
	SHELL_FIELD(struct top_row, ipi, SHELL_NUMBER, "ipi", 6),
	SHELL_FIELD(struct top_row, external, SHELL_NUMBER, "extern", 6),
	SHELL_FIELD(struct top_row, other, SHELL_NUMBER, "other", 6),
};
static const struct shell_layout top_layout = SHELL_LAYOUT(top_fields);

struct round_row {
	uint64_t time;
};

static const struct shell_field round_fields[] = { SHELL_FIELD(struct round_row, time, SHELL_TIME, NULL, 0) };
static const struct shell_layout round_layout = SHELL_LAYOUT(round_fields);

/* --- looking --- */

static bool count_vcpus(struct vm *vm, void *arg)
{
	*(unsigned *)arg += vm->n_vcpus;
	return true;
}

static bool look_at_vm(struct vm *vm, void *arg)
{
	struct looks *l = arg;

	for (unsigned i = 0; i < vm->n_vcpus && l->n < l->room; i++) {
		const struct vcpu *v = vm->vcpus[i];
		struct look *row = &l->rows[l->n++];

		*row = (struct look){ .vm = vm->id, .vcpu = i, .run = vcpu_run_time(v), .idle = v->idle_ticks };
		for (unsigned kind = 0; kind < EXIT_KINDS; kind++)
			row->exits[kind] = v->exits[kind];
	}
	return true;
}

/* Does it run, and is its idle time not counted yet (vmm/vcpu/sample.c), because it was not left for a while? */
static bool is_stale(const struct vcpu *v)
{
	return __atomic_load_n(&v->running_on, __ATOMIC_RELAXED) >= 0 &&
	       time_now() - v->sampled_at > time_from_us(FRESH_US);
}

/* An interrupt makes sure of a sample. */
static bool prod(struct vm *vm, void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		if (is_stale(vm->vcpus[i]))
			vcpu_request(vm->vcpus[i], VCPU_REQ_IRQ);
	return true;
}

static bool any_stale(struct vm *vm, void *arg)
{
	bool *any = arg;

	for (unsigned i = 0; i < vm->n_vcpus; i++)
		*any |= is_stale(vm->vcpus[i]);
	return true;
}

/* Have all samples fresh, as far as that takes no longer than it should. */
static void freshen(void)
{
	uint64_t deadline = time_now() + time_from_us(PROD_US);
	bool stale = true;

	vm_for_each(prod, NULL);
	while (stale && time_now() < deadline) {
		task_sleep_until(time_now() + time_from_us(LOOK_AGAIN_US));
		stale = false;
		vm_for_each(any_stale, &stale);
	}
}

/* @return NULL: no memory. */
static struct looks *look(void)
{
	unsigned n = 0;
	struct looks *l;

	freshen();
	vm_for_each(count_vcpus, &n);
	l = kzalloc(sizeof(*l) + n * sizeof(l->rows[0]));
	if (!l)
		return NULL;
	l->room = n;
	l->at = time_now();
	vm_for_each(look_at_vm, l);
	return l;
}

static const struct look *same_vcpu(const struct looks *l, const struct look *of)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->rows[i].vm == of->vm && l->rows[i].vcpu == of->vcpu)
			return &l->rows[i];
	return NULL;
}

/* --- showing --- */

/* Counters begin anew when a VM is started again. */
static uint64_t grown(uint64_t before, uint64_t now)
{
	return now >= before ? now - before : now;
}

static uint64_t per_second(const struct look *before, const struct look *now, unsigned first, unsigned last,
			   uint64_t ticks)
{
	uint64_t n = 0;

	for (unsigned kind = first; kind <= last; kind++)
		n += grown(before->exits[kind], now->exits[kind]);
	return n * timebase_hz / ticks;
}

static void show_vcpu(struct shell *sh, const struct look *before, const struct look *now, uint64_t ticks)
{
	const struct vm *vm = vm_by_id(now->vm);
	struct top_row row = {
		.name = vm->config->name, .vcpu = now->vcpu, .state = vcpu_state_name(vm->vcpus[now->vcpu]),
		.idle = grown(before->idle, now->idle) * 1000 / ticks,
		.exits = per_second(before, now, 0, EXIT_KINDS - 1, ticks),
		.ecall = per_second(before, now, EXIT_ECALL, EXIT_ECALL, ticks),
		.mmio = per_second(before, now, EXIT_MMIO_READ, EXIT_MMIO_WRITE, ticks),
		.fault = per_second(before, now, EXIT_RAM_FAULT, EXIT_RAM_FAULT, ticks),
		.wfi = per_second(before, now, EXIT_WFI, EXIT_WFI, ticks),
		.timer = per_second(before, now, EXIT_TIMER, EXIT_TIMER, ticks),
		.ipi = per_second(before, now, EXIT_IPI, EXIT_IPI, ticks),
		.external = per_second(before, now, EXIT_EXTERNAL, EXIT_EXTERNAL, ticks),
		.other = per_second(before, now, EXIT_BAD_ACCESS, EXIT_BAD_ACCESS, ticks) +
			 per_second(before, now, EXIT_VIRTUAL_INSN, EXIT_VIRTUAL_INSN, ticks) +
			 per_second(before, now, EXIT_OTHER, EXIT_KINDS - 1, ticks),
	};
	uint64_t run = grown(before->run, now->run) * 1000 / ticks;

	/* On a hart, but in an untrapped WFI: idle. Idle time may be of the last round, if the guest was not left in it. */
	row.idle = MIN(row.idle, run);
	row.cpu = run - row.idle;
	shell_row(sh, &top_layout, &row);
}

static void show_round(struct shell *sh, const struct looks *before, const struct looks *now)
{
	uint64_t ticks = MAX(now->at - before->at, 1);

	shell_object(sh, NULL);
	shell_members(sh, &round_layout, &(struct round_row){ time_to_ns(ticks) });
	shell_table(sh, "vcpus", &top_layout);
	for (unsigned i = 0; i < now->n; i++) {
		const struct look *old = same_vcpu(before, &now->rows[i]);

		if (old)
			show_vcpu(sh, old, &now->rows[i], ticks);
	}
	shell_table_end(sh);
	shell_object_end(sh);
}

/* --- rounds --- */

/* @return 0; -EINTR a key; -ENOMEM */
static int one_round(struct shell *sh, struct looks **before, bool live)
{
	int error = sh->wait(sh, time_now() + timebase_hz, live);
	struct looks *now;

	if (error)
		return error;
	now = look();
	if (!now)
		return -ENOMEM;
	if (live)
		shell_say(sh, "\x1b[H\x1b[J");
	show_round(sh, *before, now);
	if (live)
		shell_say(sh, "\na key ends it\n");
	kfree(*before);
	*before = now;
	return 0;
}

static int run_rounds(struct shell *sh, uint64_t rounds, bool live)
{
	struct looks *before = look();
	int error = before ? 0 : -ENOMEM;

	shell_array(sh, NULL);
	for (uint64_t i = 0; !error && i < rounds; i++)
		error = one_round(sh, &before, live);
	shell_array_end(sh);
	kfree(before);
	if (error == -ENOMEM)
		shell_say(sh, "no memory to look at the vCPUs\n");
	return live && error == -EINTR ? 0 : error;
}

static int do_top(struct shell *sh, int argc, char **argv)
{
	uint64_t rounds = ROUNDS_MAX;

	if (argc > 1 && shell_number(sh, argv[1], 1, ROUNDS_MAX, &rounds))
		return -EINVAL;
	if (argc == 1 && (!sh->person || sh->json)) {
		shell_error(sh, "top: nobody could end it with a key here; say how many rounds");
		return -EINVAL;
	}
	return run_rounds(sh, rounds, argc == 1);
}

SHELL_COMMAND(top) = {
	"top", "[N] [--json]", "each second: what vCPUs take of a hart, their exits", do_top,
	"Without N it goes on until a key is pressed. hart %: time in the guest and in us for it, without\n"
	"idle %, which is time in its WFI. fault: first touches of memory. Exits are per second; one of each\n"
	"running vCPU's is the look itself (ipi).\n",
};
