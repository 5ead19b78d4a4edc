/*
 * The virtual PLIC's state, shared by its registers (vplic.c) and its life cycle
 * (vplic_state.c).
 */
#pragma once

#include <caisson/spinlock.h>
#include <vmm/vdev.h>

#define VPLIC_SOURCES 95  /* 1 to 95, as QEMU's virt */
#define VPLIC_IDS (VPLIC_SOURCES + 1)
#define VPLIC_WORDS 2     /* 64 sources a word */
#define VPLIC_PRIORITIES 8 /* 0 (never) to 7 */
#define VPLIC_SIZE UINT64_C(0x600000)
#define VPLIC_MAX_VCPUS 32

struct vplic_context {
	uint64_t enable[VPLIC_WORDS];
	uint64_t ranks;                   /* which ranks (below) are over the threshold */
	uint32_t threshold;               /* the size is a power of two: found by a shift */
};

/*
 * Context 2n is vCPU n's M-mode, 2n+1 its S-mode, the only one with an output.
 *
 * A source's gateway is level-triggered: a raised level becomes a pending
 * request unless one is in service (claimed, not yet completed); a falling
 * level takes no request back. Hence pending and in_service exclude each other
 * and a raised level is always one of both.
 */
struct vplic {
	spinlock_t lock;                  /* then: vCPU line (no lock) */
	uint64_t lines;                   /* vCPUs whose external interrupt is up */
	uint64_t ranks_pending;           /* bit r: pending[r] is not empty */
	unsigned n_contexts;
	const struct vdev_host *host;
	uint64_t level[VPLIC_WORDS];
	uint64_t in_service[VPLIC_WORDS];
	uint64_t pending[VPLIC_PRIORITIES][VPLIC_WORDS]; /* by rank */
	uint64_t targets[VPLIC_IDS];      /* vCPUs whose S-mode context enables the source */
	uint8_t prio[VPLIC_IDS];
	struct vplic_context context[];
};

/** Rank of a priority: 0 the most urgent, 7 never (over no threshold). */
static inline uint64_t vplic_rank(uint64_t prio)
{
	return VPLIC_PRIORITIES - 1 - prio;
}

/** Lock held, or nobody else knows the context yet. The caller has the line follow. */
static inline void vplic_set_threshold(struct vplic_context *c, uint32_t threshold)
{
	__atomic_store_n(&c->threshold, threshold, __ATOMIC_RELAXED);
	c->ranks = BIT(vplic_rank(threshold)) - 1;
}

/** Bring the line of a vCPU in agreement with its S-mode context. Lock held. */
void vplic_sync_line(struct vplic *p, unsigned vcpu);
/** Record that a context now enables (or not) the sources in `changed` of one word. Lock held. */
void vplic_toggle_targets(struct vplic *p, unsigned context, unsigned word, uint64_t changed);
/** Make a source pending; no line moves. Lock held. */
void vplic_set_pending(struct vplic *p, unsigned source);
/** The pending sources of one word, of whatever priority. */
uint64_t vplic_pending(const struct vplic *p, unsigned word);

int vplic_read(void *dev, uint64_t off, unsigned size, uint64_t *value);
int vplic_write(void *dev, uint64_t off, unsigned size, uint64_t value);
