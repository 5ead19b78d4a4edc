/* State of a vCPU that lives in CSRs: load, save, inject, look through the guest's translation. */
#include <errno.h>

#include <arch/hext.h>
#include <arch/trap.h>
#include <arch/vcpu.h>

void vcpu_csrs_load(const struct vcpu_csrs *c)
{
	CSR_WRITE(vsstatus, c->vsstatus);
	CSR_WRITE(vsie, c->vsie);
	CSR_WRITE(vstvec, c->vstvec);
	CSR_WRITE(vsscratch, c->vsscratch);
	CSR_WRITE(vsepc, c->vsepc);
	CSR_WRITE(vscause, c->vscause);
	CSR_WRITE(vstval, c->vstval);
	CSR_WRITE(vsatp, c->vsatp);
	CSR_WRITE(henvcfg, c->henvcfg);
	CSR_WRITE(hcounteren, c->hcounteren);
	if (hext.sstc)
		CSR_WRITE(vstimecmp, c->vstimecmp);
	CSR_WRITE(hvip, c->hvip);
	CSR_WRITE(scounteren, c->scounteren);
	CSR_WRITE(senvcfg, c->senvcfg);
	if (hext.stateen) {
		CSR_WRITE(hstateen0, c->hstateen0);
		CSR_WRITE(sstateen0, c->sstateen0);
	}
}

void vcpu_csrs_save(struct vcpu_csrs *c)
{
	c->vsstatus = CSR_READ(vsstatus);
	c->vsie = CSR_READ(vsie);
	c->vstvec = CSR_READ(vstvec);
	c->vsscratch = CSR_READ(vsscratch);
	c->vsepc = CSR_READ(vsepc);
	c->vscause = CSR_READ(vscause);
	c->vstval = CSR_READ(vstval);
	c->vsatp = CSR_READ(vsatp);
	if (hext.sstc)
		c->vstimecmp = CSR_READ(vstimecmp);
	c->hvip = CSR_READ(hvip);
	c->scounteren = CSR_READ(scounteren);
	c->senvcfg = CSR_READ(senvcfg);
	if (hext.stateen)
		c->sstateen0 = CSR_READ(sstateen0);
}

void vcpu_live_inject(uint64_t cause, uint64_t tval)
{
	uint64_t sstatus = CSR_READ(sstatus);
	uint64_t vsstatus = CSR_READ(vsstatus);
	uint64_t vstvec = CSR_READ(vstvec);

	CSR_WRITE(vsepc, CSR_READ(sepc));
	CSR_WRITE(vscause, cause);
	CSR_WRITE(vstval, tval);

	/* The guest's SPP and SPIE take the privilege and SIE it had; interrupts go off. */
	vsstatus &= ~(SSTATUS_SPP | SSTATUS_SPIE);
	vsstatus |= sstatus & SSTATUS_SPP;
	if (vsstatus & SSTATUS_SIE)
		vsstatus |= SSTATUS_SPIE;
	vsstatus &= ~SSTATUS_SIE;
	CSR_WRITE(vsstatus, vsstatus);

	/* Continue in VS-mode at the handler (exceptions ignore the vectored mode). */
	CSR_WRITE(sstatus, sstatus | SSTATUS_SPP);
	CSR_WRITE(hstatus, CSR_READ(hstatus) | HSTATUS_SPVP);
	CSR_WRITE(sepc, vstvec & ~3UL);
}

/* A fault while looking through the guest's translation traps into the host: what that overwrites is kept here. */
struct live_trap {
	uint64_t sepc, sstatus, hstatus, stval;
};

static void live_keep(struct live_trap *t)
{
	t->sepc = CSR_READ(sepc);
	t->sstatus = CSR_READ(sstatus);
	t->hstatus = CSR_READ(hstatus);
	t->stval = CSR_READ(stval);
}

static void live_restore(const struct live_trap *t)
{
	CSR_WRITE(sepc, t->sepc);
	CSR_WRITE(sstatus, t->sstatus);
	CSR_WRITE(hstatus, t->hstatus);
	CSR_WRITE(stval, t->stval);
}

/* One load by the guest's own translation. A fault on the way is -EFAULT, and the record of the exit stays. */
#define LIVE_LOAD(insn, va, out)                                  \
	({                                                        \
		struct live_trap keep;                            \
		uint64_t value = 0;                               \
		int error = -EFAULT;                              \
		live_keep(&keep);                                 \
		__asm__ volatile("1: " insn " %0, (%2)\n"         \
				 "   li %1, 0\n"                  \
				 "2:\n" TRAP_FIXUP(1b, 2b)        \
				 : "=&r"(value), "+r"(error)      \
				 : "r"((va).v)                    \
				 : "memory");                     \
		live_restore(&keep);                              \
		if (!error)                                       \
			*(out) = (__typeof__(*(out)))value;       \
		error;                                            \
	})

int vcpu_live_read64(gva_t va, uint64_t *out)
{
	return LIVE_LOAD("hlv.d", va, out);
}

int vcpu_live_fetch16(gva_t va, uint16_t *out)
{
	return LIVE_LOAD("hlvx.hu", va, out);
}
