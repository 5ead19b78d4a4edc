/* Finding the extension that answers a call, and what several extensions share. */
#include <errno.h>

#include <vmm/sbi.h>
#include <vmm/vm.h>

#define SLOTS 64 /* a power of two, several times the number of ids */

extern const struct sbi_ext __sbi_exts_start[], __sbi_exts_end[];

/* Open addressing; an id that is not there ends at the first free slot. */
static struct slot {
	unsigned long eid;
	const struct sbi_ext *ext;
} slots[SLOTS];

static inline unsigned hash(unsigned long eid)
{
	return (unsigned)(eid ^ eid >> 7 ^ eid >> 16) & (SLOTS - 1);
}

const struct sbi_ext *sbi_find(unsigned long eid)
{
	unsigned i = hash(eid);

	while (slots[i].ext && slots[i].eid != eid)
		i = (i + 1) & (SLOTS - 1);
	return slots[i].ext;
}

static int insert(unsigned long eid, const struct sbi_ext *ext)
{
	static unsigned used;
	unsigned i = hash(eid);

	if (++used > SLOTS / 2)
		return -ENOSPC;
	while (slots[i].ext)
		i = (i + 1) & (SLOTS - 1);
	slots[i] = (struct slot){ eid, ext };
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
	return 0;
}

int sbi_hart_mask(const struct vcpu *v, uint64_t mask, uint64_t base, uint64_t *vcpus)
{
	uint64_t all = BIT(v->vm->n_vcpus) - 1;

	if (base == UINT64_MAX) {
		*vcpus = all;
		return 0;
	}
	if (mask == 0) {
		*vcpus = 0;
		return 0;
	}
	/* Vcpu ids are 0 to n-1, so the highest bit decides. */
	if (base >= v->vm->n_vcpus || (63 - (unsigned)__builtin_clzl(mask)) + base >= v->vm->n_vcpus)
		return -EINVAL;
	*vcpus = mask << base;
	return 0;
}

void sbi_ipi_mask(struct vcpu *v, uint64_t vcpus)
{
	for (; vcpus; vcpus &= vcpus - 1)
		vcpu_send_ipi(v->vm->vcpus[__builtin_ctzl(vcpus)]);
}
