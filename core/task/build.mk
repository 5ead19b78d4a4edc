obj-$(CONFIG_MULTITASK) += core/task/sched.o core/task/task.o core/task/waitq.o core/task/gc.o
