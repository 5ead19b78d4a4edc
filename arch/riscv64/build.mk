# Everything that only this architecture has: assembly, CSRs, firmware calls.
A := arch/riscv64
obj-y += $(addprefix $(A)/,start.o trap_entry.o trap.o sbi.o hart.o page_zero.o mmu.o features.o io.o)
obj-$(CONFIG_IRQ) += $(A)/timer.o
obj-$(CONFIG_MULTITASK) += $(A)/context.o $(A)/task_context.o
obj-$(CONFIG_PROCESS) += $(A)/user_entry.o $(A)/user.o $(A)/fp.o
obj-$(CONFIG_COSTS) += $(A)/outside.o
obj-$(CONFIG_VMM) += $(A)/vcpu_switch.o $(A)/fp.o $(A)/vcpu_csrs.o $(A)/hext.o
