/*
 * One serial line, many VM consoles.
 *
 * Output of the attached VM goes to its channel at once; output of the others
 * is kept in a ring per VM (oldest bytes overwritten, counted) and shown when
 * that VM is attached. Under --batch all output passes. Input goes to the
 * attached VM, or to the monitor from the escape key on.
 */
#pragma once

#include <caisson/types.h>

struct vm;

/** The key that switches between a VM's console and the monitor: Ctrl-]. */
#define CONSOLE_ESCAPE 0x1d

/** Take over the console's input. batch: no monitor, every VM's output passes. Once. */
void console_mux_init(bool batch);
/** A VM comes / goes: its ring. @return 0 or -ENOMEM. Task context. */
int console_mux_add(struct vm *vm) __must_check;
void console_mux_remove(struct vm *vm);

/** Bytes the guest wrote. Any context. */
void console_mux_output(struct vm *vm, const char *buf, size_t n);
/** Bytes for the guest's debug-console reads (they are taken from the VM's UART queue). @return how many. */
size_t console_mux_read(struct vm *vm, char *buf, size_t n);
/** The VM's UART has room again. */
void console_mux_ready(struct vm *vm);

/** Show this VM and send input to it; NULL: the monitor. Task context. */
void console_mux_attach(struct vm *vm);
/** The VM that is shown, or NULL. */
struct vm *console_mux_attached(void);
/** Bytes of scrollback that were overwritten unseen. */
uint64_t console_mux_lost(const struct vm *vm);
/** Wait for a byte for the monitor. Task context. @return it (0 to 255), or -ETIMEDOUT: none came until the deadline (ticks). */
int console_mux_getc(uint64_t deadline);
/** Give the attached VM a byte that was typed for it but came to the monitor, behind an escape key. Task context. */
void console_mux_forward(char c);
