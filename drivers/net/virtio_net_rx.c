/*
 * What the virtio network device receives. Each buffer is a page; with mergeable buffers a frame has several. An
 * interrupt takes all that is there, hands it to the user, and gives the pages back to the device together.
 */
#include "virtio_net.h"

#include <errno.h>

#include <caisson/mm.h>

/* Give the device all pages that we have. */
void nic_refill(struct nic *nic)
{
	while (nic->n_pages > 0) {
		void *page = nic->pages[nic->n_pages - 1];

		if (virtq_add(nic->rx, &(struct virtq_buf){ page, PAGE_SIZE, true }, 1, page))
			break;
		nic->n_pages--;
	}
	virtq_kick(nic->rx);
}

void nic_free_pages(struct nic *nic)
{
	while (nic->n_pages > 0)
		frame_free(kva_to_hpa(nic->pages[--nic->n_pages]), 0);
}

int nic_allocate_pages(struct nic *nic)
{
	while (nic->n_pages < virtq_size(nic->rx)) {
		hpa_t frame;

		if (frame_alloc(0, 0, &frame)) {
			nic_free_pages(nic);
			return -ENOMEM;
		}
		nic->pages[nic->n_pages++] = hpa_to_kva(frame);
	}
	return 0;
}

/* The device could change it while we look: each word is read once. */
static struct header read_header(const void *page)
{
	union { uint32_t words[sizeof(struct header) / 4]; struct header h; } copy;

	for (unsigned i = 0; i < ARRAY_SIZE(copy.words); i++)
		copy.words[i] = __atomic_load_n((const uint32_t *)page + i, __ATOMIC_RELAXED);
	return copy.h;
}

/* A piece of a frame, of the next page that the device has filled. Unless it is the first, which has the header. */
static bool next_page(struct nic *nic, unsigned header, struct segment *seg)
{
	uint32_t written;
	char *page = virtq_take(nic->rx, &written);

	if (!page)
		return false;
	nic->pages[nic->n_pages++] = page;
	if (written < header) {
		virtio_fail(nic->vdev, "received a frame without a header");
		return false;
	}
	*seg = (struct segment){ page + header, written - header };
	return true;
}

/* The further pages of a frame: they are used when the first is (5.1.6.4). */
static bool take_rest(struct nic *nic, const struct header *h, struct segment *segs, unsigned *n)
{
	unsigned wanted = virtio_has(nic->vdev, F_MRG_RXBUF) ? h->num_buffers : 1;

	*n = 1;
	if (wanted == 0 || wanted > NET_SEGMENTS_MAX) {
		virtio_fail(nic->vdev, "received a frame in none, or too many, buffers");
		return false;
	}
	while (*n < wanted)
		if (!next_page(nic, 0, &segs[(*n)++])) {
			virtio_fail(nic->vdev, "received a part of a frame");
			return false;
		}
	return true;
}

/* What a header says of a frame. @return false: nonsense, or what was not agreed on. */
static bool offload_of(const struct nic *nic, const struct header *h, uint32_t len, struct net_offload *o)
{
	uint32_t features = nic->dev.features;
	bool tcp4 = (h->gso_type & ~GSO_ECN) == GSO_TCPV4, tcp6 = (h->gso_type & ~GSO_ECN) == GSO_TCPV6;

	*o = (struct net_offload){ 0 };
	if (!(features & NET_RX_CSUM))
		return h->gso_type == GSO_NONE;
	o->csum_valid = h->flags & H_DATA_VALID;
	o->needs_csum = h->flags & H_NEEDS_CSUM;
	if (o->needs_csum) {
		o->csum_start = h->csum_start;
		o->csum_offset = h->csum_offset;
		if ((uint32_t)h->csum_start + h->csum_offset + sizeof(uint16_t) > len)
			return false;
	}
	if (h->gso_type == GSO_NONE)
		return true;
	o->gso = tcp4 ? NET_GSO_TCPV4 : NET_GSO_TCPV6;
	o->ecn = h->gso_type & GSO_ECN;
	o->gso_size = h->gso_size;
	o->header_len = h->hdr_len <= len ? h->hdr_len : 0;
	return o->needs_csum && o->gso_size > 0 && (!o->ecn || features & NET_RX_TSO_ECN) &&
	       ((tcp4 && features & NET_RX_TSO4) || (tcp6 && features & NET_RX_TSO6));
}

static void hand_over(struct nic *nic, const struct header *h, const struct segment *segs, unsigned n)
{
	struct net_frame frame = { .segs = segs, .n = n };

	for (unsigned i = 0; i < n; i++)
		frame.len += segs[i].len;
	if (frame.len >= NET_HEADER_SIZE && frame.len <= NET_FRAME_MAX && offload_of(nic, h, frame.len, &frame.offload))
		nic->dev.user->receive(&nic->dev, &frame);
	else
		__atomic_add_fetch(&nic->dev.dropped, 1, __ATOMIC_RELAXED);
}

/* @return false: no more for now, or the device has lied. */
static bool receive_one(struct nic *nic)
{
	struct segment segs[NET_SEGMENTS_MAX];
	struct header h;
	unsigned n;

	if (!next_page(nic, sizeof(h), &segs[0]))
		return false;
	h = read_header((char *)segs[0].data - sizeof(h));
	if (!take_rest(nic, &h, segs, &n))
		return false;
	hand_over(nic, &h, segs, n);
	return true;
}

/* The device gets its pages back only afterwards, so that there is an end to what it can bring. */
void nic_receive(struct nic *nic)
{
	irqflags_t flags = spin_lock_irqsave(&nic->rx_lock);

	while (receive_one(nic))
		;
	if (!virtio_is_broken(nic->vdev))
		nic_refill(nic);
	spin_unlock_irqrestore(&nic->rx_lock, flags);
}

/* The device was reset: the pages are ours again. */
void nic_reclaim_pages(struct nic *nic)
{
	void *page;

	while ((page = virtq_reclaim(nic->rx)) != NULL)
		nic->pages[nic->n_pages++] = page;
}
