obj-$(CONFIG_NET) += drivers/net/net.o
obj-$(CONFIG_DRIVER_VIRTIO_NET) += drivers/net/virtio_net.o drivers/net/virtio_net_rx.o drivers/net/virtio_net_tx.o
