/* Network devices: their list, who uses them, and what is checked before a driver gets a frame. */
#include <caisson/net.h>

#include <errno.h>
#include <string.h>

#define VLAN_TAG 4u
#define CSUM_SIZE 2u

/* Written at boot only. */
static struct list devices = LIST_INIT(devices);

void net_register(struct net_device *dev)
{
	list_push_back(&devices, &dev->node);
}

struct net_device *net_find(const char *name)
{
	list_for_each(dev, &devices, struct net_device, node)
		if (strcmp(dev->name, name) == 0)
			return dev;
	return NULL;
}

void net_for_each(bool (*fn)(struct net_device *dev, void *arg), void *arg)
{
	list_for_each(dev, &devices, struct net_device, node)
		if (!fn(dev, arg))
			return;
}

int net_open(struct net_device *dev, const struct net_user *user, void *arg)
{
	bool taken = __atomic_exchange_n(&dev->opened, 1, __ATOMIC_ACQ_REL);
	int error;

	if (taken)
		return -EBUSY;
	dev->arg = arg;
	__atomic_store_n(&dev->user, user, __ATOMIC_RELEASE);
	error = dev->ops->open(dev);
	if (!error)
		return 0;
	/* Nobody finds what the caller is going to free. */
	__atomic_store_n(&dev->user, NULL, __ATOMIC_RELEASE);
	__atomic_store_n(&dev->opened, 0, __ATOMIC_RELEASE);
	return error;
}

/* --- sending --- */

static int check_length(const struct net_device *dev, const struct net_frame *frame)
{
	uint32_t limit = frame->offload.gso ? NET_FRAME_MAX : dev->mtu + NET_HEADER_SIZE + VLAN_TAG;
	uint64_t sum = 0;

	for (unsigned i = 0; i < frame->n; i++)
		sum += frame->segs[i].len;
	return sum == frame->len && frame->len > 0 && frame->len <= limit ? 0 : -EINVAL;
}

/* The feature that cuts such a frame, or 0. */
static uint32_t gso_feature(uint8_t gso)
{
	switch (gso) {
	case NET_GSO_TCPV4: return NET_TSO4;
	case NET_GSO_TCPV6: return NET_TSO6;
	case NET_GSO_UDP_L4: return NET_USO;
	}
	return 0;
}

static uint32_t features_needed(const struct net_offload *o)
{
	return (o->needs_csum ? NET_CSUM : 0) | gso_feature(o->gso) | (o->ecn ? NET_TSO_ECN : 0);
}

static bool offload_is_sane(const struct net_offload *o, uint32_t len)
{
	if (o->needs_csum && (uint32_t)o->csum_start + o->csum_offset + CSUM_SIZE > len)
		return false;
	if (o->gso == NET_GSO_NONE)
		return !o->ecn;
	return gso_feature(o->gso) && o->needs_csum && o->gso_size > 0 && o->header_len <= len &&
	       !(o->ecn && o->gso == NET_GSO_UDP_L4);
}

int net_send(struct net_device *dev, const struct net_frame *frame, net_sent_t done, void *arg)
{
	int error = check_length(dev, frame);

	if (error)
		return error;
	if (!offload_is_sane(&frame->offload, frame->len))
		return -EINVAL;
	if (features_needed(&frame->offload) & ~dev->features)
		return -ENOTSUP;
	return dev->ops->send(dev, frame, done, arg);
}

void net_poll(struct net_device *dev)
{
	dev->ops->poll(dev);
}
