obj-$(CONFIG_SHELL) += shell/line.o shell/command.o shell/complete.o shell/basic.o
