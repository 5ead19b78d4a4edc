/*
 * virtio devices that a VM has (virtio 1.2): what all types of them share.
 *
 *     vmm/virtio/mmio.c     the registers of virtio-mmio (4.2)
 *     vmm/virtio/device.c   life of a device: status, features, configuration, interrupts (2.1 to 2.5)
 *     vmm/virtio/ring.c     split virtqueues (2.7); nobody else reads or writes guest memory
 *     vmm/virtio/NAME.c     one type of device each
 *
 * A guest's driver is not trusted. What it says is read once, checked, then used. When it breaks the rules, its
 * device needs a reset (2.1.2): nothing of its queues is looked at until the guest has reset it. Nobody else notices.
 *
 * A chain that was popped from a queue is held until it is pushed back: only then may a reset come to its end, and
 * only then does RAM of the VM go away. So what a type has popped, it has to push, after an error as well.
 *
 * Nothing here sleeps. Lock order: queue lock -> (lock of another VM's receive queue) -> the device's lock
 * -> interrupt controller. A back end may be called with the queue's lock held only if it never calls back
 * before it returns.
 */
#pragma once

#include <caisson/segment.h>
#include <caisson/spinlock.h>
#include <caisson/types.h>
#include <vmm/memory.h>
#include <vmm/vdev.h>

#define VIO_QUEUE_SIZE 256     /* entries that a queue has at most: each of its three parts touches two pages at most */
#define VIO_CONFIG_MAX 64      /* bytes of device configuration */
#define VIO_LABEL_MAX 64
#define VIO_KICK_MAX 64     /* chains that one kick should work on before others get the hart (-EAGAIN) */

/** Device ids, section 5. */
enum { VIO_ID_NET = 1, VIO_ID_BLOCK = 2, VIO_ID_CONSOLE = 3, VIO_ID_ENTROPY = 4 };

struct vio;
struct vio_queue;

struct vio_type {
	const char *name;         /* "virtio-blk" */
	uint32_t id;
	unsigned n_queues;
	/**
	 * Make the state: fill in dev->state, dev->offered (the type's own features), dev->config and dev->config_size.
	 * dev->backend is there. Task context. @return 0 or negative errno, with nothing left behind.
	 */
	int (*create)(struct vio *dev) __must_check;
	void (*destroy)(struct vio *dev);
	/**
	 * The guest has kicked a queue, or a kick is repeated. No lock held, interrupts off, on the vCPU that kicked; several
	 * at the same time. @return 0, or -EAGAIN: more is left than VIO_KICK_MAX, or it has to wait for somebody: the guest's
	 * access is done again when others have had the hart.
	 */
	int (*kick)(struct vio *dev, struct vio_queue *q);
	/** The driver is there (DRIVER_OK): dev->features is what was agreed on. Interrupts off, no lock. May be NULL. */
	void (*start)(struct vio *dev);
	/**
	 * No chain may be popped any more; let go of those that wait for something other than a back end's answer (push them).
	 * Called before a reset and before the VM's end, perhaps several times; interrupts off, no lock. May be NULL.
	 */
	void (*halt)(struct vio *dev);
	/** All chains are back: forget what the driver has said. Interrupts off, no lock. May be NULL. */
	void (*reset)(struct vio *dev);
	/**
	 * The guest has written n bytes of the configuration; they are in dev->config where dev->config_writable allows it.
	 * Interrupts off, no lock. @return 0, or -EAGAIN: it is to be done again when others have had the hart. May be NULL.
	 */
	int (*config_written)(struct vio *dev, unsigned off, unsigned n);
};

/** A part of a ring in the hypervisor's eyes: it touches two pages at most. */
struct vio_part {
	uint64_t gpa;
	char *pages[2];
	uint32_t offset;          /* in the first page */
};

/** A piece of a chain, guest-physical; it is in RAM. */
struct vio_piece {
	uint64_t gpa;
	uint32_t len;
};

/** A chain of descriptors that the guest has offered: first the pieces that the device reads, then those that it writes. */
struct vio_chain {
	uint16_t head;            /* what vio_push wants */
	uint16_t n_read, n_write; /* pieces */
	uint32_t read_len, write_len; /* bytes */
	struct vio_piece pieces[VIO_QUEUE_SIZE];
};

struct vio_queue {
	spinlock_t lock;          /* of everything here */
	struct vio *dev;
	unsigned index;
	bool ready;
	bool moving;              /* RAM of the VM may be moved meanwhile: whoever takes the lock stops that, or finds it moved */
	uint32_t size;            /* entries, as the guest has set it */
	uint64_t gpa[3];          /* descriptors, driver's ring, device's ring: as the guest has set them */
	struct vio_part desc, avail, used;
	uint16_t next_avail;      /* ring index of the next chain to pop */
	uint16_t next_used, told_used; /* the next to push; as of the last vio_publish */
	uint16_t held;            /* popped, not yet pushed; with those still offered no more than size */
	bool starved;             /* atomic: there was no memory to pop the next; a kick that sees that is repeated */
	uint64_t kicks, chains, interrupts; /* counted since the VM was made */
	struct guest_extent near; /* where the last bytes of a chain were found; len 0: nowhere yet */
	struct vio_chain chain;   /* the last one popped */
};

struct vio {
	const struct vio_type *type;
	struct vdev *vdev;
	void *backend, *state;    /* the type's */
	char label[VIO_LABEL_MAX];/* "debian: disk 0", for messages */
	bool live;                /* atomic: the driver is there and keeps to the rules, and the VM has not ended */
	uint64_t offered;         /* features: of the type and of the ring */
	uint64_t features;        /* agreed on; from start to reset */
	uint32_t config_size;
	uint64_t config_writable; /* a bit for each byte that the guest may write */
	uint8_t config[VIO_CONFIG_MAX];
	spinlock_t lock;          /* of the following and of config; then: interrupt controller */
	uint32_t status, isr, generation;
	uint32_t offered_select, accepted_select, queue_select;
	uint64_t accepted;
	bool resetting;
	unsigned broken;          /* how often it came to need a reset */
	uint32_t finishing;       /* atomic: somebody does the end of a reset */
	struct vio_queue queues[];/* type->n_queues */
};

/* Making them. */

struct vm;
/**
 * Give a VM one more virtio device, in the next place (0x1000_1000 on, interrupts from 1). Task context.
 * @param label  what messages call it, beside the VM's name: "disk 0"
 * @return 0 and *out; -ENOSPC: all 8 places are taken; -ENOMEM; what the type's create returned
 */
int vio_add(struct vm *vm, const struct vio_type *type, const char *label, void *backend, struct vio **out) __must_check;

/** The vdev behind which all of them stand; its backend is the struct vio, which it destroys. */
extern const struct vdev_type vio_mmio_type;

/** Room for a device of a type, without its type's state, which vio_mmio_type creates. @return NULL: out of memory */
struct vio *vio_new(const struct vio_type *type, void *backend);

/* For types of devices. */

static inline bool vio_has(const struct vio *dev, unsigned feature)
{
	return dev->features & BIT(feature);
}

/** Is the driver there, and did it keep to the rules? Any context. */
static inline bool vio_runs(const struct vio *dev)
{
	return __atomic_load_n(&dev->live, __ATOMIC_ACQUIRE);
}

/** The driver has broken the rules: the device needs a reset. Any context, with or without a queue's lock. */
void vio_fail(struct vio *dev, const char *fmt, ...) __printf(2, 3);

/** Change the configuration and tell the driver. Any context, no lock of the device held. */
void vio_set_config(struct vio *dev, unsigned off, const void *data, unsigned n);

irqflags_t vio_lock(struct vio_queue *q);
void vio_unlock(struct vio_queue *q, irqflags_t flags);

/**
 * From here on a block of the VM's RAM may move (vmm/fold.h); a queue that is used meanwhile stops that. No vCPU is in the
 * guest. Task context. @return false: a chain is held, and so nothing may move
 */
bool vio_move_begin(struct vio *dev) __must_check;
/** It has moved, or was stopped: each queue finds its rings again. */
void vio_move_end(struct vio *dev);

/* The following with the queue's lock held. */

/**
 * Take the next chain that the guest has offered; it stands in q->chain until the next one. None is popped from a
 * device that does not run. @return true, or false: there is none, or the guest has lied and the device needs a reset,
 * or memory is out (then the kick is repeated, once the type has returned from it).
 */
bool vio_pop(struct vio_queue *q) __must_check;
/** Give the last n popped back, as if they had not been popped. Nothing was pushed since. */
void vio_unpop(struct vio_queue *q, unsigned n);
/** The device is done with a chain, of which it has written so many bytes from the start. */
void vio_push(struct vio_queue *q, uint16_t head, uint32_t written);
/** Show the guest what was pushed, and interrupt it if it wants that. */
void vio_publish(struct vio_queue *q);
/**
 * Ask for a kick when there is a new chain, or for none.
 * @return true: a chain has come meanwhile, and no kick may come for it: pop on. Not when there was no memory for that.
 */
bool vio_want_kick(struct vio_queue *q, bool want);
/** Is there a chain to pop? */
bool vio_is_empty(const struct vio_queue *q);

/** Which pieces of q->chain: those that the device reads, or those that it writes. */
enum vio_side { VIO_READS, VIO_WRITES };

/**
 * Copy out of, or into, q->chain.
 * @param off  byte of that side at which to begin
 * @return bytes copied: fewer than n at the end of the chain, or when memory is out
 */
uint32_t vio_copy_out(struct vio_queue *q, uint32_t off, void *to, uint32_t n);
uint32_t vio_copy_in(struct vio_queue *q, uint32_t off, const void *from, uint32_t n);

/**
 * Where bytes of q->chain stand in the kernel's memory, for a back end that moves them itself. They stay there until
 * the chain is pushed.
 * @param off, n  the bytes of that side
 * @param max     room in segs
 * @param[out] covered  bytes that the segments cover: n, unless there was no room for all
 * @return segments; -ENOMEM: a page of the guest's RAM could not be had. 0 if n is 0 or off is at the end.
 */
int vio_segments(struct vio_queue *q, enum vio_side side, uint32_t off, uint32_t n, struct segment *segs, unsigned max,
		 uint32_t *covered) __must_check;

/* No lock held. */

/** Push, publish: for a back end's answer. Any context. */
void vio_complete(struct vio_queue *q, uint16_t head, uint32_t written);

/* Between mmio.c, device.c and ring.c. */

/** Set a queue up as its registers say. Its lock held. @return 0; -EINVAL, -EFAULT: they are nonsense; -ENOMEM */
int vio_queue_start(struct vio_queue *q) __must_check;
/** Forget all that the guest has said of it. Its lock held; nothing of it is held any more. */
void vio_queue_clear(struct vio_queue *q);

enum { VIO_USED_BUFFER = 1, VIO_CONFIG_CHANGE = 2 };
/** Raise an interrupt for these causes (4.2.2: InterruptStatus), or end it. Any context; a queue's lock may be held. */
void vio_interrupt(struct vio *dev, uint32_t causes);
void vio_acknowledge(struct vio *dev, uint32_t causes);
/** The guest writes the status register. @return 0, or -EAGAIN: a reset waits for chains under way. Interrupts off. */
int vio_set_status(struct vio *dev, uint32_t status);
/** Everything as at power-on. Nothing is under way: its vCPUs are gone, and vio_drain was called. */
void vio_power_on(struct vio *dev);
/** No chain is popped any more; wait until all are back, for as long as back ends take to answer. Task context. */
void vio_drain(struct vio *dev);
