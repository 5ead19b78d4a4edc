/*
 * A VM's description that a test changes property by property, and an initrd with the files that it names. Included by
 * the tests of vmm/image/config.c.
 */
#pragma once

#include <test.h>

#include <errno.h>
#include <libfdt.h>

#include <caisson/mm.h>
#include <mem.h>
#include <vmm/config.h>
#include <vmm/isa.h>

/* The formats, without the table arithmetic that comes with the real ones. */
const struct pt_format pt_sv39 = { .name = "sv39", .guest = false };
const struct pt_format pt_sv48x4 = { .name = "sv48x4", .guest = true };

const struct pt_format *pt_format_by_name(const char *name)
{
	if (!strcmp(name, "sv39"))
		return &pt_sv39;
	return strcmp(name, "sv48x4") ? NULL : &pt_sv48x4;
}

static char blob[8192] __attribute__((aligned(8)));
static struct vm_config cfg;
static char message[256];

/* --- an initrd with three files --- */

static char archive[2048];

static inline size_t put_file(size_t at, const char *name, const char *data)
{
	at += (size_t)sprintf(archive + at, "070701%08X%08X%032X%08X%032X%08X%08X", 1, 0100644, 0,
			      (unsigned)strlen(data), 0, (unsigned)strlen(name) + 1, 0);
	at = ALIGN_UP(at + (size_t)sprintf(archive + at, "%s", name) + 1, 4);
	return ALIGN_UP(at + (size_t)sprintf(archive + at, "%s", data), 4);
}

static inline int make_initrd(void **state)
{
	size_t size = put_file(0, "file/0", "kernel bytes");

	(void)state;
	size = put_file(size, "file/1", "initrd bytes!");
	size = put_file(size, "file/2", "dtb");
	size = put_file(size, "TRAILER!!!", "");
	return initrd_init(archive, size) == 3 ? 0 : -1;
}

/* --- descriptions --- */

#define CELL(n) "\0\0\0" n
#define DOUBLE(n) "\0\0\0\0" n

static inline void set(const char *name, const void *value, int size)
{
	assert_int_equal(fdt_setprop(blob, 0, name, value, size), 0);
}

static inline void set_text(const char *name, const char *value)
{
	set(name, value, (int)strlen(value) + 1);
}

/** The least that is a description. */
static inline int make_least(void **state)
{
	(void)state;
	assert_int_equal(fdt_create_empty_tree(blob, sizeof(blob)), 0);
	set_text("compatible", "caisson,vm");
	set_text("name", "debian");
	set("cpus", CELL("\2"), 4);
	set("memory", DOUBLE("\x10\0\0\0"), 8);
	set_text("kernel", "file/0");
	set_text("kernel-label", "boot/vmlinuz");
	return 0;
}

static inline int parse(void)
{
	message[0] = '\0';
	return vm_config_parse(blob, sizeof(blob), &cfg, message, sizeof(message));
}

static inline void expect_accepted(void)
{
	int err = parse();

	assert_string_equal(message, "");
	assert_int_equal(err, 0);
}

static inline void expect_refused(const char *text)
{
	assert_int_equal(parse(), -EINVAL);
	assert_string_equal(message, text);
	make_least(NULL);
}
