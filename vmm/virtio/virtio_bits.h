/* Numbers of virtio 1.2 that transport, device and ring share: features of the ring and the transport (6), status (2.1). */
#pragma once

#include <caisson/types.h>

enum { F_INDIRECT_DESC = 28, F_EVENT_IDX = 29, F_VERSION_1 = 32 };

enum {
	STATUS_ACKNOWLEDGE = 1, STATUS_DRIVER = 2, STATUS_DRIVER_OK = 4, STATUS_FEATURES_OK = 8,
	STATUS_NEEDS_RESET = 64, STATUS_FAILED = 128,
};
