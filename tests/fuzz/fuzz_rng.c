/* The entropy device of a VM, over a generator that says the same again and again. */
// sources: vmm/virtio/rng.c vmm/virtio/ring.c vmm/virtio/device.c vmm/virtio/mmio.c vmm/device/common.c vmm/image/dt_writer.c
#include "fuzz.h"

#include <string.h>

#include <caisson/random.h>
#include <vmm/virtio_rng.h>

void random_bytes(void *buf, size_t n)
{
	memset(buf, 0x5c, n);
}

static void request(struct guest *g, struct input *in)
{
	unsigned how = take8(in), n = 1 + (how & 3);
	struct piece pieces[4];

	for (unsigned i = 0; i < n; i++) {
		uint32_t len = take_length(in);

		pieces[i] = (struct piece){ DATA + 3001u * (take8(in) % 50), 1 + MIN(len, 10000), true };
	}
	(void)guest_offer(g, 0, pieces, n, how & 8);
	if (how & 16)
		guest_kick_if_wanted(g, 0);
}

const struct fuzz_target fuzz_target = { .type = &vio_rng_type, .guests = 1, .drains = BIT(0), .request = request };
