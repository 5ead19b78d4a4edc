/* The console multiplexer: who is shown, what is kept, where input goes. With real virtual UARTs. */
// sources: vmm/vm/console_mux.c vmm/device/vuart.c vmm/device/vuart_state.c vmm/device/common.c vmm/image/dt_writer.c
#include <errno.h>
#include <test.h>
#include <arch/cpu.h>
#include <caisson/console.h>
#include <caisson/mm.h>
#include <caisson/task.h>
#include <mem.h>
#include <vmm/console_mux.h>
#include <vmm/vm.h>

#define VMS 3
#define RING_ROOM 16384  /* of a VM's output */
#define INPUT_ROOM 256   /* of the monitor */
#define UART_ROOM (4096 + 1) /* input a VM takes unread: ring and receive register */

static struct {
	struct vm vm[VMS];
	struct vdev uart[VMS];
	struct vdev_host host[VMS];
	char out[VMS][2 * RING_ROOM];
	size_t out_n[VMS];
	size_t (*input)(const char *buf, size_t n);
	unsigned resumes, wakes, marks;
} m;

void console_write(unsigned channel, const char *buf, size_t n)
{
	unsigned i = channel - CONSOLE_VM;

	assert_true(channel >= CONSOLE_VM && i < VMS);
	assert_true(m.out_n[i] + n <= sizeof(m.out[i]));
	memcpy(m.out[i] + m.out_n[i], buf, n);
	m.out_n[i] += n;
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

static void add_vm(unsigned i)
{
	m.host[i] = (struct vdev_host){ .irq_level = irq_level, .console_ready = ready, .n_vcpus = 1, .vm = &m.vm[i] };
	m.uart[i] = (struct vdev){ .type = &vuart_type, .host = &m.host[i] };
	assert_int_equal(vuart_type.create(&m.uart[i]), 0);
	m.vm[i] = (struct vm){ .id = i, .uart = &m.uart[i] };
	assert_int_equal(console_mux_add(&m.vm[i]), 0);
}

static int setup(void **state)
{
	(void)state;
	memset(&m, 0, sizeof(m));
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
	console_mux_output(&m.vm[i], s, strlen(s));
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
	vm_prints(0, "early ");
	shown(0, "");
	console_mux_attach(&m.vm[0]);
	assert_ptr_equal(console_mux_attached(), &m.vm[0]);
	shown(0, "early ");
	vm_prints(0, "now");
	vm_prints(1, "hidden");
	shown(0, "now");
	shown(1, "");
	console_mux_attach(&m.vm[1]);
	shown(1, "hidden");
	vm_prints(0, "later");
	console_mux_attach(NULL);
	vm_prints(1, "last");
	shown(0, "");
	shown(1, "");
	console_mux_attach(&m.vm[0]);
	shown(0, "later"); /* and nothing twice */
}

static void oldest_output_is_overwritten_and_counted(void **state)
{
	char byte;

	(void)state;
	for (unsigned i = 0; i < RING_ROOM; i++) {
		byte = (char)(i * 7);
		console_mux_output(&m.vm[0], &byte, 1);
	}
	assert_int_equal(console_mux_lost(&m.vm[0]), 0);
	vm_prints(0, "0123");
	vm_prints(0, "456789");
	assert_int_equal(console_mux_lost(&m.vm[0]), 10);
	console_mux_attach(&m.vm[0]);
	assert_int_equal(m.out_n[0], RING_ROOM);
	for (unsigned i = 0; i < RING_ROOM - 10; i++)
		assert_int_equal(m.out[0][i], (char)((i + 10) * 7));
	assert_memory_equal(m.out[0] + RING_ROOM - 10, "0123456789", 10);
	assert_int_equal(console_mux_lost(&m.vm[0]), 10);
	assert_int_equal(console_mux_lost(&m.vm[1]), 0);
}

static void one_write_may_be_larger_than_the_ring(void **state)
{
	static char big[RING_ROOM + 5];

	(void)state;
	for (unsigned i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 11);
	console_mux_output(&m.vm[0], big, sizeof(big));
	assert_int_equal(console_mux_lost(&m.vm[0]), 5);
	console_mux_attach(&m.vm[0]);
	assert_int_equal(m.out_n[0], RING_ROOM);
	assert_memory_equal(m.out[0], big + 5, RING_ROOM);
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
	console_mux_remove(&m.vm[0]);
	assert_null(console_mux_attached());
	assert_int_equal(type("x"), 1);
	monitor_gets("x");
	assert_int_equal(console_mux_add(&m.vm[0]), 0);
	console_mux_attach(&m.vm[0]);
	shown(0, "");
}

static void no_memory_or_no_channel(void **state)
{
	struct vm vm = { .id = CONSOLE_MAX + 1 - CONSOLE_VM };

	(void)state;
	assert_int_equal(console_mux_add(&vm), -ENOSPC);
	console_mux_remove(&vm);
	vm.id--;
	mock_alloc_fail_at = 1;
	assert_int_equal(console_mux_add(&vm), -ENOMEM);
	mock_alloc_fail_at = 0;
	console_mux_remove(&vm);
	assert_int_equal(console_mux_add(&vm), 0);
	console_mux_remove(&vm);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(output_of_the_attached_vm_only),
		T(oldest_output_is_overwritten_and_counted),
		T(one_write_may_be_larger_than_the_ring),
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
		T(no_memory_or_no_channel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
