/*
 * virtio network device (virtio 1.2, section 5.1): what it is, and what happens when it goes wrong. A device that for a
 * while finishes nothing of what it should send is reset: frames are lost, the device is not.
 */
#include "virtio_net.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <caisson/log.h>
#include <caisson/mm.h>

#define LOG_NAME "virtio-net"

#define LOOKS 4u                 /* so often in vain: reset */
#define MTU 1500                 /* where the device says nothing */
#define MTU_MIN 68

enum { RECEIVE_QUEUE = 0, SEND_QUEUE = 1 };
#define ALL_TSO (BIT(F_GUEST_TSO4) | BIT(F_GUEST_TSO6) | BIT(F_GUEST_ECN))
/* Section 5.1.4 */
enum { CONFIG_MAC = 0, CONFIG_STATUS = 6, CONFIG_MTU = 10 };
enum { STATUS_LINK_UP = 1 };
static unsigned n_devices;

/* --- when it goes wrong --- */

static void set_link(struct nic *nic, bool up)
{
	const struct net_user *user = __atomic_load_n(&nic->dev.user, __ATOMIC_ACQUIRE);
	bool was = __atomic_exchange_n(&nic->dev.link, (uint32_t)up, __ATOMIC_ACQ_REL);

	if (was == up)
		return;
	log_info("%s: link %s", nic->name, up ? "up" : "down");
	if (user && user->link_changed)
		user->link_changed(&nic->dev);
}

/* The device was reset for good. What it may still write to is never used for anything else. */
static void give_up(struct nic *nic)
{
	irqflags_t flags = spin_lock_irqsave(&nic->rx_lock);
	struct slot *finished;

	if (!nic->vdev->loose) {
		nic_reclaim_pages(nic);
		nic_free_pages(nic);
	}
	spin_lock(&nic->tx_lock);
	finished = nic_take_back(nic, -EIO);
	spin_unlock(&nic->tx_lock);
	spin_unlock_irqrestore(&nic->rx_lock, flags);
	nic_finish(nic, finished);
	set_link(nic, false);
}

static void service(struct nic *nic)
{
	nic_receive(nic);
	nic_sent(nic);
	if (virtio_is_broken(nic->vdev))
		give_up(nic);
}

/* With both locks held. @return the frames that were under way. */
static struct slot *start_again(struct nic *nic)
{
	struct slot *lost;

	log_warn("%s: sends nothing: reset", nic->name);
	nic->looks = 0;
	if (virtio_reset(nic->vdev))
		return NULL;
	nic_reclaim_pages(nic);
	lost = nic_take_back(nic, -ETIMEDOUT);
	if (virtio_restart(nic->vdev) == 0)
		nic_refill(nic);
	return lost;
}

/* With its lock held: has the device stood still for so long that it should be reset? */
static bool stands_still(struct nic *nic)
{
	if (nic->n_tx == 0 || nic->moved)
		nic->looks = 0;
	else
		nic->looks++;
	nic->moved = false;
	return nic->looks >= LOOKS * (nic->vdev->polled ? LOOK_US / POLL_US : 1);
}

static void check(struct nic *nic)
{
	irqflags_t flags = spin_lock_irqsave(&nic->rx_lock);
	struct slot *lost = NULL;

	spin_lock(&nic->tx_lock);
	nic->timer_armed = false;
	if (!virtio_is_broken(nic->vdev)) {
		if (stands_still(nic))
			lost = start_again(nic);
		nic_arm_timer(nic);
	}
	spin_unlock(&nic->tx_lock);
	spin_unlock_irqrestore(&nic->rx_lock, flags);
	if (lost) {
		nic_finish(nic, lost);
		nic_tell_of_room(nic);
	}
	if (virtio_is_broken(nic->vdev))
		give_up(nic);
}

/* --- what the core and the users call --- */

static void nic_timer(struct timer *t)
{
	struct nic *nic = container_of(t, struct nic, timer);

	service(nic);
	check(nic);
}

static void nic_used(struct virtq *q)
{
	struct nic *nic = virtq_device(q)->priv;

	if (q == nic->rx)
		nic_receive(nic);
	else
		nic_sent(nic);
	if (virtio_is_broken(nic->vdev))
		give_up(nic);
}

static void nic_broken(struct virtio_device *vdev)
{
	give_up(vdev->priv);
}

static int read_link(struct virtio_device *vdev, uint32_t *up)
{
	uint64_t status = STATUS_LINK_UP;
	int error = virtio_has(vdev, F_STATUS) ? virtio_config(vdev, CONFIG_STATUS, sizeof(uint16_t), &status) : 0;

	*up = status & STATUS_LINK_UP ? 1 : 0;
	return error;
}

static void nic_config_changed(struct virtio_device *vdev)
{
	uint32_t up;

	if (read_link(vdev, &up) == 0)
		set_link(vdev->priv, up);
}

static int open_locked(struct nic *nic)
{
	int error = virtio_is_broken(nic->vdev) ? -EIO : nic_allocate_pages(nic);
	bool polled = nic->vdev->polled;

	if (error)
		return error;
	nic_refill(nic);
	if (!polled)
		return 0;
	spin_lock(&nic->tx_lock);
	nic_arm_timer(nic);
	spin_unlock(&nic->tx_lock);
	return 0;
}

static int nic_open(struct net_device *dev)
{
	struct nic *nic = nic_of(dev);
	irqflags_t flags = spin_lock_irqsave(&nic->rx_lock);
	int error = open_locked(nic);

	spin_unlock_irqrestore(&nic->rx_lock, flags);
	return error;
}

static void nic_poll(struct net_device *dev)
{
	service(nic_of(dev));
}

static const struct net_ops nic_ops = { .open = nic_open, .send = nic_send, .poll = nic_poll };

/* --- probe --- */

/* What needs what, section 5.1.3.1; and frames larger than a page need several. */
static uint64_t nic_choose(uint64_t features)
{
	if (!(features & BIT(F_CSUM)))
		features &= ~(BIT(F_HOST_TSO4) | BIT(F_HOST_TSO6) | BIT(F_HOST_USO));
	if (!(features & (BIT(F_HOST_TSO4) | BIT(F_HOST_TSO6))))
		features &= ~BIT(F_HOST_ECN);
	if (!(features & BIT(F_GUEST_CSUM)) || !(features & BIT(F_MRG_RXBUF)))
		features &= ~ALL_TSO;
	if (!(features & (BIT(F_GUEST_TSO4) | BIT(F_GUEST_TSO6))))
		features &= ~BIT(F_GUEST_ECN);
	return features;
}

static uint32_t features_of(const struct virtio_device *vdev)
{
	static const struct { uint8_t theirs; uint32_t ours; } table[] = {
		{ F_CSUM, NET_CSUM }, { F_HOST_TSO4, NET_TSO4 }, { F_HOST_TSO6, NET_TSO6 },
		{ F_HOST_ECN, NET_TSO_ECN }, { F_HOST_USO, NET_USO }, { F_GUEST_CSUM, NET_RX_CSUM },
		{ F_GUEST_TSO4, NET_RX_TSO4 }, { F_GUEST_TSO6, NET_RX_TSO6 }, { F_GUEST_ECN, NET_RX_TSO_ECN },
	};
	uint32_t features = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		features |= virtio_has(vdev, table[i].theirs) ? table[i].ours : 0;
	return features;
}

/* The device's address, or one of our own: locally administered, and different for each device. */
static int read_mac(struct nic *nic, unsigned number)
{
	uint8_t *mac = nic->dev.mac;
	int error = 0;

	for (unsigned i = 0; !error && i < NET_MAC_SIZE && virtio_has(nic->vdev, F_MAC); i++) {
		uint64_t byte;

		error = virtio_config(nic->vdev, CONFIG_MAC + i, 1, &byte);
		mac[i] = (uint8_t)byte;
	}
	if (error || (virtio_has(nic->vdev, F_MAC) && !(mac[0] & 1)))
		return error;
	memcpy(mac, (uint8_t[]){ 0x02, 0, 0, 0, 0, (uint8_t)number }, NET_MAC_SIZE);
	return 0;
}

static int read_mtu(struct nic *nic)
{
	uint64_t mtu = MTU;
	int error = virtio_has(nic->vdev, F_MTU) ? virtio_config(nic->vdev, CONFIG_MTU, sizeof(uint16_t), &mtu) : 0;

	nic->dev.mtu = (uint16_t)MIN(mtu, NET_FRAME_MAX - NET_HEADER_SIZE - 4);
	return error ? error : mtu < MTU_MIN ? -EINVAL : 0;
}

static int read_config(struct nic *nic, unsigned number)
{
	int error = read_mac(nic, number);

	if (!error)
		error = read_mtu(nic);
	if (!error)
		error = read_link(nic->vdev, &nic->dev.link);
	if (error)
		log_warn("%s: its configuration makes no sense to us (error %d)", nic->vdev->name, error);
	return error;
}

static struct nic *allocate(struct virtio_device *vdev, struct virtq *rx, struct virtq *tx)
{
	unsigned n = virtq_size(tx) / 2; /* at least two descriptors each */
	struct nic *nic = kzalloc(sizeof(*nic) + n * sizeof(nic->slots[0]));

	if (!nic)
		return NULL;
	nic->vdev = vdev;
	nic->rx = rx;
	nic->tx = tx;
	nic->dev.ops = &nic_ops;
	nic->dev.name = nic->name;
	nic->dev.features = features_of(vdev);
	nic->dev.polled = vdev->polled;
	nic->rx_lock = (spinlock_t)SPINLOCK_INIT;
	nic->tx_lock = (spinlock_t)SPINLOCK_INIT;
	if (IS_ENABLED(CONFIG_IRQ))
		timer_init(&nic->timer, nic_timer);
	while (n > 0)
		nic_free_slot(nic, &nic->slots[--n]);
	return nic;
}

static void publish(struct nic *nic, unsigned number)
{
	const uint8_t *mac = nic->dev.mac;

	(void)snprintf(nic->name, sizeof(nic->name), "net%u", number);
	nic->vdev->priv = nic;
	virtio_ready(nic->vdev);
	net_register(&nic->dev);
	log_info("%s: %02x:%02x:%02x:%02x:%02x:%02x, link %s", nic->name, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
		 nic->dev.link ? "up" : "down");
}

static int nic_probe(struct virtio_device *vdev)
{
	struct virtq *rx, *tx;
	struct nic *nic;
	int error = virtq_create(vdev, RECEIVE_QUEUE, VIRTQ_MAX, nic_used, &rx);

	if (!error)
		error = virtq_create(vdev, SEND_QUEUE, VIRTQ_MAX, nic_used, &tx);
	if (error)
		return error;
	if (virtq_size(tx) < 2)
		return -EINVAL;
	nic = allocate(vdev, rx, tx);
	if (!nic)
		return -ENOMEM;
	error = read_config(nic, n_devices);
	if (error)
		kfree(nic);
	else
		publish(nic, n_devices++);
	return error;
}

VIRTIO_DRIVER(virtio_net) = {
	.name = "virtio-net",
	.device_id = VIRTIO_ID_NET,
	.features = BIT(F_CSUM) | BIT(F_GUEST_CSUM) | BIT(F_MTU) | BIT(F_MAC) | ALL_TSO | BIT(F_HOST_TSO4) | BIT(F_HOST_TSO6) |
		    BIT(F_HOST_ECN) | BIT(F_MRG_RXBUF) | BIT(F_STATUS) | BIT(F_HOST_USO),
	.choose = nic_choose,
	.probe = nic_probe,
	.broken = nic_broken,
	.config_changed = nic_config_changed,
};
