/* Finding the extension that answers a call, and what several extensions share. */
#include <errno.h>

#include <caisson/log.h>
#include <vmm/sbi.h>
#include <vmm/vm.h>

#define LOG_NAME "sbi"

extern const struct sbi_ext __sbi_exts_start[], __sbi_exts_end[];

struct sbi_slot sbi_slots[SBI_SLOTS];
struct sbi_slot sbi_counting_slots[SBI_SLOTS];

#define LEGACY_SET_TIMER 0

static enum vcpu_next counted_timer_call(struct vcpu *v)
{
	if (sbi_eid(v) == LEGACY_SET_TIMER || sbi_fid(v) == 0)
		v->counters.events[FW_SET_TIMER]++;
	return sbi_find(sbi_eid(v))->call(v);
}

static const struct sbi_ext counted_timer = { .name = "time", .call = counted_timer_call };

static int insert(unsigned long eid, const struct sbi_ext *ext)
{
	struct sbi_slot *slot = &sbi_slots[sbi_hash(eid)];

	if (slot->ext) {
		log_error("SBI extensions %s (%lx) and %s (%lx) share a place of the look-up table", slot->ext->name,
			  slot->eid, ext->name, eid);
		return -EEXIST;
	}
	*slot = (struct sbi_slot){ eid, ext };
	return 0;
}

int sbi_init(void)
{
	for (const struct sbi_ext *e = __sbi_exts_start; e < __sbi_exts_end; e++) {
		for (unsigned long eid = e->first; eid <= e->last; eid++) {
			int error = insert(eid, e);

			if (error)
				return error;
		}
	}
	for (unsigned i = 0; i < SBI_SLOTS; i++) {
		sbi_counting_slots[i] = sbi_slots[i];
		if (sbi_slots[i].eid == SBI_EXT_TIME || (sbi_slots[i].ext && sbi_slots[i].eid == LEGACY_SET_TIMER))
			sbi_counting_slots[i].ext = &counted_timer;
	}
	return 0;
}

void sbi_ipi_mask(struct vcpu *v, uint64_t vcpus)
{
	struct vcpu *waits = NULL, *to;
	uint64_t all = vcpus;

	for (unsigned i = 0; vcpus; i++, vcpus >>= 1) {
		if (!(vcpus & 1))
			continue;
		to = v->vm->vcpus[i];
		if (__atomic_load_n(&to->running_on, __ATOMIC_RELAXED) < 0)
			waits = to;
		if (to != v)
			vcpu_count_sent(v, to, FW_IPI_SENT);
	}
	vcpu_send_ipis(v->vm, all);
	/* One that waits for this hart cannot answer before we let go, and the caller probably waits for it. */
	if (waits)
		(void)vcpu_yield_to(waits);
}
