/*
 * The virtio console of a VM (vmm/virtio/console.c): an end of its console beside the UART.
 */
#pragma once

#include <caisson/types.h>
#include <vmm/virtio.h>

/** Section 5.3. It has no back end: it writes to its VM's console. */
extern const struct vio_type vio_console_type;

/** Has its driver offered room for input since it began? Any context. */
bool vio_console_listens(const struct vio *dev);
/**
 * Offer what was typed. Any context. @return how many bytes it took; if fewer than n, the host's console_ready
 * is called later (vmm/vdev.h)
 */
size_t vio_console_input(struct vio *dev, const char *buf, size_t n);
/** The terminal's size; 0: not known. Its driver is told if it is another. Any context, one caller at a time. */
void vio_console_resize(struct vio *dev, unsigned columns, unsigned rows);
