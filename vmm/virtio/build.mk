obj-$(CONFIG_VMM) += $(addprefix vmm/virtio/,ring.o device.o mmio.o)
