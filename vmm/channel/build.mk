obj-$(CONFIG_VMM) += $(addprefix vmm/channel/,channel.o description.o)
