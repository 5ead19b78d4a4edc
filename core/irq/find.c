/* From a device's node to the source of our interrupt controller. */
#include <caisson/irq.h>

#include <errno.h>

#include <caisson/dt.h>
#include <caisson/log.h>

#define LOG_NAME "irq"

int irq_find(const void *fdt, int node, unsigned n, unsigned *source)
{
	const char *name = fdt_get_name(fdt, node, NULL);
	uint32_t controller;
	int error = dt_interrupt(fdt, node, n, &controller, source);

	if (error == -EINVAL)
		log_warn("%s: its interrupt cannot be read", name ? name : "?");
	if (error)
		return error;
	if (controller == irqchip_phandle()) /* never 0 */
		return 0;
	log_warn("%s: its interrupt goes to a controller that we do not use (phandle %u)", name ? name : "?",
		 controller);
	return -ENXIO;
}
