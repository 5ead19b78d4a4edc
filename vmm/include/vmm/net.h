/*
 * A VM's network devices: what its description says of them, virtio-net (vmm/virtio/net.c), and the port of a switch
 * (vmm/switch.h) behind each.
 */
#pragma once

#include <caisson/net.h>
#include <caisson/types.h>

#define VM_NETS_MAX 4
#define NET_SWITCH_NAME_MAX 32   /* as VM_NAME_MAX */
#define NET_MTU 1500             /* bytes behind the Ethernet header, if the description does not say */
#define NET_MTU_MIN 68           /* virtio 1.2, 5.1.4.1 */
#define NET_MTU_MAX 9000
#define NET_VLAN_SIZE 4

struct vio;
struct vio_type;
struct vm;

/** One of a VM's ports. */
struct net_config {
	char net_switch[NET_SWITCH_NAME_MAX];
	uint8_t mac[NET_MAC_SIZE];
	uint16_t mtu;
	bool isolated;           /* it does not see other isolated ports */
	bool plain;              /* the guest is offered no checksums and no cutting */
	char uplink[NET_SWITCH_NAME_MAX]; /* the device of the machine that this switch has; "": not said here */
};

/**
 * Read "SWITCH,mac=02:00:00:00:00:01[,mtu=N][,isolated][,plain][,uplink=net0]" (docs/host.md).
 * @param[out] err  on failure what is wrong
 * @return 0 or -EINVAL
 */
int net_config_parse(const char *text, struct net_config *out, char *err, size_t err_size) __must_check;

/** What a virtio-net device stands on (struct vio.backend). Its VM has it. */
struct vio_net_backend {
	const struct net_config *config;
	const char *owner;       /* the VM's name */
	unsigned number;
	char why[96];            /* after a failed create: the switch's words, or "" */
	struct vio *dev;         /* NULL: not made yet */
};

extern const struct vio_type vio_net_type;
/** Pull the cable, or put it in: the guest is told. Task context. */
void vio_net_set_link(struct vio *dev, bool up);

/** Make a VM's network devices and their ports (vmm/vm/nets.c). @return 0, or negative errno with the reason. */
int vm_nets_create(struct vm *vm, char *err, size_t err_size) __must_check;

/**
 * Give a switch the machine's network device of that name (vmm/net/uplink.c), for ever. Task context.
 * @return 0, also if it has it already; -ENODEV, -EBUSY (it is another switch's), -ENOSPC, -ENOMEM, with the reason
 */
int uplink_add(const char *net_switch, const char *device, char *err, size_t err_size) __must_check;
