obj-$(CONFIG_SERIAL_LINE) += drivers/serial/line.o
obj-$(CONFIG_DRIVER_NS16550) += drivers/serial/ns16550.o
obj-$(CONFIG_DRIVER_SIFIVE_UART) += drivers/serial/sifive_uart.o
obj-$(CONFIG_DRIVER_VIRTIO_CONSOLE) += drivers/serial/virtio_console.o
