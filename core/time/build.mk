obj-y += core/time/time.o
obj-$(CONFIG_IRQ) += core/time/timer.o
