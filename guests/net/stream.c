/* Streams of frames: no answers, no look at what is in them, so that what is measured is their way. */
#include "stream.h"

#include "guest.h"
#include "nic.h"

#include <string.h>

#define BUFFERS		32u
#define BUFFER_SIZE	(68u << 10)
#define FRAME_MIN	64u
#define FRAME_LONGEST	(14u + 65535u)
#define HEADERS		54u	/* Ethernet, IPv4, TCP */
#define TCP_AT		34u
#define TCP_SUM		16u	/* within TCP's header */
#define SEGMENT		1448u
#define QUIET_MS	2000u	/* without a frame: the rest is lost */

enum { F_CSUM = 0, F_GUEST_CSUM = 1, F_GUEST_TSO4 = 7, F_HOST_TSO4 = 11 };
enum { RX = 0, TX = 1, NEEDS_CSUM = 1, GSO_TCPV4 = 1, USED_NO_NOTIFY = 1, AVAIL_NO_INTERRUPT = 1 };

/* Virtio 1.2, 5.1.6. */
struct header {
	uint8_t flags, gso;
	uint16_t header_len, gso_size, csum_start, csum_offset, buffers;
};

static struct virtio dev;
static struct virtq rx, tx;

static uint8_t *buffer(unsigned i)
{
	return (uint8_t *)guest_end + i * BUFFER_SIZE;
}

static uint32_t frame_size(void)
{
	uint64_t n = bootarg_number("size", NIC_FRAME_MAX);

	return n < FRAME_MIN ? FRAME_MIN : n > FRAME_LONGEST ? FRAME_LONGEST : n;
}

static bool begin(uint32_t size)
{
	uint64_t wanted = size > NIC_FRAME_MAX ? 1u << F_CSUM | 1u << F_GUEST_CSUM | 1u << F_GUEST_TSO4 | 1u << F_HOST_TSO4 : 0;

	if (!virtio_find(VIRTIO_NET, 0, &dev) || !virtio_begin(&dev, wanted) || (dev.features & wanted) != wanted ||
	    !virtq_set_up(&rx, &dev, RX) || !virtq_set_up(&tx, &dev, TX)) {
		print("no network device with what this needs\n");
		return false;
	}
	return true;
}

static void make(uint8_t *at, uint32_t size)
{
	struct header *h = (struct header *)at;
	uint8_t *frame = at + NIC_HEADER, *ip = frame + 14, *tcp = frame + TCP_AT;

	memset(at, 0, NIC_HEADER + HEADERS);
	if (size > NIC_FRAME_MAX)
		*h = (struct header){ .flags = NEEDS_CSUM, .gso = GSO_TCPV4, .header_len = HEADERS, .gso_size = SEGMENT,
				      .csum_start = TCP_AT, .csum_offset = TCP_SUM };
	frame[0] = frame[6] = 2;
	frame[5] = (uint8_t)bootarg_number("to", 2);
	for (unsigned i = 0; i < 6; i++) /* the device's own */
		frame[6 + i] = *(volatile uint8_t *)(dev.registers + VIRTIO_CONFIG + i);
	frame[12] = 0x08; /* IPv4 */
	ip[0] = 0x45;
	ip[2] = (uint8_t)((size - 14) >> 8);
	ip[3] = (uint8_t)(size - 14);
	ip[8] = 64;
	ip[9] = 6; /* TCP */
	tcp[12] = 5 << 4;
}

/* Until all are sent. The device interrupts only while we wait. */
static void wait_sent(unsigned under_way)
{
	uint32_t len;

	while (under_way > 0) {
		if (virtq_take(&tx, &len)) {
			under_way--;
			continue;
		}
		*(volatile uint16_t *)&tx.avail.flags = 0;
		__asm__ volatile("fence rw, rw" : : : "memory");
		if (*(volatile uint16_t *)&tx.used.index == tx.seen)
			virtio_wait(&dev);
		*(volatile uint16_t *)&tx.avail.flags = AVAIL_NO_INTERRUPT;
	}
}

bool stream_send(void)
{
	uint64_t frames = bootarg_number("frames", 1000), burst = bootarg_number("burst", BUFFERS / 2);
	uint32_t size = frame_size();

	if (burst == 0 || burst > BUFFERS || !begin(size))
		return false;
	tx.avail.flags = AVAIL_NO_INTERRUPT;
	virtio_ready(&dev);
	for (unsigned i = 0; i < burst; i++)
		make(buffer(i), size);
	delay_ms((unsigned)bootarg_number("delay", 0));
	for (uint64_t sent = 0; sent < frames;) {
		unsigned n = 0;

		for (; n < burst && sent < frames; n++, sent++) {
			const struct virtq_part part = { buffer(n), NIC_HEADER + size };

			virtq_add(&tx, &part, 1, 0, &tx);
		}
		virtq_kick(&tx);
		wait_sent(n);
	}
	return true;
}

static void post(unsigned i)
{
	const struct virtq_part part = { buffer(i), BUFFER_SIZE };

	virtq_add(&rx, &part, 0, 1, buffer(i));
}

/* All that there are go back together. @return how many, at most that many */
static uint64_t take(uint32_t size, uint64_t most, uint64_t *wrong)
{
	uint64_t n = 0;
	uint32_t len;
	void *b;

	while (n < most && (b = virtq_take(&rx, &len)) != NULL) {
		*wrong += len != NIC_HEADER + size;
		post((unsigned)(((uint8_t *)b - (uint8_t *)guest_end) / BUFFER_SIZE));
		n++;
	}
	__asm__ volatile("fence rw, rw" : : : "memory");
	if (n && !(*(volatile uint16_t *)&rx.used.flags & USED_NO_NOTIFY))
		virtq_kick(&rx);
	return n;
}

bool stream_take(void)
{
	uint64_t frames = bootarg_number("frames", 1000), taken, wrong = 0, start, last;
	uint32_t size = frame_size();

	if (!begin(size))
		return false;
	for (unsigned i = 0; i < BUFFERS; i++)
		post(i);
	virtio_ready(&dev);
	virtq_kick(&rx);
	print("sink: ready\n");
	while ((taken = take(size, 1, &wrong)) == 0)
		virtio_wait(&dev);
	start = last = time_now();
	csr_set(sie, SIE_STIE); /* it ends a wait, and is not taken */
	while (taken < frames && time_now() - last < QUIET_MS * machine.timebase / 1000) {
		uint64_t n = take(size, frames - taken, &wrong);

		taken += n;
		if (n > 0) {
			last = time_now();
			continue;
		}
		timer_set(time_now() + QUIET_MS * machine.timebase / 1000);
		virtio_wait(&dev);
	}
	print("stream: %lu ns for %lu bytes, %lu frames lost\n", (last - start) * (1000000000 / machine.timebase),
	      (taken - 1) * size, frames - taken);
	return wrong == 0;
}
