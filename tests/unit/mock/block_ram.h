/*
 * One block device, "vda", in host memory: an image in a block of exactly its size, which
 * is read from a file and written to one. It can be told to fail.
 */
#pragma once

#include <caisson/block.h>

extern struct block_device mock_disk;
/** The n-th transfer or flush from now on fails, once, with mock_disk_error; 0: none does. */
extern uint64_t mock_disk_fail_at;
extern int mock_disk_error;
/** Transfers and flushes so far. */
extern uint64_t mock_disk_calls;
/** The image's bytes. */
extern unsigned char *mock_disk_image;

/** A device with these bytes; what is left over beyond whole sectors does not count. */
void mock_disk_set(const void *image, size_t size);
/** Remember this image; from now on mock_disk_restore() brings it back, however it was changed. */
void mock_disk_keep(void);
void mock_disk_restore(void);
/** Change a byte behind everybody's back. */
void mock_disk_poke(uint64_t at, unsigned char byte);
/** Was a sector below this one changed since mock_disk_keep() or mock_disk_restore()? */
bool mock_disk_changed_below(uint64_t sector);
/** The same from a file, and back to one. */
void mock_disk_load(const char *file);
void mock_disk_save(const char *file);
