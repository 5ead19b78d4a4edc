/*
 * Virtual devices. One file per device registers one structure; creating a VM
 * goes through the table. Registers are answered through the device areas of
 * the VM's address space (caisson/aspace.h, struct device_ops).
 *
 * A device knows the VM only through struct vdev_host, so each runs in host
 * unit tests. Register functions are called with interrupts off, from any vCPU
 * of the VM at the same time: a device guards its state with its own lock.
 * Lock order: device lock -> interrupt controller lock -> (vCPU set_irq, no lock).
 */
#pragma once

#include <caisson/aspace.h>
#include <caisson/time.h>
#include <caisson/types.h>

struct dt_writer;
struct vdev;

/** How a device ends its VM. */
enum vdev_end { VDEV_SHUTDOWN, VDEV_FAIL, VDEV_RESET, VDEV_WATCHDOG };

/** What became of a byte for the console. */
enum vdev_output {
	VDEV_TAKEN,
	VDEV_SLOW,  /* taken; no more, please, until vuart_output_ready */
	VDEV_FULL,  /* not taken: the access is to be done again (-EAGAIN) */
};

/** What a device may ask of its VM. */
struct vdev_host {
	/** Drive an interrupt source of the VM's controller to a level. */
	void (*irq_level)(void *vm, unsigned source, bool level);
	/** Drive the external-interrupt line of a vCPU (the interrupt controller's output). */
	void (*vcpu_ext_irq)(void *vm, unsigned vcpu, bool level);
	/** A byte out of the VM's console. */
	enum vdev_output (*console_put)(void *vm, char byte);
	/** As many bytes out of the VM's console as it takes now. @return how many; 0: it is slow, try again */
	size_t (*console_write)(void *vm, const char *buf, size_t n);
	/** Does what it wrote still wait, so that it would get VDEV_SLOW? Called with the device's lock held. */
	bool (*console_slow)(void *vm);
	/** There is room again for what is typed (after the device took less than it was offered). */
	void (*console_ready)(void *vm);
	/** End the VM: shutdown (failure false) or crash with status, or reset. */
	void (*vm_end)(void *vm, enum vdev_end how, int status);
	uint64_t (*time_ns)(void);        /* monotonic */
	/** Time of day, ns since 1970 UTC. NULL: not known, and a clock then counts from the start. */
	uint64_t (*wall_ns)(void);
	/**
	 * Call dev->type->alarm(dev) once when time_ns() reaches `at` (UINT64_MAX: forget it); a
	 * new time replaces the earlier one. Called with the device's lock held. NULL: there are
	 * no alarms, and devices offer none.
	 */
	void (*alarm_set)(void *vm, struct vdev *dev, uint64_t at);
	/** Does its guest run: started, not paused, not ended? */
	bool (*runs)(void *vm);
	unsigned n_vcpus;
	unsigned watchdog_s;              /* first period of its watchdog, seconds; 0: it has none */
	void *vm;
};

struct vdev_type {
	const char *name;
	uint64_t base, size;              /* its window, guest-physical; types of the table only have a base */
	struct device_ops ops;            /* registers; dev argument is vdev->state */
	/** Allocate and reset the state. @return 0, -ENOMEM, -EINVAL (too many vCPUs for it), -ENXIO (this VM has no such device). NULL: it has no state. */
	int (*create)(struct vdev *dev);
	void (*destroy)(struct vdev *dev); /* NULL: as create */
	/** Power-on state. NULL: as create. */
	void (*reset)(struct vdev *dev);
	/** The VM has ended, and its vCPUs' tasks go: nothing may be driven until reset. NULL: only its vCPUs drive it. */
	void (*stop)(struct vdev *dev);
	/** Copy the whole state out (snapshot). @return bytes: written, or needed if size is less. */
	size_t (*save)(struct vdev *dev, void *buf, size_t size);
	/** Copy it in again, having checked it. @return 0 or -EINVAL (nothing is changed). */
	int (*restore)(struct vdev *dev, const void *buf, size_t size);
	/** The alarm set with host->alarm_set is due. Interrupts off, no lock held. NULL: it sets none. */
	void (*alarm)(struct vdev *dev);
	/** Write its node into /soc, which is open; intc is the phandle of the VM's interrupt controller. */
	void (*write_node)(struct vdev *dev, struct dt_writer *w, uint32_t intc);
};

struct vdev {
	const struct vdev_type *type;
	const struct vdev_host *host;
	void *state;
	struct timer timer;               /* its VM's: of alarm_set */
	uint64_t base;                    /* of its window, guest-physical */
	unsigned irq;                     /* its source, for types of which a VM can have several */
	void *backend;                    /* what it shows to the guest, for such types */
};

/** Put a device type into the table. */
#define VDEV_TYPE(name) const struct vdev_type name IN_SECTION(".vdev_types") ALIGNED_TO(8)

/* The PLIC (vmm/device/vplic.c): RISC-V PLIC specification 1.0.0. */
extern const struct vdev_type vplic_type;
/** A device drives its source (1 to 95) up or down. Any context. */
void vplic_set_level(struct vdev *plic, unsigned source, bool level);

/* The UART (vmm/device/vuart.c): 16550A with 16-byte FIFOs. */
extern const struct vdev_type vuart_type;
/** Offer received bytes. Any context. @return how many it took (4 KiB are queued beyond the FIFO). */
size_t vuart_input(struct vdev *uart, const char *buf, size_t n);
/** The line goes into the BREAK condition and out again, behind the bytes offered so far. Any context. @return false: no room */
bool vuart_break(struct vdev *uart) __must_check;
/** Has the guest asked to be interrupted by what it receives? Any context. */
bool vuart_listens(const struct vdev *uart);
/** The console takes output again, after VDEV_SLOW. Any context. */
void vuart_output_ready(struct vdev *uart);

/* Test finisher (vmm/device/vfinisher.c) and goldfish real-time clock (vmm/device/vrtc.c). */
extern const struct vdev_type vfinisher_type;
extern const struct vdev_type vrtc_type;
/* Watchdog (vmm/device/vwatchdog.c): DesignWare APB watchdog, in VMs whose description asks for one. */
extern const struct vdev_type vwatchdog_type;

/* A channel between VMs (vmm/device/vchannel.c); backend is the struct channel_end. Not in the table. */
extern const struct vdev_type vchannel_type;

/*
 * Helpers for devices (vmm/device/common.c).
 *
 * As on a bus, an access that is misaligned or wider than a register bank takes is done in naturally
 * aligned pieces of at most `max` bytes, low addresses first. A piece that the device does not answer
 * ends it: earlier pieces have happened. For pieces vdev_is_whole holds.
 */
static inline bool vdev_is_whole(uint64_t off, unsigned size, unsigned max)
{
	return !(off & (size - 1) & 7) && (max >= 8 || size <= max); /* none is wider than 8 */
}

int vdev_split_read(const struct device_ops *ops, void *state, uint64_t off, unsigned size,
		    unsigned max, uint64_t *value);
int vdev_split_write(const struct device_ops *ops, void *state, uint64_t off, unsigned size,
		     unsigned max, uint64_t value);

/** Begin the node name@base with its compatible strings (n bytes, each ended by a zero) and reg. */
void vdev_begin_node(struct dt_writer *w, const char *name, const char *compatible, size_t n,
		     uint64_t base, uint64_t size);
/** Give the node its interrupt. */
void vdev_node_interrupt(struct dt_writer *w, uint32_t intc, uint32_t source);
