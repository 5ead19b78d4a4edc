obj-$(CONFIG_VMM) += $(addprefix vmm/vcpu/,vcpu.o world.o run.o irq.o fence.o exit.o illegal.o mmio.o insn.o sample.o steal.o counters.o cap.o spin.o)
obj-$(CONFIG_VMM) += $(addprefix vmm/vm/,vm.o mmio_map.o vcpus.o pause.o share.o list.o memory.o fold.o devices.o channels.o disks.o virtio.o nets.o dt.o isa.o report.o account.o \
	console.o console_mux.o console_input.o console_ring.o partition.o)
obj-$(CONFIG_VMM) += $(addprefix vmm/sbi/,sbi.o base.o time.o ipi.o rfence.o hsm.o susp.o fwft.o sta.o pmu.o srst.o dbcn.o legacy.o)
obj-$(and $(CONFIG_VMM),$(CONFIG_DEBUG_LOCKS)) += vmm/sbi/debug.o
obj-$(CONFIG_COSTS) += vmm/vm/costs.o
obj-$(CONFIG_COSTS_BY_CAUSE) += vmm/vcpu/costs.o
