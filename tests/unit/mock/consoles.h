/*
 * A console multiplexer with a few VMs, whose virtual UARTs are real, and a line
 * to the host that takes as much as it is told to. Included by its tests.
 */
#pragma once

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
#include <vmm/virtio_console.h>
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
	void (*meanwhile)(void); /* what another vCPU does while this one takes the line, once */
	bool room_wanted;
	unsigned sleeps;
	size_t (*input)(const char *buf, size_t n);
	void (*room)(void), (*resized)(void);
	struct console_size size;
	unsigned resumes, wakes, marks;
	struct timer *armed[VMS];
	unsigned n_armed;
} m;

#define HIDDEN VMS
#define MONITOR (2 * VMS)

static inline unsigned stream(unsigned channel)
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
	if (m.meanwhile) {
		void (*meanwhile)(void) = m.meanwhile;

		m.meanwhile = NULL;
		meanwhile();
	}
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
static inline void line_takes(size_t n)
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

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	*t = (struct timer){ .fn = fn };
}

void timer_arm(struct timer *t, uint64_t deadline)
{
	assert_false(t->queued);
	assert_int_equal(deadline, 1000);
	t->queued = true;
	m.armed[m.n_armed++] = t;
}

void timer_cancel(struct timer *t)
{
	for (unsigned i = 0; i < m.n_armed; i++)
		if (m.armed[i] == t)
			m.armed[i--] = m.armed[--m.n_armed];
	t->queued = false;
}

void timer_cancel_sync(struct timer *t)
{
	timer_cancel(t);
}

/* Every timer fires that was armed. */
static inline void moment_passes(void)
{
	while (m.n_armed) {
		struct timer *t = m.armed[--m.n_armed];

		t->queued = false;
		t->fn(t);
	}
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

void console_set_resized(void (*resized)(void))
{
	m.resized = resized;
}

struct console_size console_size(void)
{
	return m.size;
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

/* The VM's virtio console, which only the tests of its own have for real. */
static struct {
	struct vio dev;
	bool listens;
	char got[64];
	size_t got_n, room;
	unsigned columns, rows;
} virtio;

bool vio_console_listens(const struct vio *dev)
{
	assert_ptr_equal(dev, &virtio.dev);
	return virtio.listens;
}

size_t vio_console_input(struct vio *dev, const char *buf, size_t n)
{
	assert_ptr_equal(dev, &virtio.dev);
	n = MIN(n, virtio.room - virtio.got_n);
	memcpy(virtio.got + virtio.got_n, buf, n);
	virtio.got_n += n;
	return n;
}

void vio_console_resize(struct vio *dev, unsigned columns, unsigned rows)
{
	assert_ptr_equal(dev, &virtio.dev);
	virtio.columns = columns;
	virtio.rows = rows;
}

const struct vio_type vio_console_type;

int vio_add(struct vm *vm, const struct vio_type *type, const char *label, void *backend, struct vio **out)
{
	(void)label;
	(void)backend;
	assert_ptr_equal(type, &vio_console_type);
	if (vm->n_vios == GUEST_VIRTIO_PLACES)
		return -ENOSPC;
	*out = vm->vios[vm->n_vios++] = &virtio.dev;
	return 0;
}

static inline void irq_level(void *vm, unsigned source, bool level)
{
	(void)vm;
	(void)source;
	(void)level;
}

static inline void ready(void *vm)
{
	console_mux_ready(vm);
}

static inline enum vdev_output put(void *vm, char byte)
{
	return console_mux_put(vm, byte);
}

static inline bool slow(void *vm)
{
	return console_mux_slow(vm);
}

static inline void add_vm(unsigned i)
{
	m.host[i] = (struct vdev_host){ .irq_level = irq_level, .console_ready = ready, .console_put = put,
				      .console_slow = slow, .n_vcpus = 1, .vm = &m.vm[i] };
	m.uart[i] = (struct vdev){ .type = &vuart_type, .host = &m.host[i] };
	assert_int_equal(vuart_type.create(&m.uart[i]), 0);
	m.config[i] = (struct vm_config){ .number = i };
	m.vm[i] = (struct vm){ .id = VMS - i, .uart = &m.uart[i], .config = &m.config[i] };
	assert_int_equal(console_mux_add(&m.vm[i]), 0);
}

static inline int setup(void **state)
{
	(void)state;
	memset(&m, 0, sizeof(m));
	memset(&virtio, 0, sizeof(virtio));
	virtio.room = sizeof(virtio.got);
	m.line_room = SIZE_MAX;
	console_mux_init(false);
	for (unsigned i = 0; i < VMS; i++)
		add_vm(i);
	return 0;
}

static inline int teardown(void **state)
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

static inline size_t type(const char *s)
{
	return m.input(s, strlen(s));
}

static inline void monitor_gets(const char *s)
{
	for (; *s; s++)
		assert_int_equal(console_mux_getc(UINT64_MAX), *s);
}

/* As the guest's driver: poll the UART dry. */
static inline void vm_gets(unsigned i, const char *s)
{
	char buf[64] = "";

	assert_int_equal(console_mux_read(&m.vm[i], buf, sizeof(buf)), strlen(s));
	assert_memory_equal(buf, s, strlen(s));
}

static inline void vm_prints(unsigned i, const char *s)
{
	for (size_t n = strlen(s), done = 0; done < n;) {
		size_t taken = console_mux_write(&m.vm[i], s + done, n - done);

		assert_true(taken > 0);
		done += taken;
	}
}

/* As a guest's driver that polls: while the transmitter is empty. @return how many went. */
static inline size_t vm_polls_out(unsigned i, const char *s, size_t n)
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

static inline void shown(unsigned i, const char *s)
{
	assert_int_equal(m.out_n[i], strlen(s));
	assert_memory_equal(m.out[i], s, strlen(s));
	m.out_n[i] = 0;
}
