/* Loading a flat binary from a file and running it. */
#pragma once

/** @return the program's status, or negative errno: it could not be loaded. */
int program_run(const char *path) __attribute__((warn_unused_result));
