obj-y += core/smp/smp.o
