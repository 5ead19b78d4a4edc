obj-$(CONFIG_PROCESS) += process/process.o process/space.o process/syscall.o
