obj-$(CONFIG_DRIVER_VIRTIO_RNG) += drivers/rng/virtio_rng.o
