/* What the machine looks like, what memory holds at the start, and console streams. */
#include "probe.h"

#include <string.h>

/* Harts, RAM and boot arguments as this guest sees them. */
void test_machine(void)
{
	print("boot hart %lu\n", this_hart->id);
	print("harts %u\n", machine.harts);
	print("ram %lx at %lx\n", machine.ram_size, machine.ram_base);
	print("timebase %lu\n", machine.timebase);
	print("bootargs '%s'\n", machine.bootargs);
	print("satp %lx sie %lx sstatus.sie %lu\n", csr_read(satp), csr_read(sie),
	      csr_read(sstatus) & SSTATUS_SIE);
	expect(csr_read(scounteren) & 2, "programs may read the time");
}

/* From the end of this program on, RAM below the device tree reads as zero. */
void test_zeroed(void)
{
	const uint64_t *word = (const uint64_t *)guest_end;
	const uint64_t *end = (const uint64_t *)(machine.ram_base + 0x1000000);

	while (word < end && !*word)
		word++;
	expect(word == end, "RAM is zero at first");
}

/*
 * What a run before this one would have left: RAM that is not zero, an image that is not as loaded. It leaves both
 * itself, and then reboots (then=reboot), shuts down (off), or stays (spin).
 */
void test_dirty(void)
{
	static volatile uint64_t loaded = 0x600d;
	uint64_t *word = (uint64_t *)(machine.ram_base + 0x400000);
	uint64_t n = bootarg_number("mib", 0) << 17;
	unsigned found = 0;
	char then[8] = "reboot";

	for (uint64_t i = 0; i < (n ? n : 4096); i++) {
		found += word[i] != 0;
		word[i] = 0x6b6b6b6b6b6b6b6b;
	}
	print("words that were not zero: %u%s\n", found, loaded == 0x600d ? "" : "; the image is an old one");
	loaded = 0xbad;
	bootarg("then", then, sizeof(then));
	while (!strcmp(then, "spin"))
		;
	if (strcmp(then, "off"))
		sbi_call(SBI_EXT_SRST, 0, SRST_COLD_REBOOT, 0);
}

/* Write to every page of RAM but its end (the device tree is there): it is all really ours. Waits: after=MS, half=MS, stay=MS. */
void test_touch(void)
{
	const uint64_t mib = 1 << 20;
	uint64_t first = machine.ram_base + 4 * mib, end = machine.ram_base + machine.ram_size - 3 * mib;
	unsigned wrong = 0;

	delay_ms((unsigned)bootarg_number("after", 0));
	for (uint64_t page = first; page < end; page += 4096) {
		if (page - first == (end - first) / 2)
			delay_ms((unsigned)bootarg_number("half", 0));
		*(volatile uint64_t *)page = page;
	}
	for (uint64_t page = first; page < end; page += 4096)
		wrong += *(volatile uint64_t *)page != page;
	expect(wrong == 0, "every page keeps what was written");
	delay_ms((unsigned)bootarg_number("stay", 0));
}

/* Echo so many bytes of input, each as it comes. */
void test_cat(void)
{
	uint64_t left = bootarg_number("n", 1);

	while (left) {
		int c = uart_get();

		if (c < 0)
			continue;
		uart_put((char[]){ (char)c }, 1);
		left--;
	}
	print("\n");
}

/* Every byte value, alone and after each of the first 32: nothing in between may change one. */
void test_bytes(void)
{
	for (unsigned first = 0; first < 32; first++)
		for (unsigned second = 0; second < 256; second++)
			uart_put((char[]){ (char)first, (char)second }, 2);
	print("\n");
}

/* So many numbered lines of 64 bytes, to see that none is lost. */
void test_lines(void)
{
	uint64_t n = bootarg_number("n", 1000);

	for (uint64_t i = 0; i < n; i++)
		print("%08lu 0123456789abcdef0123456789abcdef0123456789abcdef012345\n", i);
}
