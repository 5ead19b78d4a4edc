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
	/** Look for finished requests, and for those past their deadline, without an interrupt. */
	void (*poll)(struct block_device *dev);
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
};

/** Add a device, for ever. Boot. */
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
/** What was written before is on the medium when this returns 0. Without a flush command: nothing to do, 0. */
int block_flush(struct block_device *dev) __must_check;
