obj-$(CONFIG_VMM) += $(addprefix vmm/virtio/,ring.o device.o mmio.o blk.o blk_parts.o)
