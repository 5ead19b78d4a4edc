obj-$(CONFIG_VMM) += vmm/device/common.o
obj-$(CONFIG_VMM) += vmm/device/vplic.o
obj-$(CONFIG_VMM) += vmm/device/vplic_state.o
obj-$(CONFIG_VMM) += vmm/device/vuart.o
obj-$(CONFIG_VMM) += vmm/device/vuart_state.o
obj-$(CONFIG_VMM) += vmm/device/vfinisher.o
obj-$(CONFIG_VMM) += vmm/device/vrtc.o
obj-$(CONFIG_VMM) += vmm/device/vwatchdog.o
