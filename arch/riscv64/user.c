/* A process's root table: the kernel's half of it, and satp. */
#include <arch/csr.h>
#include <arch/mmu.h>
#include <arch/user.h>
#include <caisson/kspace.h>
#include <caisson/mm.h>

#include <string.h>

#define HALF (PAGE_SIZE / 2) /* bytes: entries 256 to 511, the upper half of Sv39 */

void user_root_share_kernel(hpa_t root)
{
	memcpy((char *)hpa_to_kva(root) + HALF, (char *)hpa_to_kva(kernel_space.root) + HALF, HALF);
}

void user_root_unshare_kernel(hpa_t root)
{
	memset((char *)hpa_to_kva(root) + HALF, 0, HALF);
}

/* All processes have ASID 0: what another one left in the TLB goes. fence.i: its code may be new. */
void user_space_load(hpa_t root)
{
	CSR_WRITE(satp, (uint64_t)kernel_space.format->mode << ATP_MODE_SHIFT | root.v >> PAGE_SHIFT);
	__asm__ volatile("sfence.vma\n fence.i" ::: "memory");
}

/* What stays in the TLB is of user addresses only, which nobody uses before the next load. */
void user_space_unload(void)
{
	CSR_WRITE(satp, kernel_satp);
}

void user_space_fence(uint64_t addr)
{
	__asm__ volatile("sfence.vma %0" ::"r"(addr) : "memory");
}

void user_space_fence_all(void)
{
	__asm__ volatile("sfence.vma\n fence.i" ::: "memory");
}
