/*
 * What a process may use (setrlimit), and what all together may.
 *
 * There is one user, so RLIMIT_NPROC counts the threads of a process group, which is a job of the shell: one that forks
 * without end leaves the others room. All together have caps that grow with the memory (limits_init).
 */
#pragma once

#include "linux_abi.h"

enum { RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_CORE, RLIMIT_RSS, RLIMIT_NPROC, RLIMIT_NOFILE, RLIMIT_MEMLOCK,
       RLIMIT_AS, RLIMITS = 16 };

#define UNLIMITED UINT64_MAX

struct process;

struct limits {
	struct linux_rlimit of[RLIMITS];
};

/** The caps of all, from the memory that there is. Once. */
void limits_init(void);
/** What the first process has. */
void limits_default(struct limits *l);
/** How many threads (processes that have ended and nobody has waited for are one each), open files and pipes there may be. */
unsigned limit_threads(void);
unsigned limit_files(void);
unsigned limit_pipes(void);
/** Have the process's memory and descriptors keep to its limits: they have changed, or its memory is new. Its own task. */
void limits_apply(struct process *p);
