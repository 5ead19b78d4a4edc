obj-y += core/lib/mem.o
obj-$(CONFIG_RANDOM) += core/lib/random.o core/lib/chacha.o
obj-$(or $(CONFIG_SCHED_CFS),$(CONFIG_USER_AREAS)) += core/lib/rbtree.o
