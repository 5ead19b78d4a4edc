/* satp and the host's own translations. */
#include <arch/cpu.h>
#include <arch/mmu.h>

/* For harts that start later (start.S). */
uint64_t kernel_satp;

void mmu_set_root(hpa_t root, unsigned mode)
{
	kernel_satp = (uint64_t)mode << ATP_MODE_SHIFT | root.v >> PAGE_SHIFT;
	CSR_WRITE(satp, kernel_satp);
	__asm__ volatile("sfence.vma" ::: "memory");
}

void arch_tlb_flush(uint64_t start, uint64_t size)
{
	if (size > 64 * PAGE_SIZE) {
		__asm__ volatile("sfence.vma" ::: "memory");
		return;
	}
	for (uint64_t va = start; va < start + size; va += PAGE_SIZE)
		__asm__ volatile("sfence.vma %0" ::"r"(va) : "memory");
}
