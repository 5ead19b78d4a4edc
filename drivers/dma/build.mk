obj-$(CONFIG_DRIVER_FW_CFG) += drivers/dma/fw_cfg.o
