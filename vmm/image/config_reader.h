/* Reading a VM's description: what the files that read its properties and nodes share. */
#pragma once

#include <vmm/config.h>

struct config_reader {
	const char *blob;      /* as handed in: strings of the result point there */
	const char *copy;      /* the same bytes, aligned as libfdt wants them */
	struct vm_config *out;
	char *err;
	size_t err_size;
	const char *where;     /* the node that is read, for messages; NULL: the root */
};

/** A property as it stands in the description. */
struct config_value {
	const char *name;      /* for messages too */
	const char *data;
	int len;
};

/** One that there may be, of at most 64 in a node. */
struct config_property {
	const char *name;
	/** Check it and put it into its member. @return 0, or -EINVAL with the message */
	int (*read)(struct config_reader *r, const struct config_value *v, void *member);
	size_t member;         /* offset in the structure that is filled in */
	bool required;
};

/**
 * Read all properties of a node into a structure.
 * @return 0, or negative errno with the message: one is unknown, wrong, missing or there twice
 */
int config_read_properties(struct config_reader *r, int node, const struct config_property *table, unsigned n, void *out);

/** Write the message "name: what is wrong". @return -EINVAL. */
int config_refuse(struct config_reader *r, const char *name, const char *format, ...) __printf(3, 4);
/** @return the string, or NULL with the message written. */
const char *config_string(struct config_reader *r, const struct config_value *v);
/** A cell or two, most significant byte first. @return 0 or -EINVAL */
int config_number(struct config_reader *r, const struct config_value *v, int bytes, uint64_t *out);
/** The same string in the blob that the caller keeps. */
const char *config_lasting(const struct config_reader *r, const char *text);
/** For a struct config_property: true if it is there, and it has to be empty. */
int config_flag(struct config_reader *r, const struct config_value *v, void *member);

/* Nodes. */

/** A disk (vmm/image/config_disk.c). @return 0 or -EINVAL */
int config_read_disk(struct config_reader *r, int node);
