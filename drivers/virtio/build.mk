obj-$(CONFIG_VIRTIO) += drivers/virtio/virtio.o drivers/virtio/queue.o drivers/virtio/mmio.o
