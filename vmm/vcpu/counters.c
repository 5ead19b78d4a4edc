/* A vCPU's performance counters: counting, and what is switched with the vCPU (vmm/counters.h says what they are). */
#include <arch/cpu.h>
#include <arch/hext.h>
#include <vmm/sbi.h>
#include <vmm/vcpu.h>
#include <vmm/vm.h>

#include "vcpu_internal.h"

/* What we see of what guests do. Illegal instructions and misaligned accesses go straight to the guest. */
static const uint64_t countable = BIT(FW_ACCESS_LOAD) | BIT(FW_ACCESS_STORE) | BIT(FW_SET_TIMER) |
				  BIT(FW_IPI_SENT) | BIT(FW_IPI_RECEIVED) | BIT(FW_FENCE_I_SENT) |
				  BIT(FW_FENCE_I_RECEIVED) | BIT(FW_SFENCE_SENT) | BIT(FW_SFENCE_RECEIVED) |
				  BIT(FW_SFENCE_ASID_SENT) | BIT(FW_SFENCE_ASID_RECEIVED);

static struct counter *counter(struct vcpu *v, unsigned n)
{
	return &v->counters.counters[n];
}

bool vcpu_has_counter(const struct vcpu *v, unsigned n)
{
	if (n >= COUNTER_FIRMWARE)
		return n < COUNTERS;
	return hext.counters && vm_has_ext(v->vm, ISA_ZICNTR);
}

static bool firmware_counts(uint64_t event)
{
	uint64_t code = EVENT_CODE(event);

	return code < FW_EVENTS ? countable >> code & 1 : code >= FW_EXITS && code < FW_EXITS + EXIT_KINDS;
}

bool vcpu_counter_fits(const struct vcpu *v, unsigned n, uint64_t event, uint64_t data)
{
	if (data || !vcpu_has_counter(v, n))
		return false;
	if (n < COUNTER_FIRMWARE)
		return event == (n == COUNTER_CYCLE ? EVENT_CYCLES : EVENT_INSTRUCTIONS);
	return EVENT_TYPE(event) == EVENT_TYPE_FIRMWARE && firmware_counts(event);
}

/* What goes on counting, whoever looks. */
static uint64_t source(const struct vcpu *v, unsigned n)
{
	uint32_t code = EVENT_CODE(v->counters.counters[n].event);

	if (n == COUNTER_CYCLE)
		return cpu_cycle();
	if (n == COUNTER_INSTRET)
		return cpu_instret();
	if (code >= FW_EXITS)
		return v->exits[code - FW_EXITS];
	return __atomic_load_n(&v->counters.events[code], __ATOMIC_RELAXED);
}

/* set_timer is counted only for those that want to know: all others find the plain function. */
static bool wants_timers(const struct vcpu *v)
{
	for (unsigned n = COUNTER_FIRMWARE; n < COUNTERS; n++)
		if (v->counters.counters[n].event == EVENT(EVENT_TYPE_FIRMWARE, FW_SET_TIMER))
			return true;
	return false;
}

uint64_t vcpu_counteren(const struct vcpu *v)
{
	uint64_t open = vm_has_ext(v->vm, ISA_ZICNTR) ? COUNTEREN_TM : 0;

	if (!vcpu_has_counter(v, COUNTER_CYCLE))
		return open;
	if (v->counters.counters[COUNTER_CYCLE].event == EVENT_NONE)
		open |= COUNTEREN_CY;
	if (v->counters.counters[COUNTER_INSTRET].event == EVENT_NONE)
		open |= COUNTEREN_IR;
	return open;
}

static void events_changed(struct vcpu *v)
{
	v->sbi = wants_timers(v) ? sbi_counting_slots : sbi_slots;
	v->csrs.hcounteren = vcpu_counteren(v);
	vcpu_live_set_hcounteren(v->csrs.hcounteren);
}

void vcpu_counter_configure(struct vcpu *v, unsigned n, uint32_t event)
{
	struct counter *c = counter(v, n);

	c->event = event;
	if (event == EVENT_NONE)
		c->value = 0;
	events_changed(v);
}

void vcpu_counter_start(struct vcpu *v, unsigned n)
{
	struct counter *c = counter(v, n);

	c->started = true;
	c->value -= source(v, n);
	v->counters.hardware_started += n < COUNTER_FIRMWARE;
}

void vcpu_counter_stop(struct vcpu *v, unsigned n)
{
	struct counter *c = counter(v, n);

	c->started = false;
	c->value += source(v, n);
	v->counters.hardware_started -= n < COUNTER_FIRMWARE;
}

uint64_t vcpu_counter_read(const struct vcpu *v, unsigned n)
{
	const struct counter *c = &v->counters.counters[n];

	return c->started ? c->value + source(v, n) : c->value;
}

void vcpu_counter_write(struct vcpu *v, unsigned n, uint64_t value)
{
	counter(v, n)->value = value;
}

void vcpu_counters_reset(struct vcpu *v)
{
	for (unsigned n = 0; n < COUNTERS; n++)
		*counter(v, n) = (struct counter){ .event = EVENT_NONE };
	v->counters.hardware_started = 0;
	v->sbi = sbi_slots;
}

void vcpu_counters_switch_in(struct vcpu *v)
{
	for (unsigned n = 0; n < COUNTER_FIRMWARE; n++)
		if (counter(v, n)->started)
			counter(v, n)->value -= source(v, n);
}

void vcpu_counters_switch_out(struct vcpu *v)
{
	for (unsigned n = 0; n < COUNTER_FIRMWARE; n++)
		if (counter(v, n)->started)
			counter(v, n)->value += source(v, n);
}

void vcpu_count_sent(struct vcpu *from, struct vcpu *to, enum fw_event sent)
{
	from->counters.events[sent]++;
	__atomic_fetch_add(&to->counters.events[sent + 1], 1, __ATOMIC_RELAXED);
}

/* --- reads that trap --- */

#define OPCODE_SYSTEM 0x73
#define CSR_CYCLE 0xc00

/* csrrs, csrrc and their immediate forms with nothing to set or clear: the ways to read a CSR. */
static bool is_csr_read(uint32_t insn)
{
	return (insn & 0x7f) == OPCODE_SYSTEM && (insn >> 12 & 2) && (insn >> 15 & 31) == 0;
}

/* A counter CSR that the guest may read where it is, by its bit in scounteren: user programs need scounteren, too. */
static bool readable(const struct vcpu *v, unsigned bit)
{
	unsigned n = bit == 0 ? COUNTER_CYCLE : COUNTER_INSTRET;

	if ((bit != 0 && bit != 2) || v->counters.counters[n].event == EVENT_NONE)
		return false;
	return (vcpu_live_sstatus() & SSTATUS_SPP) || (vcpu_live_scounteren() & BIT(bit));
}

bool vcpu_is_counter_read(const struct vcpu *v, uint32_t insn)
{
	return is_csr_read(insn) && readable(v, (insn >> 20) - CSR_CYCLE);
}

enum vcpu_next vcpu_read_counter(struct vcpu *v, uint32_t insn)
{
	uint64_t value = vcpu_counter_read(v, insn >> 20 == CSR_CYCLE ? COUNTER_CYCLE : COUNTER_INSTRET);

	vcpu_count_exit(v, EXIT_VIRTUAL_INSN);
	vcpu_live_skip(4);
	return vcpu_set_register(v, insn >> 7 & 31, value);
}
