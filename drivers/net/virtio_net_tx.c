/* What the virtio network device sends: in place where it can, and done() when it has. */
#include "virtio_net.h"

#include <errno.h>
#include <string.h>

#include <caisson/mm.h>

/* Has the device too little room for the largest frame? */
static bool is_tight(const struct nic *nic)
{
	return virtq_size(nic->tx) - nic->n_tx < MIN(NET_SEGMENTS_MAX + 1, virtq_size(nic->tx));
}

void nic_arm_timer(struct nic *nic)
{
	if (!IS_ENABLED(CONFIG_IRQ) || nic->timer_armed || (nic->n_tx == 0 && !nic->vdev->polled))
		return;
	nic->timer_armed = true;
	timer_arm(&nic->timer, time_now() + time_from_us(nic->vdev->polled ? POLL_US : LOOK_US));
}

void nic_free_slot(struct nic *nic, struct slot *s)
{
	s->next = nic->free;
	nic->free = s;
}

/* Finish frames, and have their slots free again. */
void nic_finish(struct nic *nic, struct slot *finished)
{
	irqflags_t flags;

	for (struct slot *s = finished; s; s = s->next) {
		if (s->copy)
			frame_free(kva_to_hpa(s->copy), s->copy_order);
		if (s->done)
			s->done(s->arg, s->status);
	}
	flags = spin_lock_irqsave(&nic->tx_lock);
	while (finished) {
		struct slot *s = finished;

		finished = s->next;
		nic_free_slot(nic, s);
	}
	spin_unlock_irqrestore(&nic->tx_lock, flags);
}

/* With the lock held. @return what the device has sent, in its order. */
static struct slot *take_sent(struct nic *nic)
{
	struct slot *first = NULL, **last = &first, *s;
	uint32_t written;

	while ((s = virtq_take(nic->tx, &written)) != NULL) {
		nic->n_tx -= s->n;
		nic->moved = true;
		s->status = 0;
		*last = s;
		last = &s->next;
		*last = NULL;
	}
	return first;
}

/* With the lock held, the device was reset. @return what it will not send any more. */
struct slot *nic_take_back(struct nic *nic, int status)
{
	struct slot *first = NULL, *s;

	while ((s = virtq_reclaim(nic->tx)) != NULL) {
		nic->n_tx -= s->n;
		s->status = status;
		if (nic->vdev->loose)
			s->copy = NULL; /* kept from everybody: the device may still read it */
		s->next = first;
		first = s;
	}
	return first;
}

void nic_tell_of_room(struct nic *nic)
{
	irqflags_t flags = spin_lock_irqsave(&nic->tx_lock);
	bool tell = nic->full && nic->free && !is_tight(nic) && !virtio_is_broken(nic->vdev);

	if (tell)
		nic->full = false;
	spin_unlock_irqrestore(&nic->tx_lock, flags);
	if (tell && nic->dev.user && nic->dev.user->room)
		nic->dev.user->room(&nic->dev);
}

void nic_sent(struct nic *nic)
{
	irqflags_t flags = spin_lock_irqsave(&nic->tx_lock);
	struct slot *finished = take_sent(nic);

	spin_unlock_irqrestore(&nic->tx_lock, flags);
	if (!finished)
		return;
	nic_finish(nic, finished);
	nic_tell_of_room(nic);
}

/* The frame in one piece of memory that the device reaches. */
static int copy_frame(struct slot *s, const struct net_frame *frame)
{
	unsigned order = 0;
	hpa_t frames;
	char *at;

	while (PAGE_SIZE << order < frame->len)
		order++;
	if (frame_alloc(order, 0, &frames))
		return -ENOMEM;
	s->copy = at = hpa_to_kva(frames);
	s->copy_order = order;
	for (unsigned i = 0; i < frame->n; i++) {
		memcpy(at, frame->segs[i].data, frame->segs[i].len);
		at += frame->segs[i].len;
	}
	return 0;
}

/* The frame's pieces behind bufs[0], if the device can take them as they are. @return how many, or 0. */
static unsigned gather(const struct nic *nic, const struct net_frame *frame, struct virtq_buf *bufs)
{
	unsigned n = 1;

	if (frame->n > MIN(NET_SEGMENTS_MAX, virtq_size(nic->tx) - 1))
		return 0;
	for (unsigned i = 0; i < frame->n; i++) {
		const struct segment *seg = &frame->segs[i];

		if (!kva_has_hpa(seg->data, seg->len))
			return 0;
		if (seg->len > 0)
			bufs[n++] = (struct virtq_buf){ seg->data, seg->len, false };
	}
	return n;
}

static uint8_t gso_type_of(const struct net_offload *o)
{
	static const uint8_t types[] = {
		[NET_GSO_NONE] = GSO_NONE, [NET_GSO_TCPV4] = GSO_TCPV4, [NET_GSO_TCPV6] = GSO_TCPV6,
		[NET_GSO_UDP_L4] = GSO_UDP_L4,
	};

	return types[o->gso] | (o->ecn ? GSO_ECN : 0);
}

static struct header header_of(const struct net_offload *o)
{
	return (struct header){
		.flags = o->needs_csum ? H_NEEDS_CSUM : 0,
		.gso_type = gso_type_of(o),
		.hdr_len = o->gso ? o->header_len : 0,
		.gso_size = o->gso ? o->gso_size : 0,
		.csum_start = o->needs_csum ? o->csum_start : 0,
		.csum_offset = o->needs_csum ? o->csum_offset : 0,
	};
}

/* Hand slot s to the device with the frame. @return 0, -ENOSPC or -ENOMEM: it is as it was. */
static int start(struct nic *nic, struct slot *s, const struct net_frame *frame, bool in_place)
{
	struct virtq_buf bufs[NET_SEGMENTS_MAX + 1] = { { &s->header, sizeof(s->header), false } };
	unsigned n = in_place ? gather(nic, frame, bufs) : 0;
	int error = 0;

	s->copy = NULL;
	if (n == 0) {
		error = copy_frame(s, frame);
		bufs[1] = (struct virtq_buf){ s->copy, frame->len, false };
		n = 2;
	}
	s->header = header_of(&frame->offload);
	s->n = n;
	if (!error)
		error = virtq_add(nic->tx, bufs, n, s);
	if (error && s->copy)
		frame_free(kva_to_hpa(s->copy), s->copy_order);
	return error;
}

static int send_locked(struct nic *nic, const struct net_frame *frame, net_sent_t done, void *arg)
{
	struct slot *s = nic->free;
	int error;

	if (virtio_is_broken(nic->vdev))
		return -EIO;
	error = s ? start(nic, s, frame, done != NULL) : -ENOSPC;
	nic->full |= error == -ENOSPC;
	if (error)
		return error;
	nic->free = s->next;
	nic->n_tx += s->n;
	s->done = done;
	s->arg = arg;
	virtq_kick(nic->tx);
	nic_arm_timer(nic);
	return 0;
}

int nic_send(struct net_device *dev, const struct net_frame *frame, net_sent_t done, void *arg)
{
	struct nic *nic = nic_of(dev);
	irqflags_t flags = spin_lock_irqsave(&nic->tx_lock);
	int error = send_locked(nic, frame, done, arg);

	spin_unlock_irqrestore(&nic->tx_lock, flags);
	return error;
}
