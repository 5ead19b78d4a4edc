obj-$(CONFIG_IRQ) += core/irq/irq.o core/irq/find.o
