/* The virtio console driver behind the real console: output, held-back input, the size, a device that lies. */
// sources: core/console/console.c core/console/unframe.c drivers/virtio/virtio.c drivers/virtio/queue.c core/time/time.c core/dt/dt.c core/dt/bus.c core/dt/map.c core/dt/index.c
#include <caisson/console.h>
#include <caisson/hart.h>
#include <caisson/time.h>
#include <virtio_mock.h>

static bool asked; /* the boot argument */

static bool fake_boot_arg(const char *key, char *buf, size_t size)
{
	assert_string_equal(key, "console");
	if (asked)
		snprintf(buf, size, "virtio");
	return asked;
}

#define boot_arg fake_boot_arg
#undef LOG_NAME
#include "drivers/serial/virtio_console.c"

static struct vd_queue *rxq = &vd.q[0], *txq = &vd.q[1];
static struct timer *timer;
static char firmware[256], got[4096], sent[65536];
static size_t n_firmware, n_got, n_sent, space;

void sbi_putchar(char c)
{
	firmware[n_firmware++ % sizeof(firmware)] = c;
}

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	t->fn = fn;
}

void timer_arm(struct timer *t, uint64_t deadline)
{
	assert_true(deadline <= mock_time);
	timer = t;
}

static void fire_timer(void)
{
	struct timer *t = timer;

	assert_non_null(t);
	timer = NULL;
	t->fn(t);
}

static size_t input(const char *buf, size_t n)
{
	n = MIN(n, space);
	memcpy(got + n_got, buf, n);
	n_got += n;
	space -= n;
	return n;
}

static size_t uart_write(void *dev, const char *buf, size_t n)
{
	(void)dev, (void)buf;
	return n;
}

static const struct console_driver uart = { .name = "uart", .write = uart_write };

static void prepare(bool with_uart, bool named)
{
	vd_init(VIRTIO_ID_CONSOLE, BIT(F_SIZE) | BIT(VIRTIO_F_EVENT_IDX));
	vd.q[1].max = 64;
	memcpy(vd.config, &(uint16_t[]){ 120, 40 }, 4);
	n_firmware = n_got = n_sent = 0;
	space = sizeof(got);
	timer = NULL;
	asked = named;
	port = NULL;
	console_register(with_uart ? &uart : NULL, NULL);
	console_set_input(input);
	assert_int_equal(vd_probe(), 0);
	take_over();
}

static int setup(void **state)
{
	(void)state;
	prepare(false, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	console_register(NULL, NULL);
	virtq_destroy_all(port->vdev);
	kfree(mmio_of(port->vdev));
	kfree(port);
	return 0;
}

/* The device takes what there is. */
static void take_all(void)
{
	while (vd_n_available(txq)) {
		struct vd_chain c = vd_take(txq);

		assert_int_equal(c.n, 1);
		assert_int_equal(c.n_readable, 1);
		memcpy(sent + n_sent, (void *)(uintptr_t)c.d[0].addr, c.d[0].len);
		n_sent += c.d[0].len;
		vd_use(txq, c.head, 0);
	}
}

static void come(const char *text, uint32_t n)
{
	struct vd_chain c = vd_take(rxq);

	memcpy((void *)(uintptr_t)c.d[0].addr, text, n <= PIECE ? n : 0);
	vd_use(rxq, c.head, n);
}

static void who_is_the_console(void **state)
{
	prepare(true, false);
	assert_false(port->bound);
	assert_int_equal(vd_n_available(rxq), 0);
	teardown(state);
	prepare(true, true);
	assert_true(port->bound);
	teardown(state);
	prepare(false, false);
	assert_true(port->bound);
	vd.features = 0;
}

static void what_is_written_goes_out(void **state)
{
	(void)state;
	console_write(CONSOLE_LOG, "hello", 5);
	assert_int_equal(vd_n_available(txq), 1);
	take_all();
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_memory_equal(sent, "hello", 5);
	assert_int_equal(n_firmware, 0);
}

/* More than fits: the rest leaves when the device has taken something. */
static void much(void **state)
{
	static char text[PIECES * PIECE + 5000];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 31 % 251);
	console_write(CONSOLE_LOG, text, sizeof(text));
	assert_int_equal(vd_n_available(txq), PIECES);
	for (unsigned i = 0; n_sent < sizeof(text); i++) {
		assert_true(i < 10);
		take_all();
		vd_interrupt(VIRTIO_INT_QUEUE);
	}
	assert_int_equal(n_sent, sizeof(text));
	assert_memory_equal(sent, text, sizeof(text));
}

static void room_is_told_of_without_anything_under_way(void **state)
{
	(void)state;
	console_want_room();
	fire_timer();
	assert_null(timer);
}

static void what_comes_is_handed_on(void **state)
{
	(void)state;
	assert_int_equal(vd_n_available(rxq), RX_PIECES);
	come("typed", 5);
	come(" too", 4);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_memory_equal(got, "typed too", 9);
	assert_int_equal(n_got, 9);
	assert_int_equal(vd_n_available(rxq), RX_PIECES);
}

static void input_that_is_not_wanted_waits(void **state)
{
	(void)state;
	space = 3;
	come("abcdef", 6);
	come("ghi", 3);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(n_got, 3);
	assert_int_equal(vd_n_available(rxq), RX_PIECES - 2);
	come("jkl", 3);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_int_equal(n_got, 3);
	space = 5;
	console_rx_resume();
	assert_int_equal(n_got, 3); /* not from inside */
	fire_timer();
	assert_int_equal(n_got, 8);
	space = 100;
	console_rx_resume();
	fire_timer();
	assert_memory_equal(got, "abcdefghijkl", 12);
	assert_int_equal(vd_n_available(rxq), RX_PIECES);
}

static unsigned n_resized;

static void resized(void)
{
	n_resized++;
}

static void assert_size(unsigned columns, unsigned rows)
{
	assert_int_equal(console_size().columns, columns);
	assert_int_equal(console_size().rows, rows);
}

static void the_size(void **state)
{
	(void)state;
	assert_size(120, 40);
	console_set_resized(resized);
	memcpy(vd.config, &(uint16_t[]){ 80, 24 }, 4);
	vd_interrupt(VIRTIO_INT_CONFIG);
	assert_size(80, 24);
	assert_int_equal(n_resized, 1);
	console_set_resized(NULL);
	vd.restless = 1000;
	vd_interrupt(VIRTIO_INT_CONFIG);
	assert_size(80, 24);
}

/* The firmware's console again; and the log says why, but not from inside of a write. */
static void assert_gone(void)
{
	assert_int_equal(vd.status, VIRTIO_FAILED);
	n_firmware = 0;
	console_write(CONSOLE_LOG, "after", 5);
	assert_memory_equal(firmware, "after", 5);
	assert_non_null(strstr(mock_log_text(), "and the firmware's console again"));
	console_flush();
}

static void lies(void **state)
{
	(void)state;
	come("x", PIECE + 1);
	vd_interrupt(VIRTIO_INT_QUEUE);
	assert_gone();
	teardown(state);
	setup(state);
	console_write(CONSOLE_LOG, "x", 1);
	vd_use(txq, 40, 0);
	console_write(CONSOLE_LOG, "y", 1);
	assert_int_equal(n_firmware, 1);
	assert_null(strstr(mock_log_text(), "firmware"));
	fire_timer();
	assert_gone();
	teardown(state);
	setup(state);
	vd.status |= VIRTIO_NEEDS_RESET;
	vd_interrupt(VIRTIO_INT_CONFIG);
	assert_gone();
}

static void what_waited_when_it_broke_is_not_lost(void **state)
{
	static char text[PIECES * PIECE + 100];

	(void)state;
	console_write(CONSOLE_LOG, text, sizeof(text));
	vd.status |= VIRTIO_NEEDS_RESET;
	vd_interrupt(VIRTIO_INT_CONFIG);
	assert_int_equal(n_firmware, 100);
}

static void without_an_interrupt_it_is_output_only(void **state)
{
	teardown(state);
	vd_init(VIRTIO_ID_CONSOLE, 0);
	vd.q[1].max = 2;
	vd.no_irq = true;
	port = NULL;
	assert_int_equal(vd_probe(), 0);
	take_over();
	console_write(CONSOLE_LOG, "polled", 6);
	assert_int_equal(vd_n_available(txq), 1);
	take_all();
	console_flush();
	assert_memory_equal(sent, "polled", 6);
}

static void without_memory(void **state)
{
	struct port *kept = port;

	(void)state;
	for (uint64_t n = 1; n <= 6; n++) {
		vd_init(VIRTIO_ID_CONSOLE, 0);
		vd.q[1].max = 64;
		port = NULL;
		mock_alloc_fail_at = n;
		assert_int_equal(vd_probe(), -ENOMEM);
		kfree(vd.handler_arg);
		take_over(); /* of nothing */
	}
	port = kept;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(who_is_the_console, teardown),
		T(what_is_written_goes_out),
		T(much),
		T(room_is_told_of_without_anything_under_way),
		T(what_comes_is_handed_on),
		T(input_that_is_not_wanted_waits),
		T(the_size),
		T(lies),
		T(what_waited_when_it_broke_is_not_lost),
		T(without_an_interrupt_it_is_output_only),
		T(without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
