/* The driver of virtio-mmio devices: finding them, agreeing on features, queues. */
#include "virtio.h"

#include "guest.h"
#include "plic.h"

#include <libfdt.h>
#include <string.h>

#define MAGIC 0x74726976u
#define VERSION 2u

enum { STATUS_ACKNOWLEDGE = 1, STATUS_DRIVER = 2, STATUS_DRIVER_OK = 4, STATUS_FEATURES_OK = 8 };
enum { DESC_NEXT = 1, DESC_WRITE = 2 };

/* --- finding --- */

static bool read_node(int node, struct virtio *out)
{
	int reg_len, irq_len;
	const fdt64_t *reg = fdt_getprop(machine.dtb, node, "reg", &reg_len);
	const fdt32_t *interrupt = fdt_getprop(machine.dtb, node, "interrupts", &irq_len);

	if (!reg || reg_len != 16 || !interrupt || irq_len != 4)
		return false;
	*out = (struct virtio){ .registers = fdt64_to_cpu(reg[0]), .interrupt = fdt32_to_cpu(*interrupt) };
	return true;
}

/* Of the devices behind that address, the first. */
static bool find_next(unsigned id, uint64_t behind, struct virtio *out)
{
	struct virtio dev;
	bool found = false;
	int node = -1;

	while ((node = fdt_node_offset_by_compatible(machine.dtb, node, "virtio,mmio")) >= 0) {
		if (!read_node(node, &dev) || dev.registers <= behind || (found && dev.registers > out->registers))
			continue;
		if (virtio_read(&dev, VIRTIO_MAGIC) != MAGIC || virtio_read(&dev, VIRTIO_VERSION) != VERSION ||
		    virtio_read(&dev, VIRTIO_DEVICE_ID) != id)
			continue;
		*out = dev;
		found = true;
	}
	return found;
}

bool virtio_find(unsigned id, unsigned nth, struct virtio *out)
{
	uint64_t behind = 0;

	for (unsigned i = 0; i <= nth; i++) {
		if (!find_next(id, behind, out))
			return false;
		behind = out->registers;
	}
	return true;
}

/* --- life of a device, 3.1 --- */

static void set_status(const struct virtio *dev, uint32_t bits)
{
	virtio_write(dev, VIRTIO_STATUS, virtio_read(dev, VIRTIO_STATUS) | bits);
}

static uint64_t read_features(const struct virtio *dev)
{
	uint64_t low;

	virtio_write(dev, VIRTIO_DEVICE_FEATURES_SEL, 0);
	low = virtio_read(dev, VIRTIO_DEVICE_FEATURES);
	virtio_write(dev, VIRTIO_DEVICE_FEATURES_SEL, 1);
	return (uint64_t)virtio_read(dev, VIRTIO_DEVICE_FEATURES) << 32 | low;
}

static void write_features(const struct virtio *dev)
{
	for (unsigned half = 0; half < 2; half++) {
		virtio_write(dev, VIRTIO_DRIVER_FEATURES_SEL, half);
		virtio_write(dev, VIRTIO_DRIVER_FEATURES, dev->features >> 32 * half);
	}
}

bool virtio_begin(struct virtio *dev, uint64_t wanted)
{
	virtio_write(dev, VIRTIO_STATUS, 0);
	while (virtio_read(dev, VIRTIO_STATUS))
		;
	set_status(dev, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	dev->features = read_features(dev) & (wanted | VIRTIO_F_VERSION_1);
	write_features(dev);
	set_status(dev, STATUS_FEATURES_OK);
	return virtio_read(dev, VIRTIO_STATUS) & STATUS_FEATURES_OK;
}

void virtio_ready(const struct virtio *dev)
{
	uint64_t context = plic_context(this_hart->id);
	uint64_t enable = PLIC_ENABLE(context) + 4 * (dev->interrupt / 32);

	plic_write(PLIC_PRIORITY(dev->interrupt), 1);
	plic_write(PLIC_THRESHOLD(context), 0);
	plic_write(enable, plic_read(enable) | 1u << dev->interrupt % 32);
	csr_set(sie, SIE_SEIE);
	set_status(dev, STATUS_DRIVER_OK);
}

void virtio_wait(const struct virtio *dev)
{
	uint64_t claim = PLIC_CLAIM(plic_context(this_hart->id));
	uint32_t source;

	wait_for_interrupt();
	source = plic_read(claim);
	if (source == dev->interrupt)
		virtio_write(dev, VIRTIO_INTERRUPT_ACK, virtio_read(dev, VIRTIO_INTERRUPT_STATUS));
	if (source)
		plic_write(claim, source);
}

/* --- queues, 2.7 --- */

static void write_address(const struct virtio *dev, unsigned reg, const volatile void *address)
{
	virtio_write(dev, reg, (uint32_t)(uintptr_t)address);
	virtio_write(dev, reg + 4, (uint32_t)((uintptr_t)address >> 32));
}

bool virtq_set_up(struct virtq *vq, const struct virtio *dev, unsigned number)
{
	memset(vq, 0, sizeof(*vq));
	vq->dev = dev;
	vq->number = number;
	vq->n_free = VIRTQ_SIZE;
	for (unsigned i = 0; i < VIRTQ_SIZE; i++)
		vq->desc[i].next = i + 1;
	virtio_write(dev, VIRTIO_QUEUE_SEL, number);
	if (virtio_read(dev, VIRTIO_QUEUE_SIZE_MAX) < VIRTQ_SIZE)
		return false;
	virtio_write(dev, VIRTIO_QUEUE_SIZE, VIRTQ_SIZE);
	write_address(dev, VIRTIO_QUEUE_DESC, vq->desc);
	write_address(dev, VIRTIO_QUEUE_DRIVER, &vq->avail);
	write_address(dev, VIRTIO_QUEUE_DEVICE, &vq->used);
	virtio_write(dev, VIRTIO_QUEUE_READY, 1);
	return true;
}

static void fence(void)
{
	__asm__ volatile("fence iorw, iorw" : : : "memory");
}

bool virtq_add(struct virtq *vq, const struct virtq_part *parts, unsigned n_out, unsigned n_in, void *cookie)
{
	unsigned n = n_out + n_in;
	uint16_t head = vq->free, at = head;

	if (n == 0 || n > vq->n_free)
		return false;
	for (unsigned i = 0; i < n; i++) {
		struct virtq_desc *desc = &vq->desc[at];

		desc->address = (uintptr_t)parts[i].data;
		desc->len = parts[i].len;
		desc->flags = (i >= n_out ? DESC_WRITE : 0) | (i + 1 < n ? DESC_NEXT : 0);
		at = desc->next;
	}
	vq->free = at;
	vq->n_free -= n;
	vq->cookies[head] = cookie;
	vq->avail.ring[vq->avail.index % VIRTQ_SIZE] = head;
	fence();
	*(volatile uint16_t *)&vq->avail.index = vq->avail.index + 1;
	return true;
}

void virtq_kick(const struct virtq *vq)
{
	fence();
	virtio_write(vq->dev, VIRTIO_QUEUE_NOTIFY, vq->number);
}

static void give_back(struct virtq *vq, uint16_t head)
{
	uint16_t last = head;

	vq->n_free++;
	while (vq->desc[last].flags & DESC_NEXT) {
		last = vq->desc[last].next;
		vq->n_free++;
	}
	vq->desc[last].next = vq->free;
	vq->free = head;
}

void *virtq_take(struct virtq *vq, uint32_t *len)
{
	uint16_t head;

	if (*(volatile uint16_t *)&vq->used.index == vq->seen)
		return NULL;
	fence();
	head = vq->used.ring[vq->seen % VIRTQ_SIZE].id;
	*len = vq->used.ring[vq->seen % VIRTQ_SIZE].len;
	vq->seen++;
	give_back(vq, head);
	return vq->cookies[head];
}
