/* A VM's devices: made from the table of types, and what they may ask of the VM. */
#include <errno.h>
#include <string.h>

#include <caisson/log.h>
#include <caisson/rtc.h>
#include <caisson/time.h>
#include <vmm/console_mux.h>
#include <vmm/guest_dt.h>
#include <vmm/vm.h>

#define LOG_NAME "vm"

extern const struct vdev_type __vdev_types_start[], __vdev_types_end[];

static void irq_level(void *arg, unsigned source, bool level)
{
	struct vm *vm = arg;

	vplic_set_level(vm->plic, source, level);
}

static void vcpu_ext_irq(void *arg, unsigned vcpu, bool level)
{
	struct vm *vm = arg;

	vcpu_set_line(vm->vcpus[vcpu], BIT(IRQ_VS_EXT), level);
}

static enum vdev_output console_put(void *arg, char byte)
{
	return console_mux_put(arg, byte);
}

static size_t console_write_vm(void *arg, const char *buf, size_t n)
{
	return console_mux_write(arg, buf, n);
}

static bool console_slow(void *arg)
{
	return console_mux_slow(arg);
}

static void console_ready(void *arg)
{
	console_mux_ready(arg);
}

static void end(void *arg, enum vdev_end how, int status)
{
	struct vm *vm = arg;

	if (how == VDEV_RESET)
		vm_end(vm, VM_END_RESET, 0, "reset by the test finisher");
	else if (how == VDEV_WATCHDOG)
		vm_end(vm, VM_END_CRASH, status, "the watchdog was not fed");
	else if (how == VDEV_FAIL && status)
		vm_end(vm, VM_END_CRASH, status, "the guest reported status %d to the test finisher", status);
	else
		vm_end(vm, VM_END_SHUTDOWN, 0, "shut down by the test finisher");
}

static uint64_t now_ns(void)
{
	return time_to_ns(time_now());
}

static bool runs(void *arg)
{
	const struct vm *vm = arg;

	return vm->state == VM_RUNNING && !vm->paused;
}

static void alarm(struct timer *t)
{
	struct vdev *dev = container_of(t, struct vdev, timer);

	dev->type->alarm(dev);
}

static void alarm_set(void *arg, struct vdev *dev, uint64_t at)
{
	(void)arg;
	if (at == UINT64_MAX)
		timer_cancel(&dev->timer);
	else
		timer_arm(&dev->timer, time_from_us(at / 1000 + 1));
}

int vm_device_add(struct vm *vm, const struct vdev_type *type, uint64_t base, unsigned irq, void *backend)
{
	struct vdev *dev = &vm->vdevs[vm->n_vdevs];
	int error;

	if (vm->n_vdevs == VM_VDEVS_MAX)
		return -ENOSPC;
	*dev = (struct vdev){ .type = type, .host = &vm->host, .base = base, .irq = irq, .backend = backend };
	timer_init(&dev->timer, alarm);
	error = type->create ? type->create(dev) : 0;
	if (error)
		return error == -ENXIO ? 0 : error;
	vm->n_vdevs++;
	if (type == &vplic_type)
		vm->plic = dev;
	if (type == &vuart_type)
		vm->uart = dev;
	log_debug("%s: device %s at %lx", vm->config->name, type->name, (unsigned long)base);
	if (type->size == 0)
		return 0;
	error = aspace_map_device(&vm->space, base, ALIGN_UP(type->size, PAGE_SIZE), &type->ops, dev->state);
	if (!error)
		mmio_map_add(&vm->mmio, base, ALIGN_UP(type->size, PAGE_SIZE), &type->ops, dev->state);
	return error;
}

int vm_devices_create(struct vm *vm)
{
	vm->host = (struct vdev_host){
		.irq_level = irq_level,
		.vcpu_ext_irq = vcpu_ext_irq,
		.console_put = console_put,
		.console_write = console_write_vm,
		.console_slow = console_slow,
		.console_ready = console_ready,
		.vm_end = end,
		.time_ns = now_ns,
		.wall_ns = rtc_is_known() ? rtc_wall_ns : NULL,
		.alarm_set = alarm_set,
		.runs = runs,
		.n_vcpus = vm_vcpu_count(vm),
		.watchdog_s = vm->config->watchdog,
		.vm = vm,
	};
	for (const struct vdev_type *t = __vdev_types_start; t < __vdev_types_end; t++) {
		int error = vm_device_add(vm, t, t->base, 0, NULL);

		if (error)
			return error;
	}
	return vm->plic && vm->uart ? 0 : -ENODEV;
}

void vm_devices_destroy(struct vm *vm)
{
	vm_devices_stop(vm);
	/* Backwards: until it is gone, a device may drive the interrupt controller. */
	while (vm->n_vdevs > 0) {
		struct vdev *dev = &vm->vdevs[--vm->n_vdevs];

		if (dev->type->destroy)
			dev->type->destroy(dev);
	}
	vm->n_vios = 0;
}

void vm_devices_stop(struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_vdevs; i++) {
		struct vdev *dev = &vm->vdevs[i];

		timer_cancel_sync(&dev->timer);
		if (dev->type->stop)
			dev->type->stop(dev);
	}
}

void vm_devices_reset(struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_vdevs; i++)
		if (vm->vdevs[i].type->reset)
			vm->vdevs[i].type->reset(&vm->vdevs[i]);
}

void vm_devices_write_nodes(struct dt_writer *w, void *arg)
{
	struct vm *vm = arg;

	for (unsigned i = 0; i < vm->n_vdevs; i++) {
		struct vdev *dev = &vm->vdevs[i];

		if (dev->type->write_node)
			dev->type->write_node(dev, w, GUEST_PLIC_PHANDLE);
	}
}
