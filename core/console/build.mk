obj-y += core/console/console.o core/console/unframe.o core/console/log.o core/console/print.o core/console/exit.o
obj-$(CONFIG_LOG_KEEP) += core/console/log_keep.o
