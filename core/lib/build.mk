obj-y += core/lib/mem.o
obj-$(CONFIG_RANDOM) += core/lib/random.o core/lib/chacha.o
