obj-$(CONFIG_SHELL) += shell/line.o shell/command.o shell/complete.o shell/usage.o shell/output.o shell/lock.o shell/help.o shell/kernel.o shell/log.o shell/pace.o shell/files.o
