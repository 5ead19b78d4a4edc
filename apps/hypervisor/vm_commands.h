/* The sub-commands of the monitor's `vm`, in two files. Private to the hypervisor application. */
#pragma once

struct vm;

/** By name or, where no VM has that name, by id; says so when there is none. */
struct vm *vm_command_find(const char *word);
/** "running", "paused", "shut down" ... */
const char *vm_state_name(const struct vm *vm);

/* Each a struct shell_command's fn. */
int vm_pause_command(int argc, char **argv);
int vm_resume_command(int argc, char **argv);
int vm_stop_command(int argc, char **argv);
int vm_reset_command(int argc, char **argv);
int vm_start_command(int argc, char **argv);
int vm_create_command(int argc, char **argv);
int vm_delete_command(int argc, char **argv);
