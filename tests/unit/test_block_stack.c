/* Parts of block devices, RAM disks and overlays in RAM, against plain arrays; and who may use what. */
// sources: drivers/block/block.c drivers/block/claim.c drivers/block/segments.c drivers/block/part.c drivers/block/ram.c drivers/block/sparse.c drivers/block/overlay.c drivers/block/overlay_read.c drivers/block/child.c
#include <caisson/block_stack.h>
#include <block_model.h>

static struct model_disk base;
static uint8_t data[MODEL_SECTORS * BLOCK_SECTOR], zeroes[MODEL_SECTORS * BLOCK_SECTOR];
static size_t heap_before;
static uint64_t frames_before;

static int setup(void **state)
{
	(void)state;
	model_init(&base, "vda", 1);
	memset(tries, 0, sizeof(tries));
	mock_alloc_fail_at = 0;
	mock_frames_total = UINT64_C(1) << 20;
	heap_before = heap_in_use();
	frames_before = mock_frames_used;
	return 0;
}

static int teardown(void **state)
{
	struct block_claim all;

	(void)state;
	assert_int_equal(heap_in_use(), heap_before);
	assert_int_equal(mock_frames_used, frames_before);
	assert_int_equal(base.dev.users, 0);
	base.dev.read_only = false;
	assert_int_equal(block_claim(&all, &base.dev, BLOCK_EXCLUSIVE, "the next test"), 0);
	block_release(&all);
	return 0;
}

/* --- parts --- */

static struct block_device *new_part(struct block_device *of, uint64_t first, uint64_t n)
{
	struct block_device *part;

	assert_int_equal(block_part_create(of, "vda1", first, n, &part), 0);
	return part;
}

static void a_part_is_the_sectors_further_on(void **state)
{
	struct block_device *part = new_part(&base.dev, 100, 200), *inner = new_part(part, 50, 20);

	(void)state;
	assert_string_equal(part->name, "vda1");
	assert_int_equal(part->n_sectors, 200);
	assert_int_equal(block_read(part, 3, data, 150), 0);
	assert_memory_equal(data, base.medium + 103 * BLOCK_SECTOR, 150 * BLOCK_SECTOR);
	memset(data, 0x55, BLOCK_SECTOR);
	assert_int_equal(block_write(inner, 19, data, 1), 0);
	assert_memory_equal(base.medium + 169 * BLOCK_SECTOR, data, BLOCK_SECTOR);
	assert_int_equal(block_write_zeroes(inner, 0, 19, true), 0);
	assert_memory_equal(base.medium + 150 * BLOCK_SECTOR, zeroes, 19 * BLOCK_SECTOR);
	assert_int_equal(block_flush(inner), 0);
	assert_int_equal(base.n_flushes, 1);
	block_put(part); /* its inner part still uses it */
	assert_int_equal(block_read(inner, 19, data + BLOCK_SECTOR, 1), 0);
	assert_memory_equal(data, data + BLOCK_SECTOR, BLOCK_SECTOR);
	block_put(inner);
}

static void nothing_outside_a_part_can_be_reached(void **state)
{
	struct block_device *part = new_part(&base.dev, MODEL_SECTORS - 10, 10);

	(void)state;
	base.n_requests = 0;
	assert_int_equal(block_read(part, 10, data, 1), -EINVAL);
	assert_int_equal(block_read(part, 9, data, 2), -EINVAL);
	assert_int_equal(block_discard(part, 0, 11), -EINVAL);
	assert_int_equal(block_read(part, UINT64_MAX - 100, data, 1), -EINVAL);
	assert_int_equal(block_write(part, UINT64_MAX - (MODEL_SECTORS - 11), data, 2), -EINVAL);
	assert_int_equal(base.n_requests, 0);
	block_put(part);
}

static void parts_that_make_no_sense_are_refused(void **state)
{
	struct block_device *part;

	(void)state;
	assert_int_equal(block_part_create(&base.dev, "p", 0, 0, &part), -EINVAL);
	assert_int_equal(block_part_create(&base.dev, "p", MODEL_SECTORS, 1, &part), -EINVAL);
	assert_int_equal(block_part_create(&base.dev, "p", 1, MODEL_SECTORS, &part), -EINVAL);
	assert_int_equal(block_part_create(&base.dev, "p", 2, UINT64_MAX, &part), -EINVAL);
	base.dev.unit = 8;
	assert_int_equal(block_part_create(&base.dev, "p", 4, 16, &part), -EINVAL);
	assert_int_equal(block_part_create(&base.dev, "p", 8, 7, &part), -EINVAL);
	part = new_part(&base.dev, 8, 23);
	assert_int_equal(part->n_sectors, 16);
	block_put(part);
}

static void M1_a_part_without_memory_is_refused(void **state)
{
	struct block_device *part;

	(void)state;
	mock_alloc_fail_at = 1;
	assert_int_equal(block_part_create(&base.dev, "p", 0, 1, &part), -ENOMEM);
}

static void what_the_whole_refuses_its_part_refuses(void **state)
{
	struct block_device *part = new_part(&base.dev, 100, 10);

	(void)state;
	base.refuse_at = 1;
	assert_int_equal(block_read(part, 1, data, 1), -ENOMEM);
	base.fail_at = 1;
	assert_int_equal(block_write(part, 1, data, 1), -EIO);
	assert_int_equal(block_read(part, 1, data, 1), 0);
	block_put(part);
}

/* --- RAM disks --- */

static struct block_device *new_ram(uint64_t bytes)
{
	struct block_device *ram;

	assert_int_equal(block_ram_create("ram0", bytes, &ram), 0);
	return ram;
}

static void a_ram_disk_is_zeroes_at_first(void **state)
{
	struct block_device *ram = new_ram(100 * BLOCK_SECTOR + 100);

	(void)state;
	assert_int_equal(ram->n_sectors, 100);
	memset(data, 0x55, sizeof(data));
	assert_int_equal(block_read(ram, 0, data, 100), 0);
	assert_memory_equal(data, zeroes, 100 * BLOCK_SECTOR);
	assert_int_equal(block_memory(ram), 0);
	assert_int_equal(block_flush(ram), 0);
	assert_int_equal(block_read(ram, 100, data, 1), -EINVAL);
	block_put(ram);
}

static void pages_come_and_go(void **state)
{
	struct block_device *ram = new_ram(8 * MiB);

	(void)state;
	memset(data, 0x55, sizeof(data));
	assert_int_equal(block_write(ram, 4096 + 4, data, 16), 0); /* parts of three pages, and a leaf */
	assert_int_equal(block_memory(ram), 4 * PAGE_SIZE);
	assert_int_equal(mock_frames_used - frames_before, 4);
	assert_int_equal(block_discard(ram, 4096 + 4, 3), 0); /* of the four in the first page */
	assert_int_equal(block_memory(ram), 4 * PAGE_SIZE);
	assert_int_equal(block_discard(ram, 4096 + 7, 13), 0);
	assert_int_equal(block_memory(ram), PAGE_SIZE);
	assert_int_equal(block_write(ram, 0, data, 8), 0);
	assert_int_equal(block_write_zeroes(ram, 0, 8, false), 0);
	assert_int_equal(block_memory(ram), 2 * PAGE_SIZE);
	assert_int_equal(block_read(ram, 4096, data, 32), 0);
	assert_memory_equal(data, zeroes, 32 * BLOCK_SECTOR);
	block_put(ram);
}

static void M1_without_memory_a_write_to_a_ram_disk_fails_alone(void **state)
{
	struct block_device *ram = new_ram(MODEL_SECTORS * BLOCK_SECTOR);

	(void)state;
	memset(data, 0x55, sizeof(data));
	mock_alloc_fail_at = 2; /* the page, after the leaf */
	assert_int_equal(block_write(ram, 0, data, 8), -ENOMEM);
	assert_int_equal(block_write(ram, 0, data, 8), 0);
	mock_frames_total = mock_frames_used + 1;
	assert_int_equal(block_write(ram, 8, data, 16), -ENOMEM);
	assert_int_equal(block_write(ram, 0, data, 16), 0); /* two pages that are there */
	assert_int_equal(block_write(ram, 16, data, 1), -ENOMEM);
	assert_int_equal(block_discard(ram, 0, 8), 0);
	assert_int_equal(block_write(ram, 16, data, 1), 0);
	block_put(ram);
}

static void a_ram_disk_behaves_like_an_array(void **state)
{
	struct block_device *ram = new_ram(sizeof(model));

	(void)state;
	ram->max_sectors = MODEL_MAX; /* what the test's requests hold */
	memset(model, 0, sizeof(model));
	try_at_random(ram, &base, zeroes, 300, 3);
	assert_int_equal(block_discard(ram, 0, MODEL_SECTORS), 0);
	assert_int_equal(block_memory(ram), PAGE_SIZE);
	block_put(ram);
}

static void ram_disks_that_make_no_sense_are_refused(void **state)
{
	struct block_device *ram;
	uint64_t n = 0;
	int error;

	(void)state;
	assert_int_equal(block_ram_create("r", 511, &ram), -EINVAL);
	assert_int_equal(block_ram_create("r", UINT64_MAX, &ram), -EFBIG);
	do {
		mock_alloc_fail_at = ++n;
		error = block_ram_create("r", MiB, &ram);
	} while (error == -ENOMEM);
	assert_int_equal(error, 0);
	assert_int_equal(n, 3);
	block_put(ram);
}

/* --- overlays --- */

static struct block_device *new_overlay(struct block_device *of, uint64_t limit)
{
	struct block_device *overlay;

	assert_int_equal(block_overlay_create(of, "overlay", limit, &overlay), 0);
	return overlay;
}

static void an_overlay_leaves_its_base_as_it_is(void **state)
{
	static uint8_t before[sizeof(base.medium)];
	struct block_device *a, *b;

	(void)state;
	base.dev.read_only = true;
	a = new_overlay(&base.dev, MiB);
	b = new_overlay(&base.dev, MiB);
	memcpy(before, base.medium, sizeof(before));
	memset(data, 0xaa, BLOCK_SECTOR);
	assert_int_equal(block_write(a, 7, data, 1), 0);
	memset(data, 0xbb, BLOCK_SECTOR);
	assert_int_equal(block_write(b, 8, data, 1), 0);
	assert_memory_equal(base.medium, before, sizeof(before));
	assert_int_equal(block_read(a, 6, data, 3), 0);
	assert_memory_equal(data, before + 6 * BLOCK_SECTOR, BLOCK_SECTOR);
	assert_int_equal(data[BLOCK_SECTOR], 0xaa);
	assert_memory_equal(data + 2 * BLOCK_SECTOR, before + 8 * BLOCK_SECTOR, BLOCK_SECTOR);
	assert_int_equal(block_read(b, 6, data, 3), 0);
	assert_memory_equal(data, before + 6 * BLOCK_SECTOR, 2 * BLOCK_SECTOR);
	assert_int_equal(data[2 * BLOCK_SECTOR], 0xbb);
	assert_int_equal(block_memory(a), 2 * PAGE_SIZE);
	block_put(a);
	block_put(b);
}

static void writing_an_overlay_reads_nothing(void **state)
{
	struct block_device *o = new_overlay(&base.dev, MiB);

	(void)state;
	memset(data, 0xaa, sizeof(data));
	assert_int_equal(block_write(o, 3, data, 17), 0);
	assert_int_equal(block_write_zeroes(o, 30, 17, true), 0);
	assert_int_equal(block_flush(o), 0);
	assert_int_equal(block_read(o, 3, data, 17), 0);
	assert_int_equal(base.n_requests, 0);
	assert_int_equal(block_read(o, 40, data, 100), 0); /* in one request for those that are not there */
	assert_int_equal(base.n_requests, 2); /* of MODEL_MAX sectors at most */
	block_put(o);
}

static void overlays_behave_like_arrays(void **state)
{
	static const struct { uint32_t unit; bool at_once; } cases[] = { { 1, false }, { 1, true }, { 8, false }, { 4, true } };

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct block_device *o;

		setup(state);
		base.dev.unit = cases[i].unit;
		base.at_once = cases[i].at_once;
		o = new_overlay(&base.dev, 4 * MiB);
		memcpy(model, base.medium, sizeof(model));
		try_at_random(o, &base, base.medium, 150, 10 + i);
		assert_int_equal(block_read(o, 0, data, MODEL_SECTORS), 0);
		assert_memory_equal(data, model, sizeof(model));
		block_put(o);
	}
}

/* Every other sector of 64: as many parts as can be, and all of them done before submit returns. */
static void many_parts_take_no_stack(void **state)
{
	struct block_device *ram = new_ram(MODEL_SECTORS * BLOCK_SECTOR), *o = new_overlay(ram, MiB);
	struct segment seg = { data, MODEL_SECTORS * BLOCK_SECTOR };
	struct try *t = &tries[0];

	(void)state;
	memset(data, 0xaa, sizeof(data));
	for (unsigned i = 0; i < MODEL_SECTORS; i += 2)
		assert_int_equal(block_write(o, i, data, 1), 0);
	t->rq = (struct block_request){ .op = BLOCK_READ, .n_sectors = MODEL_SECTORS, .segs = &seg, .n_segs = 1,
					.done = try_done };
	t->busy = true;
	assert_int_equal(block_submit(o, &t->rq), 0);
	assert_int_equal(t->n_done, 1);
	for (unsigned i = 0; i < sizeof(data); i++)
		assert_int_equal(data[i], i / BLOCK_SECTOR % 2 ? 0 : 0xaa);
	block_put(ram);
	block_put(o);
}

static void an_error_of_the_base_is_that_requests_alone(void **state)
{
	struct block_device *o = new_overlay(&base.dev, MiB);
	uint64_t seed = 3;

	(void)state;
	memset(data, 0xaa, sizeof(data));
	for (unsigned i = 0; i < 60; i += 10)
		assert_int_equal(block_write(o, i, data, 5), 0);
	memcpy(model, base.medium, sizeof(model));
	for (unsigned i = 0; i < 60; i += 10)
		memset(model + i * BLOCK_SECTOR, 0xaa, 5 * BLOCK_SECTOR);
	for (unsigned fail = 1; fail < 20; fail++) {
		bool refuse = fail % 2;
		unsigned n_failed = 0;

		base.fail_at = refuse ? 0 : fail / 2;
		base.refuse_at = refuse ? fail / 2 + 1 : 0;
		for (unsigned i = 0; i < 10; i++) /* more than there are readers */
			try_read(o, i, i, 55, &seed);
		block_poll(o);
		for (unsigned i = 0; i < 10; i++) {
			assert_int_equal(tries[i].n_done, 1);
			if (!tries[i].rq.status)
				assert_memory_equal(tries[i].data, tries[i].expected, 55 * BLOCK_SECTOR);
			else
				assert_int_equal(tries[i].rq.status, refuse ? -ENOMEM : -EIO);
			n_failed += tries[i].rq.status != 0;
		}
		assert_int_equal(n_failed, 1);
	}
	block_put(o);
}

static void an_overlay_that_is_full_fails_writes_and_says_so_once(void **state)
{
	struct block_device *o = new_overlay(&base.dev, 3 * PAGE_SIZE);

	(void)state;
	memset(data, 0xaa, sizeof(data));
	assert_int_equal(block_write(o, 0, data, 16), 0);
	assert_int_equal(block_write(o, 16, data, 1), -ENOSPC);
	assert_non_null(strstr(mock_log_text(), "overlay: its memory is full"));
	mock_log_clear();
	assert_int_equal(block_write(o, 16, data, 1), -ENOSPC);
	assert_string_equal(mock_log_text(), "");
	assert_int_equal(block_write(o, 3, data, 13), 0); /* what it has can be written again */
	assert_int_equal(block_read(o, 16, data, 8), 0);
	assert_memory_equal(data, base.medium + 16 * BLOCK_SECTOR, 8 * BLOCK_SECTOR);
	assert_int_equal(block_write_zeroes(o, 0, 8, true), 0); /* zeroes take none */
	assert_int_equal(block_write(o, 16, data, 8), 0);
	assert_int_equal(block_memory(o), 3 * PAGE_SIZE);
	assert_int_equal(block_read(o, 0, data, 8), 0);
	assert_memory_equal(data, zeroes, 8 * BLOCK_SECTOR);
	block_put(o);
}

static void M1_an_overlay_without_memory_is_refused(void **state)
{
	struct block_device *o;
	uint64_t n = 0;
	int error;

	(void)state;
	do {
		mock_alloc_fail_at = ++n;
		error = block_overlay_create(&base.dev, "overlay", MiB, &o);
		assert_true(error == -ENOMEM || error == 0);
		assert_int_equal(base.dev.users, error ? 0 : 1);
	} while (error);
	assert_int_equal(n, 4);
	mock_alloc_fail_at = 1;
	assert_int_equal(block_write(o, 0, data, 1), -ENOMEM);
	assert_non_null(strstr(mock_log_text(), "overlay: no memory"));
	assert_int_equal(block_write(o, 0, data, 1), 0);
	block_put(o);
	base.dev.unit = 16;
	assert_int_equal(block_overlay_create(&base.dev, "overlay", MiB, &o), -ENOTSUP);
}

static void an_overlay_of_a_part_of_an_overlay(void **state)
{
	struct block_device *inner = new_overlay(&base.dev, MiB), *part = new_part(inner, 100, 50), *o;

	(void)state;
	memset(data, 0xaa, BLOCK_SECTOR);
	assert_int_equal(block_write(inner, 120, data, 1), 0);
	o = new_overlay(part, MiB);
	assert_int_equal(block_write(o, 10, data, 1), 0);
	block_put(part);
	block_put(inner);
	memcpy(model, base.medium + 100 * BLOCK_SECTOR, 50 * BLOCK_SECTOR);
	memset(model + 20 * BLOCK_SECTOR, 0xaa, BLOCK_SECTOR);
	memset(model + 10 * BLOCK_SECTOR, 0xaa, BLOCK_SECTOR);
	assert_int_equal(block_read(o, 0, data, 50), 0);
	assert_memory_equal(data, model, 50 * BLOCK_SECTOR);
	block_put(o);
}

/* --- who uses what --- */

static void readers_share_and_a_writer_is_alone(void **state)
{
	struct block_claim a, b, c;

	(void)state;
	assert_int_equal(block_claim(&a, &base.dev, BLOCK_SHARED, "anna"), 0);
	assert_int_equal(block_claim(&b, &base.dev, BLOCK_SHARED, "bert"), 0);
	assert_int_equal(block_claim(&c, &base.dev, BLOCK_EXCLUSIVE, "carl"), -EBUSY);
	assert_non_null(strstr(mock_log_text(), "vda: carl cannot write it: anna reads it already"));
	block_release(&c); /* none */
	block_release(&a);
	block_release(&b);
	assert_int_equal(block_claim(&c, &base.dev, BLOCK_EXCLUSIVE, "carl"), 0);
	assert_int_equal(block_claim(&a, &base.dev, BLOCK_EXCLUSIVE, "anna"), -EBUSY);
	assert_non_null(strstr(mock_log_text(), "vda: anna cannot write it: carl writes it already"));
	assert_int_equal(block_claim(&b, &base.dev, BLOCK_SHARED, "bert"), -EBUSY);
	assert_non_null(strstr(mock_log_text(), "vda: bert cannot read it: carl writes it already"));
	block_release(&c);
	block_release(&c);
	base.dev.read_only = true;
	assert_int_equal(block_claim(&a, &base.dev, BLOCK_EXCLUSIVE, "anna"), -EROFS);
	assert_int_equal(block_claim(&a, &base.dev, BLOCK_SHARED, "anna"), 0);
	block_release(&a);
}

static void parts_are_claimed_by_their_sectors(void **state)
{
	struct block_device *first = new_part(&base.dev, 0, 100), *second = new_part(&base.dev, 100, 100);
	struct block_device *inner = new_part(second, 10, 10);
	struct block_claim a, b, c;

	(void)state;
	assert_int_equal(block_claim(&a, first, BLOCK_EXCLUSIVE, "anna"), 0);
	assert_int_equal(block_claim(&b, second, BLOCK_EXCLUSIVE, "bert"), 0);
	assert_int_equal(block_claim(&c, &base.dev, BLOCK_SHARED, "carl"), -EBUSY);
	assert_int_equal(block_claim(&c, inner, BLOCK_SHARED, "carl"), -EBUSY);
	block_release(&b);
	assert_int_equal(block_claim(&b, inner, BLOCK_EXCLUSIVE, "bert"), 0);
	assert_int_equal(block_claim(&c, second, BLOCK_EXCLUSIVE, "carl"), -EBUSY);
	block_release(&a);
	block_release(&b);
	block_put(inner);
	block_put(first);
	block_put(second);
}

static void the_base_of_an_overlay_is_not_written(void **state)
{
	struct block_device *o = new_overlay(&base.dev, MiB), *other;
	struct block_claim a;

	(void)state;
	assert_int_equal(block_claim(&a, &base.dev, BLOCK_EXCLUSIVE, "anna"), -EBUSY);
	assert_int_equal(block_claim(&a, o, BLOCK_EXCLUSIVE, "anna"), 0);
	block_release(&a);
	block_put(o);
	assert_int_equal(block_claim(&a, &base.dev, BLOCK_EXCLUSIVE, "anna"), 0);
	assert_int_equal(block_overlay_create(&base.dev, "overlay", MiB, &other), -EBUSY);
	block_release(&a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_part_is_the_sectors_further_on),
		T(nothing_outside_a_part_can_be_reached),
		T(parts_that_make_no_sense_are_refused),
		T(M1_a_part_without_memory_is_refused),
		T(what_the_whole_refuses_its_part_refuses),
		T(a_ram_disk_is_zeroes_at_first),
		T(pages_come_and_go),
		T(M1_without_memory_a_write_to_a_ram_disk_fails_alone),
		T(a_ram_disk_behaves_like_an_array),
		T(ram_disks_that_make_no_sense_are_refused),
		T(an_overlay_leaves_its_base_as_it_is),
		T(writing_an_overlay_reads_nothing),
		T(overlays_behave_like_arrays),
		T(many_parts_take_no_stack),
		T(an_error_of_the_base_is_that_requests_alone),
		T(an_overlay_that_is_full_fails_writes_and_says_so_once),
		T(M1_an_overlay_without_memory_is_refused),
		T(an_overlay_of_a_part_of_an_overlay),
		T(readers_share_and_a_writer_is_alone),
		T(parts_are_claimed_by_their_sectors),
		T(the_base_of_an_overlay_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
