obj-$(CONFIG_VMM) += $(addprefix vmm/net/,switch.o mac.o offload.o description.o uplink.o)
