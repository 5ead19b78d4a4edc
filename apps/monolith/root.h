/* The root file system of the monolith. */
#pragma once

/** Make it. Once, task context. @return 0, or negative errno, with a message where something of the initrd is the cause. */
int root_mount(void) __attribute__((warn_unused_result));
