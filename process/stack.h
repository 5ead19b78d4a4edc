/* The stack that a program finds at its start (RISC-V psABI; System V ABI, "Process Initialization"). */
#pragma once

#include "elf.h"
#include "thread.h"

/** Map a stack, which is empty, of some size up to USER_STACK_SIZE. @return 0 or -ENOMEM */
int stack_map(struct user_mm *mm, uint64_t size, uint64_t *sp) __must_check;
/**
 * Map it and put arguments, environment and the auxiliary vector onto it.
 * @param path  by which the program was started
 * @param bias  by how much it was moved
 * @return 0; -E2BIG; -ENOMEM
 */
int stack_build(struct user_mm *mm, const char *path, const struct exec_args *args, const struct elf *elf, uint64_t bias,
		uint64_t *sp) __must_check;
