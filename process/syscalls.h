/* System calls, by the file that has them. Each gets its thread and its six arguments, returns a result or negative errno. */
#pragma once

#include "linux_abi.h"
#include "thread.h"

#define SYSCALL(name) int64_t name(struct thread *t, const uint64_t *arg)

/* sys_file.c: descriptors, reading and writing */
SYSCALL(sys_read);
SYSCALL(sys_write);
SYSCALL(sys_readv);
SYSCALL(sys_writev);
SYSCALL(sys_pread64);
SYSCALL(sys_pwrite64);
SYSCALL(sys_preadv);
SYSCALL(sys_pwritev);
SYSCALL(sys_lseek);
SYSCALL(sys_close);
SYSCALL(sys_dup);
SYSCALL(sys_dup3);
SYSCALL(sys_fcntl);
SYSCALL(sys_ioctl);
SYSCALL(sys_fstat);
SYSCALL(sys_getdents64);
SYSCALL(sys_ftruncate);
SYSCALL(sys_fsync);
SYSCALL(sys_fallocate);
SYSCALL(sys_fadvise64);
SYSCALL(sys_sync);
SYSCALL(sys_syncfs);
SYSCALL(sys_pipe2);
SYSCALL(sys_sendfile);
/* sys_poll.c */
SYSCALL(sys_ppoll);
SYSCALL(sys_pselect6);
/* flock.c */
SYSCALL(sys_flock);
/* sys_path.c: by name */
SYSCALL(sys_openat);
SYSCALL(sys_newfstatat);
SYSCALL(sys_statx);
SYSCALL(sys_faccessat);
SYSCALL(sys_faccessat2);
SYSCALL(sys_readlinkat);
SYSCALL(sys_truncate);
SYSCALL(sys_chdir);
SYSCALL(sys_fchdir);
SYSCALL(sys_getcwd);
/* sys_name.c: names made, removed, moved */
SYSCALL(sys_mkdirat);
SYSCALL(sys_unlinkat);
SYSCALL(sys_renameat2);
SYSCALL(sys_symlinkat);
SYSCALL(sys_linkat);
SYSCALL(sys_mknodat);
/* sys_attribute.c: modes, owners, times */
SYSCALL(sys_fchmod);
SYSCALL(sys_fchmodat);
SYSCALL(sys_fchmodat2);
SYSCALL(sys_fchown);
SYSCALL(sys_fchownat);
SYSCALL(sys_utimensat);
SYSCALL(sys_xattr);
/* sys_mount.c */
SYSCALL(sys_mount);
SYSCALL(sys_umount2);
SYSCALL(sys_statfs);
SYSCALL(sys_fstatfs);
/* sys_memory.c */
SYSCALL(sys_brk);
SYSCALL(sys_mmap);
SYSCALL(sys_munmap);
SYSCALL(sys_mprotect);
SYSCALL(sys_madvise);
SYSCALL(sys_mremap);
SYSCALL(sys_msync);
SYSCALL(sys_mincore);
SYSCALL(sys_mlock);
SYSCALL(sys_mlock2);
SYSCALL(sys_munlock);
SYSCALL(sys_mlockall);
SYSCALL(sys_munlockall);
/* fork.c */
SYSCALL(sys_clone);
SYSCALL(sys_execve);
/* sys_process.c: who and what it is, its end */
SYSCALL(sys_exit);
SYSCALL(sys_exit_group);
SYSCALL(sys_getpid);
SYSCALL(sys_getppid);
SYSCALL(sys_getpgid);
SYSCALL(sys_setpgid);
SYSCALL(sys_getsid);
SYSCALL(sys_setsid);
SYSCALL(sys_wait4);
SYSCALL(sys_getid);
SYSCALL(sys_getgroups);
SYSCALL(sys_umask);
SYSCALL(sys_prctl);
/* limits.c */
SYSCALL(sys_prlimit64);
SYSCALL(sys_getrlimit);
SYSCALL(sys_setrlimit);
/* sys_thread.c */
SYSCALL(sys_gettid);
SYSCALL(sys_set_tid_address);
SYSCALL(sys_tgkill);
SYSCALL(sys_tkill);
SYSCALL(sys_set_robust_list);
SYSCALL(sys_get_robust_list);
SYSCALL(sys_riscv_flush_icache);
SYSCALL(sys_membarrier);
SYSCALL(sys_sched_yield);
SYSCALL(sys_getcpu);
SYSCALL(sys_sched_setaffinity);
SYSCALL(sys_sched_getaffinity);
SYSCALL(sys_sched_getscheduler);
SYSCALL(sys_sched_setscheduler);
SYSCALL(sys_sched_setparam);
SYSCALL(sys_sched_getparam);
SYSCALL(sys_setpriority);
SYSCALL(sys_getpriority);
SYSCALL(sys_sched_get_priority_max);
SYSCALL(sys_sched_get_priority_min);
/* sys_futex.c */
SYSCALL(sys_futex);
/* sys_signal.c */
SYSCALL(sys_rt_sigaction);
SYSCALL(sys_rt_sigprocmask);
SYSCALL(sys_rt_sigpending);
SYSCALL(sys_rt_sigsuspend);
SYSCALL(sys_rt_sigreturn);
SYSCALL(sys_rt_sigtimedwait);
SYSCALL(sys_rt_sigqueueinfo);
SYSCALL(sys_sigaltstack);
SYSCALL(sys_kill);
SYSCALL(sys_waitid);
/* usage.c */
SYSCALL(sys_getrusage);
SYSCALL(sys_times);
/* sys_timer.c */
SYSCALL(sys_getitimer);
SYSCALL(sys_setitimer);
SYSCALL(sys_timer_create);
SYSCALL(sys_timer_gettime);
SYSCALL(sys_timer_getoverrun);
SYSCALL(sys_timer_settime);
SYSCALL(sys_timer_delete);
/* timerfd.c */
SYSCALL(sys_timerfd_create);
SYSCALL(sys_timerfd_settime);
SYSCALL(sys_timerfd_gettime);
/* sys_time.c */
SYSCALL(sys_clock_getres);
SYSCALL(sys_clock_settime);
SYSCALL(sys_settimeofday);
SYSCALL(sys_clock_gettime);
SYSCALL(sys_clock_nanosleep);
SYSCALL(sys_nanosleep);
SYSCALL(sys_gettimeofday);
/* sys_system.c: the machine */
SYSCALL(sys_uname);
SYSCALL(sys_sysinfo);
SYSCALL(sys_getrandom);

/* Times of programs: a timespec as nanoseconds. One that is far away is cut to 146 years. */
int time_of_spec(const struct linux_timespec *ts, uint64_t *ns) __must_check; /* -EINVAL: it is none */
int time_from_user(struct thread *t, uint64_t at, uint64_t *ns) __must_check;
struct linux_timespec time_to_spec(uint64_t ns);
int time_to_user(struct thread *t, uint64_t at, uint64_t ns) __must_check;
/** At least so many ticks. */
uint64_t time_ticks(uint64_t ns);
/** How long it is until a clock shows until_ns: 0 if it has. @return 0, -EINVAL, -EOPNOTSUPP: no clock to wait for */
int clock_left(const struct thread *t, uint64_t clock, uint64_t until_ns, uint64_t *left_ns) __must_check;
struct alarm_times;
/** A struct itimerspec: due->left becomes when it is due (ticks, absolute; 0: not at all). @return 0, -EFAULT, -EINVAL */
int itimer_from_user(struct thread *t, uint64_t at, uint64_t clock, bool absolute, struct alarm_times *due) __must_check;
int itimer_to_user(struct thread *t, uint64_t at, const struct alarm_times *times) __must_check;

/** A path of the program's as an absolute one: relative to dirfd, which may be LINUX_AT_FDCWD. out has VFS_PATH_MAX bytes. */
int path_from_user(struct thread *t, int64_t dirfd, uint64_t path, char *out) __must_check;
/** Do something with such a path; fn gets arg as it is. @return what fn returned, or why there was no path */
int64_t with_path(struct thread *t, uint64_t dirfd, uint64_t path, int64_t (*fn)(struct thread *, const char *, const uint64_t *),
		  const uint64_t *arg);
/** Is there an empty string in the program's memory? */
bool path_is_empty(struct thread *t, uint64_t path);
