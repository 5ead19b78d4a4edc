/*
 * Start-up order, drivers and constructors.
 *
 * kernel_main goes through the steps of docs/architecture.md in order, one log
 * line each. Drivers are bound by their device-tree compatible; constructors run
 * once, after everything is up and before main().
 */
#pragma once

#include <caisson/types.h>

/** A device driver. Put one const per driver in the driver table with DRIVER(). */
struct driver {
	const char *name;
	const char *const *compatible; /* NULL-terminated */
	/** Bind a node of the device tree (libfdt offset). @return 0; -ENODEV: not wanted here (no warning);
	 *  or negative errno (logged; boot goes on). */
	int (*probe)(const void *fdt, int node);
	unsigned order;                /* 0: interrupt controllers, 1: the rest */
};

#define DRIVER(name) static const struct driver name IN_SECTION(".drivers") ALIGNED_TO(8)

/** Run fn before main(), after all components are up. */
#define CONSTRUCTOR(fn) \
	static void (*const fn##_constructor)(void) IN_SECTION(".constructors") = fn

/** Bind drivers to the enabled nodes of the device tree, interrupt controllers first. */
void drivers_probe(void);

/** The application. Its return value ends the machine with that status. */
int main(void);

/**
 * Leave: flush the console and end the machine with a status (0 to 255, any other becomes 255): by QEMU's
 * test finisher; where there is none, a framed console carries it and the firmware ends the machine, if it
 * can. Any context.
 */
void machine_exit(int status) __noreturn;
/** The same without a word to the console: for a panic inside a panic. */
void machine_stop(int status) __noreturn;
/** A driver that can end the machine (test finisher) registers itself. */
void machine_register_exit(void (*fn)(int status));
