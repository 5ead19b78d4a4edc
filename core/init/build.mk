obj-y += core/init/boot.o core/init/ram.o core/init/kspace.o
