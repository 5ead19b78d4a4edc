/* The hypervisor extension: probing by expected traps, and the CSRs that are the same for every guest. */
#include <errno.h>

#include <arch/cpu.h>
#include <arch/hext.h>
#include <arch/trap.h>
#include <caisson/spinlock.h>

struct hext_features hext = { .h = true, .sstc = true, .stateen = true, .counters = true, .vmid_bits = 14,
			      .sv39x4 = true, .sv48x4 = true, .sv57x4 = true, .henvcfg = ~0UL };
static spinlock_t hext_lock;

/* Read a CSR that may be missing: true if it is there. */
#define CSR_PROBE(csr, value)                                          \
	({                                                             \
		unsigned long __there = 0;                             \
		__asm__ volatile("1: csrr %0, " #csr "\n"              \
				 "   li %1, 1\n"                       \
				 "2:\n" TRAP_FIXUP(1b, 2b)             \
				 : "=&r"(value), "+r"(__there)         \
				 :: "memory");                         \
		__there != 0;                                          \
	})

/* Exceptions that a guest handles itself. Access faults come to us: they mean that our own mapping is wrong. */
#define HEDELEG (BIT(CAUSE_FETCH_MISALIGNED) | BIT(CAUSE_ILLEGAL) | BIT(CAUSE_BREAKPOINT) |           \
		 BIT(CAUSE_LOAD_MISALIGNED) | BIT(CAUSE_STORE_MISALIGNED) | BIT(CAUSE_ECALL_U) |      \
		 BIT(CAUSE_FETCH_PAGE) | BIT(CAUSE_LOAD_PAGE) | BIT(CAUSE_STORE_PAGE))
#define HIDELEG (BIT(IRQ_VS_SOFT) | BIT(IRQ_VS_TIMER) | BIT(IRQ_VS_EXT))

static bool format_works(unsigned mode)
{
	uint64_t want = (uint64_t)mode << ATP_MODE_SHIFT;

	CSR_WRITE(hgatp, want);
	return (CSR_READ(hgatp) & BITS(63, 60)) == want;
}

static unsigned count_vmid_bits(void)
{
	uint64_t got;

	CSR_WRITE(hgatp, HGATP_VMID_MASK << HGATP_VMID_SHIFT);
	got = CSR_READ(hgatp) >> HGATP_VMID_SHIFT & HGATP_VMID_MASK;
	return (unsigned)__builtin_popcountl(got);
}

static struct hext_features probe(void)
{
	struct hext_features f = { .h = false };
	unsigned long v;

	if (!CSR_PROBE(hgatp, v))
		return f;
	f.h = true;
	f.sv39x4 = format_works(8);
	f.sv48x4 = format_works(9);
	f.sv57x4 = format_works(10);
	f.vmid_bits = count_vmid_bits();
	CSR_WRITE(hgatp, 0);
	CSR_WRITE(henvcfg, ~0UL);
	f.henvcfg = CSR_READ(henvcfg);
	f.stateen = CSR_PROBE(hstateen0, v);
	f.counters = CSR_PROBE(cycle, v) && CSR_PROBE(instret, v);
	/* vstimecmp is there only if the firmware opened it for us; STCE must then be writable too. */
	f.sstc = (f.henvcfg & ENVCFG_STCE) && CSR_PROBE(vstimecmp, v);
	return f;
}

static void narrow(const struct hext_features *f)
{
	irqflags_t flags = spin_lock_irqsave(&hext_lock);

	hext.h &= f->h;
	hext.sstc &= f->sstc;
	hext.stateen &= f->stateen;
	hext.counters &= f->counters;
	hext.sv39x4 &= f->sv39x4;
	hext.sv48x4 &= f->sv48x4;
	hext.sv57x4 &= f->sv57x4;
	hext.vmid_bits = MIN(hext.vmid_bits, f->vmid_bits);
	hext.henvcfg &= f->henvcfg;
	spin_unlock_irqrestore(&hext_lock, flags);
}

int hext_enable(void)
{
	struct hext_features f = probe();

	narrow(&f);
	if (!f.h)
		return -ENODEV;
	CSR_WRITE(hedeleg, HEDELEG);
	CSR_WRITE(hideleg, HIDELEG);
	CSR_WRITE(hie, 0);
	CSR_WRITE(hvip, 0);
	CSR_WRITE(htimedelta, 0);
	CSR_WRITE(hgeie, 0);
	hext_flush_all();
	return 0;
}

void hext_limit_vmid_bits(unsigned bits)
{
	hext.vmid_bits = MIN(hext.vmid_bits, bits);
}

bool hext_has_format(const struct pt_format *format)
{
	if (format == &pt_sv39x4)
		return hext.sv39x4;
	if (format == &pt_sv48x4)
		return hext.sv48x4;
	return format == &pt_sv57x4 && hext.sv57x4;
}

void hext_take_illegal(bool take)
{
	if (take)
		CSR_CLEAR(hedeleg, BIT(CAUSE_ILLEGAL));
	else
		CSR_SET(hedeleg, BIT(CAUSE_ILLEGAL));
}

void hext_flush_all(void)
{
	__asm__ volatile("hfence.gvma" ::: "memory");
}
