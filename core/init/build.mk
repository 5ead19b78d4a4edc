obj-y += core/init/boot.o core/init/ram.o
obj-y += core/init/$(if $(CONFIG_PAGING),kspace.o,flat.o)
