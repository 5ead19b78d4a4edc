obj-$(CONFIG_BLOCK) += drivers/block/block.o
obj-$(CONFIG_DRIVER_VIRTIO_BLK) += drivers/block/virtio_blk.o drivers/block/virtio_blk_config.o
