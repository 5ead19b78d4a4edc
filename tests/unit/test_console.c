/* Console: channels, framing, the ring and held-back input, on a line that takes as many bytes as a test allows. */
// sources: core/console/console.c core/console/unframe.c
#include <test.h>

#include <arch/cpu.h>
#include <arch/sbi.h>
#include <caisson/console.h>
#include <caisson/hart.h>

#define RING 16384 /* what the console can keep at least */
#define OUT_MAX (1u << 20)

/* The line. `room` bytes fit; after `patience` refused writes `step` more do. */
static struct {
	char out[OUT_MAX];
	size_t n;
	size_t room, step;
	unsigned patience, refused;
	unsigned writes, tx_calls;
	bool tx_on, held;
	unsigned busy; /* polls until it is idle */
	bool panics;   /* the driver itself, at its next write */
} line;

static char firmware[256];
static size_t n_firmware;

void sbi_putchar(char c)
{
	firmware[n_firmware++ % sizeof(firmware)] = c;
}

static size_t line_write(void *dev, const char *buf, size_t n)
{
	size_t taken = MIN(n, line.room);

	assert_ptr_equal(dev, &line);
	assert_false(mock_irq_on);
	line.writes++;
	if (line.panics) {
		line.panics = false;
		console_panic();
		console_write(CONSOLE_LOG, "help", 4);
	}
	memcpy(line.out + line.n, buf, taken);
	line.n += taken;
	line.room -= taken;
	if (taken == 0 && n > 0 && ++line.refused >= line.patience && line.step) {
		line.refused = 0;
		line.room = line.step;
	}
	return taken;
}

static void line_tx_interrupt(void *dev, bool on)
{
	(void)dev;
	assert_int_not_equal(on, line.tx_on);
	line.tx_on = on;
	line.tx_calls++;
}

static void line_rx_hold(void *dev, bool hold)
{
	(void)dev;
	line.held = hold;
}

static bool line_idle(void *dev)
{
	(void)dev;
	return line.busy == 0 || --line.busy == 0;
}

static const struct console_driver driver = {
	.name = "fake", .write = line_write, .tx_interrupt = line_tx_interrupt,
	.rx_hold = line_rx_hold, .idle = line_idle,
};
static const struct console_driver polled = { .name = "polled", .write = line_write };

static int setup(void **state)
{
	(void)state;
	memset(&line, 0, sizeof(line));
	line.room = SIZE_MAX;
	n_firmware = 0;
	mock_irq_on = true;
	console_set_input(NULL);
	console_set_framed(false);
	console_register(&driver, &line);
	line.held = false;
	return 0;
}

/* Whatever a test left in the ring must be gone before the next. */
static int teardown(void **state)
{
	(void)state;
	line.room = SIZE_MAX;
	console_tx_ready();
	assert_false(line.tx_on);
	assert_true(mock_irq_on);
	return 0;
}

static void put(unsigned channel, const char *s)
{
	console_write(channel, s, strlen(s));
}

static void assert_out(const char *expected, size_t n)
{
	assert_int_equal(line.n, n);
	assert_memory_equal(line.out, expected, n);
}

#define ASSERT_OUT(s) assert_out(s, sizeof(s) - 1)

static void before_a_driver_the_firmware_prints(void **state)
{
	(void)state;
	console_register(NULL, NULL);
	put(CONSOLE_LOG, "early");
	assert_memory_equal(firmware, "early", 5);
	console_set_framed(true);
	put(CONSOLE_LOG, "late");
	assert_int_equal(n_firmware, 11);
	assert_memory_equal(firmware + 5, "\x10@late", 6);
	console_flush();
}

static void unframed_bytes_pass_as_they_are(void **state)
{
	(void)state;
	console_write(CONSOLE_LOG, "a\x10" "b", 3);
	console_write(CONSOLE_VM, "\0c", 2);
	assert_out("a\x10" "b\0c", 5);
}

static void a_channel_switch_is_one_frame(void **state)
{
	(void)state;
	console_set_framed(true);
	assert_int_equal(line.n, 0); /* framing alone says nothing */
	put(CONSOLE_VM + 1, "ab");
	put(CONSOLE_VM + 1, "c");
	put(CONSOLE_LOG, "l");
	put(CONSOLE_VM + 1, "d");
	put(CONSOLE_MAX, "z");
	ASSERT_OUT("\x10Iabc\x10@l\x10Id\x10\xbfz");
}

static void nothing_written_is_nothing_sent(void **state)
{
	(void)state;
	console_set_framed(true);
	console_write(CONSOLE_LOG, "", 0);
	put(CONSOLE_MAX + 1, "nowhere");
	assert_int_equal(line.n, 0);
}

static void dle_in_data_is_doubled(void **state)
{
	(void)state;
	console_set_framed(true);
	put(CONSOLE_VM, "\x10");
	put(CONSOLE_VM, "\x10" "a\x10\x10" "b\x10");
	ASSERT_OUT("\x10H\x10\x10\x10\x10" "a\x10\x10\x10\x10" "b\x10\x10");
}

static void an_idle_line_takes_the_short_way(void **state)
{
	char text[66];

	(void)state;
	memset(text, 'x', sizeof(text));
	console_set_framed(true);
	console_write(CONSOLE_VM, text, sizeof(text));
	assert_int_equal(line.writes, 2); /* the frame, the data */
	console_write(CONSOLE_VM, text, sizeof(text));
	assert_int_equal(line.writes, 3);
	assert_int_equal(line.tx_calls, 0);
	assert_int_equal(mock_relaxes, 0);
}

static void what_the_line_refuses_leaves_by_interrupt(void **state)
{
	(void)state;
	console_set_framed(true);
	line.room = 4;
	put(CONSOLE_VM, "abcd");
	ASSERT_OUT("\x10Hab");
	assert_true(line.tx_on);
	put(CONSOLE_LOG, "log");
	assert_int_equal(line.tx_calls, 1);
	line.room = 3;
	console_tx_ready();
	ASSERT_OUT("\x10Habcd\x10");
	assert_true(line.tx_on);
	line.room = 100;
	console_tx_ready();
	ASSERT_OUT("\x10Habcd\x10@log");
	assert_false(line.tx_on);
	assert_int_equal(line.tx_calls, 2);
}

static void a_write_drains_the_ring_first(void **state)
{
	(void)state;
	line.room = 1;
	put(CONSOLE_LOG, "one");
	line.room = SIZE_MAX;
	put(CONSOLE_LOG, "two");
	ASSERT_OUT("onetwo");
	assert_false(line.tx_on);
}

static void a_full_ring_loses_nothing(void **state)
{
	static char text[5 * RING];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 23);
	line.room = 0;
	console_write(CONSOLE_LOG, text, RING);
	assert_int_equal(line.n, 0);
	line.step = 7;
	line.patience = 3;
	console_write(CONSOLE_LOG, text + RING, sizeof(text) - RING);
	assert_true(line.n >= sizeof(text) - RING);
	line.room = SIZE_MAX;
	console_tx_ready();
	assert_out(text, sizeof(text));
}

static unsigned rooms;

static void on_room(void)
{
	assert_false(line.n == 0);
	rooms++;
}

/* A patient writer leaves the ring's last quarter to the others, and hears when it may go on. */
static void patient_writers_are_refused_and_told(void **state)
{
	static char text[2 * RING];
	size_t taken;

	(void)state;
	memset(text, 'v', sizeof(text));
	rooms = 0;
	console_set_room(on_room);
	console_set_framed(true);
	assert_int_equal(console_try_write(CONSOLE_VM, text, 100), 100);
	line.room = 0;
	taken = console_try_write(CONSOLE_VM, text, sizeof(text));
	while (console_try_write(CONSOLE_VM, text, 100) == 100)
		taken += 100;
	assert_true(taken > RING / 4 && taken < RING);
	while (console_try_write(CONSOLE_VM, text, 1) == 1)
		;
	assert_int_equal(console_try_write(CONSOLE_VM + 1, text, 1), 0);
	console_write(CONSOLE_LOG, text, RING / 4 - 100); /* without a wait: nothing would end it */
	line.room = 100;
	console_tx_ready();
	assert_int_equal(rooms, 0);
	line.room = RING;
	console_tx_ready();
	assert_int_equal(rooms, 1);
	line.room = SIZE_MAX;
	console_tx_ready();
	assert_int_equal(rooms, 1);
	assert_false(line.tx_on);
	console_set_room(NULL);
}

/* The worst text, and a line that takes nothing: what was taken fits without a wait. */
static void patient_bytes_always_fit(void **state)
{
	static char text[RING];
	size_t taken;

	(void)state;
	memset(text, 0x10, sizeof(text));
	console_set_framed(true);
	line.room = 0;
	do
		taken = console_try_write(CONSOLE_VM, text, 255) + console_try_write(CONSOLE_VM + 1, text, 1);
	while (taken);
	assert_true(line.writes < 4096);
	line.room = SIZE_MAX;
	console_tx_ready();
	assert_true(line.n > RING / 2 && line.n <= RING / 4 * 3);
}

static void room_can_be_asked_for(void **state)
{
	(void)state;
	rooms = 0;
	console_set_room(on_room);
	put(CONSOLE_LOG, "x");
	console_want_room();
	assert_true(line.tx_on);
	console_tx_ready();
	assert_int_equal(rooms, 1);
	assert_false(line.tx_on);
	console_set_room(NULL);
}

static void a_polled_line_refuses_nobody(void **state)
{
	static char text[2 * RING];

	(void)state;
	console_register(&polled, &line);
	line.room = 0;
	line.step = 100;
	line.patience = 2;
	assert_int_equal(console_try_write(CONSOLE_VM, text, sizeof(text)), sizeof(text));
	assert_int_equal(line.n, sizeof(text));
	console_want_room();
}

static void flush_waits_for_the_last_byte(void **state)
{
	(void)state;
	line.room = 0;
	line.step = 1;
	line.patience = 2;
	put(CONSOLE_LOG, "the end");
	line.busy = 10;
	console_flush();
	ASSERT_OUT("the end");
	assert_int_equal(line.busy, 0);
}

static void a_line_without_interrupt_is_polled(void **state)
{
	(void)state;
	console_register(&polled, &line);
	line.room = 0;
	line.step = 2;
	line.patience = 2;
	put(CONSOLE_LOG, "all of it");
	ASSERT_OUT("all of it");
	assert_int_equal(line.tx_calls, 0);
	console_rx_resume();
}

/* What ./caisson does: docs/host.md, "Console channels". */
struct decoder {
	size_t n[CONSOLE_MAX + 1];
	char *data[CONSOLE_MAX + 1];
};

static void decode(struct decoder *d, const char *s, size_t n)
{
	unsigned channel = CONSOLE_MAX + 1;

	for (size_t i = 0; i < n; i++) {
		if (s[i] == 0x10) {
			assert_true(++i < n);
			if (s[i] != 0x10) {
				channel = (unsigned char)s[i] - 0x40u;
				assert_true(channel <= CONSOLE_MAX);
				continue;
			}
		}
		assert_true(channel <= CONSOLE_MAX);
		d->data[channel][d->n[channel]++] = s[i];
	}
}

static void any_mixture_is_undone_by_the_decoder(void **state)
{
	enum { CHANNELS = 4, PER_CHANNEL = 100000 };
	static char sent[CHANNELS][PER_CHANNEL], got[CHANNELS][PER_CHANNEL];
	size_t n_sent[CHANNELS] = { 0 };
	struct decoder d = { 0 };
	uint64_t seed = 7;

	(void)state;
	console_set_framed(true);
	line.step = 600;
	line.patience = 2;
	for (unsigned round = 0; round < 2000; round++) {
		unsigned c = mock_random(&seed) % CHANNELS;
		size_t n = MIN(mock_random(&seed) % 150, PER_CHANNEL - n_sent[c]);

		for (size_t i = 0; i < n; i++)
			sent[c][n_sent[c] + i] = (char)(mock_random(&seed) % 20);
		line.room = mock_random(&seed) % 200;
		console_write(c, sent[c] + n_sent[c], n);
		n_sent[c] += n;
		if (mock_random(&seed) % 4 == 0)
			console_tx_ready();
	}
	console_flush();
	for (unsigned c = 0; c < CHANNELS; c++)
		d.data[c] = got[c];
	decode(&d, line.out, line.n);
	for (unsigned c = 0; c < CHANNELS; c++) {
		assert_int_equal(d.n[c], n_sent[c]);
		assert_memory_equal(got[c], sent[c], n_sent[c]);
	}
}

/* The consumer: takes what fits into `space`. */
static char input[64];
static size_t n_input, space;
static bool room_comes_late;

static size_t consume(const char *buf, size_t n)
{
	size_t taken = MIN(n, space);

	memcpy(input + n_input, buf, taken);
	n_input += taken;
	space -= taken;
	if (room_comes_late && taken < n) { /* another hart empties the queue just now */
		room_comes_late = false;
		space = 64;
		console_rx_resume();
	}
	return taken;
}

static void input_without_consumer_is_held_back(void **state)
{
	(void)state;
	assert_int_equal(console_receive("abc", 3), 0);
	assert_true(line.held);
	console_set_input(consume);
	assert_false(line.held);
}

static void input_is_held_until_there_is_room(void **state)
{
	(void)state;
	n_input = 0;
	space = 2;
	console_set_input(consume);
	assert_int_equal(console_receive("abc", 3), 2);
	assert_true(line.held);
	space = 10;
	console_rx_resume();
	assert_false(line.held);
	assert_int_equal(console_receive("c", 1), 1);
	assert_memory_equal(input, "abc", 3);
	assert_false(line.held);
}

static void room_made_meanwhile_is_noticed(void **state)
{
	(void)state;
	n_input = 0;
	space = 1;
	room_comes_late = true;
	console_set_input(consume);
	assert_int_equal(console_receive("abc", 3), 3);
	assert_memory_equal(input, "abc", 3);
	assert_false(line.held); /* or it would be so for ever */
}

/* There is no way back from a panic, and the lock stays taken: these come last, in this order. */

static void a_panic_under_the_lock_is_heard(void **state)
{
	(void)state;
	console_set_framed(true);
	put(CONSOLE_VM, "guest");
	line.n = 0;
	mock_hart = &mock_harts[3];
	mock_hart->index = 3;
	line.panics = true;
	put(CONSOLE_VM, "guest");
	assert_out("\x10@\x10@help" "guest", 13);
}

static void in_panic_other_harts_are_silent(void **state)
{
	(void)state;
	line.n = 0;
	line.room = SIZE_MAX;
	mock_hart = &mock_harts[0];
	put(CONSOLE_VM, "me too");
	console_tx_ready();
	assert_int_equal(line.n, 0);
	mock_hart = &mock_harts[3];
	put(CONSOLE_VM, "x");
	assert_int_equal(line.out[line.n - 1], 'x');
}

static void in_panic_a_dead_line_is_given_up(void **state)
{
	(void)state;
	line.room = 0;
	line.busy = ~0u;
	put(CONSOLE_LOG, "never seen");
	console_flush();
	line.busy = 0;
}

int main(void)
{
#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(before_a_driver_the_firmware_prints),
		CASE(unframed_bytes_pass_as_they_are),
		CASE(a_channel_switch_is_one_frame),
		CASE(nothing_written_is_nothing_sent),
		CASE(dle_in_data_is_doubled),
		CASE(an_idle_line_takes_the_short_way),
		CASE(what_the_line_refuses_leaves_by_interrupt),
		CASE(a_write_drains_the_ring_first),
		CASE(a_full_ring_loses_nothing),
		CASE(patient_writers_are_refused_and_told),
		CASE(patient_bytes_always_fit),
		CASE(room_can_be_asked_for),
		CASE(a_polled_line_refuses_nobody),
		CASE(flush_waits_for_the_last_byte),
		CASE(a_line_without_interrupt_is_polled),
		CASE(any_mixture_is_undone_by_the_decoder),
		CASE(input_without_consumer_is_held_back),
		CASE(input_is_held_until_there_is_room),
		CASE(room_made_meanwhile_is_noticed),
		cmocka_unit_test_setup(a_panic_under_the_lock_is_heard, setup),
		cmocka_unit_test(in_panic_other_harts_are_silent),
		cmocka_unit_test(in_panic_a_dead_line_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
