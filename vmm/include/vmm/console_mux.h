/*
 * One serial line, many VM consoles.
 *
 * All that a VM writes goes through its ring, which keeps the last of it. A VM is
 * shown while it is attached (under --batch all are). What a shown VM writes goes
 * to its channel as fast as the line takes it; when the ring of a shown VM has
 * bytes that still wait for the line, the VM is slow: its UART says that the
 * transmitter is full, its debug console takes nothing. A VM that is not shown is
 * never slow: its oldest bytes are overwritten, and counted if nobody saw them,
 * unless the host wants all of it (struct vm_config.console_log): then it has a
 * hidden channel of its own and waits for the line as the others do.
 *
 * On attach the bytes that nobody saw are shown, with some lines before them.
 * What was written earlier is shown on the monitor's channel, so that a VM's own
 * channels carry each byte once and in order.
 *
 * Input goes to the attached VM, or to the monitor from the escape key on.
 */
#pragma once

#include <caisson/types.h>
#include <vmm/vdev.h>

struct vm;

/** The key that switches between a VM's console and the monitor: Ctrl-]. */
#define CONSOLE_ESCAPE 0x1d

/** Take over the console's input. batch: no monitor, every VM's output passes. Once. */
void console_mux_init(bool batch);
/** A VM comes / goes: its ring. @return 0, -ENOMEM or -ENOSPC (no channel is left). Task context. */
int console_mux_add(struct vm *vm) __must_check;
void console_mux_remove(struct vm *vm);

/** A byte that the guest wrote. Any context. */
enum vdev_output console_mux_put(struct vm *vm, char byte);
/** As many of the bytes that the guest wrote as can be taken now. Any context. @return how many; 0: it is slow. */
size_t console_mux_write(struct vm *vm, const char *buf, size_t n);
/** Do bytes of a VM that is shown wait for the line? Any context. */
bool console_mux_slow(const struct vm *vm);
/** Wait until they do not: after the VM's end, before it is spoken of. Task context. */
void console_mux_settle(struct vm *vm);
/** Bytes for the guest's debug-console reads (they are taken from the VM's UART queue). @return how many. */
size_t console_mux_read(struct vm *vm, char *buf, size_t n);
/** The VM's UART has room again. */
void console_mux_ready(struct vm *vm);

/** Show this VM and send input to it; NULL: the monitor. Task context. */
void console_mux_attach(struct vm *vm);
/** The VM that is shown, or NULL. */
struct vm *console_mux_attached(void);
/** Show the line again that the attached VM has not ended, after something else was printed. Any context. */
void console_mux_redraw(void);

/** What a VM's ring holds and what was lost, for `vm stats`. */
struct console_stats {
	uint64_t size, unseen, lost; /* bytes: of the ring, in it and never shown, overwritten and never shown */
	uint64_t dropped;            /* bytes typed that the guest did not read in time */
};

void console_mux_stats(const struct vm *vm, struct console_stats *stats);
/** Position of the beginning of the VM's last lines. Task context, and the VM must not go away. */
uint64_t console_mux_tail(const struct vm *vm, unsigned lines);
/** Copy kept bytes from *at on, which moves behind them. @return how many; 0: that was the end. Task context. */
size_t console_mux_copy(const struct vm *vm, uint64_t *at, char *buf, size_t n);

/** Wait for a byte for the monitor. Task context. @return it (0 to 255), or -ETIMEDOUT: none came until the deadline (ticks). */
int console_mux_getc(uint64_t deadline);
/** Give the attached VM a byte that was typed for it but came to the monitor, behind an escape key. Task context. */
void console_mux_forward(char c);
