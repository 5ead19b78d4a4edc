obj-$(CONFIG_MULTITASK) += core/smp/$(if $(CONFIG_SMP),smp.o,one.o)
