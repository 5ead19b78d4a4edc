obj-$(CONFIG_SHELL) += shell/line.o shell/command.o shell/basic.o
