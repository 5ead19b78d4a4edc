obj-y += core/lib/mem.o
