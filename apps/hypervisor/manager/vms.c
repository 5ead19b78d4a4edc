/* The manager of the VMs: starts them, sees to their end, and carries out the monitor's orders. */
#include <errno.h>
#include <stdio.h>

#include "bundle.h"
#include "../monitor.h"
#include "../report.h"
#include "vms.h"
#include "vms_fold.h"
#include "vms_memory.h"
#include "vms_plan.h"
#include "vms_stop.h"

#include <caisson/log.h>
#include <caisson/mutex.h>
#include <caisson/task.h>
#include <caisson/time.h>
#include <vmm/console_mux.h>
#include <vmm/vm.h>

#define LOG_NAME "vmm"
#define STEADY_S 60       /* a VM that ran so long starts again after the shortest wait */
#define LONGEST_BACKOFF 6 /* 2^6 seconds */

struct order {
	enum vms_order what;
	struct vm *vm;
	const char *name;
	int error;
	bool done;
	char err[256];
};

/* The monitor's poweroff: nothing is booted again, and main does not stay. */
static volatile bool leaving;
static bool all_stopped;       /* the manager has seen to that */
static bool in_batch;
static volatile bool script_runs, script_failed;
static bool person_stays;      /* one has ended otherwise than by itself: somebody may want to look */
static struct order *order;    /* atomic: under way */
static struct mutex ordering = MUTEX_INIT(ordering); /* one order at a time */
static struct waitq order_done = WAITQ_INIT(order_done);

static bool destroy(struct vm *vm, void *arg)
{
	(void)arg;
	bundle_unmake(vm);
	return true;
}

static void destroy_all(void)
{
	vm_for_each(destroy, NULL);
}

static bool start_in_turn(struct vm *vm, void *arg)
{
	(void)arg;
	if (!vm->config->no_autostart)
		vm_start(vm);
	return true;
}

int vms_start(bool batch)
{
	char err[256] = "";
	int n = 0, error;

	in_batch = batch;
	while ((error = bundle_make((unsigned)n, NULL, err, sizeof(err))) == 0)
		n++;
	if (error != -ENXIO) {
		report_error("%s", err);
		destroy_all();
		return error;
	}
	vm_for_each(start_in_turn, NULL);
	return n;
}

static bool is_alive(struct vm *vm, void *arg)
{
	bool *alive = arg;

	*alive |= vm->plan.step != VM_STEP_NONE || (vm->state != VM_ENDED && !(in_batch && vm->state == VM_BOOTED));
	return true;
}

static bool any_alive(void)
{
	bool alive = false;

	vm_for_each(is_alive, &alive);
	return alive;
}

/* --- starting again --- */

/* Does its description ask for that, after this end? */
static bool wants_restart(const struct vm *vm)
{
	enum vm_restart policy = vm->config->restart;

	return (vm->end == VM_END_CRASH && policy != VM_RESTART_NEVER) ||
	       (vm->end == VM_END_SHUTDOWN && policy == VM_RESTART_ALWAYS);
}

/* Later each time, so that one that cannot live does not take the machine. @return seconds. */
static unsigned plan_restart(struct vm *vm)
{
	unsigned seconds;

	if (time_now() - vm->started_at > STEADY_S * timebase_hz)
		vm->restarts = 0;
	seconds = 1U << MIN(vm->restarts, LONGEST_BACKOFF);
	vm->restarts++;
	vms_plan(vm, VM_STEP_RESTART, seconds * UINT64_C(1000000));
	return seconds;
}

/* @return true: the VM runs again. Else that is a crash, too. */
static bool reboot(struct vm *vm)
{
	char err[256] = "";
	int error = vm_boot(vm, err, sizeof(err));

	if (error) {
		vm->end = VM_END_CRASH;
		snprintf(vm->reason, sizeof(vm->reason), "cannot boot again: %s", bundle_why(error, err));
		report_error("%s: %s", vm->config->name, vm->reason);
		vm_drop_ram(vm);
		return false;
	}
	vm_start(vm);
	return true;
}

static bool stop_one(struct vm *vm, void *arg)
{
	(void)arg;
	vms_plan_nothing(vm);
	if (vm->state == VM_RUNNING)
		vm_end(vm, VM_END_STOPPED, 0, "the machine is powered off");
	else if (vm->state == VM_BOOTED)
		vm->state = VM_ENDED; /* it never ran */
	return true;
}

void vms_poweroff(void)
{
	leaving = true;
	vm_interrupt_wait();
}

/* Poweroff is the manager's to carry out: whoever else did it could meet a VM between two of its states. */
static void serve_poweroff(void)
{
	if (!leaving || all_stopped)
		return;
	all_stopped = true;
	vm_for_each(stop_one, NULL);
}

void vms_script_begins(void)
{
	script_runs = true;
}

void vms_script_ended(bool failed)
{
	script_failed = failed;
	script_runs = false;
	if (failed && in_batch)
		vms_poweroff();
	else
		vm_interrupt_wait();
}

/* --- orders --- */

static int start_again(struct order *o)
{
	int error = 0;

	if (o->vm->state != VM_ENDED && o->vm->state != VM_BOOTED)
		return -EBUSY;
	vms_plan_nothing(o->vm);
	if (o->vm->state == VM_ENDED)
		error = vm_boot(o->vm, o->err, sizeof(o->err));
	if (!error) {
		vm_start(o->vm);
		return 0;
	}
	vm_drop_ram(o->vm);
	vms_memory_freed();
	return error;
}

static int reset(struct order *o)
{
	if (o->vm->state != VM_RUNNING)
		return -EBUSY;
	vm_end(o->vm, VM_END_RESET, 0, "reset from the monitor");
	return 0;
}

/* Also one that would be started again. What a person has stopped is no reason for the machine to end. */
static int stop(struct order *o, bool now)
{
	struct vm *vm = o->vm;
	unsigned seconds = 0;

	if (vm->state == VM_ENDED && vm->plan.step == VM_STEP_RESTART)
		vms_plan_nothing(vm);
	else if (vm->state == VM_RUNNING && (now || !vms_stopping(vm)))
		seconds = vms_stop(vm, now);
	else
		return -EBUSY;
	if (seconds)
		snprintf(o->err, sizeof(o->err), "asked to shut down; otherwise it is stopped in %u s", seconds);
	person_stays = true;
	return 0;
}

static int delete(struct order *o)
{
	if (o->vm->state != VM_ENDED && o->vm->state != VM_BOOTED)
		return -EBUSY;
	log_info("%s: deleted", o->vm->config->name);
	bundle_unmake(o->vm);
	vms_memory_freed();
	return 0;
}

static int create(struct order *o)
{
	int error = -ENOENT;

	for (unsigned n = 0; error == -ENOENT; n++)
		error = bundle_make(n, o->name, o->err, sizeof(o->err));
	return error == -ENXIO ? -ENOENT : error;
}

static int carry_out(struct order *o)
{
	switch (o->what) {
	case VMS_CREATE:
		return create(o);
	case VMS_START:
		return start_again(o);
	case VMS_STOP:
		return stop(o, false);
	case VMS_KILL:
		return stop(o, true);
	case VMS_PAUSE:
		return vm_pause(o->vm);
	case VMS_RESUME:
		return vm_resume(o->vm);
	case VMS_RESET:
		return reset(o);
	case VMS_DELETE:
		return delete(o);
	}
	return -EINVAL;
}

static void serve_order(void)
{
	struct order *o = __atomic_exchange_n(&order, NULL, __ATOMIC_ACQUIRE);

	if (!o)
		return;
	o->err[0] = '\0';
	o->error = leaving ? -EBUSY : carry_out(o);
	__atomic_store_n(&o->done, true, __ATOMIC_RELEASE);
	waitq_notify_all(&order_done);
}

static bool is_done(void *arg)
{
	return __atomic_load_n(&((struct order *)arg)->done, __ATOMIC_ACQUIRE);
}

int vms_order(enum vms_order what, struct vm *vm, const char *name, char *err, size_t err_size)
{
	static const char *const words[] = {
		[VMS_CREATE] = "create", [VMS_START] = "start", [VMS_STOP] = "stop", [VMS_KILL] = "stop at once",
		[VMS_PAUSE] = "pause", [VMS_RESUME] = "resume", [VMS_DELETE] = "delete",
		[VMS_RESET] = "reset",
	};
	struct order o = { .what = what, .vm = vm, .name = name };

	mutex_lock(&ordering);
	log_info("order: %s %s", words[what], vm ? vm->config->name : name);
	__atomic_store_n(&order, &o, __ATOMIC_RELEASE);
	vm_interrupt_wait();
	waitq_wait(&order_done, is_done, &o, UINT64_MAX);
	mutex_unlock(&ordering);
	snprintf(err, err_size, "%s", o.err);
	return o.error;
}

/* --- supervising --- */

static bool is_over(void)
{
	return !any_alive() && (leaving || (!script_runs && (in_batch || !person_stays)));
}

static bool something_else(void)
{
	return vms_memory_news() || __atomic_load_n(&order, __ATOMIC_ACQUIRE) || (leaving && !all_stopped) || is_over();
}

/* An end that is none is no failure of the machine. @return 0 */
static int announce(struct vm *vm, unsigned seconds)
{
	log_warn("%s: starts again in %u s", vm->config->name, seconds);
	if (in_batch)
		report_error("%s: starts again in %u s (%s)", vm->config->name, seconds, vm->reason);
	else
		monitor_vm_ended(vm, false);
	return 0;
}

/* What a person may still want to look into stays until the VM is started again or deleted. */
static bool is_worth_a_look(const struct vm *vm)
{
	return vm->end == VM_END_CRASH && !in_batch;
}

/* It does not run again at once. stays: nor later by itself. @return the status that this gives the machine. */
static int is_down(struct vm *vm, bool stays)
{
	if (!stays && wants_restart(vm))
		return announce(vm, plan_restart(vm));
	person_stays |= vm->end != VM_END_SHUTDOWN;
	if (!in_batch)
		monitor_vm_ended(vm, !any_alive() && !is_over());
	return vm->end == VM_END_CRASH;
}

/* @return the status that its end gives the machine. */
static int see_to_end(struct vm *vm)
{
	bool stays = leaving || vms_stopping(vm);
	bool crashed = vm->end == VM_END_CRASH, again;

	if (vms_stopping(vm))
		vms_stop_ended(vm);
	vms_plan_nothing(vm);
	if (!is_worth_a_look(vm))
		vm_drop_ram(vm);
	again = vm->end == VM_END_RESET && !stays && reboot(vm);
	vms_memory_freed();
	if (again)
		return 0;
	if (crashed)
		vm_report(vm);
	return is_down(vm, stays);
}

/* What was planned for now. @return as see_to_end. */
static int serve_plan(void)
{
	enum vm_step step;
	struct vm *vm = vms_plan_due(&step);

	if (!vm)
		return 0;
	if (step != VM_STEP_RESTART)
		vms_stop_step(vm, step);
	else if (!reboot(vm)) {
		vms_memory_freed();
		return is_down(vm, false);
	}
	return 0;
}

int vms_supervise(void)
{
	int status = 0;

	while (!is_over()) {
		struct vm *vm = vm_wait_ended(something_else, MIN(vms_plan_deadline(), vms_fold_deadline()));

		if (vm)
			status |= see_to_end(vm);
		serve_order();
		serve_poweroff();
		status |= serve_plan();
		vms_memory_serve(in_batch);
		vms_fold_serve();
	}
	serve_order(); /* one that came too late is answered all the same */
	if (monitor_stop())
		destroy_all();
	log_info("monitor shut down");
	return status | script_failed;
}
