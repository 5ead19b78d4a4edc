/* Commands about the kernel itself: hart, task, irq, mem. */
#include <errno.h>
#include <string.h>

#include <caisson/hart.h>
#include <caisson/irq.h>
#include <caisson/mm.h>
#include <caisson/smp.h>
#include <caisson/task.h>
#include <caisson/time.h>
#include <caisson/zero.h>
#include <shell/output.h>
#include <shell/shell.h>

/* --- harts --- */

struct hart_row {
	uint64_t hart, id, idle, switches, timer_interrupts, ipis_sent, ipis;
	const char *state, *owner;
};

static const struct shell_field hart_fields[] = {
	SHELL_FIELD(struct hart_row, hart, SHELL_NUMBER, "hart", 4),
	SHELL_FIELD(struct hart_row, id, SHELL_NUMBER, "id", 3),
	SHELL_FIELD(struct hart_row, state, SHELL_TEXT, "state", -7),
	SHELL_FIELD(struct hart_row, idle, SHELL_TENTHS, "idle %", 6),
	SHELL_FIELD(struct hart_row, timer_interrupts, SHELL_NUMBER, "timer interrupts", 16),
	SHELL_FIELD(struct hart_row, ipis_sent, SHELL_NUMBER, "IPIs sent", 9),
	SHELL_FIELD(struct hart_row, ipis, SHELL_NUMBER, "IPIs", 9),
	SHELL_FIELD(struct hart_row, switches, SHELL_NUMBER, "switches", 10),
	SHELL_FIELD(struct hart_row, owner, SHELL_TEXT, "owner", -8),
};
static const struct shell_layout hart_layout = SHELL_LAYOUT(hart_fields);

static int do_hart(struct shell *sh, int argc, char **argv)
{
	uint64_t now = time_now();

	(void)argc;
	(void)argv;
	shell_table(sh, NULL, &hart_layout);
	for (unsigned i = 0; i < hart_count(); i++)
		shell_row(sh, &hart_layout, &(struct hart_row){
			.hart = i, .id = harts[i].hwid, .state = harts[i].online ? "online" : "offline",
			.idle = now ? sched_idle_time(i) * 1000 / now : 0, .timer_interrupts = timer_ticks(i),
			.switches = harts[i].switches, .owner = smp_owner(i),
			.ipis_sent = ipi_counts(i).sent, .ipis = ipi_counts(i).had,
		});
	shell_table_end(sh);
	return 0;
}

SHELL_COMMAND(hart) = {
	"hart", "[--json]", "harts: state, idle time, interrupts, owner", do_hart,
	"`id` is what the firmware and the device tree call the hart; `owner` the VM that has it alone.\n"
	"IPIs: what it sent to other harts, and what it had from them; several reasons at once are one.\n",
};

/* --- tasks --- */

struct task_row {
	uint64_t id, hart, nice, run_time, stack;
	const char *name, *state;
	char name_bytes[sizeof(((struct task *)NULL)->name)];
};

static const struct shell_field task_fields[] = {
	SHELL_FIELD(struct task_row, id, SHELL_NUMBER, "id", 4),
	SHELL_FIELD(struct task_row, name, SHELL_TEXT, "name", -23),
	SHELL_FIELD(struct task_row, state, SHELL_TEXT, "state", -7),
	SHELL_FIELD(struct task_row, hart, SHELL_NUMBER, "hart", 4),
	SHELL_FIELD(struct task_row, run_time, SHELL_TIME, "run time", 13),
	SHELL_FIELD(struct task_row, stack, SHELL_NUMBER, "stack used", 10),
};
static const struct shell_layout task_layout = SHELL_LAYOUT(task_fields);

/* Copied while the list is locked, shown afterwards. */
struct task_copy {
	struct task_row *rows; /* NULL: only count */
	unsigned n, room;
};

static void copy_task(const struct task *t, void *arg)
{
	static const char *const states[] = {
		[TASK_READY] = "ready", [TASK_RUNNING] = "running",
		[TASK_BLOCKED] = "blocked", [TASK_EXITED] = "exited",
	};
	struct task_copy *copy = arg;
	struct task_row *row = &copy->rows[copy->n];
	uint64_t ticks = t->run_time;

	if (copy->n < copy->room) {
		if (t->state == TASK_RUNNING)
			ticks += time_now() - t->switched_in_at;
		*row = (struct task_row){
			.id = t->id, .hart = t->hart, .state = states[t->state], .run_time = time_to_ns(ticks),
			.stack = task_stack_used(t),
		};
		memcpy(row->name_bytes, t->name, sizeof(row->name_bytes));
		row->name = row->name_bytes;
	}
	copy->n++;
}

static int do_task(struct shell *sh, int argc, char **argv)
{
	struct task_copy copy = { .n = 0 };

	(void)argc;
	(void)argv;
	task_for_each(copy_task, &copy);
	copy.room = copy.n + 8; /* some may begin meanwhile */
	copy.n = 0;
	copy.rows = kalloc(copy.room * sizeof(*copy.rows));
	if (!copy.rows) {
		shell_error(sh, "no memory for the list");
		return -ENOMEM;
	}
	task_for_each(copy_task, &copy);
	shell_table(sh, NULL, &task_layout);
	for (unsigned i = 0; i < MIN(copy.n, copy.room); i++)
		shell_row(sh, &task_layout, &copy.rows[i]);
	shell_table_end(sh);
	kfree(copy.rows);
	return 0;
}

SHELL_COMMAND(task) = {
	"task", "[--json]", "tasks: state, hart, run time, most of the stack used", do_task,
	"A vCPU is a task: NAME/N is vCPU N of the VM NAME.\n",
};

/* --- interrupt sources --- */

struct irq_row {
	uint64_t source, hart, count;
	const char *controller, *name;
};

static const struct shell_field irq_fields[] = {
	SHELL_FIELD(struct irq_row, source, SHELL_NUMBER, "source", 6),
	SHELL_FIELD(struct irq_row, controller, SHELL_TEXT, "of", -20),
	SHELL_FIELD(struct irq_row, name, SHELL_TEXT, "handled by", -24),
	SHELL_FIELD(struct irq_row, hart, SHELL_NUMBER, "hart", 4),
	SHELL_FIELD(struct irq_row, count, SHELL_NUMBER, "interrupts", 12),
};
static const struct shell_layout irq_layout = SHELL_LAYOUT(irq_fields);

/* One line for each hart that has had it; for none, one of its own. */
static void show_source(struct shell *sh, unsigned source)
{
	struct irq_row row = { .source = source, .controller = irq_chip_name(), .name = irq_name(source) };
	bool any = false;

	for (unsigned h = 0; h < hart_count(); h++) {
		row.hart = h;
		row.count = irq_count(source, h);
		if (row.count)
			shell_row(sh, &irq_layout, &row);
		any |= row.count != 0;
	}
	row.hart = 0;
	if (!any)
		shell_row(sh, &irq_layout, &row);
}

static int do_irq(struct shell *sh, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	shell_table(sh, NULL, &irq_layout);
	for (unsigned source = irq_next(0); source; source = irq_next(source))
		show_source(sh, source);
	shell_table_end(sh);
	return 0;
}

SHELL_COMMAND(irq) = {
	"irq", "[--json]", "the machine's interrupt lines: handler, counts", do_irq,
	"Timer interrupts are counted in `hart`; a guest's own interrupts are shown by `vm dump VM irq`.\n",
};

/* --- memory --- */

struct mem_row {
	uint64_t total, free, heap, zeroed;
};

static const struct shell_field mem_fields[] = {
	SHELL_FIELD(struct mem_row, total, SHELL_SIZE, "memory", 0),
	SHELL_FIELD(struct mem_row, free, SHELL_SIZE, "free", 0),
	SHELL_FIELD(struct mem_row, heap, SHELL_NUMBER, "heap in use, bytes", 0),
	SHELL_FIELD(struct mem_row, zeroed, SHELL_SIZE, "zeroed by a device", 0),
};
static const struct shell_layout mem_layout = SHELL_LAYOUT(mem_fields);

static int do_mem(struct shell *sh, int argc, char **argv)
{
	struct mem_row row = {
		frame_total_count() * PAGE_SIZE, frame_free_count() * PAGE_SIZE, heap_in_use(),
		IS_ENABLED(CONFIG_ZERO_ENGINE) ? zero_engine_bytes() : 0,
	};

	(void)argc;
	(void)argv;
	shell_record(sh, NULL, &mem_layout, &row);
	return 0;
}

SHELL_COMMAND(mem) = {
	"mem", "[--json]", "memory: in all, free, in the heap, zeroed by a device", do_mem,
	"Harts zero memory themselves, but for large blocks where the machine has a device that does (fw-cfg).\n"
	"`vm list` and `vm stats` say what of it the VMs have.\n",
};
