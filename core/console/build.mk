obj-y += core/console/console.o core/console/log.o core/console/exit.o
