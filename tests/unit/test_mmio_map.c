/* Which device answers at an address: one look, for each device of the default map. */
// sources: vmm/vm/mmio_map.c
#include <test.h>

#include <vmm/channel.h>
#include <vmm/config.h>
#include <vmm/memory.h>
#include <vmm/mmio.h>

#define PLIC_SIZE UINT64_C(0x4000000)

static struct mmio_map map;
static char plic;

static int read_nothing(void *dev, uint64_t off, unsigned size, uint64_t *value)
{
	(void)dev;
	(void)off;
	(void)size;
	*value = 0;
	return 0;
}

static int write_nothing(void *dev, uint64_t off, unsigned size, uint64_t value)
{
	(void)dev;
	(void)off;
	(void)size;
	(void)value;
	return 0;
}

static const struct device_ops ops = { .name = "test", .read = read_nothing, .write = write_nothing };

static void add(uint64_t start, uint64_t size, void *arg)
{
	mmio_map_add(&map, start, size, &ops, arg);
}

static bool answers(uint64_t gpa, uint64_t start, const void *arg)
{
	const struct mmio_load_slot *load = &map.loads[mmio_slot_of(gpa)];
	const struct mmio_store_slot *store = &map.stores[mmio_slot_of(gpa)];

	return gpa - load->start < load->size && load->start == start && load->arg == arg && load->read == read_nothing &&
	       gpa - store->start < store->size && store->start == start && store->arg == arg && store->write == write_nothing;
}

/* Every device that a VM can have in the default map. @return how many pages. */
static unsigned small_devices(uint64_t *pages)
{
	unsigned n = 0;

	pages[n++] = GUEST_FINISHER_BASE;
	pages[n++] = GUEST_RTC_BASE;
	pages[n++] = GUEST_WATCHDOG_BASE;
	pages[n++] = GUEST_UART_BASE;
	for (unsigned i = 0; i < GUEST_VIRTIO_PLACES; i++)
		pages[n++] = GUEST_VIRTIO_BASE + i * PAGE_SIZE;
	for (unsigned i = 0; i < VM_CHANNELS_MAX; i++)
		pages[n++] = GUEST_CHANNEL_BASE + i * PAGE_SIZE;
	return n;
}

static void all_of_the_default_map(bool plic_first)
{
	uint64_t pages[64];
	unsigned n = small_devices(pages);

	memset(&map, 0, sizeof(map));
	if (plic_first)
		add(GUEST_PLIC_BASE, PLIC_SIZE, &plic);
	for (unsigned i = 0; i < n; i++)
		add(pages[i], PAGE_SIZE, &pages[i]);
	if (!plic_first)
		add(GUEST_PLIC_BASE, PLIC_SIZE, &plic);
	for (unsigned i = 0; i < n; i++) {
		assert_true(answers(pages[i], pages[i], &pages[i]));
		assert_true(answers(pages[i] + PAGE_SIZE - 1, pages[i], &pages[i]));
	}
	/* Priorities, pending, enables, and the S-mode context of each CPU. */
	for (uint64_t page = 0; page < 3; page++)
		assert_true(answers(GUEST_PLIC_BASE + page * PAGE_SIZE, GUEST_PLIC_BASE, &plic));
	for (uint64_t cpu = 0; cpu < VM_VCPUS_MAX; cpu++)
		assert_true(answers(GUEST_PLIC_BASE + 0x200004 + (2 * cpu + 1) * PAGE_SIZE, GUEST_PLIC_BASE, &plic));
}

static void each_device_has_a_place_of_its_own(void **state)
{
	(void)state;
	all_of_the_default_map(true);
	all_of_the_default_map(false);
}

/* An address that is no device's never finds one, whatever stands in its place. */
static void nothing_else_is_found(void **state)
{
	uint64_t pages[64], seed = 11;
	unsigned n = small_devices(pages);

	(void)state;
	all_of_the_default_map(true);
	for (unsigned i = 0; i < 100000; i++) {
		uint64_t gpa = mock_random(&seed) >> (24 + i % 32), page = gpa & ~(PAGE_SIZE - 1);
		const struct mmio_load_slot *load = &map.loads[mmio_slot_of(gpa)];
		bool device = gpa - GUEST_PLIC_BASE < PLIC_SIZE;

		for (unsigned k = 0; k < n; k++)
			device |= page == pages[k];
		if (!device)
			assert_true(gpa - load->start >= load->size);
	}
	memset(&map, 0, sizeof(map));
	for (uint64_t gpa = 0; gpa < 64 * PAGE_SIZE; gpa += PAGE_SIZE / 2)
		assert_true(gpa - map.loads[mmio_slot_of(gpa)].start >= map.loads[mmio_slot_of(gpa)].size);
}

/* Two of a size whose places are the same: the first has it, and the second is found otherwise. */
static void who_comes_second_has_none(void **state)
{
	uint64_t first = 0x10000000, second = first + 1;

	(void)state;
	memset(&map, 0, sizeof(map));
	for (second = first + PAGE_SIZE; mmio_slot_of(second) != mmio_slot_of(first);)
		second += PAGE_SIZE;
	add(first, PAGE_SIZE, &first);
	add(second, PAGE_SIZE, &second);
	assert_true(answers(first, first, &first));
	assert_false(answers(second, second, &second));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_device_has_a_place_of_its_own),
		cmocka_unit_test(nothing_else_is_found),
		cmocka_unit_test(who_comes_second_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
