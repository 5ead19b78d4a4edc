/* Fences for other vCPUs: asked for, merged, done by whom they concern (vmm/fence.h). */
#include <vmm/fence.h>

#include <caisson/hart.h>
#include <caisson/smp.h>
#include <vmm/vcpu.h>
#include <vmm/vm.h>

struct fence fence_of_pages(uint64_t start, uint64_t size, bool has_asid, uint64_t asid)
{
	struct fence f = { .spaces = has_asid ? FENCE_ONE_SPACE : FENCE_ALL_SPACES, .asid = (uint16_t)asid };

	f.last = UINT64_MAX;
	if (!fence_is_of_everything(start, size)) {
		f.start = start;
		f.last = start + MAX(size, 1ul) - 1;
	}
	return f;
}

static void merge_spaces(struct fence *to, const struct fence *more)
{
	if (to->spaces == FENCE_NO_SPACE) {
		to->spaces = more->spaces;
		to->asid = more->asid;
		to->start = more->start;
		to->last = more->last;
		return;
	}
	if (more->spaces == FENCE_ALL_SPACES || to->asid != more->asid)
		to->spaces = FENCE_ALL_SPACES;
	to->start = MIN(to->start, more->start);
	to->last = MAX(to->last, more->last);
}

void fence_merge(struct fence *to, const struct fence *more)
{
	to->insns |= more->insns;
	to->ram |= more->ram;
	if (more->spaces != FENCE_NO_SPACE)
		merge_spaces(to, more);
}

static void run(const struct fence *f, unsigned vmid)
{
	if (f->insns)
		cpu_fence_i();
	if (f->ram)
		vcpu_fence_ram(vmid);
	if (f->spaces == FENCE_NO_SPACE)
		return;
	/* The size of everything is 0, as is its start. */
	fence_pages(f->start, f->last - f->start + 1, f->spaces == FENCE_ONE_SPACE, f->asid);
}

/* Done and taken off under the lock: whoever asks for more after that sets the bit again. */
void vcpu_fence_serve(struct vcpu *v)
{
	struct vcpu_fence *f = &v->fence;

	spin_lock(&f->lock);
	run(&f->todo, v->vmid);
	f->todo = (struct fence){ .spaces = FENCE_NO_SPACE };
	__atomic_and_fetch(&v->requests, ~(uint64_t)VCPU_REQ_FENCE, __ATOMIC_SEQ_CST);
	spin_unlock(&f->lock);
}

/* Interrupts off. @return the hart to be interrupted, as a mask; 0: v looks by itself, or somebody has asked before. */
static uint64_t ask(struct vcpu *v, const struct fence *what)
{
	uint64_t before;
	int hart;

	spin_lock(&v->fence.lock);
	fence_merge(&v->fence.todo, what);
	before = __atomic_fetch_or(&v->requests, VCPU_REQ_FENCE, __ATOMIC_SEQ_CST);
	spin_unlock(&v->fence.lock);
	/* The bit first, then this; a vCPU that enters does it the other way round (irq.c). */
	hart = __atomic_load_n(&v->running_on, __ATOMIC_SEQ_CST);
	return (before & VCPU_REQ_FENCE) || hart < 0 || (unsigned)hart == this_hart()->index ? 0 : BIT(hart);
}

/* Has v done it, or left the guest? Then it will before it enters again. */
static bool is_served(struct vcpu *v)
{
	return !(__atomic_load_n(&v->requests, __ATOMIC_SEQ_CST) & VCPU_REQ_FENCE) ||
	       __atomic_load_n(&v->running_on, __ATOMIC_SEQ_CST) < 0;
}

void vcpu_fence_others(struct vcpu *self, uint64_t vcpus, const struct fence *what)
{
	struct vm *vm = self->vm;
	uint64_t kick = 0;

	for (unsigned i = 0; vcpus >> i; i++)
		if (vcpus >> i & 1)
			kick |= ask(vm->vcpus[i], what);
	if (kick)
		ipi_send_mask(kick, IPI_KICK);
	/* The other hart may wait for us in the same way: what is asked of us is done meanwhile, as is what a call asks. */
	for (unsigned i = 0; vcpus >> i; i++)
		while ((vcpus >> i & 1) && !is_served(vm->vcpus[i])) {
			vcpu_serve(self);
			/* Nor is it waited for by a hart that wants us all to wait (smp_run_alone). */
			smp_serve_calls();
			cpu_relax();
		}
}

void vm_fence_ram(struct vm *vm)
{
	/* A hart's instruction cache goes by frames: of one that the RAM has now it may hold what another use left there. */
	const struct fence what = { .insns = true, .ram = true, .spaces = FENCE_NO_SPACE };
	/* Off: whoever finds that something was asked before trusts that the interrupt is on its way. */
	irqflags_t flags = irq_save();
	uint64_t kick = 0;

	for (unsigned i = 0; i < vm->n_vcpus; i++)
		kick |= ask(vm->vcpus[i], &what);
	if (kick)
		ipi_send_mask(kick, IPI_KICK);
	irq_restore(flags);
}
