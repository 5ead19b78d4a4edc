obj-$(CONFIG_DEBUG_LOCKS) += core/sync/lockcheck.o core/sync/lockgraph.o
