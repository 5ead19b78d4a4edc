/* A VM's own end of its console: which of its devices gets what is typed, and who is told when there is room for output. */
#include <errno.h>
#include <stdio.h>

#include <vmm/virtio_console.h>
#include <vmm/vm.h>

#define SYSRQ 0x0f /* Ctrl-O: what Linux takes for a SysRq key on consoles that know no BREAK */

int vm_console_create(struct vm *vm, char *err, size_t err_size)
{
	int error;

	if (vm->config->console != VM_CONSOLE_VIRTIO)
		return 0;
	error = vio_add(vm, &vio_console_type, "console", NULL, &vm->console);
	if (error == -ENOSPC)
		snprintf(err, err_size, "console: all %u places for virtio devices are taken", GUEST_VIRTIO_PLACES);
	else if (error)
		snprintf(err, err_size, "console: cannot be created (error %d)", error);
	return error;
}

/* As soon as its driver takes input; before that somebody may type to the firmware or the boot loader at the UART. */
static bool virtio_listens(const struct vm *vm)
{
	return vm->console && vio_console_listens(vm->console);
}

size_t vm_console_input(struct vm *vm, const char *buf, size_t n)
{
	return virtio_listens(vm) ? vio_console_input(vm->console, buf, n) : vuart_input(vm->uart, buf, n);
}

void vm_console_ready(struct vm *vm)
{
	vuart_output_ready(vm->uart);
}

void vm_console_resize(struct vm *vm, unsigned columns, unsigned rows)
{
	if (vm->console)
		vio_console_resize(vm->console, columns, rows);
}

/* Which of them is the guest's own console nobody but the guest knows: the key is pressed at both. */
int vm_sysrq(struct vm *vm, char key)
{
	const char keys[] = { SYSRQ, key };
	bool virtio = virtio_listens(vm), uart = vuart_listens(vm->uart), pressed = false;

	if (!virtio && !uart)
		return -ENOTCONN;
	if (virtio)
		pressed = vio_console_input(vm->console, keys, sizeof(keys)) == sizeof(keys);
	if (uart)
		pressed |= vuart_break(vm->uart) && vuart_input(vm->uart, &key, 1) == 1;
	return pressed ? 0 : -EAGAIN;
}
