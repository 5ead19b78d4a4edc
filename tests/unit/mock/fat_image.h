/* FAT images made and checked by ordinary tools (dosfstools, mtools), in a folder of the test's own. */
#pragma once

#include <caisson/types.h>

/** A command of the shell, in the folder of the test. @return its status. */
int shell(const char *format, ...) __printf(1, 2);
/** The same; what it writes, as far as there is room. The command must succeed. */
const char *shell_output(const char *format, ...) __printf(1, 2);

/** Make the folder and go there / remove it. For cmocka's group. */
int image_folder(void **state);
int image_folder_remove(void **state);

/** "mkfs.fat -C" with these words for an image of so many KiB, which becomes the disk. */
void image_make(const char *options, unsigned kib);
/** The disk back to its file, and what fsck.fat says about it: 0 is clean. */
int image_check(void);
/** All files: attached at "/", checked by fsck.fat when done. */
void image_mount(unsigned flags);
void image_unmount_clean(void);
/** The kinds of file systems announce themselves. Once. */
void image_register(void);
