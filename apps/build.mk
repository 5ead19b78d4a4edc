obj-$(CONFIG_APP_HELLO) += apps/hello/main.o
