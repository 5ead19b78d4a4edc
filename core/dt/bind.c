/* Drivers meet the nodes of the device tree. */
#include <caisson/init.h>

#include <caisson/dt.h>
#include <caisson/log.h>
#include <errno.h>
#include <string.h>

#define LOG_NAME "driver"
#define WAITING_MAX 64

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

/* The driver for the first name in the node's list that one serves, or NULL. */
static const struct driver *driver_for(const void *fdt, int node)
{
	int len = 0;
	const char *name = dt_prop(fdt, node, "compatible", &len);
	const char *end = name ? name + len : NULL;

	while (name < end && memchr(name, '\0', (size_t)(end - name))) {
		for (const struct driver *drv = __drivers_start; drv < __drivers_end; drv++)
			if (serves(drv, name))
				return drv;
		name += strlen(name) + 1;
	}
	return NULL;
}

static const char *reason(int error)
{
	switch (error) {
	case -ENOENT: return "a property is missing";
	case -EINVAL: return "a property makes no sense";
	case -ENXIO: return "nothing answers where it should be";
	case -ENOMEM: return "out of memory";
	default: return "error";
	}
}

/* Only for lines that are written: libfdt takes 1,500 instructions for it. */
static const char *name_of(const void *fdt, int node)
{
	const char *name = fdt_get_name(fdt, node, NULL);

	return name ? name : "?";
}

static void say_trying(const void *fdt, int node, const struct driver *drv)
{
	uint64_t base, size;

	if (log_level >= LOG_DEBUG && dt_reg(fdt, node, 0, &base, &size) == 0)
		log_debug("%s: trying %s, %lx-%lx", drv->name, name_of(fdt, node), (unsigned long)base,
			  (unsigned long)(base + size));
}

static void bind(const void *fdt, int node, const struct driver *drv)
{
	int error;

	say_trying(fdt, node, drv);
	error = drv->probe(fdt, node);
	if (error == -ENODEV)
		log_debug("%s: %s not wanted", drv->name, name_of(fdt, node));
	else if (error)
		log_warn("%s: %s not bound: %s (%d)", drv->name, name_of(fdt, node), reason(error), error);
	else
		log_info("%s: bound to %s", drv->name, name_of(fdt, node));
}

/* One walk over the tree: interrupt controllers are bound on the way, the others wait until it is done. */
void drivers_probe(void)
{
	static struct {
		const struct driver *drv;
		int node;
	} waiting[WAITING_MAX];
	const void *fdt = dt_blob();
	unsigned n = 0;

	for (int node = dt_next_node(fdt, 0); node >= 0; node = dt_next_node(fdt, node)) {
		const struct driver *drv = driver_for(fdt, node);

		if (!drv || !in_use(fdt, node))
			continue;
		if (drv->order == 0) {
			bind(fdt, node, drv);
		} else if (n < WAITING_MAX) {
			waiting[n].drv = drv;
			waiting[n++].node = node;
		} else {
			log_warn("%s: too many devices", drv->name);
		}
	}
	for (unsigned i = 0; i < n; i++)
		bind(fdt, waiting[i].node, waiting[i].drv);
}
