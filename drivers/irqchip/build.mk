obj-$(CONFIG_DRIVER_PLIC) += drivers/irqchip/plic.o
