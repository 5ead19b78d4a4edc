/*
 * A vCPU's performance counters (SBI 3.0, "Performance Monitoring Unit Extension").
 *
 * Counters 0 and 1 are the hart's cycle and instret, as they go on while the vCPU's task has a hart. As long
 * as the guest has not given such a counter an event, it reads the hart's own CSR, which costs nothing and counts
 * for everybody; from then on its reads trap, and it sees the vCPU's own. The others are firmware
 * counters: views of numbers that are counted anyway.
 */
#pragma once

#include <caisson/types.h>

enum { COUNTER_CYCLE, COUNTER_INSTRET, COUNTER_FIRMWARE, COUNTERS = COUNTER_FIRMWARE + 8 };

/** Event numbers: type in bits 19 to 16, code below. */
#define EVENT(type, code) ((uint32_t)(type) << 16 | (code))
#define EVENT_TYPE(event) ((event) >> 16)
#define EVENT_CODE(event) ((event) & 0xffff)
#define EVENT_NONE 0 /* never a valid event */
#define EVENT_CYCLES EVENT(0, 1)
#define EVENT_INSTRUCTIONS EVENT(0, 2)
#define EVENT_TYPE_FIRMWARE 15
/** Codes of firmware events: the standard ones, then ours: exits by kind (enum exit_kind). */
enum fw_event {
	FW_MISALIGNED_LOAD, FW_MISALIGNED_STORE, FW_ACCESS_LOAD, FW_ACCESS_STORE, FW_ILLEGAL_INSN, FW_SET_TIMER,
	FW_IPI_SENT, FW_IPI_RECEIVED, FW_FENCE_I_SENT, FW_FENCE_I_RECEIVED, FW_SFENCE_SENT, FW_SFENCE_RECEIVED,
	FW_SFENCE_ASID_SENT, FW_SFENCE_ASID_RECEIVED,
	FW_EVENTS,
	FW_EXITS = 256,
};

struct vcpu;

struct vcpu_counters {
	struct counter {
		uint64_t value;   /* while it counts: to be added to what it counts */
		uint32_t event;   /* EVENT_NONE: none is configured */
		bool started;
	} counters[COUNTERS];
	unsigned hardware_started; /* how many of the first two */
	uint64_t events[FW_EVENTS];
};

/* Of the vCPU that runs, in exit handlers; n is a counter that is there. */

/** Are the hart's own counters there for guests, too? (The firmware counters always are.) */
bool vcpu_has_counter(const struct vcpu *v, unsigned n);
/** Can counter n count this event (a whole register; data: its event_data)? */
bool vcpu_counter_fits(const struct vcpu *v, unsigned n, uint64_t event, uint64_t data);
/** Give a counter that does not count its event; the value stays. EVENT_NONE: as at the start, value 0. */
void vcpu_counter_configure(struct vcpu *v, unsigned n, uint32_t event);
/** Begin and end counting. */
void vcpu_counter_start(struct vcpu *v, unsigned n);
void vcpu_counter_stop(struct vcpu *v, unsigned n);
uint64_t vcpu_counter_read(const struct vcpu *v, unsigned n);
/** Set the value of a counter that does not count. */
void vcpu_counter_write(struct vcpu *v, unsigned n, uint64_t value);
/** All as at power-on. */
void vcpu_counters_reset(struct vcpu *v);
/** One vCPU does something to another one of its VM: `sent` here, the event after it there. */
void vcpu_count_sent(struct vcpu *from, struct vcpu *to, enum fw_event sent);
