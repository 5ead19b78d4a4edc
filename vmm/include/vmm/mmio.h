/*
 * Which device answers at a guest-physical address: one look, however many devices the VM has.
 *
 * A VM has a table of places, filled while its devices are made and only read while it runs. What finds no place is
 * found in the VM's address space instead, which costs more and is otherwise the same. Loads and stores have a table
 * each, so that a place has 32 bytes and is found in a few instructions.
 */
#pragma once

#include <caisson/aspace.h>
#include <caisson/types.h>

#define MMIO_SLOTS 64

struct mmio_load_slot {
	uint64_t start, size;      /* guest-physical window; size 0: nothing here */
	int (*read)(void *dev, uint64_t off, unsigned size, uint64_t *value);
	void *arg;
};

struct mmio_store_slot {
	uint64_t start, size;
	int (*write)(void *dev, uint64_t off, unsigned size, uint64_t value);
	void *arg;
};

struct mmio_map {
	struct mmio_load_slot loads[MMIO_SLOTS];
	struct mmio_store_slot stores[MMIO_SLOTS];
};

/** The only place of the device at gpa. In the default map none meets another device's, but for the PLIC's unused pages. */
static inline uint64_t mmio_slot_of(uint64_t gpa)
{
	return (gpa ^ gpa >> 11) >> 12 & (MMIO_SLOTS - 1);
}

/**
 * Give a device a place for each of its pages. Where two meet, the smaller one has it: it has no other.
 * Before the VM runs.
 */
void mmio_map_add(struct mmio_map *map, uint64_t start, uint64_t size, const struct device_ops *ops, void *arg);
