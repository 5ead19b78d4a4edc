obj-$(CONFIG_IRQ) += core/irq/irq.o
