/* The console multiplexer: who is shown, what is kept, where input goes. With real virtual UARTs. */
// sources: vmm/vm/console_mux.c vmm/vm/console_input.c vmm/vm/console_ring.c vmm/device/vuart.c vmm/device/vuart_state.c vmm/device/common.c vmm/image/dt_writer.c
#include <errno.h>
#include <test.h>
#include <arch/cpu.h>
#include <caisson/console.h>
#include <caisson/mm.h>
#include <caisson/task.h>
#include <caisson/time.h>
#include <logged.h>
#include <mem.h>
#include <vmm/console_mux.h>
#include <vmm/vm.h>

#define VMS 3
#define RING_ROOM 16384  /* of a VM's output */
#define INPUT_ROOM 256   /* of the monitor */
#define UART_ROOM (4096 + 1) /* input a VM takes unread: ring and receive register */

static struct {
	struct vm vm[VMS];
	struct vm_config config[VMS];
	struct vdev uart[VMS];
	struct vdev_host host[VMS];
	char out[2 * VMS + 1][4 * RING_ROOM]; /* of the VMs; hidden; the monitor's */
	size_t out_n[2 * VMS + 1];
	size_t largest;      /* write that had to be done with interrupts off */
	size_t line_room;    /* bytes that the line takes, SIZE_MAX: all */
	bool room_wanted;
	unsigned sleeps;
	size_t (*input)(const char *buf, size_t n);
	void (*room)(void);
	unsigned resumes, wakes, marks;
} m;

#define HIDDEN VMS
#define MONITOR (2 * VMS)

static unsigned stream(unsigned channel)
{
	if (channel == CONSOLE_MONITOR)
		return MONITOR;
	if (channel >= CONSOLE_HIDDEN)
		return HIDDEN + channel - CONSOLE_HIDDEN;
	return channel - CONSOLE_VM;
}

void console_write(unsigned channel, const char *buf, size_t n)
{
	unsigned i = stream(channel);

	assert_true(i < ARRAY_SIZE(m.out));
	assert_true(m.out_n[i] + n <= sizeof(m.out[i]));
	memcpy(m.out[i] + m.out_n[i], buf, n);
	m.out_n[i] += n;
}

size_t console_try_write(unsigned channel, const char *buf, size_t n)
{
	size_t taken = MIN(n, m.line_room);

	m.largest = MAX(m.largest, n);
	m.room_wanted |= taken < n;
	console_write(channel, buf, taken);
	if (m.line_room != SIZE_MAX)
		m.line_room -= taken;
	return taken;
}

void console_set_room(void (*room)(void))
{
	m.room = room;
}

void console_want_room(void)
{
	m.room_wanted = true;
}

/* The line takes so many bytes more, and says so if that is wanted. */
static void line_takes(size_t n)
{
	m.line_room = n;
	while (m.room_wanted && m.line_room) {
		m.room_wanted = false;
		m.room();
	}
}

uint64_t time_from_us(uint64_t us)
{
	return us;
}

uint64_t time_now(void)
{
	return 0;
}

void task_sleep_until(uint64_t deadline)
{
	(void)deadline;
	m.sleeps++;
	line_takes(100);
}

void console_mark(unsigned channel)
{
	assert_int_equal(channel, CONSOLE_MONITOR);
	m.marks++;
}

void console_set_input(size_t (*handler)(const char *buf, size_t n))
{
	m.input = handler;
}

void console_rx_resume(void)
{
	m.resumes++;
}

int waitq_wait(struct waitq *wq, bool (*pred)(void *), void *arg, uint64_t deadline)
{
	(void)wq;
	assert_int_equal(deadline, UINT64_MAX);
	assert_true(pred(arg)); /* the test would wait for ever */
	return 0;
}

unsigned waitq_notify_one(struct waitq *wq)
{
	(void)wq;
	m.wakes++;
	return 1;
}

static void irq_level(void *vm, unsigned source, bool level)
{
	(void)vm;
	(void)source;
	(void)level;
}

static void ready(void *vm)
{
	console_mux_ready(vm);
}

static enum vdev_output put(void *vm, char byte)
{
	return console_mux_put(vm, byte);
}

static bool slow(void *vm)
{
	return console_mux_slow(vm);
}

static void add_vm(unsigned i)
{
	m.host[i] = (struct vdev_host){ .irq_level = irq_level, .console_ready = ready, .console_write = put,
				      .console_slow = slow, .n_vcpus = 1, .vm = &m.vm[i] };
	m.uart[i] = (struct vdev){ .type = &vuart_type, .host = &m.host[i] };
	assert_int_equal(vuart_type.create(&m.uart[i]), 0);
	m.config[i] = (struct vm_config){ .number = i };
	m.vm[i] = (struct vm){ .id = VMS - i, .uart = &m.uart[i], .config = &m.config[i] };
	assert_int_equal(console_mux_add(&m.vm[i]), 0);
}

static int setup(void **state)
{
	(void)state;
	memset(&m, 0, sizeof(m));
	m.line_room = SIZE_MAX;
	console_mux_init(false);
	for (unsigned i = 0; i < VMS; i++)
		add_vm(i);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	console_mux_attach(NULL);
	for (unsigned i = 0; i < VMS; i++) {
		console_mux_remove(&m.vm[i]);
		vuart_type.destroy(&m.uart[i]);
	}
	assert_int_equal(heap_in_use(), 0);
	assert_true(m.largest <= 256); /* bounded, however much waited */
	assert_true(mock_irq_on);
	return 0;
}

static size_t type(const char *s)
{
	return m.input(s, strlen(s));
}

static void monitor_gets(const char *s)
{
	for (; *s; s++)
		assert_int_equal(console_mux_getc(UINT64_MAX), *s);
}

/* As the guest's driver: poll the UART dry. */
static void vm_gets(unsigned i, const char *s)
{
	char buf[64] = "";

	assert_int_equal(console_mux_read(&m.vm[i], buf, sizeof(buf)), strlen(s));
	assert_memory_equal(buf, s, strlen(s));
}

static void vm_prints(unsigned i, const char *s)
{
	for (size_t n = strlen(s), done = 0; done < n;) {
		size_t taken = console_mux_write(&m.vm[i], s + done, n - done);

		assert_true(taken > 0);
		done += taken;
	}
}

/* As a guest's driver that polls: while the transmitter is empty. @return how many went. */
static size_t vm_polls_out(unsigned i, const char *s, size_t n)
{
	const struct device_ops *ops = &vuart_type.ops;
	size_t done;

	for (done = 0; done < n; done++) {
		irqflags_t flags = irq_save();
		uint64_t lsr = 0;

		assert_int_equal(ops->read(m.uart[i].state, 5, 1, &lsr), 0);
		if (lsr & 0x20)
			assert_int_equal(ops->write(m.uart[i].state, 0, 1, (unsigned char)s[done]), 0);
		irq_restore(flags);
		if (!(lsr & 0x20))
			break;
	}
	return done;
}

static struct console_stats stats(unsigned i)
{
	struct console_stats st;

	console_mux_stats(&m.vm[i], &st);
	return st;
}

static void shown(unsigned i, const char *s)
{
	assert_int_equal(m.out_n[i], strlen(s));
	assert_memory_equal(m.out[i], s, strlen(s));
	m.out_n[i] = 0;
}

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
	assert_in_range(done, 100, 101);
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
	while (console_mux_put(&m.vm[0], text[n]) == VDEV_SLOW)
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
			assert_int_equal(console_mux_put(&m.vm[i], 'x'), VDEV_SLOW);
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
	assert_int_equal(vm_polls_out(0, "three", 5), 3);
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
	while (console_mux_put(&m.vm[0], 'l') == VDEV_SLOW)
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

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(output_of_the_attached_vm_only),
		T(oldest_output_is_overwritten_and_counted),
		T(attach_shows_the_last_lines),
		T(lines_shown_again_do_not_become_unseen),
		T(ring_of_the_size_that_is_asked_for),
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
