/*
 * What the generated tree (guest_dt.c) and the user's own (guest_dt_user.c)
 * have in common: the contents of /chosen, and how errors are told.
 */
#pragma once

#include <libfdt.h>

#include <vmm/config.h>
#include <vmm/guest_dt.h>
#include <vmm/image.h>

/** One tree being made. */
struct guest_dt {
	const struct vm_config *cfg;
	uint64_t ram;
	const struct image_layout *layout;
	const struct guest_dt_machine *machine;
	void *fdt;             /* the buffer, 8-byte aligned */
	int size;              /* of the buffer */
	char *err;
	size_t err_size;
};

/** The properties of /chosen that we answer for; one with data NULL must not be there. */
struct chosen {
	fdt64_t initrd_start, initrd_end;
	struct {
		const char *name;
		const void *data;
		int len;
	} properties[5];
};

void guest_dt_chosen(const struct guest_dt *dt, struct chosen *out);

/**
 * Write the message "LABEL: what (libfdt's name of the error)".
 * @return -ENOSPC where room was short, else -EINVAL
 */
int guest_dt_refuse(const struct guest_dt *dt, const char *label, const char *what,
		    int fdt_err) __must_check;

/**
 * Fill dt->fdt with the user's blob, brought up to date.
 * @return 0, or -EINVAL, -ENOSPC with a message
 */
int guest_dt_adopt(const struct guest_dt *dt) __must_check;
