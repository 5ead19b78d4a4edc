/* Where ELF kernels are placed and loaded, and the ones that are refused, with their messages. */
// sources: vmm/image/image.c vmm/image/image_elf.c vmm/image/image_riscv.c
#include <image_place.h>

#define ELF_SIZE 512
static uint8_t elf[ELF_SIZE];

static uint8_t *segment(unsigned n)
{
	return elf + 64 + 56 * n;
}

static void set_segment(unsigned n, uint64_t offset, uint64_t vaddr, uint64_t paddr, uint64_t filesz,
			uint64_t memsz)
{
	put_le(segment(n), 4, 1);
	put_le(segment(n) + 8, 8, offset);
	put_le(segment(n) + 16, 8, vaddr);
	put_le(segment(n) + 24, 8, paddr);
	put_le(segment(n) + 32, 8, filesz);
	put_le(segment(n) + 40, 8, memsz);
}

/** Text at RAM + 2 MiB, data with bss at RAM + 3 MiB, a note; linked high, so that physical and virtual differ. */
static void make_elf(void)
{
	memset(elf, 0, sizeof(elf));
	memcpy(elf, "\177ELF\2\1\1", 7);
	put_le(elf + 16, 2, 2);
	put_le(elf + 18, 2, 243);
	put_le(elf + 20, 4, 1);
	put_le(elf + 24, 8, 0xffffffff80000010);
	put_le(elf + 32, 8, 64);
	put_le(elf + 52, 2, 64);
	put_le(elf + 54, 2, 56);
	put_le(elf + 56, 2, 3);
	set_segment(0, 256, 0xffffffff80000000, RAM + 2 * MiB, 128, 128);
	set_segment(1, 384, 0xffffffff80100000, RAM + 3 * MiB, 64, 4096);
	put_le(segment(2), 4, 4); /* PT_NOTE: anywhere, and never loaded */
	memset(elf + 256, 0x11, 128);
	memset(elf + 384, 0x22, 64);
	kernel(elf, sizeof(elf));
}

static void H8_elf_goes_to_its_physical_addresses(void **state)
{
	(void)state;
	make_elf();
	expect_placed();
	assert_int_equal(at.kernel_start, RAM + 2 * MiB);
	assert_int_equal(at.kernel_size, MiB + 4096);
	assert_int_equal(at.entry, RAM + 2 * MiB + 0x10);
	load();
	assert_memory_equal(ram_bytes + 2 * MiB, elf + 256, 128);
	assert_memory_equal(ram_bytes + 3 * MiB, elf + 384, 64);
	assert_int_equal(ram_bytes[2 * MiB + 128], 0);
	assert_int_equal(ram_bytes[3 * MiB + 64], 0);
	free(ram_bytes);
}

static void H8_elf_goes_to_its_virtual_addresses_where_only_these_are_ram(void **state)
{
	(void)state;
	make_elf();
	set_segment(0, 256, RAM + 4 * MiB, 0x1000, 128, 128);
	put_le(elf + 24, 8, RAM + 4 * MiB + 2);
	put_le(elf + 16, 2, 3); /* position-independent, but linked in RAM */
	expect_placed();
	assert_int_equal(at.kernel_start, RAM + 3 * MiB);
	assert_int_equal(at.kernel_size, MiB + 128);
	assert_int_equal(at.entry, RAM + 4 * MiB + 2);
}

static void elf_entry_may_be_physical_or_overridden_but_not_nowhere(void **state)
{
	(void)state;
	make_elf();
	put_le(elf + 24, 8, RAM + 3 * MiB + 8);
	expect_placed();
	assert_int_equal(at.entry, RAM + 3 * MiB + 8);
	put_le(elf + 24, 8, 0xffffffff80000080); /* just behind the text */
	expect_refused(-EINVAL,
		       "dir/kernel: an ELF whose entry 0xffffffff80000080 lies in none of its segments");
	cfg.has_entry = true;
	cfg.entry = RAM + 2 * MiB;
	expect_placed();
	assert_int_equal(at.entry, RAM + 2 * MiB);
}

static void elf_for_another_machine_is_named(void **state)
{
	(void)state;
	make_elf();
	put_le(elf + 18, 2, 62);
	expect_refused(-EINVAL, "dir/kernel: an ELF for x86-64, not for RISC-V");
	elf[4] = 1;
	put_le(elf + 18, 2, 3);
	expect_refused(-EINVAL, "dir/kernel: an ELF for x86, not for RISC-V");
	make_elf();
	put_le(elf + 18, 2, 4711);
	expect_refused(-EINVAL, "dir/kernel: an ELF for machine number 4711, not for RISC-V");
	make_elf();
	elf[5] = 2;
	memcpy(elf + 18, "\0\x16", 2);
	expect_refused(-EINVAL, "dir/kernel: an ELF for S/390, not for RISC-V");
	make_elf();
	elf[4] = 1;
	expect_refused(-EINVAL, "dir/kernel: an ELF for 32-bit RISC-V; guests are 64-bit");
	make_elf();
	elf[5] = 2;
	memcpy(elf + 18, "\0\xf3", 2);
	expect_refused(-EINVAL, "dir/kernel: a big-endian ELF; guests are little-endian");
}

static void elf_that_cannot_be_loaded_is_refused(void **state)
{
	(void)state;
	make_elf();
	put_le(elf + 16, 2, 1);
	expect_refused(-EINVAL, "dir/kernel: an ELF, but not an executable");
	make_elf();
	put_le(elf + 56, 2, 0);
	expect_refused(-EINVAL, "dir/kernel: an ELF with nothing to load");
	make_elf();
	put_le(elf + 56, 2, 65535);
	expect_refused(-EINVAL, "dir/kernel: an ELF with 65535 program headers; at most 32 are taken");
	make_elf();
	put_le(elf + 54, 2, 32);
	expect_refused(-EINVAL, "dir/kernel: an ELF with program headers of an unknown size");
	make_elf();
	put_le(elf + 32, 8, UINT64_MAX - 8);
	expect_refused(-EINVAL, "dir/kernel: an ELF whose program headers lie beyond the end of the file");
	make_elf();
	set_segment(1, 384, 0, RAM + 3 * MiB, 64, 63);
	expect_refused(-EINVAL,
		       "dir/kernel: an ELF with a segment that is larger in the file than in memory");
	make_elf();
	set_segment(1, UINT64_MAX - 8, 0, RAM + 3 * MiB, 64, 64);
	expect_refused(-EINVAL, "dir/kernel: an ELF with a segment that lies beyond the end of the file");
	make_elf();
	set_segment(1, 384, 0, RAM + 2 * MiB + 127, 64, 64);
	expect_refused(-EINVAL,
		       "dir/kernel: an ELF whose segments at 0x80200000 and 0x8020007f overlap");
	make_elf();
	cfg.has_load = true;
	cfg.load = RAM + 8 * MiB;
	expect_refused(-EINVAL,
		       "dir/kernel: load is for flat images; an ELF says itself where it goes");
}

static void elf_outside_ram_is_refused(void **state)
{
	(void)state;
	make_elf();
	set_segment(1, 384, 0x1000, 0x2000, 64, 64);
	expect_refused(-EINVAL, "dir/kernel: its segment at 0x2000 (64 bytes) lies outside the VM's RAM, "
				"0x80000000 to 0x84000000 (64 MiB)");
	set_segment(1, 384, 0x1000, RAM + 63 * MiB, 64, MiB + 1);
	expect_refused(-E2BIG, "dir/kernel: its segment at 0x83f00000 (1.1 MiB) lies outside the VM's RAM, "
			       "0x80000000 to 0x84000000 (64 MiB)");
	set_segment(1, 384, 0x1000, UINT64_MAX - 4, 64, UINT64_MAX);
	assert_int_equal(place(), -E2BIG);
	set_segment(1, 384, UINT64_MAX, RAM + 4, 64, UINT64_MAX);
	assert_int_equal(place(), -E2BIG);
}

static void every_truncated_elf_is_refused(void **state)
{
	(void)state;
	make_elf();
	for (uint64_t n = 4; n < 448; n++) { /* the data segment ends at 448 */
		uint8_t *cut = malloc(n);

		memcpy(cut, elf, n);
		kernel(cut, n);
		assert_int_equal(place(), -EINVAL);
		free(cut);
	}
}

/** Whatever is accepted must also load, into RAM only and clear of everything else. */
static void flipped_bits_never_fault(void **state)
{
	uint64_t seed = 7;

	(void)state;
	cfg.memory = 8 * MiB;
	ram_bytes = calloc(1, cfg.memory);
	for (int round = 0; round < 60000; round++) {
		uint8_t *bytes = round & 1 ? elf : image, *copy = malloc(448);

		make_image(0x200000, 0x10000);
		make_elf();
		for (unsigned i = 0; i <= mock_random(&seed) % 3; i++)
			bytes[mock_random(&seed) % 232] ^= (uint8_t)(1 << mock_random(&seed) % 8);
		memcpy(copy, bytes, 448);
		kernel(copy, 448);
		if (place() == 0)
			assert_int_equal(image_load(&cfg, RAM, &at, &sink), 0);
		else
			assert_string_not_equal(message, "");
		free(copy);
	}
	free(ram_bytes);
}

static void errors_of_loading_an_elf_come_back(void **state)
{
	(void)state;
	make_elf();
	expect_placed();
	load();
	sink_error = -ENOMEM;
	assert_int_equal(image_load(&cfg, RAM, &at, &sink), -ENOMEM);
	sink_error = 0;
	free(ram_bytes);
}

#define TEST(f) cmocka_unit_test_setup(f, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(H8_elf_goes_to_its_physical_addresses),
		TEST(H8_elf_goes_to_its_virtual_addresses_where_only_these_are_ram),
		TEST(elf_entry_may_be_physical_or_overridden_but_not_nowhere),
		TEST(elf_for_another_machine_is_named),
		TEST(elf_that_cannot_be_loaded_is_refused),
		TEST(elf_outside_ram_is_refused),
		TEST(every_truncated_elf_is_refused),
		TEST(flipped_bits_never_fault),
		TEST(errors_of_loading_an_elf_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
