/*
 * What the monitor's commands about VMs share: finding the VM, its state in a word,
 * its vCPUs' times. Private to the hypervisor application.
 */
#pragma once

#include <caisson/types.h>
#include <shell/shell.h>

struct vcpu;
struct vm;

/** By name or, where no VM has that name, by id; says so when there is none. */
struct vm *vm_command_find(struct shell *sh, const char *word);
/** "running", "paused", "shut down" ... */
const char *vm_state_name(const struct vm *vm);
/** Why it ended, NULL while it has not or where there is nothing to say. */
const char *vm_end_reason(const struct vm *vm);
/** "running", "ready", "waiting", "stopped": where a vCPU is. */
const char *vcpu_state_name(const struct vcpu *v);
/** All exits of a vCPU. */
uint64_t vcpu_exits_total(const struct vcpu *v);
/** Bytes of its RAM that have frames, or 0 where it has no RAM now. */
uint64_t vm_backed_bytes(struct vm *vm);
#define VM_HARTS_TEXT 192 /* for 64 numbers with commas */
/** The harts it may run on, "0,2" or "all". out: VM_HARTS_TEXT bytes. @return the text */
const char *vm_hart_names(const struct vm *vm, char *out);
