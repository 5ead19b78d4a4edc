/* What a program that is loaded from the disk may call: it is given this table, and nothing else. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SERVICES_VERSION 1

struct services {
	uint64_t version;
	void (*print)(const char *text);
	/** Read the beginning of a file. @return bytes or negative errno. */
	int64_t (*read_file)(const char *path, void *data, size_t n);
};

/** A program's entry, at its first byte. @return its status. */
typedef int program_entry(const struct services *services);
