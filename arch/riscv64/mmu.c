/* satp and the host's own translations. */
#include <arch/cpu.h>
#include <arch/layout.h>
#include <arch/mmu.h>

/* The address map as configured. start.S maps the image and RAM by whole GiB. */
#define IN_UPPER_HALF(base, size) ((base) >= KERNEL_BASE && (base) % GiB == 0 && (size) - 1 <= UINT64_MAX - (base))
#define APART(a, a_size, b, b_size) ((b) - (a) >= (a_size) && (a) - (b) >= (b_size))
_Static_assert(IN_UPPER_HALF(LINEAR_BASE, LINEAR_SIZE) && IN_UPPER_HALF(KSTACK_BASE, KSTACK_SIZE) &&
		       IN_UPPER_HALF(IO_BASE, IO_SIZE) && IN_UPPER_HALF(IMAGE_BASE, IMAGE_SIZE),
	       "not at a whole GiB of Sv39's upper half: see arch/riscv64/Kconfig");
_Static_assert(APART(LINEAR_BASE, LINEAR_SIZE, KSTACK_BASE, KSTACK_SIZE) &&
		       APART(LINEAR_BASE, LINEAR_SIZE, IO_BASE, IO_SIZE) &&
		       APART(LINEAR_BASE, LINEAR_SIZE, IMAGE_BASE, IMAGE_SIZE) &&
		       APART(KSTACK_BASE, KSTACK_SIZE, IO_BASE, IO_SIZE) &&
		       APART(KSTACK_BASE, KSTACK_SIZE, IMAGE_BASE, IMAGE_SIZE) &&
		       APART(IO_BASE, IO_SIZE, IMAGE_BASE, IMAGE_SIZE),
	       "two parts of the address map overlap: see arch/riscv64/Kconfig");

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
