/* Drivers meet the nodes of the device tree. */
#include <caisson/init.h>

#include <caisson/dt.h>
#include <caisson/log.h>
#include <errno.h>
#include <string.h>

#define LOG_NAME "driver"
#define ORDERS 2 /* struct driver.order: interrupt controllers, then the rest */

extern const struct driver __drivers_start[];
extern const struct driver __drivers_end[];

/* A node is in use when neither it nor a bus above it is switched off. */
static bool in_use(const void *fdt, int node)
{
	for (; node > 0; node = dt_parent(fdt, node))
		if (!dt_enabled(fdt, node))
			return false;
	return node == 0;
}

static bool serves(const struct driver *drv, const char *compatible)
{
	for (const char *const *c = drv->compatible; *c; c++)
		if (strcmp(*c, compatible) == 0)
			return true;
	return false;
}

/* The driver of this order for the first name in the node's list that one serves, or NULL. */
static const struct driver *driver_for(const void *fdt, int node, unsigned order)
{
	const char *name;

	for (int i = 0; (name = fdt_stringlist_get(fdt, node, "compatible", i, NULL)) != NULL; i++)
		for (const struct driver *drv = __drivers_start; drv < __drivers_end; drv++)
			if (drv->order == order && serves(drv, name))
				return drv;
	return NULL;
}

static void bind(const void *fdt, int node, const struct driver *drv)
{
	const char *name = fdt_get_name(fdt, node, NULL);
	int error = drv->probe(fdt, node);

	if (error == -ENODEV)
		log_debug("%s: %s not wanted", drv->name, name ? name : "?");
	else if (error)
		log_warn("%s: %s not bound (error %d)", drv->name, name ? name : "?", error);
	else
		log_info("%s: bound to %s", drv->name, name ? name : "?");
}

void drivers_probe(void)
{
	const void *fdt = dt_blob();

	for (unsigned order = 0; order < ORDERS; order++) {
		for (int node = fdt_next_node(fdt, 0, NULL); node >= 0;
		     node = fdt_next_node(fdt, node, NULL)) {
			const struct driver *drv = driver_for(fdt, node, order);

			if (drv && in_use(fdt, node))
				bind(fdt, node, drv);
		}
	}
}
