/*
 * Fuzz targets for the virtio devices of VMs. An input is a program of what guests, their back ends and the machine do
 * (program.c); after each step it is checked that the device has kept to what it may do.
 *
 *     program.c   reads the input and does what it says; what has to hold after each step
 *     input.c     its words: addresses, lengths, values
 *     guest.c     a guest: registers, a driver that builds rings and chains, vCPUs that repeat an access
 *     ram.c       its memory: what the device may not touch just now is poisoned; what it has written
 *     chains.c    stands around vmm/virtio/ring.c: which chains a device holds, and whether each was read rightly
 *     kernel.c    the rest of the kernel: time, the log
 *     fuzz_NAME.c one type of device with a back end: its second line names the sources that it is linked with
 *
 * tests/fuzz/fuzz.mk builds and runs them (docs/testing.md).
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include <caisson/types.h>
#include <vmm/vdev.h>
#include <vmm/virtio.h>

/*
 * RAM is 16 GiB of which all but the first 64 pages are those pages again, so that lengths and sums of any size can
 * be right. In the kernel's memory they stand in pairs, and apart from each other.
 */
#define RAM UINT64_C(0x80000000)
#define RAM_SIZE (16 * GiB)
#define RAM_PAGES 64
#define RAM_REAL (RAM_PAGES * PAGE_SIZE)
#define QUEUES_MAX 3
/* Where a driver puts queue q: at the ends of pages, so that parts cross them. */
#define DESC(q) (RAM + 0x800 + (q) * 0x4000)
#define AVAIL(q) (RAM + 0x1f00 + (q) * 0x4000)
#define USED(q) (RAM + 0x2f00 + (q) * 0x4000)
#define TABLES (RAM + 0xc000)
#define TABLES_SIZE 0x4000
#define DATA (RAM + 0x10000)
#define GUESTS_MAX 2
#define VCPUS 2

enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };
enum { FEATURE_INDIRECT = 28, FEATURE_EVENT = 29, FEATURE_VERSION_1 = 32 };
enum {
	REG_OFFERED = 0x10, REG_OFFERED_SELECT = 0x14, REG_ACCEPTED = 0x20, REG_ACCEPTED_SELECT = 0x24,
	REG_QUEUE_SELECT = 0x30, REG_QUEUE_SIZE = 0x38, REG_QUEUE_READY = 0x44, REG_NOTIFY = 0x50, REG_ISR = 0x60,
	REG_ACKNOWLEDGE = 0x64, REG_STATUS = 0x70, REG_DESC = 0x80, REG_AVAIL = 0x90, REG_USED = 0xa0, REG_CONFIG = 0x100,
};

/** The rest of an input. At its end it reads as zeros. */
struct input {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t take8(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

static inline uint16_t take16(struct input *in)
{
	uint16_t low = take8(in);

	return (uint16_t)(low | take8(in) << 8);
}

/* Words of an input (input.c). An address: where things are, at a corner, or far away. */
uint64_t take_address(struct input *in);
/** The length of something: small, or near to where something changes. */
uint32_t take_length(struct input *in);
/** For a register: small numbers, corners, halves of addresses. */
uint32_t take_value(struct input *in);

/** One piece of a chain to be. */
struct piece {
	uint64_t gpa;
	uint32_t len;
	bool write;
};

/** A chain that was offered: its first descriptor in the ring, and where its pieces stand. */
struct offered {
	unsigned q, head, n;
	uint64_t table;
};

/** An access that a vCPU has to do again. */
struct stuck {
	bool active;
	unsigned off, size;
	uint64_t value;
};

struct guest {
	unsigned index;
	struct vdev vdev;
	struct vdev_host host;
	struct vio *dev;
	bool line;                /* its interrupt's level */
	bool ended;               /* the VM has ended and was not booted again */
	struct stuck vcpus[VCPUS];
	/* The driver. */
	bool honest;              /* it has kept to the rules since it began */
	uint32_t size[QUEUES_MAX];/* of its queues */
	uint16_t avail[QUEUES_MAX], used[QUEUES_MAX];
	uint16_t told[QUEUES_MAX];/* avail as of the last kick, or the last that was not wanted */
	uint32_t free[QUEUES_MAX];/* next descriptor */
	unsigned tables;          /* so many are taken */
	/* Memory: as the guest sees it, as it was before the step, in the kernel's eyes. */
	uint8_t *ram, *before, **pages;
	uint8_t *places[2][RAM_PAGES]; /* where pages can be */
	unsigned place;
	/* Bits for pages: the device may touch something there; has been able to in this step; not all zero. */
	uint64_t granted, touched, dirty;
};

struct fuzz_target {
	const struct vio_type *type;
	unsigned guests;
	unsigned drains;          /* a bit for each queue that is empty after a kick that has come to its end */
	bool any_chain;           /* no chain that keeps to the ring's rules is a fault */
	/** Give the guest's device what it stands on; before it is made, and after it is gone. May be NULL. */
	void *(*attach)(struct guest *g);
	void (*detach)(struct guest *g);
	/** A step of the back end. */
	void (*backend)(struct guest *g, uint8_t what, uint16_t arg);
	/** A well-formed request. May be NULL. */
	void (*request)(struct guest *g, struct input *in);
	/** Let the back end answer something that waits. @return was there something? May be NULL. */
	bool (*pump)(void);
	/** What has to hold when nothing waits any more, neither here nor there. May be NULL. */
	void (*settled)(struct guest *g);
	/** What has to hold besides, after each step. May be NULL. */
	void (*check)(struct guest *g);
};

extern const struct fuzz_target fuzz_target;
extern struct guest fuzz_guests[GUESTS_MAX];
extern uint64_t fuzz_time;        /* ticks, which are microseconds */

extern unsigned fuzz_sleeps;      /* in this step */
extern uint64_t fuzz_progress;    /* counted by back ends: bytes or requests that they have got */
extern uint8_t fuzz_flavour;      /* of the target, 0 to 15: from the input's first byte */

/**
 * Called by a back end that the device has called without holding a lock: time for other vCPUs to do something, if
 * the input says so.
 */
void fuzz_meanwhile(void);

/** A rule is broken: say which, and end. */
void fuzz_fail(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
/** With FUZZ_TRACE in the environment: say what is done. */
void fuzz_trace(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Memory (ram.c). */

void ram_make(struct guest *g);
/** All zero, and nothing may be touched. */
void ram_reset(struct guest *g);
/** A VM that is booted has its RAM somewhere else. */
void ram_move(struct guest *g);
/** Let the device touch these bytes, which are in RAM; or not any more. */
void ram_grant(struct guest *g, uint64_t gpa, uint64_t n);
void ram_revoke(struct guest *g, uint64_t gpa, uint64_t n);
/** Whatever the device asks for may be touched (while it looks for tables of descriptors). */
void ram_grant_what_is_asked(bool on);
/** Nothing may be touched. */
void ram_revoke_all(struct guest *g);
/** All that has changed since the last check was for the device to write. */
void ram_check(struct guest *g);
bool ram_has(uint64_t gpa, uint64_t n);
/** The guest's own accesses; what is not in RAM is not written and reads as zero. */
void ram_put(struct guest *g, uint64_t gpa, const void *data, size_t n);
void ram_get(const struct guest *g, uint64_t gpa, void *data, size_t n);
uint16_t ram_get16(const struct guest *g, uint64_t gpa);
/** Memory is out after n more calls; -1: it is not. */
void ram_fail_after(int n);
/** After n more calls of the device for memory another vCPU writes this there. */
void ram_race(struct guest *g, unsigned n, uint64_t gpa, const void *data, unsigned len);
bool ram_raced(void);      /* since it was asked last */
bool ram_failed(void);     /* the same, of memory that was out */
/** A step begins: count its work anew. */
void ram_step(void);

/* Chains (chains.c). */

/** Grant what the device may touch: rings, and the chains that it holds. */
void chains_grant(struct guest *g);
/** Rings too of a device that does not run yet. */
void chains_grant_rings(struct guest *g);
/** @return may the device have written this byte of the guest's in this step? If so, *until: where that ends. */
bool chains_may_write(const struct guest *g, uint64_t gpa, uint64_t *until);
/** Devices hold what they say they hold. */
void chains_check(const struct guest *g);
/** Those that were pushed in this step are forgotten. */
void chains_step(void);
void chains_forget_all(void);
extern uint64_t chains_written; /* bytes that devices say they have written, ever */
unsigned chains_held(const struct guest *g);

/* Guests (guest.c). */

void guest_make(struct guest *g);
void guest_destroy(struct guest *g);
/** The VM ends, and is booted again. */
void guest_end(struct guest *g);
void guest_boot(struct guest *g);
/** A vCPU's access. It stays with that vCPU if it has to be done again. */
void reg_write(struct guest *g, unsigned off, unsigned size, uint64_t value);
uint64_t reg_read(struct guest *g, unsigned off, unsigned size);
/** Do those again that have to be. @return are there still some? */
bool guest_retry(struct guest *g);
/** Until there are none, in all guests, the back ends answering. */
void guest_settle(void);
/**
 * Begin anew with these features, with all its queues of this size.
 * @param bad  0; 1: the first queue is not aligned; 2: it is not in RAM
 */
void guest_begin(struct guest *g, uint64_t features, unsigned size, unsigned bad);
/** Offer a chain of these pieces in descriptors of the ring, or of a table. */
struct offered guest_offer(struct guest *g, unsigned q, const struct piece *pieces, unsigned n, bool indirect);
void guest_kick(struct guest *g, unsigned q);
/** Kick if the device wants that (2.7.13.4). */
void guest_kick_if_wanted(struct guest *g, unsigned q);
/** Take what the device has used, acknowledge interrupts. */
void guest_take(struct guest *g);

/* Steps (program.c): around everything in which a device may do something. */

void step_begin(void);
void step_end(void);
/** Is this in the middle of another step? */
bool step_is_within(void);
