/* Several tasks at once in one file system. */
#pragma once

/** @return 0, or 1: something was not as it was written. */
int write_many(void);
