obj-$(CONFIG_MULTITASK) += core/task/sched.o core/task/place.o core/task/task.o core/task/waitq.o core/task/gc.o core/task/mutex.o
# The scheduling class: one of them.
obj-$(CONFIG_SCHED_FIFO) += core/task/fifo.o
obj-$(CONFIG_SCHED_RR) += core/task/rr.o
obj-$(CONFIG_SCHED_CFS) += core/task/cfs.o
