obj-$(CONFIG_BLOCK) += drivers/block/block.o drivers/block/claim.o drivers/block/segments.o
obj-$(CONFIG_BLOCK_STACK) += drivers/block/part.o drivers/block/ram.o drivers/block/sparse.o
obj-$(CONFIG_BLOCK_STACK) += drivers/block/partition.o drivers/block/partition_mbr.o drivers/block/partition_gpt.o
obj-$(CONFIG_BLOCK_STACK) += drivers/block/crc32.o drivers/block/child.o drivers/block/overlay.o drivers/block/overlay_read.o
obj-$(CONFIG_BLOCK_STACK) += drivers/block/overlay_store.o drivers/block/overlay_map.o
obj-$(CONFIG_DRIVER_VIRTIO_BLK) += drivers/block/virtio_blk.o drivers/block/virtio_blk_config.o
