/* The console multiplexer: where input goes, and VMs that come and go. */
// sources: vmm/vm/console_mux.c vmm/vm/console_input.c vmm/vm/console_ring.c vmm/vm/console.c vmm/device/vuart.c vmm/device/vuart_state.c vmm/device/common.c vmm/image/dt_writer.c
#include <consoles.h>

/* --- input --- */

static void input_goes_to_the_attached_vm(void **state)
{
	(void)state;
	console_mux_attach(&m.vm[1]);
	assert_int_equal(type("ls\n"), 3);
	vm_gets(0, "");
	vm_gets(1, "ls\n");
	vm_gets(1, "");
	assert_int_equal(m.wakes, 0);
}

static void without_a_vm_input_is_the_monitors(void **state)
{
	unsigned resumes;

	(void)state;
	assert_int_equal(type("help"), 4);
	assert_true(m.wakes > 0);
	resumes = m.resumes;
	monitor_gets("help");
	assert_true(m.resumes > resumes); /* what was held back may come */
}

static void escape_key_switches_within_one_burst(void **state)
{
	(void)state;
	console_mux_attach(&m.vm[0]);
	assert_int_equal(type("ab\x1dvm list\n"), 11);
	vm_gets(0, "ab");
	assert_int_equal(type("more"), 4); /* the monitor has not looked yet */
	vm_gets(0, "");
	monitor_gets("\x1d");
	assert_int_equal(type("x"), 1);
	monitor_gets("vm list\nmorex");
	assert_int_equal(type("y"), 1); /* nothing else was attached: still the monitor's */
	monitor_gets("y");
	console_mux_attach(&m.vm[0]);
	assert_int_equal(type("back"), 4);
	vm_gets(0, "back");
}

static void escape_key_twice(void **state)
{
	(void)state;
	console_mux_attach(&m.vm[0]);
	assert_int_equal(type("\x1d\x1d"), 2);
	monitor_gets("\x1d\x1d");
	vm_gets(0, "");
}

/* What follows unread bytes of the monitor's goes behind them, so that order is kept through console_mux_forward. */
static void bytes_do_not_overtake_each_other(void **state)
{
	(void)state;
	assert_int_equal(type("\x1d" "12"), 3);
	monitor_gets("\x1d");
	console_mux_attach(&m.vm[2]);
	assert_int_equal(type("3"), 1);
	for (unsigned i = 0; i < 3; i++)
		console_mux_forward(console_mux_getc(UINT64_MAX));
	assert_int_equal(type("4"), 1);
	vm_gets(2, "1234");
	console_mux_attach(NULL);
	console_mux_forward('!'); /* to nobody */
}

static void full_monitor_holds_input_back(void **state)
{
	char keys[INPUT_ROOM + 10];

	(void)state;
	memset(keys, 'k', sizeof(keys));
	assert_int_equal(m.input(keys, sizeof(keys)), INPUT_ROOM);
	assert_int_equal(m.input(keys, 1), 0);
	monitor_gets("kk");
	assert_int_equal(m.input(keys, 5), 2);
	for (unsigned i = 0; i < INPUT_ROOM; i++)
		monitor_gets("k");
}

static void deaf_guest_does_not_keep_the_escape_key(void **state)
{
	static char keys[2 * UART_ROOM];

	(void)state;
	memset(keys, 'k', sizeof(keys));
	keys[sizeof(keys) - 1] = CONSOLE_ESCAPE;
	console_mux_attach(&m.vm[0]);
	assert_int_equal(m.input(keys, sizeof(keys)), sizeof(keys));
	monitor_gets("\x1d");
	assert_int_equal(stats(0).dropped, sizeof(keys) - 1 - UART_ROOM);
	assert_int_equal(m.out[MONITOR][0], '\a');
}

static void batch_input_is_never_dropped(void **state)
{
	static char keys[2 * UART_ROOM];
	char got;
	size_t taken;

	(void)state;
	console_mux_init(true);
	assert_int_equal(type("early"), 0); /* no VM is there: held back */
	m.resumes = 0;
	console_mux_attach(&m.vm[0]);
	assert_int_equal(m.resumes, 1);
	assert_int_equal(type("a\x1d" "b"), 3);
	vm_gets(0, "a\x1d" "b");
	memset(keys, 'k', sizeof(keys));
	taken = m.input(keys, sizeof(keys));
	assert_int_equal(taken, UART_ROOM);
	m.resumes = 0;
	for (size_t i = 0; i < taken; i++)
		assert_int_equal(console_mux_read(&m.vm[0], &got, 1), 1);
	assert_true(m.resumes > 0);
}

/* --- debug console, coming and going --- */

static void debug_console_reads_through_the_uart(void **state)
{
	char buf[8];

	(void)state;
	console_mux_attach(&m.vm[0]);
	type("abcdef");
	assert_int_equal(console_mux_read(&m.vm[0], buf, 0), 0);
	assert_int_equal(console_mux_read(&m.vm[0], buf, 2), 2);
	assert_memory_equal(buf, "ab", 2);
	assert_int_equal(console_mux_read(&m.vm[1], buf, sizeof(buf)), 0);
	assert_int_equal(console_mux_read(&m.vm[0], buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "cdef", 4);
}

static void a_vm_that_goes_is_no_longer_attached(void **state)
{
	(void)state;
	console_mux_attach(&m.vm[0]);
	m.line_room = 0;
	vm_prints(0, "x");
	console_mux_remove(&m.vm[0]);
	console_mux_remove(&m.vm[0]);
	line_takes(SIZE_MAX);
	assert_null(console_mux_attached());
	assert_false(console_mux_slow(&m.vm[0]));
	assert_int_equal(console_mux_put(&m.vm[0], 'y'), VDEV_TAKEN); /* dropped */
	assert_int_equal(stats(0).size, 0);
	assert_int_equal(type("x"), 1);
	monitor_gets("x");
	assert_int_equal(console_mux_add(&m.vm[0]), 0);
	console_mux_attach(&m.vm[0]);
	shown(0, "");
}

/* Its last words are not lost in silence. */
static void a_vm_that_goes_unseen_is_spoken_of(void **state)
{
	(void)state;
	strcpy(m.config[0].name, "quiet");
	vm_prints(0, "last words");
	vm_prints(1, "seen");
	console_mux_attach(&m.vm[1]);
	mock_log_clear();
	console_mux_remove(&m.vm[0]);
	console_mux_remove(&m.vm[1]);
	assert_non_null(strstr(mock_log_text(), "quiet: 10 bytes"));
	assert_int_equal(strchr(mock_log_text(), '\n')[1], '\0'); /* of the other there is nothing to say */
}

static void no_memory_or_no_channel(void **state)
{
	struct vm_config config = { .number = CONSOLE_VMS };
	struct vm vm = { .config = &config };

	(void)state;
	assert_int_equal(console_mux_add(&vm), -ENOSPC);
	console_mux_remove(&vm);
	config.number--;
	mock_alloc_fail_at = 1;
	assert_int_equal(console_mux_add(&vm), -ENOMEM);
	mock_alloc_fail_at = 0;
	console_mux_remove(&vm);
	assert_int_equal(console_mux_add(&vm), 0);
	console_mux_remove(&vm);
	/* One that never came takes nothing from one that is there. */
	config.number = 0;
	console_mux_remove(&vm);
	assert_int_equal(stats(0).size, RING_ROOM);
}

/* A virtio console has the input as soon as its driver listens, and keys of the kernel are pressed where somebody does. */
static void input_goes_to_the_virtio_console(void **state)
{
	char err[80] = "";
	uint64_t lsr;

	(void)state;
	assert_int_equal(vm_console_create(&m.vm[0], err, sizeof(err)), 0);
	assert_null(m.vm[0].console);
	m.config[0].console = VM_CONSOLE_VIRTIO;
	assert_int_equal(vm_console_create(&m.vm[0], err, sizeof(err)), 0);
	assert_non_null(m.vm[0].console);
	console_mux_attach(&m.vm[0]);
	assert_int_equal(vm_sysrq(&m.vm[0], 's'), -ENOTCONN);
	type("u");
	virtio.listens = true;
	type("v");
	vm_gets(0, "u");
	assert_int_equal(virtio.got_n, 1);
	assert_int_equal(vm_sysrq(&m.vm[0], 's'), 0);
	assert_memory_equal(virtio.got, "v\x0fs", 3);
	vm_gets(0, "");
	assert_int_equal(vuart_type.ops.write(m.uart[0].state, 1, 1, 1), 0); /* the UART's driver listens, too */
	assert_int_equal(vm_sysrq(&m.vm[0], 'u'), 0);
	assert_memory_equal(virtio.got, "v\x0fs\x0fu", 5);
	assert_int_equal(vuart_type.ops.read(m.uart[0].state, 5, 1, &lsr), 0);
	assert_int_equal(lsr & 0x11, 0x11);
	virtio.room = 6;
	assert_int_equal(vm_sysrq(&m.vm[0], 'o'), 0); /* at one of them */
	virtio.listens = false;
	assert_int_equal(vm_sysrq(&m.vm[0], 'o'), 0);
	assert_int_equal(virtio.got_n, 6);
}

static void no_place_for_a_virtio_console(void **state)
{
	char err[80] = "";

	(void)state;
	m.config[0].console = VM_CONSOLE_VIRTIO;
	m.vm[0].n_vios = GUEST_VIRTIO_PLACES;
	assert_int_equal(vm_console_create(&m.vm[0], err, sizeof(err)), -ENOSPC);
	assert_string_equal(err, "console: all 8 places for virtio devices are taken");
}

/* The VM that is shown is told the terminal's size, when it changes and when the VM comes to be shown. */
static void size_of_the_terminal(void **state)
{
	char err[80];

	(void)state;
	m.config[0].console = VM_CONSOLE_VIRTIO;
	assert_int_equal(vm_console_create(&m.vm[0], err, sizeof(err)), 0);
	console_mux_attach(&m.vm[0]);
	assert_int_equal(virtio.columns, 0);
	m.size = (struct console_size){ 80, 25 };
	m.resized();
	assert_int_equal(virtio.columns, 80);
	assert_int_equal(virtio.rows, 25);
	console_mux_attach(&m.vm[1]);
	m.size = (struct console_size){ 132, 43 };
	m.resized();
	assert_int_equal(virtio.columns, 80);
	console_mux_attach(&m.vm[0]);
	assert_int_equal(virtio.columns, 132);
	assert_int_equal(virtio.rows, 43);
	console_mux_attach(NULL);
	m.resized();
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(input_goes_to_the_attached_vm),
		T(without_a_vm_input_is_the_monitors),
		T(escape_key_switches_within_one_burst),
		T(escape_key_twice),
		T(bytes_do_not_overtake_each_other),
		T(full_monitor_holds_input_back),
		T(deaf_guest_does_not_keep_the_escape_key),
		T(batch_input_is_never_dropped),
		T(debug_console_reads_through_the_uart),
		T(a_vm_that_goes_is_no_longer_attached),
		T(a_vm_that_goes_unseen_is_spoken_of),
		T(no_memory_or_no_channel),
		T(input_goes_to_the_virtio_console),
		T(size_of_the_terminal),
		T(no_place_for_a_virtio_console),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
