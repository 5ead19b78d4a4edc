/*
 * Processes: programs in U-mode, each in an address space of its own, carried by tasks whose extension they are.
 *
 * The system calls have Linux's numbers and structures for riscv64, so that Linux's static programs run unchanged
 * (docs/processes.md has the list). The kernel's half of the address space is the same in all processes and no user
 * access reaches it.
 */
#pragma once

#include <caisson/types.h>

struct process;

/** Make the kernel's half fit for sharing, and user areas possible. Once, before the first process. @return 0 or -ENOMEM. */
int process_init(void) __must_check;

/** Is what is behind the console a terminal, or a stream of bytes with an end (as at first)? Before the first process. */
void process_set_terminal(bool is_one);

/**
 * Make a process of an executable; process_start() lets it run. Its descriptors 0, 1 and 2 are the console. Task context.
 * @param path        of the VFS, absolute
 * @param argv, envp  as for a C program: ended by NULL
 * @param[out] why    on failure what is wrong with the file, or NULL: the error says it
 * @return 0 with *out; -ENOEXEC; -E2BIG; what vfs_open returns; -ENOMEM. Everything is undone then.
 */
int process_create(const char *path, const char *const *argv, const char *const *envp, struct process **out,
		   const char **why) __must_check;
/** The same for a flat program: its bytes go to 0x10000, the first one is its entry; it has 1 MiB at 0x40000000. */
int process_create_flat(const char *name, const void *image, size_t size, struct process **out) __must_check;
void process_start(struct process *p);

/** Wait for its end and give everything back. Started ones only; task context. @return status: 0 to 255, or 128 + a signal. */
int process_join(struct process *p);

/** Send it a signal (1 to 64, others do nothing). Any context; before process_join. */
void process_kill(struct process *p, unsigned signal);
