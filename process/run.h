/* A thread's task. */
#pragma once

#include "thread.h"

/** Make the task that carries a thread whose registers are set; task_wake lets it run. @return 0 or -ENOMEM */
int thread_create_task(struct thread *t, const char *name) __must_check;
