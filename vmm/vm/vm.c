/* A VM's life: created, booted, running, ended. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <arch/hext.h>
#include <arch/sbi.h>
#include <caisson/console.h>
#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/time.h>
#include <vmm/console_mux.h>
#include <vmm/disks.h>
#include <vmm/fence.h>
#include <vmm/guest_dt.h>
#include <vmm/memory.h>
#include <vmm/partition.h>
#include <vmm/plugin.h>
#include <vmm/sbi.h>
#include <vmm/vm.h>
#include <vmm/world.h>

#define LOG_NAME "vm"

/* VMs that have ended and wait for the manager. Lock order: none is taken inside. */
static struct waitq ended = WAITQ_INIT(ended);
/* Guards a VM's end and its reason. Lock order: this -> wait queue lock, run queue lock. */
static spinlock_t end_lock;

static int choose_format(const struct vm_config *config, const struct pt_format **out, char *err, size_t n)
{
	*out = config->format;
	if (!*out)
		*out = hext.sv39x4 ? &pt_sv39x4 : hext.sv48x4 ? &pt_sv48x4 : &pt_sv57x4;
	if (hext_has_format(*out))
		return 0;
	snprintf(err, n, "format: this machine does not have %s", (*out)->name);
	return -ENODEV;
}

/* All of it. Of a VM that does not run, each vCPU gets a new VMID when it begins (vcpu_reset). */
static void flush_guest(struct aspace *as, uint64_t start, uint64_t size)
{
	struct vm *vm = container_of(as, struct vm, space);

	(void)start;
	(void)size;
	if (vm->state == VM_RUNNING)
		vm_fence_ram(vm);
}

/* Address space, RAM and devices. What was made stays for vm_destroy when something fails. */
static int build(struct vm *vm, char *err, size_t n)
{
	const struct vm_config *c = vm->config;
	const struct pt_format *format;
	int error = choose_format(c, &format, err, n);

	if (!error)
		error = guest_isa_choose(c, &vm->isa, err, n);
	if (!error)
		error = vm_partition(vm, err, n);
	if (error)
		return error;
	error = aspace_init(&vm->space, format, 0, BIT(format->input_bits) - 1);
	if (error) {
		vm->space.format = NULL; /* vm_destroy: there is no root table to take down */
	} else {
		vm->space.flush = flush_guest;
		error = aspace_map_alloc(&vm->space, vm->ram_start, vm->ram_size, PERM_R | PERM_W | PERM_X,
					 ALLOC_LARGE | (c->eager ? ALLOC_EAGER : 0));
	}
	for (unsigned i = 0; !error && i < c->cpus; i++)
		error = vm_vcpu_add(vm, i);
	if (!error)
		error = vm_devices_create(vm);
	if (error)
		snprintf(err, n, error == -ENOMEM ? "memory: the machine has too little for it" :
						    "cannot be created (error %d)", error);
	if (!error)
		error = vm_plugins_create(vm, err, n);
	if (!error)
		error = vm_channels_create(vm, err, n);
	if (!error)
		error = vm_disks_create(vm, err, n);
	if (!error)
		error = vm_nets_create(vm, err, n);
	if (!error)
		error = vm_console_create(vm, err, n);
	return error ? error : vm_entropy_create(vm, err, n);
}

static void log_isa(const struct vm *vm)
{
	struct isa_text isa;

	if (log_level < LOG_INFO)
		return;
	isa_describe(vm->isa, &isa);
	log_info("%s: guest ISA: %s", vm->config->name, isa.string);
}

static int add_console(struct vm *vm, char *err, size_t n)
{
	int error = console_mux_add(vm);

	if (error == -ENOSPC)
		snprintf(err, n, "the console has channels for %u VMs only", (unsigned)CONSOLE_VMS);
	else if (error)
		snprintf(err, n, "scrollback: the machine has too little memory for it");
	return error;
}

int vm_create(const struct vm_config *config, struct vm **out, char *err, size_t err_size)
{
	struct vm *vm;
	int error;

	if (config->cpus < 1 || config->cpus > VM_VCPUS_MAX) {
		snprintf(err, err_size, "cpus: %u is not 1 to %d", config->cpus, VM_VCPUS_MAX);
		return -EINVAL;
	}
	vm = kzalloc(sizeof(*vm));
	if (!vm) {
		snprintf(err, err_size, "memory: the machine has too little for it");
		return -ENOMEM;
	}
	vm->config = config;
	vm->ram_start = GUEST_RAM_BASE;
	vm->ram_size = config->memory;
	vm_share_init(vm);
	error = vm_list_add(vm);
	if (error) {
		snprintf(err, err_size, "name: '%s' is taken", config->name);
		kfree(vm);
		return error;
	}
	error = build(vm, err, err_size);
	if (!error)
		error = add_console(vm, err, err_size);
	if (error) {
		vm_destroy(vm);
		return error;
	}
	log_isa(vm);
	log_info("%s: id %u, %u vCPUs, %lu KiB at %lx, %s", config->name, vm->id, vm_vcpu_count(vm),
		 (unsigned long)(vm->ram_size >> 10), (unsigned long)vm->ram_start, vm_format(vm)->name);
	*out = vm;
	return 0;
}

/* Also that of a primary vCPU which was never started: it finds that it is to stop first of all. */
static void join_vcpus(struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		if (!vm->vcpus[i]->task)
			continue;
		vcpu_request(vm->vcpus[i], VCPU_REQ_STOP);
		task_wake(vm->vcpus[i]->task);
		task_join(vm->vcpus[i]->task);
		vm->vcpus[i]->task = NULL;
	}
}

void vm_destroy(struct vm *vm)
{
	join_vcpus(vm);
	vm_list_remove(vm);
	console_mux_remove(vm);
	vm_devices_destroy(vm);
	vm_disks_destroy(vm);
	vm_unload(vm);
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		vcpu_destroy(vm->vcpus[i]);
	if (vm->space.format)
		aspace_destroy(&vm->space);
	vm_unpartition(vm);
	kfree(vm);
}

void vm_drop_ram(struct vm *vm)
{
	(void)!aspace_unmap(&vm->space, vm->ram_start); /* it may have none any more */
}

/* Fresh zeroed RAM: the old area with its frames goes, a new one comes. */
static int renew_ram(struct vm *vm)
{
	unsigned flags = ALLOC_LARGE | (vm->config->eager ? ALLOC_EAGER : 0);

	vm_drop_ram(vm);
	return aspace_map_alloc(&vm->space, vm->ram_start, vm->ram_size, PERM_R | PERM_W | PERM_X, flags);
}

static int sink_write(void *arg, uint64_t gpa, const void *from, uint64_t n)
{
	return guest_write(arg, GPA(gpa), from, n);
}

static int load_images(struct vm *vm, char *err, size_t n)
{
	const struct image_sink sink = { sink_write, vm };
	const uint64_t room = guest_dt_room(vm->config);
	int error = image_place(vm->config, vm->ram_start, room, &vm->layout, err, n);
	void *dt;
	int size;

	if (error)
		return error;
	error = image_load(vm->config, vm->ram_start, &vm->layout, &sink);
	dt = error ? NULL : kzalloc(room);
	if (!dt) {
		snprintf(err, n, "memory: the machine has too little for it");
		return error ? error : -ENOMEM;
	}
	size = vm_build_dt(vm, dt, room, err, n);
	error = size < 0 ? size : guest_write(vm, GPA(vm->layout.dtb_start), dt, (uint64_t)size);
	kfree(dt);
	return error;
}

int vm_boot(struct vm *vm, char *err, size_t err_size)
{
	int error = vm->boots ? renew_ram(vm) : 0;

	if (error) {
		snprintf(err, err_size, "memory: the machine has too little for it");
		return error;
	}
	vm->active = 0;
	vm_devices_reset(vm);
	for (unsigned i = 0; i < vm->n_vcpus; i++)
		vcpu_reset(vm->vcpus[i]);
	error = load_images(vm, err, err_size);
	if (error)
		return error;
	log_info("%s: kernel %lx-%lx entry %lx, initrd %lx+%lx, device tree %lx", vm->config->name,
		 (unsigned long)vm->layout.kernel_start,
		 (unsigned long)(vm->layout.kernel_start + vm->layout.kernel_size),
		 (unsigned long)vm->layout.entry, (unsigned long)vm->layout.initrd_start,
		 (unsigned long)vm->layout.initrd_size, (unsigned long)vm->layout.dtb_start);
	vm->vcpus[0]->hsm_state = SBI_HSM_START_PENDING;
	vm_vcpu_active(vm);
	error = vcpu_start(vm->vcpus[0], vm->layout.entry, vm->layout.dtb_start);
	if (error) {
		snprintf(err, err_size, "memory: the machine has too little for it");
		return error;
	}
	/* Last: what would end it before finds it ended. */
	vm->end_status = 0;
	__atomic_store_n(&vm->end, VM_END_NONE, __ATOMIC_SEQ_CST);
	vm->state = VM_BOOTED;
	vm->boots++;
	return 0;
}

void vm_start(struct vm *vm)
{
	vm->state = VM_RUNNING;
	vm->started_at = time_now();
	vm_partition_begin(vm);
	log_info("%s: running", vm->config->name);
	if (IS_ENABLED(CONFIG_COSTS))
		vm_costs_begin(vm);
	task_wake(vm->vcpus[0]->task);
}

void vm_vcpu_active(struct vm *vm)
{
	__atomic_add_fetch(&vm->active, 1, __ATOMIC_SEQ_CST);
}

void vm_vcpu_inactive(struct vm *vm)
{
	if (__atomic_sub_fetch(&vm->active, 1, __ATOMIC_SEQ_CST) == 0) {
		vm_end(vm, VM_END_SHUTDOWN, 0, "all vCPUs have stopped");
		waitq_notify_all(&ended);
	}
}

void vm_end(struct vm *vm, enum vm_end how, int status, const char *fmt, ...)
{
	irqflags_t flags = spin_lock_irqsave(&end_lock);
	va_list args;

	if (vm->end == VM_END_NONE) {
		vm->end_status = status;
		va_start(args, fmt);
		vsnprintf(vm->reason, sizeof(vm->reason), fmt, args);
		va_end(args);
		__atomic_store_n(&vm->end, how, __ATOMIC_SEQ_CST);
		for (unsigned i = 0; i < vm->n_vcpus; i++)
			vcpu_request(vm->vcpus[i], VCPU_REQ_STOP);
	}
	spin_unlock_irqrestore(&end_lock, flags);
}

/* Wait until whoever ends a VM is done with it: its last vCPU may leave before that. */
static void settle_end(void)
{
	irqflags_t flags = spin_lock_irqsave(&end_lock);

	spin_unlock_irqrestore(&end_lock, flags);
}

static bool has_ended(struct vm *vm, void *arg)
{
	struct vm **found = arg;

	if (vm->state != VM_RUNNING || vm->end == VM_END_NONE ||
	    __atomic_load_n(&vm->active, __ATOMIC_SEQ_CST) != 0)
		return true;
	*found = vm;
	return false;
}

struct end_wait {
	struct vm *found;
	bool (*give_up)(void);
};

static bool any_ended(void *arg)
{
	struct end_wait *w = arg;

	vm_for_each(has_ended, &w->found);
	return w->found || w->give_up();
}

void vm_interrupt_wait(void)
{
	waitq_notify_all(&ended);
}

struct vm *vm_wait_ended(bool (*give_up)(void), uint64_t deadline)
{
	struct end_wait w = { .give_up = give_up };
	struct vm *vm;

	(void)waitq_wait(&ended, any_ended, &w, deadline);
	vm = w.found;
	if (!vm)
		return NULL;
	settle_end();
	vm->state = VM_ENDING;
	vm_devices_stop(vm);
	join_vcpus(vm);
	vm->paused = vm->pause_ordered = false;
	vm->held = VM_NOT_HELD;
	console_mux_settle(vm);
	vm->state = VM_ENDED;
	if (IS_ENABLED(CONFIG_COSTS))
		vm_costs_end(vm);
	log_info("%s: ended: %s", vm->config->name, vm->reason);
	vm_log_use(vm);
	vm_partition_log(vm);
	return vm;
}
