obj-$(CONFIG_MULTITASK) += $(if $(CONFIG_SMP),core/smp/alone.o core/smp/call.o core/smp/power.o core/smp/reserve.o,core/smp/one.o)
