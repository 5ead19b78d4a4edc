/*
 * The configuration of the FatFs library: what its ffconf.h would say. The meaning of
 * each setting is described in that file.
 */
#pragma once

#define FFCONF_DEF 86604        /* the revision of the library that this is for */

#define FF_FS_READONLY 0
#define FF_FS_MINIMIZE 0        /* all functions */
#define FF_USE_STRFUNC 0
#define FF_USE_FIND 0
#define FF_USE_MKFS 0
#define FF_USE_FASTSEEK 0
#define FF_USE_EXPAND 0
#define FF_USE_CHMOD 0
#define FF_USE_LABEL 0
#define FF_USE_FORWARD 0

#define FF_CODE_PAGE 437        /* of short names, as Linux assumes */
#define FF_USE_LFN 3            /* long names, their buffer from the heap */
#define FF_MAX_LFN 255          /* UTF-16 units */
#define FF_LFN_UNICODE 2        /* paths are UTF-8 */
#define FF_LFN_BUF 255          /* bytes of a name: VFS_NAME_MAX. A longer one appears as its short name. */
#define FF_SFN_BUF 24
#define FF_STRF_ENCODE 3
#define FF_FS_RPATH 0           /* paths arrive resolved */

#define FF_VOLUMES 1
#define FF_STR_VOLUME_ID 0
#define FF_MULTI_PARTITION 0    /* the first FAT partition, or the whole device */
#define FF_MIN_SS 512
#define FF_MAX_SS 512
#define FF_USE_TRIM 0
#define FF_FS_NOFSINFO 0

#define FF_FS_TINY 0            /* each open file has a sector of its own */
#define FF_FS_EXFAT 0
/* The machine's time is not known: what is written is dated at the day that a deterministic machine starts at. */
#define FF_FS_NORTC 1
#define FF_NORTC_MON 1
#define FF_NORTC_MDAY 1
#define FF_NORTC_YEAR 2025
#define FF_FS_LOCK 0            /* file.c shares what is open several times */
#define FF_FS_REENTRANT 0       /* the mount's mutex is held */
#define FF_FS_TIMEOUT 0
#define FF_SYNC_t void *
