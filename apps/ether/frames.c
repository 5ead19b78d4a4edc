/* Frames in and out: what comes is copied in interrupt context, and waits until somebody wants it. */
#include "ether.h"

#include <errno.h>
#include <string.h>

#include <caisson/spinlock.h>

#define INBOX 64u

static struct received inbox[INBOX];
static unsigned first, count;     /* guarded by the lock of arrived */
static struct waitq arrived = WAITQ_INIT(arrived), room = WAITQ_INIT(room);
static spinlock_t lock = SPINLOCK_INIT; /* guards first and count */
static bool has_room;             /* atomic */
struct waitq link_queue = WAITQ_INIT(link_queue);
const uint8_t ether_broadcast[NET_MAC_SIZE] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static void copy(struct received *r, const struct net_frame *frame)
{
	r->len = 0;
	for (unsigned i = 0; i < frame->n; i++) {
		memcpy(r->data + r->len, frame->segs[i].data, frame->segs[i].len);
		r->len += frame->segs[i].len;
	}
}

static void received(struct net_device *dev, const struct net_frame *frame)
{
	irqflags_t flags;

	(void)dev;
	if (frame->len > RECEIVED_MAX || frame->offload.gso || frame->offload.needs_csum)
		return;
	flags = spin_lock_irqsave(&lock);
	if (count < INBOX)
		copy(&inbox[(first + count++) % INBOX], frame);
	spin_unlock_irqrestore(&lock, flags);
	waitq_notify_all(&arrived);
}

static void room_again(struct net_device *dev)
{
	(void)dev;
	__atomic_store_n(&has_room, true, __ATOMIC_RELEASE);
	waitq_notify_all(&room);
}

static void link_changed(struct net_device *dev)
{
	(void)dev;
	waitq_notify_all(&link_queue);
}

int receive_start(void)
{
	static const struct net_user user = { .receive = received, .room = room_again, .link_changed = link_changed };

	return net_open(net, &user, NULL);
}

static bool is_there(void *arg)
{
	(void)arg;
	return __atomic_load_n(&count, __ATOMIC_ACQUIRE) > 0;
}

struct received *receive_wait(uint64_t deadline)
{
	return waitq_wait(&arrived, is_there, NULL, deadline) ? NULL : &inbox[first];
}

void receive_done(struct received *r)
{
	irqflags_t flags = spin_lock_irqsave(&lock);

	first = (unsigned)(r - inbox + 1) % INBOX;
	count--;
	spin_unlock_irqrestore(&lock, flags);
}

static bool is_room(void *arg)
{
	(void)arg;
	return __atomic_load_n(&has_room, __ATOMIC_ACQUIRE);
}

int send_when_room(const struct net_frame *frame, net_sent_t done, void *arg)
{
	for (;;) {
		int error;

		__atomic_store_n(&has_room, false, __ATOMIC_RELEASE);
		error = net_send(net, frame, done, arg);
		if (error != -ENOSPC)
			return error;
		waitq_wait(&room, is_room, NULL, UINT64_MAX);
	}
}

void ether_header(uint8_t *frame, const uint8_t *to, uint16_t type)
{
	memcpy(frame, to, NET_MAC_SIZE);
	memcpy(frame + NET_MAC_SIZE, net->mac, NET_MAC_SIZE);
	put16(frame + 2 * NET_MAC_SIZE, type);
}
