/* Linux's structures and numbers for riscv64 that programs and system calls exchange. */
#pragma once

#include <caisson/types.h>

struct linux_stat {
	uint64_t dev, ino;
	uint32_t mode, nlink, uid, gid;
	uint64_t rdev, pad1;
	int64_t size;
	int32_t blksize, pad2;
	int64_t blocks;
	int64_t atime, atime_ns, mtime, mtime_ns, ctime, ctime_ns;
	uint32_t unused[2];
};

struct linux_timespec { int64_t s, ns; };
struct linux_timeval { int64_t s, us; };
struct linux_iovec { uint64_t base, len; };
struct linux_winsize { uint16_t rows, columns, x, y; };
struct linux_itimerspec { struct linux_timespec period, left; };
struct linux_rusage {
	struct linux_timeval user, system;
	int64_t max_rss, unused1[3], minor_faults, major_faults, unused2[6], waits, preempted; /* max_rss: KiB */
};

_Static_assert(sizeof(struct linux_rusage) == 144, "struct rusage");

/** siginfo_t. */
struct linux_siginfo {
	int32_t signal, error, code, pad;
	union {
		struct { uint32_t pid, uid; int32_t status; } child;
		struct { uint32_t pid, uid; uint64_t value; } sender;
		struct { int32_t id, overrun; uint64_t value; } timer;
		uint64_t addr;
		uint8_t size[112];
	};
};

struct linux_statx_time { int64_t s; uint32_t ns; int32_t pad; };
struct linux_statx {
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, pad1;
	uint64_t ino, size, blocks, attributes_mask;
	struct linux_statx_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t spare[14];
};

_Static_assert(sizeof(struct linux_statx) == 256, "struct statx");

struct linux_statfs {
	uint64_t type, bsize, blocks, bfree, bavail, files, ffree, fsid, namelen, frsize, flags, spare[4];
};
struct linux_rlimit { uint64_t now, most; };

/** Of struct dirent64 what comes before the name. */
struct linux_dirent { uint64_t ino; int64_t off; uint16_t reclen; uint8_t type; } __attribute__((packed));

#define LINUX_RELEASE "6.12.0-caisson"
#define LINUX_NODE "caisson"

struct linux_utsname { char sysname[65], nodename[65], release[65], version[65], machine[65], domain[65]; };

enum { LINUX_S_IFMT = 0170000, LINUX_S_IFREG = 0100000, LINUX_S_IFDIR = 040000, LINUX_S_IFCHR = 020000, LINUX_S_IFLNK = 0120000,
       LINUX_S_IFIFO = 010000, LINUX_S_IFBLK = 060000 };
enum { LINUX_AT_FDCWD = -100, LINUX_AT_SYMLINK_NOFOLLOW = 0x100, LINUX_AT_REMOVEDIR = 0x200, LINUX_AT_EMPTY_PATH = 0x1000,
       LINUX_AT_EACCESS = 0x200, LINUX_AT_SYMLINK_FOLLOW = 0x400, LINUX_AT_NO_AUTOMOUNT = 0x800, LINUX_AT_STATX_SYNC = 0x6000 };
enum { LINUX_PROT_READ = 1, LINUX_PROT_WRITE = 2, LINUX_PROT_EXEC = 4 };
enum { LINUX_MAP_SHARED = 1, LINUX_MAP_PRIVATE = 2, LINUX_MAP_SHARED_VALIDATE = 3, LINUX_MAP_KIND = 0xf, LINUX_MAP_FIXED = 0x10,
       LINUX_MAP_ANONYMOUS = 0x20, LINUX_MAP_LOCKED = 0x2000, LINUX_MAP_POPULATE = 0x8000, LINUX_MAP_HUGETLB = 0x40000,
       LINUX_MAP_FIXED_NOREPLACE = 0x100000 };
enum { LINUX_MS_ASYNC = 1, LINUX_MS_INVALIDATE = 2, LINUX_MS_SYNC = 4 };

#define LINUX_ENOTBLK 15 /* our C library has no name for it */

/** Our C library's errno as Linux's: they differ beyond 34. @return what a system call returns for `result` */
int64_t linux_result(int64_t result);
