obj-$(CONFIG_VMM) += $(addprefix vmm/virtio/,ring.o device.o mmio.o console.o rng.o blk.o blk_parts.o net.o)
