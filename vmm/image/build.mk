obj-$(CONFIG_VMM) += vmm/image/blob.o
obj-$(CONFIG_VMM) += vmm/image/config.o
obj-$(CONFIG_VMM) += vmm/image/config_disk.o
obj-$(CONFIG_VMM) += vmm/image/isa_names.o
obj-$(CONFIG_VMM) += vmm/image/dt_writer.o
obj-$(CONFIG_VMM) += vmm/image/image.o
obj-$(CONFIG_VMM) += vmm/image/image_elf.o
obj-$(CONFIG_VMM) += vmm/image/image_riscv.o
obj-$(CONFIG_VMM) += vmm/image/guest_dt.o
obj-$(CONFIG_VMM) += vmm/image/guest_dt_user.o
# fdt_check_full, for blobs that come from users.
obj-$(CONFIG_VMM) += libfdt/fdt_check.o
