/* The places of a VM's devices (vmm/mmio.h). */
#include <vmm/mmio.h>

void mmio_map_add(struct mmio_map *map, uint64_t start, uint64_t size, const struct device_ops *ops, void *arg)
{
	/* So many pages in a row have all the places. */
	uint64_t pages = MIN(size / PAGE_SIZE, MMIO_SLOTS);

	for (uint64_t page = 0; page < pages; page++) {
		uint64_t i = mmio_slot_of(start + page * PAGE_SIZE);

		if (map->loads[i].size && map->loads[i].size <= size)
			continue;
		map->loads[i] = (struct mmio_load_slot){ start, size, ops->read, arg };
		map->stores[i] = (struct mmio_store_slot){ start, size, ops->write, arg };
	}
}
