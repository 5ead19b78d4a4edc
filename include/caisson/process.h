/*
 * Processes: a program in U-mode, in an address space of its own, carried by a
 * task whose extension it is.
 *
 * So far a program is flat: one piece of code and constants at USER_TEXT that it
 * may execute but not write, USER_DATA for what it writes, a stack below
 * USER_TOP. It has one thread. The kernel's half of the address space is the same
 * in all processes and no user access reaches it.
 */
#pragma once

#include <arch/user.h>
#include <caisson/aspace.h>
#include <caisson/task.h>
#include <caisson/types.h>

#define USER_TEXT UINT64_C(0x10000)     /* the program; its first byte is its entry */
#define USER_DATA UINT64_C(0x40000000)  /* zeroed, backed on first touch */
#define USER_DATA_SIZE (1 * MiB)
#define USER_TOP UINT64_C(0x4000000000) /* one past the highest user address (Sv39) */
#define USER_STACK_SIZE (64 * KiB)      /* backed on first touch; nothing is mapped below */

struct process {
	struct task_ext ext;
	struct user_ctx ctx;   /* its thread's registers */
	struct aspace space;
	struct task *task;
	unsigned pid;
	char name[24];
	int status;            /* when it has ended: what it exited with (0 to 255), or 128 + a signal's number */
	bool ended;            /* its own task only */
	unsigned signal;       /* atomic; the signal it is to die of, 0: none */
};

/** Make the kernel's half fit for sharing. Once, before the first process. @return 0 or -ENOMEM. */
int process_init(void) __must_check;

/**
 * Make a process of a flat program; process_start() lets it run. Task context.
 * @param name   for messages; the beginning of it is kept
 * @param image  its bytes, copied; size 1 to 16 MiB
 * @return 0 with *out; -ENOEXEC for a size that cannot be; -ENOMEM with everything undone.
 */
int process_create(const char *name, const void *image, size_t size, struct process **out) __must_check;
void process_start(struct process *p);

/** Wait for its end and give all its memory back. Started processes only; task context. @return its status. */
int process_join(struct process *p);

/** Let it die of a signal (1 to 31, others do nothing), soon, wherever it runs. Any context; before process_join. */
void process_kill(struct process *p, unsigned signal);

/**
 * Copy between a process's memory and ours; pages that it has not touched yet are given to it. One check, of the
 * process's own areas: what it may not read (or write) itself is not copied. Task context.
 * @return 0, or -EFAULT (some of it may have been copied).
 */
int copy_from_user(struct process *p, void *to, uint64_t from, size_t n) __must_check;
int copy_to_user(struct process *p, uint64_t to, const void *from, size_t n) __must_check;
