/* Kinds of kernel images, where they and what goes with them are placed, and bad ones of every sort. */
// sources: vmm/image/image.c vmm/image/image_elf.c vmm/image/image_riscv.c
#include <image_place.h>

static void initrd(uint64_t size)
{
	cfg.initrd = (struct vm_image){ { "file/1", "", size }, "dir/initrd" };
}

/* --- raw ------------------------------------------------------------------------- */

static void H8_raw_image_goes_to_2_mib(void **state)
{
	(void)state;
	kernel("raw bytes", 9);
	expect_placed();
	assert_int_equal(at.kernel_start, RAM + 2 * MiB);
	assert_int_equal(at.kernel_size, 9);
	assert_int_equal(at.entry, RAM + 2 * MiB);
	assert_int_equal(at.initrd_size, 0);
	load();
	assert_memory_equal(ram_bytes + 2 * MiB, "raw bytes", 9);
	free(ram_bytes);
}

static void H8_load_and_entry_are_obeyed(void **state)
{
	(void)state;
	kernel("raw bytes", 9);
	cfg.has_load = true;
	cfg.load = RAM + 0x123456;
	expect_placed();
	assert_int_equal(at.kernel_start, RAM + 0x123456);
	assert_int_equal(at.entry, RAM + 0x123456);
	cfg.has_entry = true;
	cfg.entry = RAM + 0x200004;
	expect_placed();
	assert_int_equal(at.entry, RAM + 0x200004);
	load();
	assert_memory_equal(ram_bytes + 0x123456, "raw bytes", 9);
	free(ram_bytes);
}

static void load_and_entry_outside_ram_are_refused(void **state)
{
	(void)state;
	kernel("raw bytes", 9);
	cfg.has_load = true;
	cfg.load = RAM - 4;
	expect_refused(-EINVAL, "load: 0x7ffffffc is outside the VM's RAM, 0x80000000 to 0x84000000");
	cfg.load = UINT64_MAX;
	assert_int_equal(place(), -EINVAL);
	cfg.load = RAM + 64 * MiB;
	expect_refused(-EINVAL, "load: 0x84000000 is outside the VM's RAM, 0x80000000 to 0x84000000");
	cfg.load = RAM + 64 * MiB - 8;
	expect_refused(-E2BIG, "load: 0x83fffff8 leaves 8 bytes to the end of the VM's RAM, dir/kernel needs 9 bytes");
	cfg.has_load = false;
	cfg.has_entry = true;
	cfg.entry = 0x1000;
	expect_refused(-EINVAL, "entry: 0x1000 is outside the VM's RAM, 0x80000000 to 0x84000000");
	cfg.entry = UINT64_MAX;
	assert_int_equal(place(), -EINVAL);
	cfg.entry = RAM + 1;
	expect_refused(-EINVAL, "entry: 0x80000001 is odd: no instruction can start there");
}

static void empty_files_are_refused(void **state)
{
	(void)state;
	kernel("", 0);
	expect_refused(-EINVAL, "dir/kernel: is empty");
	kernel("x", 1);
	initrd(0);
	expect_refused(-EINVAL, "dir/initrd: is empty");
}

static void smallest_vm_holds_a_kernel_at_load(void **state)
{
	(void)state;
	cfg.memory = 2 * MiB;
	kernel("raw bytes", 9);
	expect_refused(-E2BIG, "dir/kernel: needs 2.1 MiB of memory, the VM has 2 MiB");
	cfg.has_load = true;
	cfg.load = RAM;
	expect_placed();
	assert_int_equal(at.dtb_start, RAM + 2 * MiB - ROOM);
	cfg.load = RAM + 2 * MiB - 4096;
	expect_placed();
	assert_int_equal(at.dtb_start, RAM); /* aligned to 2 MiB, and below the kernel */
}

/* --- RISC-V Image ------------------------------------------------------------------ */

static void H8_image_goes_to_text_offset_and_keeps_its_bss(void **state)
{
	(void)state;
	make_image(0x400000, 0x10000);
	expect_placed();
	assert_int_equal(at.kernel_start, RAM + 0x400000);
	assert_int_equal(at.kernel_size, 0x10000);
	assert_int_equal(at.entry, RAM + 0x400000);
	load();
	assert_memory_equal(ram_bytes + 0x400000, image, sizeof(image));
	assert_int_equal(ram_bytes[0x400000 + sizeof(image)], 0);
	free(ram_bytes);

	cfg.has_load = true;
	cfg.load = RAM + 0x600000;
	expect_placed();
	assert_int_equal(at.kernel_start, RAM + 0x600000);
	assert_int_equal(at.kernel_size, 0x10000);
}

static void header_that_contradicts_its_file_is_refused(void **state)
{
	(void)state;
	make_image(0x200000, 8191);
	expect_refused(-EINVAL, "dir/kernel: its header says 8191 bytes, but the file has 8192");
	make_image(0x200000, 0);
	expect_refused(-EINVAL, "dir/kernel: its header says 0 bytes, but the file has 8192");
	make_image(0x200000, UINT64_MAX);
	expect_refused(-EINVAL,
		       "dir/kernel: 0xffffffffffffffff bytes at offset 0x200000 are beyond any memory");
	make_image(UINT64_MAX - 8191, 8192);
	assert_int_equal(place(), -EINVAL);
	make_image(0x200000, 34 * MiB);
	cfg.memory = 16 * MiB;
	expect_refused(-E2BIG, "dir/kernel: needs 36 MiB of memory, the VM has 16 MiB");
	make_image(1ULL << 62, 8192);
	expect_refused(-E2BIG, "dir/kernel: needs 4194304.1 TiB of memory, the VM has 16 MiB");
	make_image(0x200000, 8192);
	image[24] = 1;
	expect_refused(-EINVAL, "dir/kernel: a big-endian RISC-V Image; guests are little-endian");
	make_image(0x200000, 8192);
	image[34] = 1;
	expect_refused(-EINVAL, "dir/kernel: its header has version 1.2, only 0.x is known");
}

static void without_its_magic_an_image_is_raw(void **state)
{
	(void)state;
	make_image(0x400000, 0x10000);
	image[59] = 4;
	expect_placed();
	assert_int_equal(at.kernel_start, RAM + 2 * MiB);
	make_image(0x400000, 0x10000);
	kernel(image, 63);
	expect_placed();
	assert_int_equal(at.kernel_start, RAM + 2 * MiB);
}

/* --- initrd and device tree ---------------------------------------------------------- */

static void H4_device_tree_on_top_and_initrd_below(void **state)
{
	(void)state;
	kernel(image, 4096);
	initrd(5 * MiB + 1);
	expect_placed();
	assert_int_equal(at.dtb_start, RAM + 62 * MiB);
	assert_int_equal(at.dtb_size, ROOM);
	assert_int_equal(at.initrd_start, RAM + 57 * MiB - 4096);
	assert_int_equal(at.initrd_size, 5 * MiB + 1);
}

static void H4_they_stay_within_the_first_gib(void **state)
{
	(void)state;
	kernel(image, 4096);
	initrd(MiB);
	cfg.memory = 4 * GiB;
	expect_placed();
	assert_int_equal(at.dtb_start, RAM + GiB - 2 * MiB);
	assert_int_equal(at.initrd_start, RAM + GiB - 3 * MiB);
}

static void H4_they_go_below_a_kernel_that_stands_high(void **state)
{
	(void)state;
	kernel(image, 4096);
	initrd(MiB);
	cfg.has_load = true;
	cfg.load = RAM + 62 * MiB;
	expect_placed();
	assert_int_equal(at.dtb_start, RAM + 60 * MiB);
	assert_int_equal(at.initrd_start, RAM + 59 * MiB);
}

static void H4_small_vms_get_by_with_less_alignment(void **state)
{
	(void)state;
	make_image(2 * MiB, 64 * KiB);
	kernel(image, 8192);
	cfg.memory = 4 * MiB;
	expect_placed();
	assert_int_equal(at.dtb_start, RAM + 4 * MiB - ROOM);
	initrd(MiB);
	expect_placed();
	assert_int_equal(at.initrd_start, RAM + 3 * MiB - ROOM);
}

static void H4_initrd_goes_above_the_device_tree_where_only_there_is_room(void **state)
{
	(void)state;
	make_image(2 * MiB, 3 * MiB + 512 * KiB); /* up to 5.5 MiB of 8 */
	cfg.memory = 8 * MiB;
	initrd(MiB + 512 * KiB);
	expect_placed();
	assert_int_equal(at.dtb_start, RAM + 6 * MiB);
	assert_int_equal(at.initrd_start, RAM + 6 * MiB + 512 * KiB);
}

static bool apart(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a + a_size <= b || b + b_size <= a;
}

/** Random sizes, small ones as often as large ones. */
static uint64_t some_size(uint64_t *seed, unsigned max_bits)
{
	return 1 + (mock_random(seed) >> (64 - 1 - mock_random(seed) % max_bits));
}

static void fix_initrd(uint64_t address)
{
	cfg.has_initrd_load = true;
	cfg.initrd_load = address;
}

static void fix_dtb(uint64_t address)
{
	cfg.has_dtb_load = true;
	cfg.dtb_load = address;
}

static void H8_initrd_and_device_tree_go_where_they_are_told(void **state)
{
	(void)state;
	kernel("kern", 4);
	initrd(MiB);
	fix_initrd(RAM + 62 * MiB + 3);
	expect_placed();
	assert_int_equal(at.initrd_start, RAM + 62 * MiB + 3);
	assert_int_equal(at.dtb_start, RAM + 60 * MiB); /* below what is in its place */
	fix_dtb(RAM + 8);
	expect_placed();
	assert_int_equal(at.initrd_start, RAM + 62 * MiB + 3);
	assert_int_equal(at.dtb_start, RAM + 8);
	cfg.has_initrd_load = false;
	expect_placed();
	assert_int_equal(at.dtb_start, RAM + 8);
	assert_int_equal(at.initrd_start, RAM + 63 * MiB);
	cfg.memory = 4 * GiB;
	fix_dtb(RAM + 3 * GiB); /* beyond the first GiB, for once */
	expect_placed();
	assert_int_equal(at.dtb_start, RAM + 3 * GiB);
	assert_int_equal(at.initrd_start, RAM + GiB - MiB);
}

static void H8_impossible_places_are_refused(void **state)
{
	(void)state;
	kernel("kern", 4);
	initrd(MiB);
	fix_initrd(RAM - 1);
	expect_refused(-EINVAL, "initrd-load: 0x7fffffff is outside the VM's RAM, 0x80000000 to 0x84000000");
	fix_initrd(UINT64_MAX);
	assert_int_equal(place(), -EINVAL);
	fix_initrd(RAM + 63 * MiB + 1);
	expect_refused(-E2BIG, "initrd-load: 0x83f00001 leaves 1023.9 KiB to the end of the VM's RAM, the initrd needs 1 MiB");
	fix_initrd(RAM + MiB + 1);
	expect_refused(-EINVAL, "initrd-load: at 0x80100001 the initrd, which needs 1 MiB, would overlap the kernel at 0x80200000");
	fix_initrd(RAM + MiB);
	expect_placed();
	fix_dtb(RAM + 4);
	expect_refused(-EINVAL, "dtb-load: 0x80000004 is not a multiple of 8");
	fix_dtb(RAM + 2 * MiB - 8);
	expect_refused(-EINVAL, "dtb-load: at 0x801ffff8 the device tree, which needs 64 KiB, would overlap the kernel at 0x80200000");
	fix_dtb(RAM + MiB - 8);
	expect_refused(-EINVAL, "dtb-load: at 0x800ffff8 the device tree, which needs 64 KiB, would overlap the initrd at 0x80100000");
	fix_dtb(RAM + 64 * MiB - 8);
	expect_refused(-E2BIG, "dtb-load: 0x83fffff8 leaves 8 bytes to the end of the VM's RAM, the device tree needs 64 KiB");
	fix_dtb(RAM + 64 * MiB);
	expect_refused(-EINVAL, "dtb-load: 0x84000000 is outside the VM's RAM, 0x80000000 to 0x84000000");
}

static void H4_told_places_never_overlap(void **state)
{
	uint64_t seed = 7;
	unsigned fitted = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		reset(NULL);
		make_image(2 * MiB, sizeof(image) + some_size(&seed, 24));
		initrd(some_size(&seed, 24));
		fix_initrd(RAM + mock_random(&seed) % (70 * MiB));
		fix_dtb(ALIGN_DOWN(RAM + mock_random(&seed) % (70 * MiB), 4));
		cfg.has_initrd_load = mock_random(&seed) & 1;
		cfg.has_dtb_load = mock_random(&seed) & 1;
		if (place() != 0)
			continue;
		assert_true(at.dtb_start >= RAM && at.dtb_start + ROOM <= RAM + cfg.memory);
		assert_true(at.initrd_start >= RAM && at.initrd_start + at.initrd_size <= RAM + cfg.memory);
		assert_true(apart(at.kernel_start, at.kernel_size, at.dtb_start, ROOM));
		assert_true(apart(at.initrd_start, at.initrd_size, at.dtb_start, ROOM));
		assert_true(apart(at.initrd_start, at.initrd_size, at.kernel_start, at.kernel_size));
		assert_true(!cfg.has_dtb_load || at.dtb_start == cfg.dtb_load);
		assert_true(!cfg.has_initrd_load || at.initrd_start == cfg.initrd_load);
		fitted++;
	}
	assert_true(fitted > 4000);
}

static void what_does_not_fit_is_refused_with_sizes(void **state)
{
	(void)state;
	make_image(0x200000, 31 * MiB + 1);
	initrd(31 * MiB);
	expect_refused(-E2BIG, "dir/initrd: needs 31 MiB beside the firmware's 2 MiB, the kernel's 31.1 MiB "
			       "and the device tree's 64 KiB, the VM has 64 MiB below 0x84000000");
	initrd(UINT64_MAX);
	assert_int_equal(place(), -E2BIG);
	reset(NULL);
	make_image(0x200000, 62 * MiB);
	expect_refused(-E2BIG, "dir/kernel: leaves no room for the device tree, which needs 64 KiB beside the "
			       "firmware's 2 MiB and the kernel's 62 MiB, the VM has 64 MiB below 0x84000000");
	assert_int_equal(image_place(&cfg, RAM, UINT64_MAX, &at, message, sizeof(message)), -E2BIG);
}

static void check_layout(uint64_t room)
{
	uint64_t end = RAM + cfg.memory, limit = MIN(end, RAM + GiB), higher;

	assert_true(at.kernel_start >= RAM && at.kernel_start + at.kernel_size <= end);
	assert_true(at.dtb_start >= RAM + 2 * MiB && at.dtb_start + room <= limit);
	assert_true(IS_ALIGNED(at.dtb_start, 8));
	assert_true(apart(at.kernel_start, at.kernel_size, at.dtb_start, room));
	/* There is no higher place of the same alignment. */
	if (IS_ALIGNED(at.dtb_start, 2 * MiB))
		for (higher = at.dtb_start + 2 * MiB; higher + room <= limit; higher += 2 * MiB)
			assert_false(apart(at.kernel_start, at.kernel_size, higher, room));
	if (!at.initrd_size)
		return;
	assert_true(at.initrd_start >= RAM + 2 * MiB && at.initrd_start + at.initrd_size <= limit);
	assert_true(IS_ALIGNED(at.initrd_start, 4096));
	assert_true(apart(at.initrd_start, at.initrd_size, at.dtb_start, room));
	assert_true(apart(at.initrd_start, at.initrd_size, at.kernel_start, at.kernel_size));
}

static void H4_placements_never_overlap(void **state)
{
	uint64_t seed = 42;
	unsigned fitted = 0;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		uint64_t room = some_size(&seed, 20);

		reset(NULL);
		cfg.memory = ALIGN_UP(2 * MiB + some_size(&seed, 31), PAGE_SIZE);
		make_image(2 * MiB + some_size(&seed, 24), sizeof(image) + some_size(&seed, 26));
		if (mock_random(&seed) & 1)
			initrd(some_size(&seed, 28));
		cfg.has_load = mock_random(&seed) % 4 == 0;
		cfg.load = ALIGN_UP(RAM + 2 * MiB + some_size(&seed, 30), 2);
		if (image_place(&cfg, RAM, room, &at, message, sizeof(message)) != 0)
			continue;
		if (at.entry & 1)
			fail();
		check_layout(room);
		fitted++;
	}
	assert_true(fitted > 4000);
}

static void H8_initrd_is_loaded_and_errors_come_back(void **state)
{
	(void)state;
	kernel("kern", 4);
	cfg.initrd = (struct vm_image){ { "file/1", "archive", 7 }, "dir/initrd" };
	expect_placed();
	load();
	assert_memory_equal(ram_bytes + (at.initrd_start - RAM), "archive", 7);
	sink_error = -ENOMEM;
	assert_int_equal(image_load(&cfg, RAM, &at, &sink), -ENOMEM);
	sink_error = 0;
	free(ram_bytes);
}

static void short_message_buffers_are_kept_to(void **state)
{
	char small[8] = "1234567";

	(void)state;
	kernel("", 0);
	assert_int_equal(image_place(&cfg, RAM, ROOM, &at, small, 5), -EINVAL);
	assert_memory_equal(small, "dir/\00067", 8);
	assert_int_equal(image_place(&cfg, RAM, ROOM, &at, NULL, 0), -EINVAL);
}

#define TEST(f) cmocka_unit_test_setup(f, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(H8_raw_image_goes_to_2_mib),
		TEST(H8_load_and_entry_are_obeyed),
		TEST(load_and_entry_outside_ram_are_refused),
		TEST(empty_files_are_refused),
		TEST(smallest_vm_holds_a_kernel_at_load),
		TEST(H8_image_goes_to_text_offset_and_keeps_its_bss),
		TEST(header_that_contradicts_its_file_is_refused),
		TEST(without_its_magic_an_image_is_raw),
		TEST(H4_device_tree_on_top_and_initrd_below),
		TEST(H4_they_stay_within_the_first_gib),
		TEST(H4_they_go_below_a_kernel_that_stands_high),
		TEST(H4_small_vms_get_by_with_less_alignment),
		TEST(H4_initrd_goes_above_the_device_tree_where_only_there_is_room),
		TEST(what_does_not_fit_is_refused_with_sizes),
		TEST(H4_placements_never_overlap),
		TEST(H8_initrd_and_device_tree_go_where_they_are_told),
		TEST(H8_impossible_places_are_refused),
		TEST(H4_told_places_never_overlap),
		TEST(H8_initrd_is_loaded_and_errors_come_back),
		TEST(short_message_buffers_are_kept_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
