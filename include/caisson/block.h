/*
 * Block devices: numbered sectors of 512 bytes.
 *
 * A driver registers a struct block_device; users find it by name ("vda", "vdb"
 * ... in the order of the device tree) and either hand it requests, of which
 * several may be under way at once, or call the functions that wait.
 */
#pragma once

#include <caisson/list.h>
#include <caisson/segment.h>
#include <caisson/types.h>

#define BLOCK_SECTOR 512 /* bytes */
#define BLOCK_TIMEOUT_US 5000000

enum block_op { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD, BLOCK_WRITE_ZEROES };

/**
 * One request. The caller owns it, its segments (none of them empty) and its data, until done() is called.
 * Data may be on a stack.
 * Discard: what is read afterwards is undetermined until it is written. Zeroes are read as such.
 */
struct block_request {
	enum block_op op;
	bool unmap;           /* zeroes: the device may give the space back */
	uint64_t sector;      /* first, on the device. The device's until done(): a stacked one changes it */
	uint32_t n_sectors;   /* not looked at in a flush */
	unsigned n_segs;      /* read and write: the lengths add up to n_sectors * BLOCK_SECTOR. Else not looked at */
	const struct segment *segs;
	int status;           /* when done: 0 or negative errno (-EIO, -ETIMEDOUT, -ENOMEM ...) */
	/**
	 * Called once, no lock held: in interrupt context, from a caller of poll(), or before block_submit returns, which a
	 * device in memory always does. May submit again, must not wait.
	 */
	void (*done)(struct block_request *rq);
	void *arg;            /* the caller's */
	struct list node;     /* the device's while it has the request */
	uint64_t deadline;    /* the device's: when it gives up, in ticks */
};

struct block_device;

struct block_ops {
	/** Take a request that was checked. @return 0: its done() follows, also when the device fails; -errno: it was not taken. */
	int (*submit)(struct block_device *dev, struct block_request *rq);
	/** Look for finished requests, and for those past their deadline, without an interrupt. NULL: there never are any. */
	void (*poll)(struct block_device *dev);
	/** Nobody uses it any more, and nothing is under way. NULL: it is there for ever. Task context. */
	void (*destroy)(struct block_device *dev);
};

/** Front ends cut what is too large: neither block_submit nor a device does. */
struct block_device {
	const char *name;     /* "vda" */
	const struct block_ops *ops;
	uint64_t n_sectors;   /* a multiple of unit */
	uint32_t max_sectors; /* in one request that reads or writes: a multiple of unit, not 0 */
	unsigned max_segs;    /* the same: not 0 */
	uint32_t unit;        /* sectors: what it reads, writes, discards and zeroes at least, and at multiples of */
	bool read_only;
	bool can_flush;       /* else a write that is done is on the medium */
	bool can_discard;
	bool can_write_zeroes;
	uint32_t max_discard_sectors; /* in one request, 0 if it cannot; a multiple of unit */
	uint32_t max_zeroes_sectors;
	uint32_t discard_unit; /* sectors: only whole ones of these give space back; a hint */
	bool polled;          /* it has no interrupt */
	struct list node;     /* in the list of all devices */
	const uint64_t *memory; /* atomic: pages that its data takes; NULL: it is not in RAM */
	uint32_t users;       /* atomic: of a device that can go */
	struct block_device *part_of; /* NULL: it is no part of another */
	uint64_t part_first;  /* sector there */
};

/** Add a device to the list, for ever. Boot. */
void block_register(struct block_device *dev);
/** @return the device of that name, or NULL. Any context. */
struct block_device *block_find(const char *name);
/** Call fn for each device, in order of registration, until it returns false. */
void block_for_each(bool (*fn)(struct block_device *dev, void *arg), void *arg);

/**
 * Hand a request to its device after checking it. Any context.
 * @return 0: done() follows, or was called already. Else it was not taken: -EINVAL not whole units, beyond the
 * device's end, none, more sectors or segments than the device takes, or segments of another length than the
 * sectors; -EROFS; -ENOTSUP it cannot discard or zero; or the driver's: -EIO the device is dead, -ENOMEM.
 */
int block_submit(struct block_device *dev, struct block_request *rq) __must_check;

/**
 * Transfer n sectors (0 is nothing) and wait, in as many requests as the device needs, several at once. Units need
 * not be kept to: then a whole unit is read, changed and written again. Task context, or boot (then it polls).
 * @return 0; -EINVAL beyond the device's end; -EROFS; -EIO; -ENOMEM; -ETIMEDOUT when the device does not answer in
 * BLOCK_TIMEOUT_US. After an error any part may have been transferred.
 */
int block_read(struct block_device *dev, uint64_t sector, void *data, uint32_t n) __must_check;
int block_write(struct block_device *dev, uint64_t sector, const void *data, uint32_t n) __must_check;
/** The same without data, whole units only. @return also -ENOTSUP; -EINVAL not whole units. */
int block_discard(struct block_device *dev, uint64_t sector, uint64_t n) __must_check;
int block_write_zeroes(struct block_device *dev, uint64_t sector, uint64_t n, bool unmap) __must_check;
/** Look for what is finished, where interrupts are off. Any context. */
void block_poll(struct block_device *dev);
/** What was written before is on the medium when this returns 0. Without a flush command: nothing to do, 0. */
int block_flush(struct block_device *dev) __must_check;

/** One more user of a device, or one less: when there is none, one that can go is destroyed. Task context. */
void block_get(struct block_device *dev);
void block_put(struct block_device *dev);

enum block_mode { BLOCK_SHARED, BLOCK_EXCLUSIVE };

/** Somebody's use of a device, or of the part of one. The caller's memory, until block_release. */
struct block_claim {
	struct block_device *dev; /* the whole; NULL: nothing is claimed */
	uint64_t first, n;    /* sectors of it */
	enum block_mode mode;
	const char *who;      /* must live as long */
	struct list node;     /* in the list of all claims */
};

/**
 * Say that one is going to read a device (BLOCK_SHARED, with others that read), or to write it (BLOCK_EXCLUSIVE, alone).
 * The parts of a device can be claimed by different writers where they do not overlap. Any context.
 * @param who  for the message when another one comes
 * @return 0; -EBUSY with a message that names the other; -EROFS a writer, but the device is read-only
 */
int block_claim(struct block_claim *claim, struct block_device *dev, enum block_mode mode, const char *who) __must_check;
/** Give a claim back; nothing happens if it is none. */
void block_release(struct block_claim *claim);

/** Bytes of RAM that the data of a RAM disk or an overlay in RAM takes now; 0 for other devices. Any context. */
uint64_t block_memory(const struct block_device *dev);
