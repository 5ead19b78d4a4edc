/*
 * A virtual machine: an address space, vCPUs, devices.
 *
 * Life: vm_create (memory and devices, no image yet) -> vm_boot (images loaded,
 * RAM zero, primary vCPU ready, nothing executed) -> vm_start (primary vCPU's
 * task woken) -> ended, with a reason -> vm_boot again or vm_destroy. Between
 * vm_start and its end it can be paused and resumed.
 */
#pragma once

#include <caisson/aspace.h>
#include <caisson/hart.h>
#include <caisson/task.h>
#include <caisson/types.h>
#include <vmm/channel.h>
#include <vmm/config.h>
#include <vmm/costs.h>
#include <vmm/image.h>
#include <vmm/isa.h>
#include <vmm/net.h>
#include <vmm/memory.h>
#include <vmm/mmio.h>
#include <vmm/share.h>
#include <vmm/vcpu.h>
#include <vmm/vdev.h>

#define VM_VDEVS_MAX 24
#define VM_REASON_MAX 160

enum vm_state { VM_CREATED, VM_BOOTED, VM_RUNNING, VM_ENDING, VM_ENDED };
enum vm_held { VM_NOT_HELD, VM_HELD_NEWS /* not seen by the manager yet */, VM_HELD };
enum vm_end { VM_END_NONE, VM_END_SHUTDOWN, VM_END_RESET, VM_END_CRASH, VM_END_STOPPED };

/** What the manager of the VMs means to do with one later. */
enum vm_step {
	VM_STEP_NONE,
	VM_STEP_RESTART,    /* start it again */
	VM_STEP_PRESS,  /* it is being stopped: press the next of the keys that shut its guest down */
	VM_STEP_FORCE,      /* its guest has not shut down in time: end it */
};

struct vm_plan {
	enum vm_step step;
	uint64_t at;        /* ticks */
	unsigned pressed;   /* how many of the keys, but for the first */
};

struct plugin;
struct vio;
struct vm_disk_end;

/** A plug-in that a VM has (vmm/plugin.h). */
struct vm_plugin {
	const struct plugin *type;
	struct vdev *dev;
};

struct vm {
	struct list node;               /* in the VM list */
	unsigned id;                    /* small, unique; also its console channel and log name */
	const struct vm_config *config;
	enum vm_state state;
	enum vm_end end;                /* why it ends; the first reason wins */
	int end_status;                 /* of VM_END_CRASH by the test finisher */
	char reason[VM_REASON_MAX];
	struct aspace space;
	uint64_t isa;                   /* what its guest may use, BIT(enum isa_ext) */
	uint64_t ram_start, ram_size;
	struct image_layout layout;
	unsigned n_vcpus;
	struct vcpu *vcpus[VM_VCPUS_MAX];
	unsigned active;                /* atomic: vCPUs that run or wait in the guest */
	struct mmio_map mmio; /* where its devices are */
	struct vdev vdevs[VM_VDEVS_MAX];
	unsigned n_vdevs;
	struct vio *vios[GUEST_VIRTIO_PLACES]; /* its virtio devices, by place */
	unsigned n_vios;
	struct vm_disk_end *disks;      /* config->n_disks of them (vmm/disks.h); NULL: none */
	struct vdev_host host;
	struct vdev *plic, *uart;
	struct vio *console;            /* its virtio console, or NULL */
	struct vm_plugin plugins[VM_PLUGINS_MAX];
	unsigned n_plugins;
	bool answers_csrs;              /* one of them does: illegal instructions come to us */
	struct channel_end channels[VM_CHANNELS_MAX]; /* config->n_channels of them */
	struct vio_net_backend nets[VM_NETS_MAX]; /* config->n_nets of them */
	struct vm_share share;          /* of the harts */
	struct vm_costs costs;          /* COSTS: what was executed outside guests */
	uint64_t boots;                 /* how often it was started */
	bool paused;                    /* while it is VM_RUNNING: vm_pause, vm_hold */
	bool pause_ordered;             /* by vm_pause, so that vm_unhold is not enough */
	spinlock_t pause_lock;          /* of these; then a vCPU's wait queue */
	enum vm_held held;              /* atomic: is it paused because the machine is out of memory? */
	uint64_t held_at;               /* guest-physical address that it touched then */
	uint64_t started_at;            /* last vm_start, ticks */
	struct vm_plan plan;            /* the manager's */
	unsigned restarts;              /* the manager's: in a row, for the back-off */
	uint64_t own_harts;             /* reserved for it (vmm/partition.h) */
	struct {
		uint64_t next;          /* where to look for a block to fold */
		uint64_t stopped;       /* how many were begun and not folded */
		uint64_t longest;       /* ticks that its vCPUs stood still for one */
	} fold;                         /* the manager's (vmm/fold.h) */
};

/** The VM list (H6). Ids and names are unique. */
int vm_list_add(struct vm *vm) __must_check;   /* -EEXIST: the name is taken */
void vm_list_remove(struct vm *vm);
struct vm *vm_by_id(unsigned id);
struct vm *vm_by_name(const char *name);
/** Call fn for each VM in order of id until it returns false. */
void vm_for_each(bool (*fn)(struct vm *vm, void *arg), void *arg);

/**
 * Create a VM from its description. Task context.
 * @param[out] err  on failure why, with the key or file (err_size bytes)
 * @return 0 and *out; -EINVAL, -E2BIG (configuration), -ENOMEM, -EEXIST (name), -ENODEV (machine lacks what it asks)
 */
int vm_create(const struct vm_config *config, struct vm **out, char *err, size_t err_size) __must_check;
/** Give everything back. The VM must not run. */
void vm_destroy(struct vm *vm);
/** Fresh RAM, images, devices and vCPUs; the primary vCPU's task exists and is not yet woken. @return as vm_create. */
int vm_boot(struct vm *vm, char *err, size_t err_size) __must_check;
/** Give the frames of its RAM back; the next vm_boot makes it anew. The VM must not run. */
void vm_drop_ram(struct vm *vm);
/** Let it run. */
void vm_start(struct vm *vm);
/**
 * End it: every vCPU leaves the guest as soon as it can be reached. The first caller's reason stands.
 * Any context. status: exit status for a crash, 0 otherwise.
 */
void vm_end(struct vm *vm, enum vm_end how, int status, const char *fmt, ...) __printf(4, 5);
/**
 * Wait until some VM has ended (all its vCPU tasks gone) and return it; its tasks are joined. Task context.
 * @param give_up   asked with interrupts off, first and after each vm_interrupt_wait: true ends the wait
 * @param deadline  when to give up in any case, ticks; UINT64_MAX: never
 * @return NULL: it gave up, and no VM had ended
 */
struct vm *vm_wait_ended(bool (*give_up)(void), uint64_t deadline);
void vm_interrupt_wait(void);

/**
 * Keep every vCPU out of the guest until vm_resume. Its devices stay as they are; its time goes on, so that timers
 * that are due meanwhile fire when it is resumed. When this returns 0, no vCPU executes an instruction. Task context.
 * @return 0; -EBUSY it does not run, or is paused; -ETIMEDOUT a vCPU has not come out within a second (it will)
 */
int vm_pause(struct vm *vm) __must_check;
/**
 * Pause it from one of its own vCPUs' exit handlers, because the machine is out of memory. Its access is repeated
 * when it is resumed. Whoever waits in vm_wait_ended is told (vm.held). gpa: what it touched.
 */
void vm_hold(struct vm *vm, uint64_t gpa);
/** Memory came back: end vm_hold. One that vm_pause has paused as well stays so. Any context. */
void vm_unhold(struct vm *vm);
/**
 * Keep every vCPU out of the guest for a moment; those that wait go on waiting. Independent of pauses. Until
 * vm_go_on, no vCPU executes an instruction, and none of their exits looks at the guest's memory, but for the record of stolen time.
 * Task context, interrupts on. @return 0; -ETIMEDOUT: one does not come out at once, and all go on
 */
int vm_stand_still(struct vm *vm) __must_check;
void vm_go_on(struct vm *vm);
/** End either. @return 0, or -EBUSY: it is not paused. Any context. */
int vm_resume(struct vm *vm) __must_check;
/**
 * Press a SysRq key at the guest's consoles (Linux: Documentation/admin-guide/sysrq.rst): a BREAK and the key's letter at
 * the UART, Ctrl-O and the letter at a virtio console.
 * Any context. @return 0; -ENOTCONN: the guest does not listen to its console; -EAGAIN: no room for more input
 */
int vm_sysrq(struct vm *vm, char key) __must_check;
/** Give it an entropy device, if its description asks for one (vmm/vm/virtio.c). @return 0, or negative errno with the reason. */
int vm_entropy_create(struct vm *vm, char *err, size_t err_size) __must_check;
/** Give it the consoles that its description asks for beside the UART. Task context. @return 0, or negative errno with the reason. */
int vm_console_create(struct vm *vm, char *err, size_t err_size) __must_check;
/** Tell its console what size the terminal has; 0: not known. Any context, one caller at a time. */
void vm_console_resize(struct vm *vm, unsigned columns, unsigned rows);
/** Offer its console what was typed. Any context. @return how many bytes it took */
size_t vm_console_input(struct vm *vm, const char *buf, size_t n);
/** The line takes the VM's output again, after VDEV_SLOW. Any context. */
void vm_console_ready(struct vm *vm);
/** One vCPU began / ceased to be active; at zero the VM ends as if shut down. */
void vm_vcpu_active(struct vm *vm);
void vm_vcpu_inactive(struct vm *vm);
/** Time on harts and exits by cause since it was made, into the log. The VM has ended. */
void vm_log_use(const struct vm *vm);
/** Registers of a vCPU into the log, for the crash report. */
void vm_report(struct vm *vm);

/** Make and remove the VM's devices (vmm/vm/devices.c). */
int vm_devices_create(struct vm *vm) __must_check;
void vm_devices_destroy(struct vm *vm);
void vm_devices_reset(struct vm *vm);
/** No alarm goes off after this, and nobody else drives its interrupt lines, until vm_devices_reset. No vCPU may be in the guest. Task context. */
void vm_devices_stop(struct vm *vm);
/** Add one more device. @return 0 (also where this VM has no such device); -ENOSPC, or what its create returned: it is not there;
 *  else it is there, without its window. */
int vm_device_add(struct vm *vm, const struct vdev_type *type, uint64_t base, unsigned irq, void *backend) __must_check;
/** Attach it to the channels that its description names (vmm/vm/channels.c). @return 0, or negative errno with the reason. */
int vm_channels_create(struct vm *vm, char *err, size_t err_size) __must_check;
/** Write the devices' nodes into /soc (struct guest_dt_machine.write_devices; arg is the VM). */
void vm_devices_write_nodes(struct dt_writer *w, void *arg);

/** Build the guest's device tree into buf. @return size or negative errno as guest_dt_build. */
int vm_build_dt(struct vm *vm, void *buf, size_t size, char *err, size_t err_size) __must_check;

/**
 * Give a VM that has not booted one more vCPU. Task context.
 * @param id  the next one: how many it has so far
 * @return 0; -EEXIST: it has that one; -EINVAL: not the next, or it has VM_VCPUS_MAX; -ENOMEM
 */
int vm_vcpu_add(struct vm *vm, unsigned id) __must_check;

/** @return its vCPU of that id (whatever a guest or a person says), or NULL. */
static inline struct vcpu *vm_vcpu(const struct vm *vm, uint64_t id)
{
	return id < vm->n_vcpus ? vm->vcpus[id] : NULL;
}

/** What a VM can be asked (H6). */
static inline unsigned vm_vcpu_count(const struct vm *vm)
{
	return vm->n_vcpus;
}

/** Root of its stage-2 page table. */
static inline hpa_t vm_root_table(const struct vm *vm)
{
	return vm->space.root;
}

/** Its stage-2 format. */
static inline const struct pt_format *vm_format(const struct vm *vm)
{
	return vm->space.format;
}

/** May its guest use the extension? */
static inline bool vm_has_ext(const struct vm *vm, enum isa_ext ext)
{
	return vm->isa & BIT(ext);
}
