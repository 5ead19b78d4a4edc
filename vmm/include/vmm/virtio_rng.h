/* The entropy device of a VM (vmm/virtio/rng.c): section 5.4. It has no back end: it asks <caisson/random.h>. */
#pragma once

#include <vmm/virtio.h>

extern const struct vio_type vio_rng_type;
