/* A channel to other VMs (docs/channel.md): found in the device tree, used through its registers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CHANNEL_MAGIC = 0x00, CHANNEL_VERSION = 0x04, CHANNEL_SIZE = 0x08, CHANNEL_ACCESS = 0x0c,
	CHANNEL_NUMBER = 0x10, CHANNEL_MEMBERS = 0x14, CHANNEL_PRESENT = 0x18, CHANNEL_STATE = 0x1c,
	CHANNEL_DOORBELL = 0x20, CHANNEL_PENDING = 0x24, CHANNEL_ENABLE = 0x28,
};

#define CHANNEL_MAGIC_VALUE 0x4c4e4843u
#define CHANNEL_PRESENCE (1u << 31)

struct channel {
	uint64_t registers;
	volatile uint64_t *memory;
	uint64_t size;
	unsigned interrupt;
	bool read_only;
};

/** Find the channel of that label, or with NULL the first. @return whether there is one. */
bool channel_find(const char *label, struct channel *out);

static inline uint32_t channel_read(const struct channel *c, unsigned reg)
{
	return *(volatile uint32_t *)(c->registers + reg);
}

static inline void channel_write(const struct channel *c, unsigned reg, uint32_t value)
{
	*(volatile uint32_t *)(c->registers + reg) = value;
}
