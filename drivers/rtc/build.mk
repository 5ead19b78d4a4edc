obj-$(CONFIG_RTC) += drivers/rtc/rtc.o
obj-$(CONFIG_DRIVER_GOLDFISH_RTC) += drivers/rtc/goldfish.o
