/* The kernel's address space: second stage of start-up, device windows, task stacks. */
#include <caisson/kspace.h>

#include <arch/cpu.h>
#include <arch/layout.h>
#include <arch/mmu.h>
#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/spinlock.h>

#include <errno.h>

#include "ram.h"

#define LOG_NAME "mm"
#define KSTACK_SLOT (2 * BOOT_STACK_SIZE)

struct aspace kernel_space;
static int build_error;

static void map_image(const char *what, const char *start, const char *end, unsigned perm)
{
	uint64_t va = (uint64_t)(uintptr_t)start;
	uint64_t size = (uint64_t)(end - start);

	log_info("section %-6s %lx-%lx %s%s%s", what, (unsigned long)va, (unsigned long)(va + size),
		 perm & PERM_R ? "r" : "-", perm & PERM_W ? "w" : "-", perm & PERM_X ? "x" : "-");
	if (!build_error)
		build_error = aspace_map_linear(&kernel_space, va, size, kva_to_hpa(start), perm);
}

static void map_ram(uint64_t start, uint64_t size)
{
	if (!build_error)
		build_error = aspace_map_linear(&kernel_space, LINEAR_BASE + start, size, HPA(start),
						PERM_R | PERM_W);
}

/* Only boot-time mappings of the calling hart are ever taken away: stacks stay mapped and are used again. */
static void flush_kernel(struct aspace *as, uint64_t start, uint64_t size)
{
	(void)as;
	arch_tlb_flush(start, size);
}

int kspace_init(void)
{
	int error = aspace_init(&kernel_space, &pt_sv39, KERNEL_BASE, UINT64_MAX);

	if (error)
		return error;
	kernel_space.flush = flush_kernel;
	map_image("text", __text_start, __text_end, PERM_R | PERM_X);
	map_image("rodata", __text_end, __rodata_end, PERM_R);
	map_image("data", __rodata_end, __image_end, PERM_R | PERM_W);
	ram_for_each_linear(map_ram);
	if (!build_error)
		mmu_set_root(kernel_space.root, kernel_space.format->mode);
	return build_error;
}

void *io_map(hpa_t pa, uint64_t size)
{
	uint64_t offset = pa.v & (PAGE_SIZE - 1);
	uint64_t va;

	size = ALIGN_UP(size + offset, PAGE_SIZE);
	if (aspace_find_free(&kernel_space, IO_BASE, size, PAGE_SIZE, &va) ||
	    aspace_map_io(&kernel_space, va, size, HPA(pa.v - offset)))
		return NULL;
	return (void *)(uintptr_t)(va + offset);
}

/*
 * A stack is the upper half of a naturally aligned slot whose lower half stays
 * unmapped: the guard, and what lets the trap entry tell an overflow by one bit.
 * A freed stack is kept, mapped, for the next task: no hart ever has a stale
 * translation of one, and the number of stacks is the largest number of tasks.
 */
struct free_stack {
	struct free_stack *next;
};

static struct free_stack *free_stacks;
static spinlock_t free_stacks_lock;

static void *pop_free_stack(void)
{
	irqflags_t flags = spin_lock_irqsave(&free_stacks_lock);
	struct free_stack *s = free_stacks;

	if (s)
		free_stacks = s->next;
	spin_unlock_irqrestore(&free_stacks_lock, flags);
	return s;
}

void *kstack_alloc(size_t size)
{
	void *used = pop_free_stack();
	uint64_t slot;
	int error;

	ASSERT(size == BOOT_STACK_SIZE);
	if (used)
		return used;
	do {
		if (aspace_find_free(&kernel_space, KSTACK_BASE, KSTACK_SLOT, KSTACK_SLOT, &slot))
			return NULL;
		slot += BOOT_STACK_SIZE;
		error = aspace_map_alloc(&kernel_space, slot, size, PERM_R | PERM_W, ALLOC_EAGER);
	} while (error == -EEXIST); /* another hart took the same slot first */
	return error ? NULL : (void *)(uintptr_t)slot;
}

void kstack_free(void *base, size_t size)
{
	struct free_stack *s = base;
	irqflags_t flags;

	(void)size;
	flags = spin_lock_irqsave(&free_stacks_lock);
	s->next = free_stacks;
	free_stacks = s;
	spin_unlock_irqrestore(&free_stacks_lock, flags);
}
