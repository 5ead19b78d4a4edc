# Everything that only this architecture has: assembly, CSRs, firmware calls.
A := arch/riscv64
obj-y += $(A)/start.o $(A)/trap_entry.o $(A)/trap.o $(A)/context.o $(A)/task_context.o $(A)/sbi.o $(A)/timer.o $(A)/hart.o $(A)/page_zero.o
obj-y += $(A)/mmu.o $(A)/features.o
obj-$(CONFIG_VMM) += $(A)/vcpu_switch.o $(A)/vcpu_csrs.o $(A)/hext.o
