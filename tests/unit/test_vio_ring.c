/* Split rings of a VM's virtio devices: chains, copies, interrupts and kicks; and a driver that lies. */
// sources: vmm/virtio/ring.c vmm/virtio/device.c vmm/virtio/mmio.c vmm/device/common.c vmm/image/dt_writer.c
#include <vio_mock.h>

#include <mem.h>

#define EVENT BIT(MG_F_EVENT)
#define INDIRECT BIT(MG_F_INDIRECT)

static unsigned kicks;
static bool pops; /* when it is kicked */
static bool pop(void);

static int type_create(struct vio *dev) { dev->state = dev; return 0; }
static void type_destroy(struct vio *dev) { dev->state = NULL; }

static int type_kick(struct vio *dev, struct vio_queue *q)
{
	(void)dev;
	(void)q;
	kicks++;
	if (pops)
		(void)pop();
	return 0;
}

static const struct vio_type type = {
	.name = "test", .id = 4, .n_queues = 2, .create = type_create, .destroy = type_destroy, .kick = type_kick,
};

#define Q (&mg.dev->queues[0])

static int setup(void **state)
{
	(void)state;
	kicks = 0;
	pops = false;
	mg_start(&type, NULL);
	mg_begin(EVENT | INDIRECT);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mg_stop();
	return 0;
}

static bool pop(void)
{
	irqflags_t flags = vio_lock(Q);
	bool popped = vio_pop(Q);

	vio_unlock(Q, flags);
	return popped;
}

static void push(uint16_t head, uint32_t written)
{
	vio_complete(Q, head, written);
}

static void a_chain_comes_and_goes(void **state)
{
	const struct mg_piece pieces[] = { { MG_DATA, 16, false }, { MG_DATA + 4090, 20, true }, { MG_DATA + 100, 1, true } };
	uint32_t written;
	int head;

	(void)state;
	assert_false(pop());
	head = (int)mg_add(0, pieces, 3);
	assert_true(pop());
	assert_int_equal(Q->chain.head, head);
	assert_int_equal(Q->chain.n_read, 1);
	assert_int_equal(Q->chain.n_write, 2);
	assert_int_equal(Q->chain.read_len, 16);
	assert_int_equal(Q->chain.write_len, 21);
	assert_false(pop());
	assert_int_equal(mg_take(0, NULL), -1);
	push(Q->chain.head, 21);
	assert_int_equal(mg_interrupt(), VIO_USED_BUFFER);
	assert_int_equal(mg_take(0, &written), head);
	assert_int_equal(written, 21);
	assert_false(mg_needs_reset());
}

/* Round and round, several under way, finished in another order than they came. */
static void indices_wrap(void **state)
{
	const struct mg_piece piece = { MG_DATA, 8, true };

	(void)state;
	for (unsigned round = 0; round < 70000 / 3; round++) {
		uint16_t heads[3];
		uint32_t written;

		for (unsigned i = 0; i < 3; i++)
			mg_add(0, &piece, 1);
		for (unsigned i = 0; i < 3; i++) {
			assert_true(pop());
			heads[i] = Q->chain.head;
		}
		assert_false(pop());
		for (unsigned i = 3; i-- > 0;)
			push(heads[i], i);
		for (unsigned i = 3; i-- > 0;) {
			assert_int_equal(mg_take(0, &written), heads[i]);
			assert_int_equal(written, i);
		}
		assert_int_equal(mg_take(0, NULL), -1);
	}
	assert_int_equal(Q->held, 0);
}

static void copies_cross_pieces_and_pages(void **state)
{
	const struct mg_piece pieces[] = { { MG_DATA + 4000, 200, false }, { MG_DATA + 9000, 0, false },
					   { MG_DATA + 12000, 1000, false },
					   { MG_DATA + 20000, 5000, true }, { MG_DATA + 30000, 10, true } };
	static char in[1200], out[1300];

	(void)state;
	for (unsigned i = 0; i < sizeof(in); i++)
		in[i] = (char)(i * 7);
	mg_put(MG_DATA + 4000, in, 200);
	mg_put(MG_DATA + 12000, in + 200, 1000);
	mg_add(0, pieces, 5);
	assert_true(pop());
	assert_int_equal(vio_copy_out(Q, 0, out, 1300), 1200);
	assert_memory_equal(out, in, 1200);
	assert_int_equal(vio_copy_out(Q, 150, out, 100), 100);
	assert_memory_equal(out, in + 150, 100);
	assert_int_equal(vio_copy_out(Q, 1200, out, 1), 0);
	assert_int_equal(vio_copy_in(Q, 4500, in, 1200), 510);
	mg_get(MG_DATA + 24500, out, 500);
	mg_get(MG_DATA + 30000, out + 500, 10);
	assert_memory_equal(out, in, 510);
	push(Q->chain.head, 5010);
}

static void segments_cover_what_they_say(void **state)
{
	const struct mg_piece piece = { MG_DATA + 4000, 10000, true };
	struct segment segs[4];
	uint32_t covered;

	(void)state;
	mg_add(0, &piece, 1);
	assert_true(pop());
	assert_int_equal(vio_segments(Q, VIO_WRITES, 0, 10000, segs, 4, &covered), 4);
	assert_int_equal(covered, 10000);
	assert_ptr_equal(segs[0].data, mg_at(MG_DATA + 4000));
	assert_int_equal(segs[0].len, 96);
	assert_int_equal(segs[3].len, 10000 - 96 - 8192);
	assert_int_equal(vio_segments(Q, VIO_WRITES, 0, 10000, segs, 2, &covered), 2);
	assert_int_equal(covered, 96 + 4096);
	assert_int_equal(vio_segments(Q, VIO_WRITES, 96, 10, segs, 2, &covered), 1);
	assert_int_equal(covered, 10);
	assert_int_equal(vio_segments(Q, VIO_WRITES, 10000, 10, segs, 2, &covered), 0);
	assert_int_equal(vio_segments(Q, VIO_READS, 0, 10, segs, 2, &covered), 0);
	mg.no_memory = true;
	assert_int_equal(vio_segments(Q, VIO_WRITES, 0, 10, segs, 2, &covered), -ENOMEM);
	assert_int_equal(vio_copy_in(Q, 0, "0123456789", 10), 0);
	push(Q->chain.head, 0);
}

/* A table that begins in the middle of a descriptor's size before a page's end. */
static void indirect_tables_may_begin_anywhere(void **state)
{
	const uint64_t table = MG_DATA + PAGE_SIZE - 24;
	const struct mg_desc entries[] = { { MG_DATA, 5, MG_NEXT, 2 }, { 0, 0, 0, 0 }, { MG_DATA + 8, 6, MG_NEXT | MG_WRITE, 3 },
					   { MG_DATA + 16, 7, MG_WRITE, 0 } };

	(void)state;
	mg_put(table, entries, sizeof(entries));
	mg_desc(0, 3, table, sizeof(entries), MG_INDIRECT, 0);
	mg_desc(0, 9, MG_DATA + 32, 4, MG_NEXT, 3);
	mg_offer(0, 9);
	assert_true(pop());
	assert_int_equal(Q->chain.head, 9);
	assert_int_equal(Q->chain.read_len, 9); /* a piece before the table, one in it */
	assert_int_equal(Q->chain.write_len, 13);
	push(9, 13);
}

static void unpopped_chains_come_again(void **state)
{
	const struct mg_piece piece = { MG_DATA, 8, true };
	unsigned first = mg_add(0, &piece, 1);

	(void)state;
	mg_add(0, &piece, 1);
	assert_true(pop());
	assert_true(pop());
	vio_unpop(Q, 2);
	assert_int_equal(Q->held, 0);
	assert_true(pop());
	assert_int_equal(Q->chain.head, first);
	push(Q->chain.head, 0);
}

/* Interrupts: as the driver asks, by event index or by flag. */

static void interrupt_after(unsigned n, unsigned wanted)
{
	const struct mg_piece piece = { MG_DATA, 8, true };

	for (unsigned i = 0; i < n; i++)
		mg_add(0, &piece, 1);
	for (unsigned i = 0; i < n; i++) {
		assert_true(pop());
		vio_push(Q, Q->chain.head, 0);
	}
	vio_publish(Q);
	assert_int_equal(mg_interrupt(), wanted);
}

static void interrupts_by_event_index(void **state)
{
	(void)state;
	interrupt_after(1, VIO_USED_BUFFER);    /* event 0: the first */
	interrupt_after(3, 0);
	mg_put16(MG_AVAIL(0) + 4 + 2 * MG_SIZE_OF_QUEUE, 6);
	interrupt_after(2, 0);                  /* 4 and 5 */
	interrupt_after(2, VIO_USED_BUFFER);    /* 6 among them */
	assert_int_equal(Q->interrupts, 2);
}

static void interrupts_by_flag(void **state)
{
	(void)state;
	mg_begin(0);
	interrupt_after(1, VIO_USED_BUFFER);
	mg_put16(MG_AVAIL(0), 1);
	interrupt_after(2, 0);
	mg_put16(MG_AVAIL(0), 0);
	interrupt_after(1, VIO_USED_BUFFER);
}

static void kicks_are_asked_for(void **state)
{
	const struct mg_piece piece = { MG_DATA, 8, true };
	const uint64_t event = MG_USED(0) + 4 + 8 * MG_SIZE_OF_QUEUE;

	(void)state;
	mg_add(0, &piece, 1);
	assert_true(pop());
	assert_false(vio_want_kick(Q, false));
	assert_int_equal(mg_get16(event), 0);
	assert_false(vio_want_kick(Q, true));
	assert_int_equal(mg_get16(event), 1);
	mg_add(0, &piece, 1);
	assert_true(vio_want_kick(Q, true)); /* it came meanwhile */
	push(Q->chain.head, 0);
	mg_begin(0);
	assert_false(vio_want_kick(Q, false));
	assert_int_equal(mg_get16(MG_USED(0)), 1);
	assert_false(vio_want_kick(Q, true));
	assert_int_equal(mg_get16(MG_USED(0)), 0);
}

/* Lies. Each breaks the device; after a reset it works. */

static void is_caught(void)
{
	const struct mg_piece piece = { MG_DATA, 8, true };

	assert_false(pop());
	assert_true(mg_needs_reset());
	assert_int_equal(mg_interrupt(), VIO_CONFIG_CHANGE);
	assert_int_equal(Q->held, 0);
	assert_false(pop());
	kicks = 0;
	assert_int_equal(mg_kick(0), 0);
	assert_int_equal(kicks, 0);
	mg_begin(EVENT | INDIRECT);
	mg_add(0, &piece, 1);
	assert_int_equal(mg_kick(0), 0);
	assert_int_equal(kicks, 1);
	assert_true(pop());
	push(Q->chain.head, 0);
	assert_false(mg_needs_reset());
	mg_begin(EVENT | INDIRECT);
}

static void desc_is_caught(uint64_t gpa, uint32_t len, unsigned flags, unsigned next)
{
	mg_desc(0, 0, gpa, len, flags, next);
	mg_offer(0, 0);
	is_caught();
}

static void lies_of_descriptors(void **state)
{
	(void)state;
	desc_is_caught(MG_DATA, 8, MG_NEXT, 0);                       /* a loop */
	desc_is_caught(MG_DATA, 8, MG_NEXT, MG_SIZE_OF_QUEUE);        /* beyond the table */
	desc_is_caught(MG_DATA, 8, MG_NEXT, 0xffff);
	desc_is_caught(0, 8, 0, 0);                                   /* not in RAM */
	desc_is_caught(MG_RAM + MG_SIZE, 1, 0, 0);
	desc_is_caught(MG_RAM + MG_SIZE - 8, 9, 0, 0);
	desc_is_caught(MG_DATA, UINT32_MAX, MG_WRITE, 0);
	desc_is_caught(UINT64_MAX, 2, MG_WRITE, 0);                   /* around the end of all addresses */
	mg_desc(0, 1, MG_DATA, 8, 0, 0);
	desc_is_caught(MG_DATA, 8, MG_WRITE | MG_NEXT, 1);            /* written before read */
	mg_offer(0, MG_SIZE_OF_QUEUE);                                /* a head beyond the table */
	is_caught();
	mg_put16(MG_AVAIL(0) + 2, MG_SIZE_OF_QUEUE + 1);              /* more chains than there are entries */
	is_caught();
	mg_put16(MG_AVAIL(0) + 2, 0xffff);                            /* backwards */
	is_caught();
}

/* A driver that offers again what it has not got back would have us hold more and more. */
static void no_more_is_under_way_than_the_queue_holds(void **state)
{
	(void)state;
	mg_desc(0, 0, MG_DATA, 8, MG_WRITE, 0);
	for (unsigned i = 0; i < MG_SIZE_OF_QUEUE; i++) {
		mg_offer(0, 0);
		assert_true(pop());
	}
	mg_offer(0, 0);
	assert_false(pop());
	assert_true(mg_needs_reset());
	assert_int_equal(Q->held, MG_SIZE_OF_QUEUE);
	while (Q->held)
		push(0, 0);
	(void)mg_interrupt();
	mg_begin(EVENT | INDIRECT);
}

static void indirect_is_caught(const struct mg_desc *entries, unsigned n)
{
	mg_put(MG_DATA, entries, n * sizeof(*entries));
	desc_is_caught(MG_DATA, (uint32_t)(n * sizeof(*entries)), MG_INDIRECT, 0);
}

static void lies_of_indirect_tables(void **state)
{
	static struct mg_desc many[MG_SIZE_OF_QUEUE + 1];
	const struct mg_desc nested = { MG_DATA, 16, MG_INDIRECT, 0 }, loop = { MG_DATA, 1, MG_NEXT, 0 },
			     beyond = { MG_DATA, 1, MG_NEXT, 1 };

	(void)state;
	desc_is_caught(MG_DATA, 0, MG_INDIRECT, 0);
	desc_is_caught(MG_DATA, 24, MG_INDIRECT, 0);
	desc_is_caught(MG_DATA, 16 * (VIO_QUEUE_SIZE + 1), MG_INDIRECT, 0);
	desc_is_caught(MG_RAM + MG_SIZE - 8, 16, MG_INDIRECT, 0);
	desc_is_caught(MG_DATA, 0xfffffff0, MG_INDIRECT, 0);
	desc_is_caught(MG_DATA, 16, MG_INDIRECT | MG_NEXT, 1);
	indirect_is_caught(&nested, 1);
	indirect_is_caught(&loop, 1);
	indirect_is_caught(&beyond, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct mg_desc){ MG_DATA, 1, i < MG_SIZE_OF_QUEUE ? MG_NEXT : 0, (uint16_t)(i + 1) };
	indirect_is_caught(many, ARRAY_SIZE(many));
	mg_begin(EVENT); /* the feature was not agreed on */
	mg_put(MG_DATA, &(struct mg_desc){ MG_DATA, 1, 0, 0 }, 16);
	desc_is_caught(MG_DATA, 16, MG_INDIRECT, 0);
}

static void a_guest_without_memory_is_told(void **state)
{
	const struct mg_desc entry = { MG_DATA, 8, 0, 0 };
	irqflags_t flags;

	(void)state;
	mg_put(MG_DATA, &entry, sizeof(entry));
	mg_desc(0, 0, MG_DATA, 16, MG_INDIRECT, 0);
	mg_offer(0, 0);
	mg.no_memory = true;
	assert_false(pop());
	assert_false(mg_needs_reset()); /* it did nothing wrong */
	flags = vio_lock(Q);
	assert_false(vio_want_kick(Q, true)); /* who pops while there is something would go on for ever */
	vio_unlock(Q, flags);
	pops = true;
	assert_int_equal(mg_kick(0), -EAGAIN);
	mg.no_memory = pops = false;
	assert_int_equal(mg_kick(0), 0);
	assert_true(pop());
	push(Q->chain.head, 0);
}

/* Anything at all in the rings: no access beyond, no hang, and whatever is popped can be pushed. */
static void noise(void **state)
{
	(void)state;
	srand(1);
	for (unsigned round = 0; round < 20000; round++) {
		for (unsigned i = 0; i < MG_SIZE_OF_QUEUE; i++) {
			uint64_t gpa = MG_RAM + (unsigned)rand() % (MG_SIZE + (rand() % 64 ? 0 : 100000));

			mg_desc(0, i, gpa, (unsigned)rand() % (rand() % 16 ? 64 : 20000), (unsigned)rand() % (rand() % 8 ? 4 : 8),
				(unsigned)rand() % (MG_SIZE_OF_QUEUE + (rand() % 64 ? 0 : 2)));
			mg_put16(MG_AVAIL(0) + 4 + 2 * i, (uint16_t)(rand() % MG_SIZE_OF_QUEUE));
		}
		mg_put16(MG_AVAIL(0) + 2, (uint16_t)(rand() % (MG_SIZE_OF_QUEUE + 1)));
		for (unsigned n = 0; pop(); n++) {
			char bytes[100];

			assert_true(n <= MG_SIZE_OF_QUEUE);
			assert_true(vio_copy_out(Q, 0, bytes, sizeof(bytes)) <= Q->chain.read_len);
			assert_true(vio_copy_in(Q, 0, bytes, sizeof(bytes)) <= Q->chain.write_len);
			push(Q->chain.head, Q->chain.write_len);
		}
		mg_begin((rand() & 1 ? EVENT : 0) | (rand() & 1 ? INDIRECT : 0));
	}
}

/* --- RAM that is moved --- */

/* The block is copied, and the old one is somebody else's. */
static void move_ram(void)
{
	for (unsigned i = 0; i < MG_PAGES; i++) {
		memcpy(mg.pages[2 * i + !mg.moved], mg.pages[2 * i + mg.moved], PAGE_SIZE);
		memset(mg.pages[2 * i + mg.moved], 0xdd, PAGE_SIZE);
	}
	mg.moved = !mg.moved;
}

/* A chain goes both ways, through rings and buffers where they stand now. */
static void exchange(void)
{
	const struct mg_piece pieces[] = { { MG_DATA + 4090, 12, false }, { MG_DATA + 8190, 4, true } };
	char bytes[12] = "";
	uint32_t written;
	irqflags_t flags;
	int head;

	mg_put(MG_DATA + 4090, "over a page", 12);
	head = (int)mg_add(0, pieces, 2);
	flags = vio_lock(Q);
	assert_true(vio_pop(Q));
	assert_int_equal(vio_copy_out(Q, 0, bytes, 12), 12);
	assert_string_equal(bytes, "over a page");
	assert_int_equal(vio_copy_in(Q, 0, "back", 4), 4);
	vio_push(Q, (uint16_t)head, 4);
	vio_publish(Q);
	vio_unlock(Q, flags);
	assert_int_equal(mg_take(0, &written), head);
	mg_get(MG_DATA + 8190, bytes, 4);
	assert_memory_equal(bytes, "back", 4);
	assert_int_equal(written, 4);
}

static void rings_are_found_where_they_have_moved(void **state)
{
	(void)state;
	mock_folds_stopped = 0;
	exchange();
	for (unsigned i = 0; i < 3; i++) {
		assert_true(vio_move_begin(mg.dev));
		move_ram();
		vio_move_end(mg.dev);
		exchange();
	}
	assert_false(mg_needs_reset());
}

static void who_uses_a_queue_stops_the_move(void **state)
{
	(void)state;
	assert_true(vio_move_begin(mg.dev));
	mock_folds_stopped = 0;
	exchange();
	assert_int_equal(mock_folds_stopped, 1);
	exchange();
	assert_int_equal(mock_folds_stopped, 1);
	vio_move_end(mg.dev);
	exchange();
	/* Or he comes too late for that. */
	assert_true(vio_move_begin(mg.dev));
	move_ram();
	exchange();
	vio_move_end(mg.dev);
	exchange();
}

static void nothing_moves_while_a_chain_is_held(void **state)
{
	(void)state;
	(void)mg_add(0, &(struct mg_piece){ MG_DATA, 4, true }, 1);
	assert_true(pop());
	assert_false(vio_move_begin(mg.dev));
	assert_false(mg.dev->queues[0].moving);
	assert_false(mg.dev->queues[1].moving);
	push(Q->chain.head, 4);
	assert_true(vio_move_begin(mg.dev));
	vio_move_end(mg.dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
		T(a_chain_comes_and_goes), T(indices_wrap), T(copies_cross_pieces_and_pages), T(segments_cover_what_they_say),
		T(indirect_tables_may_begin_anywhere), T(unpopped_chains_come_again), T(interrupts_by_event_index),
		T(interrupts_by_flag), T(kicks_are_asked_for), T(lies_of_descriptors), T(lies_of_indirect_tables),
		T(no_more_is_under_way_than_the_queue_holds), T(a_guest_without_memory_is_told), T(noise),
		T(rings_are_found_where_they_have_moved), T(who_uses_a_queue_stops_the_move), T(nothing_moves_while_a_chain_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
