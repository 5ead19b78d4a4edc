/* The table of system calls: Linux's numbers for riscv64. */
#include <errno.h>

#include "syscalls.h"

typedef int64_t (*syscall_t)(struct thread *t, const uint64_t *arg);

static const syscall_t calls[] = {
	[17] = sys_getcwd,
	[23] = sys_dup,
	[24] = sys_dup3,
	[25] = sys_fcntl,
	[29] = sys_ioctl,
	[33] = sys_mknodat,
	[34] = sys_mkdirat,
	[35] = sys_unlinkat,
	[36] = sys_symlinkat,
	[37] = sys_linkat,
	[39] = sys_umount2,
	[40] = sys_mount,
	[43] = sys_statfs,
	[44] = sys_fstatfs,
	[45] = sys_truncate,
	[46] = sys_ftruncate,
	[48] = sys_faccessat,
	[49] = sys_chdir,
	[52] = sys_fchmod,
	[53] = sys_fchmodat,
	[54] = sys_fchownat,
	[55] = sys_fchown,
	[56] = sys_openat,
	[57] = sys_close,
	[59] = sys_pipe2,
	[61] = sys_getdents64,
	[62] = sys_lseek,
	[63] = sys_read,
	[64] = sys_write,
	[65] = sys_readv,
	[66] = sys_writev,
	[67] = sys_pread64,
	[68] = sys_pwrite64,
	[69] = sys_preadv,
	[70] = sys_pwritev,
	[71] = sys_sendfile,
	[72] = sys_pselect6,
	[73] = sys_ppoll,
	[78] = sys_readlinkat,
	[79] = sys_newfstatat,
	[80] = sys_fstat,
	[81] = sys_sync,
	[82] = sys_fsync,
	[83] = sys_fsync,
	[85] = sys_timerfd_create,
	[86] = sys_timerfd_settime,
	[87] = sys_timerfd_gettime,
	[88] = sys_utimensat,
	[93] = sys_exit,
	[94] = sys_exit_group,
	[95] = sys_waitid,
	[96] = sys_set_tid_address,
	[98] = sys_futex,
	[99] = sys_set_robust_list,
	[100] = sys_get_robust_list,
	[101] = sys_nanosleep,
	[102] = sys_getitimer,
	[103] = sys_setitimer,
	[107] = sys_timer_create,
	[108] = sys_timer_gettime,
	[109] = sys_timer_getoverrun,
	[110] = sys_timer_settime,
	[111] = sys_timer_delete,
	[112] = sys_clock_settime,
	[113] = sys_clock_gettime,
	[114] = sys_clock_getres,
	[115] = sys_clock_nanosleep,
	[118] = sys_sched_setparam,
	[119] = sys_sched_setscheduler,
	[120] = sys_sched_getscheduler,
	[121] = sys_sched_getparam,
	[122] = sys_sched_setaffinity,
	[123] = sys_sched_getaffinity,
	[124] = sys_sched_yield,
	[125] = sys_sched_get_priority_max,
	[126] = sys_sched_get_priority_min,
	[129] = sys_kill,
	[130] = sys_tkill,
	[131] = sys_tgkill,
	[132] = sys_sigaltstack,
	[133] = sys_rt_sigsuspend,
	[134] = sys_rt_sigaction,
	[135] = sys_rt_sigprocmask,
	[136] = sys_rt_sigpending,
	[139] = sys_rt_sigreturn,
	[153] = sys_times,
	[154] = sys_setpgid,
	[155] = sys_getpgid,
	[156] = sys_getsid,
	[157] = sys_setsid,
	[160] = sys_uname,
	[165] = sys_getrusage,
	[166] = sys_umask,
	[167] = sys_prctl,
	[168] = sys_getcpu,
	[169] = sys_gettimeofday,
	[170] = sys_settimeofday,
	[172] = sys_getpid,
	[173] = sys_getppid,
	[174] = sys_getid,
	[175] = sys_getid,
	[176] = sys_getid,
	[177] = sys_getid,
	[178] = sys_gettid,
	[179] = sys_sysinfo,
	[214] = sys_brk,
	[215] = sys_munmap,
	[220] = sys_clone,
	[221] = sys_execve,
	[222] = sys_mmap,
	[226] = sys_mprotect,
	[233] = sys_madvise,
	[259] = sys_riscv_flush_icache,
	[260] = sys_wait4,
	[261] = sys_prlimit64,
	[276] = sys_renameat2,
	[278] = sys_getrandom,
	[283] = sys_membarrier,
	[439] = sys_faccessat,
};

void syscall_handle(struct thread *t)
{
	uint64_t number = t->ctx.x[REG_A7];
	syscall_t call = number < ARRAY_SIZE(calls) ? calls[number] : NULL;
	int64_t result;

	t->first_argument = t->ctx.x[REG_A0];
	result = call ? call(t, &t->ctx.x[REG_A0]) : -ENOSYS;
	t->again = false;
	if (result == -ERESTART || result == -ERESTART_QUIET) {
		t->restart = true;
		t->restart_quiet = result == -ERESTART_QUIET;
	} else if (result == -ERESTART_ALWAYS) {
		t->ctx.pc -= ECALL_SIZE; /* its argument still stands there */
	} else if (!t->keep_result) {
		t->ctx.x[REG_A0] = (uint64_t)linux_result(result);
	}
	t->keep_result = false;
}
