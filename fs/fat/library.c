/*
 * The FatFs library, as it is, and the one function that it keeps to itself: writing
 * back what is still in its window and in the FSInfo sector, also after an operation that failed half-way.
 */
#pragma GCC diagnostic ignored "-Wunused-function"

#include "ff.c"

#include "library.h"

FRESULT fat_library_sync(FATFS *fs)
{
	return sync_fs(fs);
}
