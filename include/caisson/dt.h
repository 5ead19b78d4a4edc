/*
 * The machine's device tree: libfdt plus the few questions that are asked all
 * over. All functions take the blob given at entry (dt_blob()).
 */
#pragma once

#include <caisson/types.h>
#include <libfdt.h>

/** Check and adopt the blob at a physical address the firmware gave. It must not change any more.
 *  @return 0 or -EINVAL. */
int dt_init(const void *fdt) __must_check;
const void *dt_blob(void);

/*
 * The way through a tree. For the adopted blob these cost next to nothing, for
 * another one what libfdt costs: there each is a walk over the tree.
 */

/** Offset of a node's parent. @return offset or -ENOENT. */
int dt_parent(const void *fdt, int node);
/** The next node in the order of the blob, whatever its depth. @return offset or -ENOENT. */
int dt_next_node(const void *fdt, int node);
int dt_first_child(const void *fdt, int parent);
int dt_next_child(const void *fdt, int child);
#define dt_for_each_child(node, fdt, parent) \
	for ((node) = dt_first_child(fdt, parent); (node) >= 0; (node) = dt_next_child(fdt, node))
/** A property's value and length, as fdt_getprop; len may not be NULL.
 *  @return NULL and a negative length if absent. */
const void *dt_prop(const void *fdt, int node, const char *name, int *len);
/** A node of the adopted blob by its path (or alias), each component with or without its unit address.
 *  @return offset or -ENOENT. */
int dt_path(const char *path);
/** The same for a path of len bytes. */
int dt_path_n(const char *path, size_t len);

/** A property that is a terminated string, or NULL. */
const char *dt_string(const void *fdt, int node, const char *prop);
/**
 * The n-th (address, size) pair of reg, as an address of the machine: it is translated by the ranges of the
 * buses above (a bus without ranges, or with empty ones, changes nothing).
 * @return 0, -ENOENT: reg has no n-th pair; -EINVAL: cells or ranges make no sense. addr + size may overflow.
 */
int dt_reg(const void *fdt, int node, unsigned n, uint64_t *addr, uint64_t *size) __must_check;
/** The same as the node's own bus has it, for what is not an address of the machine (a hart's id). */
int dt_reg_on_bus(const void *fdt, int node, unsigned n, uint64_t *addr, uint64_t *size) __must_check;
/**
 * Map the registers of the n-th pair of reg. What is there is not touched yet: see arch_io_answers.
 * @param least  bytes that the driver needs
 * @return 0 with the window and its size; -ENOENT, -EINVAL (too small or out of reach, too), or -ENOMEM.
 */
int dt_map(const void *fdt, int node, unsigned n, uint64_t least, volatile char **regs, uint64_t *size) __must_check;
/** The node with this phandle. @return offset or -ENOENT. */
int dt_by_phandle(const void *fdt, uint32_t phandle);
/**
 * The n-th interrupt of a node: the phandle of its controller (its own or an inherited interrupt-parent, or
 * the one that interrupts-extended names) and the first cell, the source. Drivers use irq_find().
 * @return 0, -ENOENT: there is no n-th, -EINVAL: no controller, or cells that make no sense.
 */
int dt_interrupt(const void *fdt, int node, unsigned n, uint32_t *controller, uint32_t *source) __must_check;
/** One 32-bit cell (the n-th) of a property. @return 0 or -ENOENT. */
int dt_u32(const void *fdt, int node, const char *prop, unsigned n, uint32_t *out) __must_check;
/** True if status is absent, "okay" or "ok". */
bool dt_enabled(const void *fdt, int node);
/** A string of /chosen, or NULL. */
const char *dt_chosen(const char *prop);
/** Value of `key` or `key=value` in our boot arguments (words separated by spaces, up to `--`), copied to buf (cut to
 *  size - 1 bytes; size may be 0); the last one counts. @return false: absent. */
bool boot_arg(const char *key, char *buf, size_t size);
/** Is this word of the boot arguments `--`? What follows is the application's (app_arg in caisson/print.h). */
bool boot_args_end(const char *word);
/** Which of n (at most 64) different ISA extensions (lower case, "h", "sstc", "svpbmt", ...) are named by every
 *  enabled hart's riscv,isa-extensions or, where that is absent, riscv,isa? @return bit i: all have names[i]. */
uint64_t dt_isa_mask(const char *const *names, unsigned n);
/** Ticks of the time CSR per second, of /cpus or else of a hart. @return 0: not told, or more than 2^32. */
uint64_t dt_timebase(void);
/** Call fn for each RAM range. */
void dt_for_each_memory(void (*fn)(uint64_t start, uint64_t size, void *arg), void *arg);
/** Call fn for each enabled cpu node that has an id, with that. */
void dt_for_each_cpu(void (*fn)(uint64_t hwid, int node, void *arg), void *arg);
