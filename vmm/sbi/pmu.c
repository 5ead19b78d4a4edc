/* SBI Performance Monitoring Unit extension ("Performance Monitoring Unit Extension (EID #0x504D55)"). */
#include <vmm/memory.h>
#include <vmm/sbi.h>
#include <vmm/vm.h>

enum {
	NUM_COUNTERS, COUNTER_GET_INFO, CONFIG_MATCHING, COUNTER_START, COUNTER_STOP, COUNTER_FW_READ,
	COUNTER_FW_READ_HI, SNAPSHOT_SET_SHMEM, EVENT_GET_INFO,
};

#define CONFIG_SKIP_MATCH BIT(0)
#define CONFIG_CLEAR_VALUE BIT(1)
#define CONFIG_AUTO_START BIT(2)
#define CONFIG_FLAGS BITS(7, 0) /* 3 to 7: modes not to be counted; hints, which this hardware cannot follow */
#define START_SET_VALUE BIT(0)
#define START_SNAPSHOT BIT(1)
#define STOP_RESET BIT(0)
#define STOP_SNAPSHOT BIT(1)

#define INFO_FIRMWARE BIT(63)
#define INFO_WIDTH(bits) ((uint64_t)((bits) - 1) << 12)
#define CSR_CYCLE 0xc00
#define CSR_INSTRET 0xc02

static enum vcpu_next get_info(struct vcpu *v, uint64_t n)
{
	if (!vcpu_has_counter(v, (unsigned)MIN(n, COUNTERS)))
		return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
	if (n >= COUNTER_FIRMWARE)
		return sbi_return(v, SBI_SUCCESS, INFO_FIRMWARE);
	return sbi_return(v, SBI_SUCCESS, INFO_WIDTH(64) | (n == COUNTER_CYCLE ? CSR_CYCLE : CSR_INSTRET));
}

/* Arguments 0 and 1 name a set of counters. @return false: not all of them are there. */
static bool counter_set(const struct vcpu *v, uint64_t *set)
{
	uint64_t base = sbi_arg(v, 0), mask = sbi_arg(v, 1);

	*set = mask << (base & 63);
	if (mask && (base >= COUNTERS || *set >> base != mask))
		return false;
	for (unsigned n = 0; *set >> n; n++)
		if ((*set >> n & 1) && !vcpu_has_counter(v, n))
			return false;
	return true;
}

static bool started(const struct vcpu *v, unsigned n)
{
	return v->counters.counters[n].started;
}

static bool configured(const struct vcpu *v, unsigned n)
{
	return v->counters.counters[n].event != EVENT_NONE;
}

/* The first counter of the set that is free and can count the event; with SKIP_MATCH it has to be the first of all. */
static unsigned find(const struct vcpu *v, uint64_t set, uint64_t flags, uint64_t event, uint64_t data)
{
	for (unsigned n = 0; n < COUNTERS; n++) {
		bool free = flags & CONFIG_SKIP_MATCH ? !started(v, n) : !configured(v, n);

		if (!(set >> n & 1))
			continue;
		if (free && vcpu_counter_fits(v, n, event, data))
			return n;
		if (flags & CONFIG_SKIP_MATCH)
			break;
	}
	return COUNTERS;
}

static enum vcpu_next config_matching(struct vcpu *v)
{
	uint64_t flags = sbi_arg(v, 2), set;
	unsigned n;

	if (!counter_set(v, &set) || flags & ~CONFIG_FLAGS)
		return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
	n = find(v, set, flags, sbi_arg(v, 3), sbi_arg(v, 4));
	if (n == COUNTERS)
		return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
	vcpu_counter_configure(v, n, (uint32_t)sbi_arg(v, 3));
	if (flags & CONFIG_CLEAR_VALUE)
		vcpu_counter_write(v, n, 0);
	if (flags & CONFIG_AUTO_START)
		vcpu_counter_start(v, n);
	return sbi_return(v, SBI_SUCCESS, n);
}

/* What cannot be started or stopped as a whole, before anything is changed. */
static long check_set(const struct vcpu *v, uint64_t flags, uint64_t known, uint64_t snapshot, uint64_t *set)
{
	if (!counter_set(v, set) || flags & ~known)
		return SBI_ERR_INVALID_PARAM;
	return flags & snapshot ? SBI_ERR_NO_SHMEM : SBI_SUCCESS;
}

/* One that has no event counts nothing: it cannot be started. */
static bool all_configured(const struct vcpu *v, uint64_t set)
{
	for (unsigned n = 0; n < COUNTERS; n++)
		if ((set >> n & 1) && !configured(v, n))
			return false;
	return true;
}

static long start_all(struct vcpu *v)
{
	uint64_t flags = sbi_arg(v, 2), set;
	long error = check_set(v, flags, START_SET_VALUE | START_SNAPSHOT, START_SNAPSHOT, &set);

	if (error)
		return error;
	if (!all_configured(v, set))
		return SBI_ERR_INVALID_PARAM;
	for (unsigned n = 0; n < COUNTERS; n++) {
		if (!(set >> n & 1))
			continue;
		if (started(v, n)) {
			error = SBI_ERR_ALREADY_STARTED;
			continue;
		}
		if (flags & START_SET_VALUE)
			vcpu_counter_write(v, n, sbi_arg(v, 3));
		vcpu_counter_start(v, n);
	}
	return error;
}

static long stop_all(struct vcpu *v)
{
	uint64_t flags = sbi_arg(v, 2), set;
	long error = check_set(v, flags, STOP_RESET | STOP_SNAPSHOT, STOP_SNAPSHOT, &set);

	if (error)
		return error;
	for (unsigned n = 0; n < COUNTERS; n++) {
		if (!(set >> n & 1))
			continue;
		if (started(v, n))
			vcpu_counter_stop(v, n);
		else
			error = SBI_ERR_ALREADY_STOPPED;
		if (flags & STOP_RESET)
			vcpu_counter_configure(v, n, EVENT_NONE);
	}
	return error;
}

static enum vcpu_next fw_read(struct vcpu *v, bool high)
{
	uint64_t n = sbi_arg(v, 0);

	if (n < COUNTER_FIRMWARE || n >= COUNTERS)
		return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
	return sbi_return(v, SBI_SUCCESS, high ? 0 : vcpu_counter_read(v, (unsigned)n));
}

/* --- which events there are --- */

struct event_info {
	uint32_t event; /* bits 31 to 20 are 0 */
	uint32_t there;
	uint64_t data;
};

/** One call asks for at most so many. */
#define EVENTS_MAX 4096
#define EVENTS_AT_ONCE 16

static bool well_formed(uint32_t event)
{
	const unsigned raw = 2, raw_v2 = 3;
	unsigned type = EVENT_TYPE(event);

	if (type == raw || type == raw_v2)
		return EVENT_CODE(event) == 0;
	return type < raw || type == EVENT_TYPE_FIRMWARE;
}

static bool any_counts(const struct vcpu *v, const struct event_info *e)
{
	/* Elsewhere it is not looked at. */
	uint64_t data = EVENT_TYPE(e->event) < 2 ? 0 : e->data;

	for (unsigned n = 0; n < COUNTERS; n++)
		if (vcpu_counter_fits(v, n, e->event, data))
			return true;
	return false;
}

static long answer(struct vcpu *v, gpa_t at, unsigned n)
{
	struct event_info e[EVENTS_AT_ONCE];

	if (guest_read(v->vm, at, e, n * sizeof(e[0])))
		return SBI_ERR_FAILED;
	for (unsigned i = 0; i < n; i++) {
		if (!well_formed(e[i].event))
			return SBI_ERR_INVALID_PARAM;
		e[i].there = any_counts(v, &e[i]);
	}
	return guest_write(v->vm, at, e, n * sizeof(e[0])) ? SBI_ERR_FAILED : SBI_SUCCESS;
}

/* In task context: there may be many. */
static void answer_all(struct vcpu *v)
{
	uint64_t at = sbi_arg(v, 0), left = sbi_arg(v, 2);
	long error = SBI_SUCCESS;

	while (left && !error) {
		unsigned n = (unsigned)MIN(left, EVENTS_AT_ONCE);

		error = answer(v, GPA(at), n);
		at += n * sizeof(struct event_info);
		left -= n;
	}
	sbi_return(v, error, 0);
}

static enum vcpu_next event_get_info(struct vcpu *v)
{
	uint64_t low = sbi_arg(v, 0), high = sbi_arg(v, 1), n = sbi_arg(v, 2);

	if (sbi_arg(v, 3) || !IS_ALIGNED(low, sizeof(struct event_info)))
		return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
	/* No RAM is larger than half of the address space. */
	if (high || n > BITS(58, 0) || !guest_in_ram(v->vm, GPA(low), n * sizeof(struct event_info)))
		return sbi_return(v, SBI_ERR_INVALID_ADDRESS, 0);
	if (n > EVENTS_MAX)
		return sbi_return(v, SBI_ERR_FAILED, 0);
	return vcpu_defer(v, answer_all);
}

static enum vcpu_next pmu_call(struct vcpu *v)
{
	switch (sbi_fid(v)) {
	case NUM_COUNTERS:
		return sbi_return(v, SBI_SUCCESS, COUNTERS);
	case COUNTER_GET_INFO:
		return get_info(v, sbi_arg(v, 0));
	case CONFIG_MATCHING:
		return config_matching(v);
	case COUNTER_START:
		return sbi_return(v, start_all(v), 0);
	case COUNTER_STOP:
		return sbi_return(v, stop_all(v), 0);
	case COUNTER_FW_READ:
	case COUNTER_FW_READ_HI:
		return fw_read(v, sbi_fid(v) == COUNTER_FW_READ_HI);
	case EVENT_GET_INFO:
		return event_get_info(v);
	case SNAPSHOT_SET_SHMEM: /* optional; not here */
	default:
		return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
	}
}

SBI_EXT(pmu) = { "pmu", SBI_EXT_PMU, SBI_EXT_PMU, pmu_call };
