/* The console multiplexer: who is shown, what is kept, what a slow line does. */
// sources: vmm/vm/console_mux.c vmm/vm/console_input.c vmm/vm/console_ring.c vmm/vm/console.c vmm/device/vuart.c vmm/device/vuart_state.c vmm/device/common.c vmm/image/dt_writer.c
#include <consoles.h>

#include "vmm/vm/console_ring.h"

/* --- output --- */

static void output_of_the_attached_vm_only(void **state)
{
	(void)state;
	assert_null(console_mux_attached());
	vm_prints(0, "early\n");
	shown(0, "");
	console_mux_attach(&m.vm[0]);
	assert_ptr_equal(console_mux_attached(), &m.vm[0]);
	shown(MONITOR, "early\n");
	vm_prints(0, "now\n");
	vm_prints(1, "hidden\n");
	shown(0, "now\n");
	console_mux_attach(&m.vm[1]);
	shown(MONITOR, "hidden\n");
	vm_prints(0, "later\n");
	console_mux_attach(NULL);
	vm_prints(1, "last\n");
	shown(0, "");
	shown(1, "");
	shown(HIDDEN, "");
	shown(MONITOR, "");
}

/* What nobody saw, and enough lines before it to know where one is; none of it twice in a row. */
static void attach_shows_the_last_lines(void **state)
{
	(void)state;
	console_mux_attach(&m.vm[0]);
	for (char c = 'a'; c <= 'z'; c++) {
		vm_prints(0, &(char[]){ c, '\n', '\0' }[0]);
	}
	vm_prints(0, "~ # ");
	m.out_n[0] = 0;
	console_mux_attach(&m.vm[0]);
	shown(MONITOR, "");
	console_mux_attach(NULL);
	console_mux_attach(&m.vm[0]);
	shown(MONITOR, "t\nu\nv\nw\nx\ny\nz\n~ # ");
	console_mux_attach(NULL);
	vm_prints(0, "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n");
	console_mux_attach(&m.vm[0]);
	shown(MONITOR, "~ # 1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n");
	console_mux_attach(NULL);
	vm_prints(0, "11\n12\n13\n14\n15\n16\n17\n18\n19\n");
	console_mux_attach(&m.vm[0]);
	shown(MONITOR, "11\n12\n13\n14\n15\n16\n17\n18\n19\n");
	shown(0, "");
}

/* Who leaves while old lines are shown again has seen them all the same. */
static void lines_shown_again_do_not_become_unseen(void **state)
{
	(void)state;
	console_mux_attach(&m.vm[0]);
	vm_prints(0, "one\ntwo\n");
	console_mux_attach(NULL);
	m.line_room = 2;
	console_mux_attach(&m.vm[0]);
	shown(MONITOR, "on");
	console_mux_attach(NULL);
	assert_int_equal(stats(0).unseen, 0);
	line_takes(SIZE_MAX);
	shown(MONITOR, "");
}

static void oldest_output_is_overwritten_and_counted(void **state)
{
	static const char said[] = "[10 bytes lost]\r\n";
	char byte;

	(void)state;
	for (unsigned i = 0; i < RING_ROOM; i++) {
		byte = (char)(i * 7);
		assert_int_equal(console_mux_put(&m.vm[0], byte), VDEV_TAKEN);
	}
	assert_int_equal(stats(0).lost, 0);
	assert_int_equal(stats(0).unseen, RING_ROOM);
	vm_prints(0, "0123");
	vm_prints(0, "456789");
	assert_int_equal(stats(0).lost, 10);
	assert_int_equal(stats(0).unseen, RING_ROOM);
	console_mux_attach(&m.vm[0]);
	assert_int_equal(m.out_n[MONITOR], sizeof(said) - 1 + RING_ROOM);
	assert_memory_equal(m.out[MONITOR], said, sizeof(said) - 1);
	for (unsigned i = 0; i < RING_ROOM - 10; i++)
		assert_int_equal(m.out[MONITOR][sizeof(said) - 1 + i], (char)((i + 10) * 7));
	assert_memory_equal(m.out[MONITOR] + m.out_n[MONITOR] - 10, "0123456789", 10);
	assert_int_equal(stats(0).lost, 10);
	assert_int_equal(stats(0).unseen, 0);
	assert_int_equal(stats(1).lost, 0);
	/* Said once; and what was seen before it was overwritten is not lost. */
	m.out_n[MONITOR] = 0;
	vm_prints(0, "\nx");
	console_mux_attach(NULL);
	for (unsigned i = 0; i < RING_ROOM; i++)
		(void)console_mux_put(&m.vm[0], 'y');
	assert_int_equal(stats(0).lost, 10);
	console_mux_attach(&m.vm[0]);
	assert_int_equal(m.out[MONITOR][0], 'y');
}

static void ring_of_the_size_that_is_asked_for(void **state)
{
	static char big[8192 + 5];

	(void)state;
	console_mux_remove(&m.vm[0]);
	m.config[0].scrollback = 8192;
	assert_int_equal(console_mux_add(&m.vm[0]), 0);
	assert_int_equal(stats(0).size, 8192);
	memset(big, 'k', sizeof(big));
	assert_int_equal(console_mux_write(&m.vm[0], big, sizeof(big)), sizeof(big));
	assert_int_equal(stats(0).lost, 5);
	assert_int_equal(stats(0).unseen, 8192);
}

/* --- bytes that are written one by one --- */

static void single_bytes_go_on_as_a_line(void **state)
{
	(void)state;
	console_mux_attach(&m.vm[0]);
	assert_int_equal(vm_polls_out(0, "one\ntw", 6), 6);
	shown(0, "one\n");
	assert_int_equal(m.largest, 4);
	assert_int_equal(m.n_armed, 1);
	assert_int_equal(vm_polls_out(0, "o\n", 2), 2);
	shown(0, "two\n");
	assert_int_equal(m.n_armed, 0);
	assert_int_equal(vm_polls_out(0, "two", 3), 3);
	moment_passes();
	shown(0, "two");
	assert_int_equal(m.n_armed, 0);
	for (unsigned i = 0; i < CONSOLE_GATHER + 1; i++)
		assert_int_equal(console_mux_put(&m.vm[0], '.'), VDEV_TAKEN);
	assert_int_equal(m.out_n[0], CONSOLE_GATHER);
}

/* The timer fires on one hart, which waits for the lock; meanwhile another one sends the bytes, and the VM goes. */
static void late_timers_find_the_ring_gone(void **state)
{
	struct timer *t;
	void (*fn)(struct timer *);

	(void)state;
	console_mux_attach(&m.vm[0]);
	assert_int_equal(console_mux_put(&m.vm[0], 'a'), VDEV_TAKEN);
	t = m.armed[0];
	fn = t->fn;
	console_mux_remove(&m.vm[0]);
	fn(t);
	shown(0, "a");
	assert_int_equal(console_mux_add(&m.vm[0]), 0);
}

static void a_byte_is_put(void)
{
	assert_int_equal(console_mux_put(&m.vm[0], '!'), VDEV_TAKEN);
}

/* What one vCPU writes waits for the line when another one's byte was gathered: none of either is lost or overtakes. */
static void single_bytes_of_another_vcpu_do_not_get_lost(void **state)
{
	static char many[RING_ROOM + 20];

	(void)state;
	memset(many, '.', sizeof(many));
	m.line_room = 10;
	console_mux_init(true);
	m.meanwhile = a_byte_is_put;
	/* What has gone, and what has room beside the byte. */
	assert_int_equal(console_mux_write(&m.vm[0], many, sizeof(many)), 10 + RING_ROOM - 1);
	m.largest = 0;
	line_takes(SIZE_MAX);
	moment_passes();
	assert_int_equal(m.out_n[0], 10 + RING_ROOM);
	assert_int_equal(m.out[0][10], '!');
	m.out_n[0] = 0;
	console_mux_init(false);
}

/* Whatever else is done with a console finds all that was written to it before, in order. */
static void single_bytes_come_before_all_else(void **state)
{
	struct console_stats st;
	uint64_t at;
	char buf[8];

	(void)state;
	console_mux_attach(&m.vm[0]);
	assert_int_equal(vm_polls_out(0, "a", 1), 1);
	vm_prints(0, "bc");
	shown(0, "abc");
	assert_int_equal(vm_polls_out(0, "d", 1), 1);
	console_mux_redraw();
	shown(0, "d");
	shown(MONITOR, "abcd");
	assert_int_equal(vm_polls_out(0, "e", 1), 1);
	at = console_mux_tail(&m.vm[0], 1);
	assert_int_equal(console_mux_copy(&m.vm[0], &at, buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "abcde", 5);
	assert_int_equal(vm_polls_out(0, "f", 1), 1);
	console_mux_attach(&m.vm[1]);
	shown(0, "ef");
	assert_int_equal(vm_polls_out(1, "g", 1), 1);
	console_mux_settle(&m.vm[1]);
	shown(1, "g");
	assert_int_equal(vm_polls_out(1, "h", 1), 1);
	console_mux_attach(NULL);
	st = stats(1);
	assert_int_equal(st.unseen, 0);
	shown(1, "h");
	moment_passes();
	shown(0, "");
	shown(1, "");
}

/* Nobody looks and nothing is kept for a file: nothing has to go on. */
static void single_bytes_of_a_hidden_vm_need_no_timer(void **state)
{
	(void)state;
	assert_int_equal(vm_polls_out(0, "abc", 3), 3);
	assert_int_equal(m.n_armed, 0);
	assert_int_equal(stats(0).unseen, 3);
}

/* H9: no interrupt comes to a hart that is its own, not even that of a timer for its own bytes. */
static void H9_single_bytes_of_a_vm_with_its_own_harts_need_no_timer(void **state)
{
	(void)state;
	m.config[0].exclusive = true;
	console_mux_attach(&m.vm[0]);
	assert_int_equal(vm_polls_out(0, "abc", 3), 3);
	assert_int_equal(m.n_armed, 0);
	shown(0, "abc");
}

/* The line takes all of it, so nothing waits, though the ring has it in two pieces. */
static void what_lies_over_the_rings_end_goes_out_whole(void **state)
{
	static char text[RING_ROOM - 5];

	(void)state;
	console_mux_attach(&m.vm[0]);
	memset(text, 'x', sizeof(text));
	for (size_t done = 0; done < sizeof(text); done += MIN(sizeof(text) - done, 100))
		assert_true(console_mux_write(&m.vm[0], text + done, MIN(sizeof(text) - done, 100)) > 0);
	m.out_n[0] = 0;
	vm_prints(0, "0123456789");
	assert_false(console_mux_slow(&m.vm[0]));
	shown(0, "0123456789");
	for (unsigned i = 0; i < RING_ROOM / CONSOLE_GATHER; i++) {
		for (unsigned k = 0; k < CONSOLE_GATHER; k++)
			assert_int_equal(console_mux_put(&m.vm[0], 'y'), VDEV_TAKEN);
		assert_int_equal(m.out_n[0], CONSOLE_GATHER);
		m.out_n[0] = 0;
	}
	/* More than is sent with interrupts off: the rest leaves by the line's interrupt. */
	assert_int_equal(console_mux_write(&m.vm[0], text, sizeof(text)), sizeof(text));
	assert_true(m.room_wanted);
	line_takes(SIZE_MAX);
	assert_int_equal(m.out_n[0], sizeof(text));
	assert_false(console_mux_slow(&m.vm[0]));
}

/* The VM goes while its bytes are gathered (teardown looks for what is left). */
static void a_vm_that_goes_takes_its_timer_along(void **state)
{
	(void)state;
	console_mux_attach(&m.vm[0]);
	assert_int_equal(vm_polls_out(0, "x", 1), 1);
	console_mux_remove(&m.vm[0]);
	assert_int_equal(m.n_armed, 0);
	shown(0, "x");
	assert_int_equal(console_mux_add(&m.vm[0]), 0);
}

/* --- a line that cannot keep up --- */

/* The guest is told to wait, waits for the line, and goes on: nothing is lost, nothing out of order. */
static void a_slow_line_slows_the_guest(void **state)
{
	static char text[3000];
	size_t done = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 13 + i / 256);
	console_mux_attach(&m.vm[0]);
	m.line_room = 100;
	done = vm_polls_out(0, text, sizeof(text));
	assert_in_range(done, 100, 100 + CONSOLE_GATHER);
	assert_true(console_mux_slow(&m.vm[0]));
	assert_false(console_mux_slow(&m.vm[1]));
	assert_int_equal(vm_polls_out(0, text + done, 1), 0);
	assert_int_equal(console_mux_write(&m.vm[0], text, 5), 0);
	assert_int_equal(vm_polls_out(1, text, 500), 500); /* one that nobody looks at has nothing to wait for */
	while (done < sizeof(text)) {
		line_takes(77);
		done += vm_polls_out(0, text + done, sizeof(text) - done);
	}
	line_takes(SIZE_MAX);
	moment_passes();
	assert_false(console_mux_slow(&m.vm[0]));
	assert_int_equal(m.out_n[0], sizeof(text));
	assert_memory_equal(m.out[0], text, sizeof(text));
}

/* One that never asks fills its ring and then its access is to be done again. */
static void a_guest_that_does_not_ask_loses_nothing(void **state)
{
	static char text[RING_ROOM + 1000];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 5 + i / 256);
	console_mux_attach(&m.vm[0]);
	m.line_room = 0;
	while (console_mux_put(&m.vm[0], text[n]) != VDEV_FULL)
		n++;
	assert_int_equal(n, RING_ROOM);
	assert_int_equal(console_mux_put(&m.vm[0], text[n]), VDEV_FULL);
	while (n < sizeof(text)) {
		line_takes(10);
		n += console_mux_put(&m.vm[0], text[n]) != VDEV_FULL;
	}
	console_mux_settle(&m.vm[0]);
	assert_true(m.sleeps > 0);
	assert_int_equal(m.out_n[0], sizeof(text));
	assert_memory_equal(m.out[0], text, sizeof(text));
	assert_int_equal(stats(0).lost, 0);
}

/* Each that waits gets its turn. */
static void slow_vms_take_turns(void **state)
{
	(void)state;
	console_mux_init(true);
	m.line_room = 0;
	for (unsigned i = 0; i < VMS; i++)
		for (unsigned n = 0; n < 5000; n++)
			assert_int_equal(console_mux_put(&m.vm[i], 'x'), n < CONSOLE_GATHER - 1 ? VDEV_TAKEN : VDEV_SLOW);
	line_takes(3 * 2048);
	for (unsigned i = 0; i < VMS; i++)
		assert_in_range(m.out_n[i], 2048 - 256, 2048 + 256);
	for (unsigned i = 0; i < VMS; i++)
		console_mux_settle(&m.vm[i]);
	for (unsigned i = 0; i < VMS; i++)
		assert_int_equal(m.out_n[i], 5000);
}

/* Who goes away from a VM that waits frees it; what did not get out is shown when one comes back. */
static void leaving_a_slow_vm_frees_it(void **state)
{
	(void)state;
	console_mux_attach(&m.vm[0]);
	m.line_room = 3;
	assert_int_equal(vm_polls_out(0, "abc\nd", 6), 4);
	console_mux_attach(NULL);
	assert_false(console_mux_slow(&m.vm[0]));
	assert_int_equal(vm_polls_out(0, "ef", 2), 2);
	line_takes(SIZE_MAX);
	shown(0, "abc");
	assert_int_equal(stats(0).unseen, 3);
	console_mux_attach(&m.vm[0]);
	shown(MONITOR, "abc\nef");
}

/* While what was kept is shown the guest waits: it cannot overwrite it. */
static void showing_what_was_kept_takes_its_time(void **state)
{
	static char text[RING_ROOM];

	(void)state;
	memset(text, 'k', sizeof(text));
	assert_int_equal(console_mux_write(&m.vm[0], text, sizeof(text)), sizeof(text));
	m.line_room = 1000;
	console_mux_attach(&m.vm[0]);
	assert_int_equal(m.out_n[MONITOR], 1000);
	for (unsigned i = 0; i < 1000; i++) /* into the place of what was shown, no further */
		assert_int_equal(console_mux_put(&m.vm[0], 'X'), VDEV_SLOW);
	assert_int_equal(console_mux_put(&m.vm[0], 'X'), VDEV_FULL);
	line_takes(SIZE_MAX);
	assert_int_equal(m.out_n[MONITOR], sizeof(text));
	assert_int_equal(m.out_n[0], 1000);
	assert_int_equal(stats(0).lost, 0);
}

/* --- what the host wants for a file --- */

/* Each byte once and in order on the VM's two channels, whether somebody looks or not. */
static void a_logged_vm_is_sent_whole(void **state)
{
	(void)state;
	m.config[0].console_log = true;
	vm_prints(0, "one\n");
	shown(HIDDEN, "one\n");
	console_mux_attach(&m.vm[0]);
	shown(MONITOR, "one\n");
	vm_prints(0, "two\n");
	shown(0, "two\n");
	m.line_room = 2;
	assert_int_equal(vm_polls_out(0, "thr", 3), 3);
	console_mux_attach(NULL);
	assert_true(console_mux_slow(&m.vm[0]));
	line_takes(SIZE_MAX);
	assert_false(console_mux_slow(&m.vm[0]));
	shown(0, "th");
	shown(HIDDEN, "r");
	console_mux_attach(&m.vm[0]);
	shown(MONITOR, "one\ntwo\nthr");
	shown(0, "");
}

static void a_logged_vm_waits_for_the_line(void **state)
{
	static char text[RING_ROOM + 10];
	size_t n = 0;

	(void)state;
	memset(text, 'l', sizeof(text));
	m.config[0].console_log = true;
	m.line_room = 0;
	while (console_mux_put(&m.vm[0], 'l') != VDEV_FULL)
		n++;
	assert_int_equal(n, RING_ROOM);
	console_mux_attach(&m.vm[0]); /* the rest is shown now, and goes to the file with it */
	line_takes(SIZE_MAX);
	assert_int_equal(m.out_n[0], RING_ROOM);
	assert_int_equal(m.out_n[HIDDEN] + m.out_n[MONITOR], 0);
}

/* --- scrollback --- */

static void kept(unsigned i, unsigned lines, const char *s)
{
	uint64_t at = console_mux_tail(&m.vm[i], lines);
	char buf[64];
	size_t n, total = 0;

	while ((n = console_mux_copy(&m.vm[i], &at, buf + total, 3)) != 0)
		total += n;
	assert_int_equal(total, strlen(s));
	assert_memory_equal(buf, s, total);
}

static void last_lines_can_be_read_again(void **state)
{
	(void)state;
	kept(0, 5, "");
	vm_prints(0, "one\n\ntwo\nthree");
	kept(0, 0, "");
	kept(0, 1, "three");
	kept(0, 2, "two\nthree");
	kept(0, 3, "\ntwo\nthree");
	kept(0, 99, "one\n\ntwo\nthree");
	vm_prints(0, "\n");
	kept(0, 1, "three\n");
	for (unsigned n = 0; n < RING_ROOM; n++)
		(void)console_mux_put(&m.vm[0], n % 10 ? 'x' : '\n');
	kept(0, 2, "xxxxxxxxx\nxxx");
	assert_true(console_mux_tail(&m.vm[0], 10000000) <= 16);
}

static void an_unfinished_line_can_be_shown_again(void **state)
{
	(void)state;
	console_mux_redraw();
	console_mux_attach(&m.vm[0]);
	console_mux_redraw();
	vm_prints(0, "line\n~ # ");
	console_mux_redraw();
	shown(MONITOR, "~ # ");
	vm_prints(0, "\n");
	console_mux_redraw();
	shown(MONITOR, "");
}

static void batch_passes_all_output(void **state)
{
	(void)state;
	console_mux_init(true);
	vm_prints(0, "zero");
	vm_prints(2, "two");
	shown(0, "zero");
	shown(2, "two");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(output_of_the_attached_vm_only),
		T(oldest_output_is_overwritten_and_counted),
		T(attach_shows_the_last_lines),
		T(lines_shown_again_do_not_become_unseen),
		T(ring_of_the_size_that_is_asked_for),
		T(single_bytes_go_on_as_a_line),
		T(single_bytes_of_another_vcpu_do_not_get_lost),
		T(late_timers_find_the_ring_gone),
		T(single_bytes_come_before_all_else),
		T(single_bytes_of_a_hidden_vm_need_no_timer),
		T(H9_single_bytes_of_a_vm_with_its_own_harts_need_no_timer),
		T(what_lies_over_the_rings_end_goes_out_whole),
		T(a_vm_that_goes_takes_its_timer_along),
		T(a_slow_line_slows_the_guest),
		T(a_guest_that_does_not_ask_loses_nothing),
		T(slow_vms_take_turns),
		T(leaving_a_slow_vm_frees_it),
		T(showing_what_was_kept_takes_its_time),
		T(a_logged_vm_is_sent_whole),
		T(a_logged_vm_waits_for_the_line),
		T(last_lines_can_be_read_again),
		T(an_unfinished_line_can_be_shown_again),
		T(batch_passes_all_output),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
