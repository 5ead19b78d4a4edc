/* The driver of virtio network devices. */
#include "nic.h"

#include <stddef.h>
#include <string.h>

enum { RX = 0, TX = 1 };
enum { CONFIG_MAC = VIRTIO_CONFIG, CONFIG_STATUS = VIRTIO_CONFIG + 6, LINK_UP = 1 };
enum { USED_NO_NOTIFY = 1, AVAIL_NO_INTERRUPT = 1 };

static uint8_t config_byte(const struct nic *nic, unsigned reg)
{
	return *(volatile uint8_t *)(nic->dev.registers + reg);
}

static void post(struct nic *nic, struct nic_buffer *b)
{
	const struct virtq_part part = { b->header, NIC_HEADER + NIC_FRAME_MAX };

	virtq_add(&nic->rx, &part, 0, 1, b);
}

static bool wants_kick(const struct virtq *vq)
{
	__asm__ volatile("fence rw, rw" : : : "memory");
	return !(*(volatile uint16_t *)&vq->used.flags & USED_NO_NOTIFY);
}

bool nic_open(struct nic *nic, unsigned nth, bool deaf)
{
	if (!virtio_find(VIRTIO_NET, nth, &nic->dev) ||
	    !virtio_begin(&nic->dev, 1u << NIC_F_MAC | 1u << NIC_F_STATUS) ||
	    !virtq_set_up(&nic->rx, &nic->dev, RX) || !virtq_set_up(&nic->tx, &nic->dev, TX))
		return false;
	for (unsigned i = 0; i < sizeof(nic->mac); i++)
		nic->mac[i] = config_byte(nic, CONFIG_MAC + i);
	nic->tx.avail.flags = AVAIL_NO_INTERRUPT; /* sent ones are looked for when a buffer is needed */
	for (unsigned i = 0; i < NIC_BUFFERS; i++) {
		nic->free[i] = &nic->out[i];
		if (!deaf)
			post(nic, &nic->in[i]);
	}
	nic->n_free = NIC_BUFFERS;
	virtio_ready(&nic->dev);
	virtq_kick(&nic->rx);
	return true;
}

bool nic_link(const struct nic *nic)
{
	return config_byte(nic, CONFIG_STATUS) & LINK_UP;
}

static void take_sent(struct nic *nic)
{
	struct nic_buffer *b;
	uint32_t len;

	while ((b = virtq_take(&nic->tx, &len)) != NULL)
		nic->free[nic->n_free++] = b;
}

struct nic_buffer *nic_buffer(struct nic *nic)
{
	while (nic->n_free == 0) {
		take_sent(nic);
		if (nic->n_free == 0)
			virtq_kick(&nic->tx);
	}
	return nic->free[--nic->n_free];
}

void nic_send(struct nic *nic, struct nic_buffer *b, uint32_t len)
{
	const struct virtq_part part = { b->header, NIC_HEADER + len };

	memset(b->header, 0, NIC_HEADER);
	virtq_add(&nic->tx, &part, 1, 0, b);
}

void nic_kick(struct nic *nic)
{
	virtq_kick(&nic->tx);
}

struct nic_buffer *nic_receive(struct nic *nic)
{
	uint32_t len;
	struct nic_buffer *b = virtq_take(&nic->rx, &len);

	if (b)
		b->len = len - NIC_HEADER;
	return b;
}

void nic_done(struct nic *nic, struct nic_buffer *b)
{
	post(nic, b);
	if (wants_kick(&nic->rx))
		virtq_kick(&nic->rx);
}
