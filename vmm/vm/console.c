/* A VM's own end of its console: which of its devices gets what is typed, and who is told when there is room for output. */
#include <errno.h>

#include <vmm/vm.h>

size_t vm_console_input(struct vm *vm, const char *buf, size_t n)
{
	return vuart_input(vm->uart, buf, n);
}

void vm_console_ready(struct vm *vm)
{
	vuart_output_ready(vm->uart);
}

int vm_sysrq(struct vm *vm, char key)
{
	if (!vuart_listens(vm->uart))
		return -ENOTCONN;
	return vuart_break(vm->uart) && vuart_input(vm->uart, &key, 1) == 1 ? 0 : -EAGAIN;
}
