/*
 * Records of the journal: what is in one, and telling a whole one from a torn one.
 *
 * Record n (1, 2 ...) is in slot n % slots, of eight sectors, over the record that was there `slots` before. It takes
 * one to eight of them. Each sector says which of which record it is, with a checksum; what fills it depends on
 * nothing but that, so that a reader can tell every byte.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define RECORD_SECTORS	8u
#define RECORD_MAGIC	0x6c616e72756f6a43ul /* "Cjournal" */
#define RECORD_FILL	60u

struct record_sector {
	uint64_t magic, number;
	uint32_t index, count;	/* this one; of the record */
	uint32_t boot;		/* how often the writer had started */
	uint32_t crc;		/* CRC-32 of the sector, this field being 0 */
	uint64_t fill[RECORD_FILL];
};

_Static_assert(sizeof(struct record_sector) == 512, "a sector");

/** A number that x says nothing about (the finaliser of splitmix64). */
uint64_t mix(uint64_t x);

/** @return how many sectors the record takes: 1 to RECORD_SECTORS. */
unsigned record_count(uint64_t number);

void record_make(struct record_sector *sectors, uint64_t number, uint32_t boot);

/** @return the number of the record that is whole in this slot, or 0. */
uint64_t record_whole(const struct record_sector *sectors);
