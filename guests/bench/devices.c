/* What a register of a device costs when a VM has many of them and the guest reads one after the other. */
#include "bench.h"
#include "guest.h"
#include "loops.h"

#define VIRTIO_BASE	0x10001000ul
#define PLACE		0x1000ul
#define ROUNDS		1600
#define MAGIC		0x74726976u

bool bench_in_turn(uint64_t devices)
{
	uint64_t start;

	for (uint64_t i = 0; i < devices; i++)
		if (*(volatile uint32_t *)(VIRTIO_BASE + i * PLACE) != MAGIC)
			return false;
	align_tick(0);
	start = time_now();
	loop_read_in_turn(ROUNDS / devices, VIRTIO_BASE, VIRTIO_BASE + devices * PLACE);
	row("in-turn", (time_now() - start) * (1000000000 / machine.timebase), ROUNDS / devices * devices);
	return true;
}
