/* The console multiplexer: input. */
#include "console_mux_internal.h"

#include <errno.h>
#include <string.h>

#include <caisson/task.h>
#include <vmm/console_mux.h>
#include <vmm/vm.h>

#define MONITOR_INPUT 256
#define UART_RBR 0
#define UART_LSR 5
#define UART_LSR_DR 1

/* The monitor's input, guarded by mux.lock. */
static char input[MONITOR_INPUT];
static unsigned input_head, input_tail;
static struct waitq input_wait = WAITQ_INIT(input_wait);

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
	if (vm == mux.attached)
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

/* A guest that does not read must not keep the escape key from us: what it cannot take is dropped, with a bell. */
static void to_vm(struct vm *vm, const char *buf, size_t n)
{
	size_t taken = vm_console_input(vm, buf, n);

	if (taken == n)
		return;
	mux.dropped[vm->config->number] += n - taken;
	(void)console_try_write(CONSOLE_MONITOR, "\a", 1);
}

/* Whose input comes now; NULL: the monitor's, which also gets what follows bytes it has not read yet. Lock held. */
static struct vm *input_goes_to(void)
{
	return mux.left || input_head != input_tail ? NULL : mux.attached;
}

/* Input up to an escape key, or the key itself: that goes to the monitor wherever input goes; it then decides. */
static size_t route_interactive(const char *buf, size_t n)
{
	const char *escape = memchr(buf, CONSOLE_ESCAPE, n);
	size_t part = escape ? (size_t)(escape - buf) : n;
	irqflags_t flags = spin_lock_irqsave(&mux.lock);
	struct vm *vm;

	if (part == 0) {
		mux.left = true;
		part = 1;
	}
	vm = input_goes_to();
	if (vm)
		to_vm(vm, buf, part);
	else
		part = to_monitor(buf, part);
	spin_unlock_irqrestore(&mux.lock, flags);
	if (!vm)
		waitq_notify_one(&input_wait);
	return part;
}

/* Without a monitor there is no escape key; input is held back until the VM is there and while it does not read. */
static size_t route_batch(const char *buf, size_t n)
{
	irqflags_t flags = spin_lock_irqsave(&mux.lock);
	size_t taken = mux.attached ? vm_console_input(mux.attached, buf, n) : 0;

	spin_unlock_irqrestore(&mux.lock, flags);
	return taken;
}

void console_mux_forward(char c)
{
	irqflags_t flags = spin_lock_irqsave(&mux.lock);

	if (mux.attached)
		to_vm(mux.attached, &c, 1);
	spin_unlock_irqrestore(&mux.lock, flags);
}

static size_t on_input(const char *buf, size_t n)
{
	size_t taken = 0;

	while (taken < n) {
		size_t left = n - taken;
		size_t part = mux.batch ? route_batch(buf + taken, left) : route_interactive(buf + taken, left);

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
	flags = spin_lock_irqsave(&mux.lock);
	c = (unsigned char)input[input_tail++ % MONITOR_INPUT];
	spin_unlock_irqrestore(&mux.lock, flags);
	console_rx_resume();
	return c;
}

/* The terminal shows the attached VM; the others are told when they are attached. Lock held. */
void console_mux_tell_size(struct vm *vm)
{
	struct console_size size = console_size();

	vm_console_resize(vm, size.columns, size.rows);
}

static void on_resize(void)
{
	irqflags_t flags = spin_lock_irqsave(&mux.lock);

	if (mux.attached)
		console_mux_tell_size(mux.attached);
	spin_unlock_irqrestore(&mux.lock, flags);
}

void console_mux_input_init(void)
{
	console_set_resized(on_resize);
	console_set_input(on_input);
}
