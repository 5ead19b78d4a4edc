obj-$(CONFIG_SHELL) += shell/line.o shell/command.o shell/complete.o shell/usage.o shell/output.o shell/lock.o
obj-$(CONFIG_SHELL) += shell/help.o shell/kernel.o shell/log.o shell/pace.o
obj-$(and $(CONFIG_SHELL),$(CONFIG_FS_INITRD)) += shell/files.o
