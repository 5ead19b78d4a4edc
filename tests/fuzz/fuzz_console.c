/* The virtio console of a VM, over a console that takes as much as the input says. */
// sources: vmm/virtio/console.c vmm/virtio/ring.c vmm/virtio/device.c vmm/virtio/mmio.c vmm/device/common.c vmm/image/dt_writer.c
#include "fuzz.h"

#include <string.h>

#include <vmm/virtio_console.h>

#define ROOM 4096u

enum { RECEIVE, TRANSMIT };

static struct {
	size_t room;              /* so many bytes more it takes */
	bool refused;             /* the device did not take all that was typed */
	uint64_t typed, written;  /* taken, and as of then given to the guest, since the last reset */
} be;

static size_t console_write(void *vm, const char *buf, size_t n)
{
	volatile char last = 0;
	size_t taken = MIN(n, be.room);

	(void)vm;
	for (size_t i = 0; i < n; i++)
		last = buf[i];
	(void)last;
	be.room -= taken;
	fuzz_progress += taken;
	fuzz_meanwhile();
	return taken;
}

static enum vdev_output console_put(void *vm, char byte)
{
	(void)vm;
	(void)byte;
	fuzz_meanwhile();
	if (be.room == 0)
		return VDEV_FULL;
	be.room--;
	return VDEV_TAKEN;
}

static void console_ready(void *vm)
{
	(void)vm;
	if (!be.refused)
		fuzz_fail("the console is told that there is room, and had not asked");
	be.refused = false;
	fuzz_meanwhile();
}

static void *attach(struct guest *g)
{
	be.room = 100000;
	be.refused = false;
	be.typed = 0;
	be.written = chains_written;
	g->host.console_write = console_write;
	g->host.console_put = console_put;
	g->host.console_ready = console_ready;
	return NULL;
}

static void type(struct guest *g, size_t n)
{
	static const char text[5000] = "typed";
	bool refused = be.refused;
	size_t taken;

	be.refused = true; /* it may say so before it returns */
	taken = vio_console_input(g->dev, text, n);
	if (taken > n)
		fuzz_fail("%zu of %zu bytes were taken", taken, n);
	be.typed += taken;
	if (taken == n)
		be.refused = refused;
}

static void backend(struct guest *g, uint8_t what, uint16_t arg)
{
	switch (what & 3) {
	case 0:
		be.room = arg & 0x8000 ? arg : arg & 0x3ff;
		break;
	case 1:
		vio_console_resize(g->dev, arg & 0xff, arg >> 8);
		break;
	default:
		type(g, arg % 5000);
	}
	(void)vio_console_listens(g->dev);
}

static void request(struct guest *g, struct input *in)
{
	unsigned how = take8(in), q = how & 1 ? TRANSMIT : RECEIVE, n = 1 + (how >> 1 & 3);
	struct piece pieces[4];

	for (unsigned i = 0; i < n; i++) {
		uint32_t len = take_length(in);

		pieces[i] = (struct piece){ DATA + 3001u * (take8(in) % 50), 1 + MIN(len, 10000), q == RECEIVE };
	}
	(void)guest_offer(g, q, pieces, n, how & 8);
	guest_kick_if_wanted(g, q);
}

static bool pump(void)
{
	bool was_full = be.room == 0;

	be.room = 100000;
	return was_full;
}

/* It keeps what was typed, but not without end. */
static void check(struct guest *g)
{
	uint64_t given = chains_written - be.written;

	if (g->dev->status == 0) { /* a reset forgets, but what is typed then is kept */
		be.typed = 0;
		be.written = chains_written;
	} else if (be.typed > given + 2 * ROOM) {
		fuzz_fail("%lu bytes were typed, of which the guest has got %lu", be.typed, given);
	}
}

const struct fuzz_target fuzz_target = {
	.type = &vio_console_type, .guests = 1, .drains = BIT(TRANSMIT), .attach = attach, .backend = backend, .request = request,
	.pump = pump, .check = check,
};
