/* The virtio console: output that waits, input that waits, the terminal's size, emergency writing, a driver that lies. */
// sources: vmm/virtio/console.c vmm/virtio/ring.c vmm/virtio/device.c vmm/virtio/mmio.c vmm/device/common.c vmm/image/dt_writer.c
#include <vio_mock.h>

#include <caisson/mm.h>
#include <mem.h>
#include <vmm/virtio_console.h>

#define RX 0
#define TX 1
#define EMERGENCY 0x108
#define INPUT_ROOM 4096

static size_t room; /* bytes that the VM's console takes */

static size_t host_write(void *vm, const char *buf, size_t n)
{
	assert_ptr_equal(vm, MOCK_VM);
	assert_false(mock_irq_on);
	assert_false(spin_is_locked(&mg.dev->queues[TX].lock)); /* the console may give us input now */
	n = MIN(n, room);
	room -= n;
	memcpy(mv.out + mv.out_n, buf, n);
	mv.out_n += n;
	return n;
}

static int setup(void **state)
{
	(void)state;
	mg_start(&vio_console_type, NULL);
	mv.host.console_write = host_write;
	mv.host.console_put = mv_write;
	mv.host.console_ready = mv_ready;
	room = sizeof(mv.out);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	mg_stop();
	assert_int_equal(heap_in_use(), 0);
	assert_true(mock_irq_on);
	return 0;
}

static void begin(void)
{
	mg_begin(mg_offered());
}

/* The driver writes text of n bytes, that stands at MG_DATA + at. */
static void says(const char *text, unsigned n, unsigned at)
{
	mg_put(MG_DATA + at, text, n);
	mg_add(TX, &(struct mg_piece){ MG_DATA + at, n, false }, 1);
}

static void heard(const char *text, size_t n)
{
	assert_int_equal(mv.out_n, n);
	assert_memory_equal(mv.out, text, n);
	mv.out_n = 0;
}

static void output_leaves_with_the_kick(void **state)
{
	(void)state;
	begin();
	says("hello\n", 6, 0);
	says("there\n", 6, 100);
	assert_int_equal(mg_kick(TX), 0);
	heard("hello\nthere\n", 12);
	assert_int_equal(mg_take(TX, NULL), 0);
	assert_int_equal(mg_take(TX, NULL), 1);
	assert_int_equal(mg_take(TX, NULL), -1);
	assert_int_equal(mg_interrupt(), 1);
}

/* What the line has no room for stays where it is; the kick is repeated until all is out, and none of it is there twice. */
static void a_slow_console_makes_the_kick_wait(void **state)
{
	char text[3000];

	(void)state;
	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 11 + i / 256);
	begin();
	says(text, sizeof(text), 0);
	room = 100;
	assert_int_equal(mg_kick(TX), -EAGAIN);
	assert_int_equal(mg_kick(TX), -EAGAIN);
	assert_int_equal(mv.out_n, 100);
	assert_int_equal(mg_take(TX, NULL), -1);
	assert_false(vio_is_empty(&mg.dev->queues[TX]));
	for (unsigned i = 0; i < 1000 && mg_kick(TX); i++)
		room = 70;
	heard(text, sizeof(text));
	assert_int_equal(mg_take(TX, NULL), 0);
}

/* One kick moves a KiB at most: others want the hart. */
static void a_kick_is_bounded(void **state)
{
	static char text[6000];
	unsigned kicks = 1;

	(void)state;
	memset(text, 'x', sizeof(text));
	begin();
	says(text, sizeof(text), 0);
	for (; mg_kick(TX) == -EAGAIN; kicks++)
		assert_true(mv.out_n <= kicks * 1024);
	assert_int_equal(kicks, 6);
	heard(text, sizeof(text));
	for (unsigned i = 0; i < MG_SIZE_OF_QUEUE; i++) /* empty chains cost time, too */
		says("", 0, 0);
	assert_int_equal(mg_kick(TX), -EAGAIN);
	assert_int_equal(mg_kick(TX), 0);
}

/* A vCPU that kicks while another one's kick is worked on comes again: their bytes are not mixed. */
static size_t kick_inside(void *vm, const char *buf, size_t n)
{
	mv.host.console_write = host_write;
	assert_int_equal(mg_kick(TX), -EAGAIN);
	return host_write(vm, buf, n);
}

static void two_kicks_at_once(void **state)
{
	(void)state;
	begin();
	says("one\n", 4, 0);
	says("two\n", 4, 10);
	mv.host.console_write = kick_inside;
	assert_int_equal(mg_kick(TX), 0);
	heard("one\ntwo\n", 8);
}

/* While the console has a piece, the driver resets the device: that waits, and nothing is said of the old chain. */
static size_t reset_inside(void *vm, const char *buf, size_t n)
{
	(void)vm;
	(void)buf;
	assert_int_equal(mv_try_write(0x070, 4, 0), -EAGAIN);
	return n;
}

static void a_reset_waits_for_the_console(void **state)
{
	(void)state;
	begin();
	says("gone\n", 5, 0);
	mv.host.console_write = reset_inside;
	assert_int_equal(mg_kick(TX), 0);
	assert_int_equal(mg_take(TX, NULL), -1);
	mv.host.console_write = host_write;
	begin();
	says("new\n", 4, 0);
	assert_int_equal(mg_kick(TX), 0);
	heard("new\n", 4);
}

/* The half of a chain that went out before a reset says nothing about the next chain. */
static void a_reset_forgets_what_was_half_out(void **state)
{
	(void)state;
	begin();
	says("12345678", 8, 0);
	room = 4;
	assert_int_equal(mg_kick(TX), -EAGAIN);
	heard("1234", 4);
	room = 100;
	begin();
	says("new", 3, 0);
	assert_int_equal(mg_kick(TX), 0);
	heard("new", 3);
}

static void offer_room(unsigned n)
{
	mg_add(RX, &(struct mg_piece){ MG_DATA + 0x8000 + 0x100 * (mg.free[RX] % MG_SIZE_OF_QUEUE), n, true }, 1);
}

/* The driver takes all that is there. @return bytes */
static size_t reads(char *buf)
{
	uint32_t len;
	size_t n = 0;
	int head;

	while ((head = mg_take(RX, &len)) >= 0) {
		mg_get(MG_DATA + 0x8000 + 0x100 * (unsigned)head, buf + n, len);
		n += len;
	}
	return n;
}

static void input_goes_into_what_the_driver_offers(void **state)
{
	char buf[64];

	(void)state;
	assert_false(vio_console_listens(mg.dev));
	begin();
	assert_false(vio_console_listens(mg.dev));
	offer_room(4);
	offer_room(20);
	assert_int_equal(mg_kick(RX), 0);
	assert_true(vio_console_listens(mg.dev));
	assert_int_equal(vio_console_input(mg.dev, "ls -l\r", 6), 6);
	assert_int_equal(mg_interrupt(), 1);
	assert_int_equal(reads(buf), 6);
	assert_memory_equal(buf, "ls -l\r", 6);
	assert_int_equal(vio_console_input(mg.dev, "more", 4), 4); /* waits */
	assert_int_equal(mg_interrupt(), 0);
	offer_room(3);
	offer_room(3);
	assert_int_equal(mg_kick(RX), 0);
	assert_int_equal(reads(buf), 4);
	assert_memory_equal(buf, "more", 4);
	mv_put(0x070, 4, 0);
	assert_false(vio_console_listens(mg.dev));
}

/* Offered before DRIVER_OK counts, too. */
static void room_that_was_there_at_the_start(void **state)
{
	irqflags_t flags;

	(void)state;
	begin();
	offer_room(8);
	assert_false(vio_console_listens(mg.dev));
	flags = irq_save();
	mg.dev->type->start(mg.dev);
	irq_restore(flags);
	assert_true(vio_console_listens(mg.dev));
}

/* 4 KiB wait, more is refused; when half of it is read, the host is told, once. Nothing is lost or doubled. */
static void input_waits_and_is_refused(void **state)
{
	static char typed[2 * INPUT_ROOM], got[2 * INPUT_ROOM];
	size_t n = 0, before;

	(void)state;
	for (unsigned i = 0; i < sizeof(typed); i++)
		typed[i] = (char)(i * 7 + i / 256);
	begin();
	assert_int_equal(vio_console_input(mg.dev, typed, 5), 5);
	offer_room(256);
	assert_int_equal(mg_kick(RX), 0);
	n += reads(got);
	assert_int_equal(n, 5);
	assert_int_equal(vio_console_input(mg.dev, typed + 5, INPUT_ROOM + 1), INPUT_ROOM);
	assert_int_equal(vio_console_input(mg.dev, typed, 1), 0);
	for (before = 1; before; n += before) {
		assert_int_equal(mv.readies, n - 5 >= INPUT_ROOM / 2);
		offer_room(256);
		assert_int_equal(mg_kick(RX), 0);
		before = reads(got + n);
	}
	assert_int_equal(n, 5 + INPUT_ROOM);
	assert_memory_equal(got, typed, n);
	assert_int_equal(mv.readies, 1);
}

/* What was typed for a driver that is gone is gone with it, and there is room again. */
static void a_reset_forgets_what_was_typed(void **state)
{
	static char typed[INPUT_ROOM + 1];
	char buf[8];

	(void)state;
	begin();
	assert_int_equal(vio_console_input(mg.dev, typed, sizeof(typed)), INPUT_ROOM);
	begin();
	assert_int_equal(mv.readies, 1);
	offer_room(8);
	assert_int_equal(mg_kick(RX), 0);
	assert_int_equal(reads(buf), 0);
	assert_int_equal(vio_console_input(mg.dev, "ab", 2), 2);
	assert_int_equal(reads(buf), 2);
	assert_memory_equal(buf, "ab", 2);
}

static void the_size_is_told(void **state)
{
	(void)state;
	assert_true(mg_offered() & 1);
	assert_int_equal(mv_read(0x100, 4), 0);
	vio_console_resize(mg.dev, 80, 25);
	assert_int_equal(mg_interrupt(), 0);
	begin();
	assert_int_equal(mg_interrupt(), 2); /* for drivers that only look when they are told */
	assert_int_equal(mv_read(0x100, 2), 80);
	assert_int_equal(mv_read(0x102, 2), 25);
	vio_console_resize(mg.dev, 80, 25);
	assert_int_equal(mg_interrupt(), 0);
	vio_console_resize(mg.dev, 132, 43);
	assert_int_equal(mg_interrupt(), 2);
	assert_int_equal(mv_read(0x100, 4), 43 << 16 | 132);
	mv_put(0x100, 4, 0); /* it is not the driver's to write */
	assert_int_equal(mv_read(0x100, 4), 43 << 16 | 132);
}

/* Whole registers or bytes, driver there or not; a full console has the access done again. */
static void emergency_writing(void **state)
{
	(void)state;
	assert_true(mg_offered() & 4);
	mv_put(EMERGENCY, 4, 'A');
	mv_put(EMERGENCY, 1, 'B');
	begin();
	mv_put(EMERGENCY, 4, 0x12345600 | 'C');
	mv_put(0x100, 8, 0);
	mv_put(0x104, 4, 'x');
	mv_put(0x10c, 4, 'x'); /* behind the configuration */
	heard("ABC", 3);
	mv.answer = VDEV_FULL;
	assert_int_equal(mv_try_write(EMERGENCY, 4, 'D'), -EAGAIN);
	mv.answer = VDEV_TAKEN;
	mv_put(EMERGENCY, 4, 'D');
	heard("D", 1);
}

static void buffers_of_the_wrong_kind(void **state)
{
	(void)state;
	begin();
	mg_add(TX, (struct mg_piece[]){ { MG_DATA, 4, false }, { MG_DATA, 4, true } }, 2);
	assert_int_equal(mg_kick(TX), 0);
	assert_true(mg_needs_reset());
	heard("", 0);
	begin();
	mg_add(RX, (struct mg_piece[]){ { MG_DATA, 4, false }, { MG_DATA, 4, true } }, 2);
	assert_int_equal(mg_kick(RX), 0);
	assert_int_equal(vio_console_input(mg.dev, "a", 1), 1);
	assert_true(mg_needs_reset());
	assert_false(vio_console_listens(mg.dev));
	begin();
	mg_add(RX, &(struct mg_piece){ MG_DATA, 0, true }, 1);
	assert_int_equal(mg_kick(RX), 0);
	assert_int_equal(vio_console_input(mg.dev, "a", 1), 1);
	assert_true(mg_needs_reset());
	begin();
	says("well\n", 5, 0);
	assert_int_equal(mg_kick(TX), 0);
	heard("well\n", 5);
}

/* Memory that cannot be had is left out; input waits for it. */
static void without_memory(void **state)
{
	char buf[8];

	(void)state;
	begin();
	says("lost\n", 5, 0);
	offer_room(8);
	assert_int_equal(mg_kick(RX), 0);
	mg.no_memory = true;
	assert_int_equal(mg_kick(TX), 0);
	assert_int_equal(mg_take(TX, NULL), 0);
	assert_int_equal(vio_console_input(mg.dev, "abc", 3), 3);
	mg.no_memory = false;
	assert_int_equal(reads(buf), 0);
	offer_room(8);
	assert_int_equal(mg_kick(RX), 0);
	assert_int_equal(reads(buf), 3);
	heard("", 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(output_leaves_with_the_kick), T(a_slow_console_makes_the_kick_wait), T(a_kick_is_bounded), T(two_kicks_at_once),
		T(a_reset_waits_for_the_console), T(a_reset_forgets_what_was_half_out), T(input_goes_into_what_the_driver_offers),
		T(room_that_was_there_at_the_start), T(input_waits_and_is_refused), T(a_reset_forgets_what_was_typed),
		T(the_size_is_told), T(emergency_writing), T(buffers_of_the_wrong_kind), T(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
