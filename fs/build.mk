obj-$(CONFIG_FS_INITRD) += fs/cpio.o
