obj-$(CONFIG_DRIVER_SIFIVE_TEST) += drivers/reset/sifive_test.o
