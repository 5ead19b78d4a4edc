/* A virtio network device (virtio 1.2, section 5.1): frames of one piece each way, without offloads. */
#pragma once

#include "virtio.h"

/* Features, 5.1.3. */
enum { NIC_F_MAC = 5, NIC_F_STATUS = 16 };

#define NIC_HEADER	12u	/* before each frame, 5.1.6 */
#define NIC_FRAME_MAX	1514u
#define NIC_BUFFERS	64u	/* each way */

struct nic_buffer {
	uint8_t header[NIC_HEADER];
	uint8_t frame[NIC_FRAME_MAX];
	uint32_t len;		/* of the frame that came in */
};

struct nic {
	struct virtio dev;
	struct virtq rx, tx;
	uint8_t mac[6];
	struct nic_buffer in[NIC_BUFFERS], out[NIC_BUFFERS];
	struct nic_buffer *free[NIC_BUFFERS];	/* of out */
	unsigned n_free;
};

/** Begin with the nth network device. deaf: it is given no buffers to receive into. @return whether it is there. */
bool nic_open(struct nic *nic, unsigned nth, bool deaf);

/** Is the cable in? */
bool nic_link(const struct nic *nic);

/** A buffer for the next frame; waits until the device has read an earlier one if there is none. */
struct nic_buffer *nic_buffer(struct nic *nic);

/** Send len bytes of its frame. The device learns of it by nic_kick(). */
void nic_send(struct nic *nic, struct nic_buffer *b, uint32_t len);
void nic_kick(struct nic *nic);

/** The next frame that came in, or NULL. It goes back with nic_done(), which tells the device only if that wants to know. */
struct nic_buffer *nic_receive(struct nic *nic);
void nic_done(struct nic *nic, struct nic_buffer *b);
