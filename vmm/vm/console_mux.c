/* The console multiplexer. */
#include <errno.h>
#include <string.h>

#include <caisson/console.h>
#include <caisson/mm.h>
#include <caisson/spinlock.h>
#include <caisson/task.h>
#include <vmm/console_mux.h>
#include <vmm/vm.h>

#define RING_SIZE 16384
#define MONITOR_INPUT 256
#define UART_RBR 0
#define UART_LSR 5
#define UART_LSR_DR 1

/** What a VM wrote while nobody looked. */
struct ring {
	uint64_t head, tail; /* bytes ever written and ever shown */
	uint64_t lost;
	char bytes[RING_SIZE];
};

/* Guards the rings, who is attached and the monitor's input. Lock order: mux lock -> console lock, run queue lock. */
static spinlock_t lock;
static struct ring *rings[CONSOLE_MAX + 1 - CONSOLE_VM];
static struct vm *attached;
static bool left; /* the escape key was pressed: input is the monitor's until it attaches something */
static bool batch_mode;

static char input[MONITOR_INPUT];
static unsigned input_head, input_tail;
static struct waitq input_wait = WAITQ_INIT(input_wait);

static unsigned channel(const struct vm *vm)
{
	return CONSOLE_VM + vm->id;
}

static void keep(struct ring *r, const char *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		r->bytes[r->head++ % RING_SIZE] = buf[i];
	if (r->head - r->tail > RING_SIZE) {
		r->lost += r->head - r->tail - RING_SIZE;
		r->tail = r->head - RING_SIZE;
	}
}

static void show_kept(struct vm *vm)
{
	struct ring *r = rings[vm->id];

	while (r->tail < r->head) {
		size_t at = r->tail % RING_SIZE;
		size_t n = MIN(r->head - r->tail, RING_SIZE - at);

		console_write(channel(vm), r->bytes + at, n);
		r->tail += n;
	}
}

void console_mux_output(struct vm *vm, const char *buf, size_t n)
{
	irqflags_t flags;

	if (batch_mode) {
		console_write(channel(vm), buf, n);
		return;
	}
	flags = spin_lock_irqsave(&lock);
	if (vm == attached)
		console_write(channel(vm), buf, n);
	else
		keep(rings[vm->id], buf, n);
	spin_unlock_irqrestore(&lock, flags);
}

size_t console_mux_read(struct vm *vm, char *buf, size_t n)
{
	const struct device_ops *ops = &vm->uart->type->ops;
	size_t got = 0;

	/* As firmware on bare hardware would: through the UART's registers. */
	while (got < n) {
		uint64_t lsr = 0, byte = 0;

		if (ops->read(vm->uart->state, UART_LSR, 1, &lsr) || !(lsr & UART_LSR_DR) ||
		    ops->read(vm->uart->state, UART_RBR, 1, &byte))
			break;
		buf[got++] = (char)byte;
	}
	return got;
}

void console_mux_ready(struct vm *vm)
{
	if (vm == attached)
		console_rx_resume();
}

/* Lock held. */
static size_t to_monitor(const char *buf, size_t n)
{
	size_t taken = 0;

	while (taken < n && input_head - input_tail < MONITOR_INPUT)
		input[input_head++ % MONITOR_INPUT] = buf[taken++];
	return taken;
}

/* Whose input comes now; NULL: the monitor's, which also gets what follows bytes it has not read yet. Lock held. */
static struct vm *input_goes_to(void)
{
	return left || input_head != input_tail ? NULL : attached;
}

/* Input up to an escape key, or the key itself: that goes to the monitor wherever input goes; it then decides. */
static size_t route_interactive(const char *buf, size_t n)
{
	const char *escape = memchr(buf, CONSOLE_ESCAPE, n);
	size_t part = escape ? (size_t)(escape - buf) : n;
	irqflags_t flags = spin_lock_irqsave(&lock);
	struct vm *vm;

	if (part == 0) {
		left = true;
		part = 1;
	}
	vm = input_goes_to();
	if (!vm)
		part = to_monitor(buf, part);
	spin_unlock_irqrestore(&lock, flags);
	/* A guest that does not read must not keep the escape key from us: what it cannot take is dropped. */
	if (vm)
		vuart_input(vm->uart, buf, part);
	else
		waitq_notify_one(&input_wait);
	return part;
}

/* Without a monitor there is no escape key; input is held back until the VM is there and while it does not read. */
static size_t route(const char *buf, size_t n)
{
	if (!batch_mode)
		return route_interactive(buf, n);
	return attached ? vuart_input(attached->uart, buf, n) : 0;
}

void console_mux_forward(char c)
{
	struct vm *vm = attached;

	if (vm)
		vuart_input(vm->uart, &c, 1);
}

static size_t on_input(const char *buf, size_t n)
{
	size_t taken = 0;

	while (taken < n) {
		size_t part = route(buf + taken, n - taken);

		if (part == 0)
			break;
		taken += part;
	}
	return taken;
}

static bool has_input(void *arg)
{
	(void)arg;
	return input_head != input_tail;
}

int console_mux_getc(uint64_t deadline)
{
	irqflags_t flags;
	unsigned char c;

	if (waitq_wait(&input_wait, has_input, NULL, deadline))
		return -ETIMEDOUT;
	flags = spin_lock_irqsave(&lock);
	c = (unsigned char)input[input_tail++ % MONITOR_INPUT];
	spin_unlock_irqrestore(&lock, flags);
	console_rx_resume();
	return c;
}

void console_mux_init(bool batch)
{
	batch_mode = batch;
	console_set_input(on_input);
	console_mark(CONSOLE_MONITOR); /* ready for input (docs/host.md) */
}

int console_mux_add(struct vm *vm)
{
	if (vm->id >= ARRAY_SIZE(rings))
		return -ENOSPC;
	rings[vm->id] = kzalloc(sizeof(struct ring));
	return rings[vm->id] ? 0 : -ENOMEM;
}

void console_mux_remove(struct vm *vm)
{
	irqflags_t flags = spin_lock_irqsave(&lock);
	struct ring *r = vm->id < ARRAY_SIZE(rings) ? rings[vm->id] : NULL;

	if (attached == vm)
		attached = NULL;
	if (r)
		rings[vm->id] = NULL;
	spin_unlock_irqrestore(&lock, flags);
	kfree(r);
}

void console_mux_attach(struct vm *vm)
{
	irqflags_t flags = spin_lock_irqsave(&lock);

	attached = vm;
	left = false;
	if (vm)
		show_kept(vm);
	spin_unlock_irqrestore(&lock, flags);
	console_rx_resume();
}

struct vm *console_mux_attached(void)
{
	return attached;
}

uint64_t console_mux_lost(const struct vm *vm)
{
	return rings[vm->id] ? rings[vm->id]->lost : 0;
}
