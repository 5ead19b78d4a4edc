obj-y += core/irq/irq.o
