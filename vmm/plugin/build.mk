obj-$(CONFIG_VMM) += vmm/plugin/plugin.o
# One line for each plug-in.
obj-$(CONFIG_PLUGIN_EXAMPLE) += vmm/plugin/example.o
