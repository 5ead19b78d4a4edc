obj-$(CONFIG_APP_HELLO) += apps/hello/main.o
obj-$(CONFIG_APP_HYPERVISOR) += apps/hypervisor/main.o apps/hypervisor/vms.o apps/hypervisor/monitor.o apps/hypervisor/vm_commands.o
