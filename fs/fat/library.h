/* The FatFs library's interface. */
#pragma once

#include "ff.h"
#include "diskio.h"

/** Write everything back and flush the device. */
FRESULT fat_library_sync(FATFS *fs);
