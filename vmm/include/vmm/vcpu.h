/*
 * A virtual hart.
 *
 * A vCPU is a task with an extension: the task runs vcpu_run(), switching it in
 * and out moves the state that only it has. What others want of it they leave
 * in `requests` and `lines` and then kick it; nobody else touches its CSRs.
 *
 * Where its state is:
 *   registers   in the hart while the guest runs, else in ctx
 *   VS CSRs     in the hart while its task runs there; saved in csrs at switch-out
 *               and loaded again only if the hart or its CSRs were used otherwise
 *   FP          in the hart of fp_owner until dirty state is saved at switch-out; as long as a vCPU has never used it,
 *               it needs no other registers than the others that have not
 */
#pragma once

#include <arch/fp.h>
#include <arch/vcpu.h>
#include <caisson/task.h>
#include <caisson/types.h>
#include <vmm/counters.h>
#include <vmm/fence.h>

struct vm;
struct sbi_slot;
struct mmio_load_slot;
struct mmio_store_slot;
struct vcpu;

/** Why the guest was left; counted per vCPU. */
enum exit_kind {
	EXIT_ECALL, EXIT_MMIO_READ, EXIT_MMIO_WRITE, EXIT_RAM_FAULT, EXIT_BAD_ACCESS, EXIT_WFI,
	EXIT_VIRTUAL_INSN, EXIT_TIMER, EXIT_IPI, EXIT_EXTERNAL, EXIT_OTHER,
	EXIT_KINDS
};

/** "ecall", "mmio-read", ... for statistics. */
const char *exit_kind_name(enum exit_kind kind);

/** Bits of vcpu.requests, set atomically by anybody, served by the vCPU before it enters the guest. */
enum {
	VCPU_REQ_IRQ = 1 << 0,     /* lines or soft changed: bring hvip up to date */
	VCPU_REQ_FENCE = 1 << 2,   /* do what vcpu.fence says (vmm/fence.h) */
	VCPU_REQ_STOP = 1 << 3,    /* the VM ends: leave for good */
	VCPU_REQ_START = 1 << 4,   /* HSM hart_start: begin at start_pc */
	VCPU_REQ_PAUSE = 1 << 5,   /* stay out of the guest until it is cleared */
	VCPU_REQ_SHARE = 1 << 6,   /* the VM's harts or its cap changed */
	VCPU_REQ_RESCHED = 1 << 7, /* what it did has woken a vCPU on its hart: look who runs next */
	VCPU_REQ_STILL = 1 << 8,   /* as VCPU_REQ_PAUSE, for a moment; one that sleeps goes on sleeping (vm_stand_still) */
	VCPU_REQ_STAY = VCPU_REQ_PAUSE | VCPU_REQ_STILL, /* either keeps it out of the guest */
};

/** What the run loop does after the guest was left. */
enum vcpu_leave {
	LEAVE_RESCHED,   /* look at requests and the run queue, go on */
	LEAVE_WFI,       /* wait for an interrupt */
	LEAVE_YIELD,     /* it waits for another vCPU (WRS.NTO): give the hart away for a turn */
	LEAVE_CALL,      /* run vcpu.deferred in task context, interrupts on, go on */
	LEAVE_HSM_STOP,  /* stopped itself; wait for hart_start */
};

struct vcpu {
	struct vcpu_ctx ctx;       /* must be first: the exit code passes its address */
	uint64_t exits[EXIT_KINDS];
	const struct sbi_slot *sbi; /* SBI calls: sbi_slots or sbi_counting_slots (vmm/sbi.h) */
	const struct mmio_load_slot *loads;   /* the VM's devices (vmm/mmio.h) */
	const struct mmio_store_slot *stores;
	struct vcpu_store {
		int (*write)(void *dev, uint64_t off, unsigned size, uint64_t value);
		void *arg;
		uint64_t off, insn;
	} store;                   /* waits for the value of its register */
	struct vm *vm;
	uint64_t siblings;         /* mask of the VM's vCPU ids, its own among them */
	unsigned id;               /* the guest's hart id */
	unsigned hsm_state;        /* atomic, SBI_HSM_* (arch/sbi.h) */
	uint64_t requests;         /* atomic, VCPU_REQ_* */
	uint64_t lines;            /* atomic: wanted levels of hvip.VSEIP and hvip.VSTIP */
	unsigned soft;             /* atomic: an IPI arrived (hvip.VSSIP is to be set) */
	unsigned loaded_hart;      /* hart that holds csrs, if its loaded_vcpu is this one */
	struct vcpu_fence fence;   /* asked for by others */
	int running_on;            /* hart whose run loop is in (or about to enter) the guest, -1: none */
	enum vcpu_leave leave;
	void (*deferred)(struct vcpu *v);
	bool sstc;                 /* the guest's timer is vstimecmp */
	uint8_t exit_kind;         /* COSTS_BY_CAUSE: of the last exit */
	bool alone;                /* its hart is its own (vmm/partition.h): nothing there interrupts it but its own affairs */
	bool fp_used;              /* fp is not as at power-on: it was dirty once */
	uint8_t vector_faults;     /* samples in a row at the guest's own trap vector */
	bool suspended_nonretentive; /* HSM suspend: restart at start_pc when woken */
	uint16_t vmid;             /* its number on loaded_hart */
	uint64_t deadline;         /* otherwise: the SBI timer, ticks; UINT64_MAX: none */

	uint64_t start_pc, start_opaque; /* of the hart_start under way */

	struct vcpu_csrs csrs;
	struct fp_state fp;
	struct task_ext ext;
	struct task *task;         /* NULL before its first start */
	uint64_t past_run_time;    /* ticks on a hart of its tasks that have ended */
	struct waitq wait;
	uint64_t lease;            /* loaded_hart's, under which it has its VMID there (vmm/world.h); 0: none */

	struct timer sample;       /* tells idle from run time while WFI is not trapped */
	uint64_t sampled_at, sampled_early; /* the last look; if equal, it is put back by a period, for one at once */
	uint64_t idle_ticks, guest_ticks;

	struct vcpu_spin {
		struct timer timer;   /* look whether it spins */
		uint64_t after;       /* how long after it gets a hart, ticks */
		uint64_t count;       /* how often it was found spinning */
	} spin;                    /* while others wait for its hart (vmm/vcpu/spin.c) */
	struct vcpu_cap {
		struct timer timer;   /* the VM's cap will be used up */
		uint64_t counted_at;  /* up to when its time on the hart is counted, ticks */
	} cap;                     /* while the VM has one (vmm/share.h) */
	struct vcpu_fwft {
		uint64_t henvcfg;  /* bits of henvcfg that the guest switched on */
		uint32_t locked;   /* features (by number) that it may not change again */
	} fwft;                    /* SBI FWFT; outlasts a suspend, not a hart_start */
	struct vcpu_steal {
		void *record;      /* guest RAM of VCPU_STEAL_SIZE bytes; NULL: the guest does not ask */
		uint64_t withheld; /* ticks that it was paused with something to do */
		uint64_t since;    /* since when it is, if it is withholding (as time_not_waiting) */
		uint64_t from;     /* what had been stolen when the guest asked, ticks */
		uint64_t ns;       /* what stands in the record */
		uint64_t idle_from; /* wait_time when it lost its hart with nothing to do; UINT64_MAX: it had something */
		uint64_t idle_until; /* and when its timer was to wake it, ticks */
		bool withholding;  /* it is paused with something to do */
		uint32_t sequence;
	} steal;                   /* SBI STA; likewise */
	struct vcpu_counters counters; /* SBI PMU; likewise */
	uint64_t costs[IS_ENABLED(CONFIG_COSTS_BY_CAUSE) ? EXIT_KINDS : 0]; /* instructions by exit_kind (vmm/costs.h) */
};

/** Make vCPU `id` of a VM, in HSM state stopped. @return NULL when memory is out. */
struct vcpu *vcpu_create(struct vm *vm, unsigned id) __must_check;
/** The vCPU's task must have ended. */
void vcpu_destroy(struct vcpu *v);
/** Power-on state (made-up context): VS-mode, interrupts off, vsatp 0. Not while its task runs. */
void vcpu_reset(struct vcpu *v);
/**
 * Start (or restart) at pc with a0 = id, a1 = opaque; creates the task on first use, suspended if asked.
 * Task context. @return 0, -ENOMEM.
 */
int vcpu_start(struct vcpu *v, uint64_t pc, uint64_t opaque) __must_check;

/** Leave a request and make sure that it is seen soon. Any context. */
void vcpu_request(struct vcpu *v, uint64_t req);
/** As vcpu_request for VCPU_REQ_STILL: who sleeps is not woken. Any context. */
void vcpu_request_still(struct vcpu *v);

/** Ticks on a hart since it was made. Any context. */
uint64_t vcpu_run_time(const struct vcpu *v);

/** Drive a level line (BIT(IRQ_VS_EXT), BIT(IRQ_VS_TIMER)). Any context, interrupts off. */
void vcpu_set_line(struct vcpu *v, uint64_t bit, bool level);
/** Give the hart to this sibling at the next look, if it waits for it. Exit handlers. @return false: it does not. */
bool vcpu_yield_to(struct vcpu *v);
/** Make VSSIP pending. Any context, interrupts off. */
void vcpu_send_ipi(struct vcpu *v);
/** The same for several vCPUs of a VM, by a mask of their ids: at most one call of the firmware. Interrupts off. */
void vcpu_send_ipis(struct vm *vm, uint64_t vcpus);
/** SBI TIME: next timer interrupt in ticks, ~0: none. v is the running vCPU. */
void vcpu_set_timer(struct vcpu *v, uint64_t deadline);

/** Serve what needs no task context (interrupts, fences). Run loop and exit handlers of v. @return requests left. */
uint64_t vcpu_serve(struct vcpu *v);

/** Bytes of the record for stolen time. */
#define VCPU_STEAL_SIZE 64
/** SBI STA: zero this record in guest RAM and keep it up to date; NULL: no longer. v is the running vCPU. */
void vcpu_steal_set(struct vcpu *v, void *record);

/** Set up the hooks into time and smp. Once. */
void vcpu_init_hooks(void);

/** Continue after the current instruction of `len` bytes. In exit handlers. */
static inline void vcpu_live_skip(unsigned len)
{
	vcpu_live_set_pc(vcpu_live_pc() + len);
}

/** Have the guest make its SBI call once more, when others have had the hart and interrupts were taken. Exit path. */
static inline enum vcpu_next vcpu_call_again(struct vcpu *v)
{
	vcpu_live_set_pc(vcpu_live_pc() - 4); /* an ecall has no short form */
	v->leave = LEAVE_YIELD;
	return VCPU_LEAVE;
}

/** In an exit handler: that was the cause. */
static inline void vcpu_count_exit(struct vcpu *v, enum exit_kind kind)
{
	v->exits[kind]++;
	if (IS_ENABLED(CONFIG_COSTS_BY_CAUSE))
		v->exit_kind = (uint8_t)kind;
}

static inline struct vcpu *vcpu_of(struct vcpu_ctx *ctx)
{
	return container_of(ctx, struct vcpu, ctx);
}

/** As an exit handler's last act: register n becomes this, and the guest goes on. */
static inline enum vcpu_next vcpu_set_register(struct vcpu *v, unsigned n, uint64_t value)
{
	v->ctx.x[n] = value;
	v->ctx.x[0] = 0;
	return likely(vcpu_saved_early(n)) ? VCPU_RESUME : vcpu_give_register(n);
}

/** In an exit handler: leave the guest and do this. */
static inline enum vcpu_next vcpu_leave(struct vcpu *v, enum vcpu_leave why)
{
	v->leave = why;
	return VCPU_LEAVE;
}

/** In an exit handler: run fn in task context, then go on. */
static inline enum vcpu_next vcpu_defer(struct vcpu *v, void (*fn)(struct vcpu *))
{
	v->deferred = fn;
	return vcpu_leave(v, LEAVE_CALL);
}
