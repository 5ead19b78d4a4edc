/* A VM to place images in: its description, where they go, what is said when they do not, and its RAM. */
#pragma once

#include <test.h>

#include <errno.h>

#include <vmm/config.h>
#include <vmm/image.h>
#include <vmm/memory.h>

#define RAM GUEST_RAM_BASE
#define ROOM (64 * KiB)

static struct vm_config cfg;
static struct image_layout at;
static char message[256];

static inline void put_le(uint8_t *to, unsigned bytes, uint64_t value)
{
	for (unsigned i = 0; i < bytes; i++)
		to[i] = (uint8_t)(value >> 8 * i);
}

static inline int reset(void **state)
{
	(void)state;
	cfg = (struct vm_config){ .memory = 64 * MiB, .bootargs = "" };
	return 0;
}

static inline void kernel(const void *data, uint64_t size)
{
	cfg.kernel = (struct vm_image){ { "file/0", data, size }, "dir/kernel" };
}

/** An initrd whose contents nobody reads. */
static inline int place(void)
{
	message[0] = '\0';
	return image_place(&cfg, RAM, ROOM, &at, message, sizeof(message));
}

static inline void expect_placed(void)
{
	int err = place();

	assert_string_equal(message, "");
	assert_int_equal(err, 0);
}

static inline void expect_refused(int code, const char *text)
{
	assert_int_equal(place(), code);
	assert_string_equal(message, text);
}

/* --- a VM's RAM as a sink ------------------------------------------------------- */

static uint8_t *ram_bytes;
static int sink_error;

static inline int sink_write(void *arg, uint64_t gpa, const void *from, uint64_t n)
{
	(void)arg;
	assert_true(gpa >= RAM && gpa - RAM <= cfg.memory && n <= cfg.memory - (gpa - RAM));
	memcpy(ram_bytes + (gpa - RAM), from, n);
	return sink_error;
}

static const struct image_sink sink = { sink_write, NULL };

static inline void load(void)
{
	ram_bytes = calloc(1, cfg.memory);
	assert_int_equal(image_load(&cfg, RAM, &at, &sink), 0);
}

/* --- a RISC-V Image --- */

static uint8_t image[8192];

static inline void make_image(uint64_t text_offset, uint64_t image_size)
{
	memset(image, 0x5a, sizeof(image));
	memset(image, 0, 64);
	put_le(image + 8, 8, text_offset);
	put_le(image + 16, 8, image_size);
	put_le(image + 32, 4, 2);
	memcpy(image + 48, "RISCV\0\0\0RSC\x05", 12);
	kernel(image, sizeof(image));
}
