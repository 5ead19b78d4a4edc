/* Between the files of process/. */
#pragma once

#include <caisson/process.h>

/** The address space of a flat program, the program copied in. @return 0, or -ENOMEM with everything undone. */
int user_space_create(struct process *p, const void *image, size_t size) __must_check;
/** Give back all of it. No hart translates through it any more. */
void user_space_destroy(struct process *p);

/** The call that stands in the program's registers (a7: number, a0 to a5). Its result goes to a0. */
void syscall_handle(struct process *p);

/** End the process with this status at the next look. Its own task. */
void process_end(struct process *p, int status);
