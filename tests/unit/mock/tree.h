/* Device trees written down node by node, for tests of core/dt. */
#pragma once

#include <caisson/types.h>

#define FDT_SIZE 16384

/** The tree that is made, and adopted by close_tree(). */
extern char fdt[FDT_SIZE];

/** A new tree whose root has two cells for addresses and sizes, still open. */
void open_tree(void);
/** End the root and the tree; it is the machine's now. */
void close_tree(void);
void begin(const char *name);
void end(void);

/* Properties of the node that was begun last. */
void string(const char *name, const char *value);
void bytes(const char *name, const void *value, int n);
void cells_of(const char *name, const uint32_t *cells, unsigned n);
#define CELLS(name, ...) \
	cells_of(name, (const uint32_t[]){ __VA_ARGS__ }, ARRAY_SIZE(((const uint32_t[]){ __VA_ARGS__ })))

/** The node at a path; it must be there. */
int at(const char *path);

/** A tree with /cpus, still open. */
void begin_cpus(void);
void close_cpus(void);
/** A hart, still open. isa may be NULL. */
void begin_cpu(uint32_t hwid, const char *isa);
/** A whole tree with one hart. */
void one_cpu(const char *isa);
