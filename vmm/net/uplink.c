/*
 * A switch's port to the machine's own network device. What it sends is copied by the driver; what it receives goes
 * to the guests in the driver's interrupt. It cannot wait: what a guest has no buffers for is dropped.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <caisson/mm.h>
#include <caisson/net.h>
#include <vmm/net.h>
#include <vmm/offload.h>
#include <vmm/switch.h>

#define LOG_NAME "switch"
#include <caisson/log.h>

struct uplink {
	struct switch_port port;
	struct net_device *dev;
};

/* A frame on its way out, perhaps in several packets. */
struct sending {
	struct net_device *dev;
	unsigned sent;
};

static int send_plain(const struct net_frame *f, void *arg)
{
	struct sending *s = arg;
	int error = net_send(s->dev, f, NULL, NULL);

	s->sent += !error;
	return error;
}

static int deliver(struct switch_port *port, const struct net_frame *f)
{
	struct uplink *u = port->arg;
	struct sending s = { .dev = u->dev };
	int error = offload_fits(&f->offload, u->dev->features) ? send_plain(f, &s) : offload_finish(f, send_plain, &s);

	switch (error) {
	case -ENOSPC: /* no room now: it may wait, but not for its second half */
		return s.sent ? -ENOBUFS : -EAGAIN;
	case -EINVAL: /* longer than its MTU */
		return -EMSGSIZE;
	default:
		return error;
	}
}

static const struct switch_port_ops ops = { .deliver = deliver };

static void receive(struct net_device *dev, const struct net_frame *f)
{
	struct uplink *u = dev->arg;

	if (f->len < NET_HEADER_SIZE || f->segs[0].len < NET_HEADER_SIZE)
		switch_port_drop(&u->port, DROP_BAD);
	else
		(void)switch_send(&u->port, f);
}

static void room(struct net_device *dev)
{
	(void)switch_port_ready(&((struct uplink *)dev->arg)->port);
}

static void link_changed(struct net_device *dev)
{
	struct uplink *u = dev->arg;

	switch_port_set_link(&u->port, net_link(dev));
	log_info("%s: the link is %s", dev->name, net_link(dev) ? "up" : "down");
}

static const struct net_user user = { .receive = receive, .room = room, .link_changed = link_changed };

static struct uplink *of_device(const struct net_device *dev)
{
	const struct net_user *now = __atomic_load_n(&dev->user, __ATOMIC_ACQUIRE);

	return now == &user ? dev->arg : NULL;
}

static int open(struct net_device *dev, const char *name, char *err, size_t n)
{
	struct uplink *u = kzalloc(sizeof(*u));
	int error;

	if (!u) {
		snprintf(err, n, "switch '%s': no memory for its uplink", name);
		return -ENOMEM;
	}
	u->dev = dev;
	u->port.ops = &ops;
	u->port.arg = u;
	u->port.owner = dev->name;
	u->port.uplink = true;
	u->port.down = !net_link(dev);
	error = switch_port_add(name, &u->port, err, n);
	if (!error)
		error = net_open(dev, &user, u);
	if (!error) {
		switch_port_set_link(&u->port, net_link(dev)); /* it may have changed unheard */
		return 0;
	}
	if (error == -EBUSY)
		snprintf(err, n, "switch '%s': %s is in use", name, dev->name);
	if (u->port.net_switch)
		switch_port_remove(&u->port);
	kfree(u);
	return error;
}

int uplink_add(const char *name, const char *device, char *err, size_t n)
{
	struct net_device *dev = net_find(device);
	const struct uplink *u;

	if (!dev) {
		snprintf(err, n, "switch '%s': this machine has no network device %s", name, device);
		return -ENODEV;
	}
	u = of_device(dev);
	if (!u)
		return open(dev, name, err, n);
	if (switch_port_is_of(&u->port, name))
		return 0;
	snprintf(err, n, "switch '%s': %s is another switch's", name, device);
	return -EBUSY;
}
