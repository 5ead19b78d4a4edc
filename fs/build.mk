obj-$(CONFIG_FS) += fs/vfs_path.o fs/vfs_follow.o fs/vfs_link.o fs/vfs_mount.o fs/vfs_path_ops.o fs/vfs_file.o
ifeq ($(CONFIG_FS),y)
obj-$(CONFIG_USER_AREAS) += fs/vfs_pages.o
endif
obj-$(CONFIG_FS_TMPFS) += fs/tmpfs/tmpfs.o fs/tmpfs/mount.o fs/tmpfs/node.o fs/tmpfs/data.o
obj-$(CONFIG_FS_INITRD) += fs/cpio.o
ifeq ($(CONFIG_FS),y)
obj-$(CONFIG_FS_INITRD) += fs/initrd.o
endif
