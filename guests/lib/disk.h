/* A virtio disk (virtio 1.2, section 5.2): several requests under way, waited for together. */
#pragma once

#include "virtio.h"

#define SECTOR 512u

/* Features, 5.2.3. */
enum { DISK_F_RO = 5, DISK_F_FLUSH = 9, DISK_F_WCE = 11, DISK_F_DISCARD = 13, DISK_F_ZEROES = 14 };

enum { DISK_READ = 0, DISK_WRITE = 1, DISK_FLUSH = 4 };
enum { DISK_OK = 0, DISK_IOERR = 1, DISK_UNSUPP = 2, DISK_UNDER_WAY = 0xff };

/** A request: the caller's until it is handed over, and again when its status is no longer DISK_UNDER_WAY. */
struct disk_request {
	struct {
		uint32_t type, reserved;
		uint64_t sector;
	} header;
	volatile uint8_t status;
};

struct disk {
	struct virtio dev;
	struct virtq vq;
	uint64_t n_sectors;
	unsigned under_way;
	unsigned errors;	/* requests that ended with one */
};

/** Begin with the nth disk, agreeing on those of these features (bits) that it offers. @return whether it is there. */
bool disk_open(struct disk *disk, unsigned nth, uint64_t features);

/** Switch the device's cache on, or off: then a write that is done is on the medium. Needs DISK_F_WCE. */
void disk_set_cache(struct disk *disk, bool on);

/** Hand a request over; waits while there is no room for it. The device learns of it by disk_wait_all(). */
void disk_submit(struct disk *disk, struct disk_request *rq, uint32_t type, uint64_t sector, void *data, uint32_t len);

/** Wait until all are done. @return whether all went well since the last time. */
bool disk_wait_all(struct disk *disk);

/** One request, waited for; nothing else is under way. @return its status. */
uint8_t disk_do(struct disk *disk, uint32_t type, uint64_t sector, void *data, uint32_t len);
