/* The parts of the bench guest. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/** Print what n operations took as a row: instructions for each, with one decimal. */
void row(const char *name, uint64_t instructions, uint64_t n);

/** What a disk costs. which: the operation, or `all`. @return whether there is a disk and all went well. */
bool bench_block(const char *which);

/** How many locks an operation takes. @return whether the hypervisor counts them. */
bool bench_locks(void);

/** What it costs to share a hart of the machine with another of the VM. @return whether all went well, or there is no other. */
bool bench_two_harts(void);

/** How much the look-up of SBI extensions differs: rows of the cheapest and the dearest known and unknown id. */
void bench_lookup(void);

/** What a register of a virtio device costs when those of so many are read in turn. @return whether they are there. */
bool bench_in_turn(uint64_t devices);
