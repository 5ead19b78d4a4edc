/* Between the files of the application: frames in and out (frames.c), ARP and echoes (ping.c). */
#pragma once

#include <caisson/mm.h>
#include <caisson/net.h>
#include <caisson/task.h>

#define RECEIVED_MAX 2048 /* bytes of a frame */

struct received {
	uint32_t len;
	uint8_t data[RECEIVED_MAX];
};

extern struct net_device *net;    /* the one that is used */
extern struct waitq link_queue;   /* told when its link changes */
extern const uint8_t ether_broadcast[NET_MAC_SIZE];

/** Open `net`: frames are kept from now on, as many as there is room for. @return 0 or negative errno. */
int receive_start(void);
/** The oldest frame, or NULL when the deadline (ticks) is over. Give it back with receive_done. */
struct received *receive_wait(uint64_t deadline);
void receive_done(struct received *r);
/** net_send, waiting while there is no room. */
int send_when_room(const struct net_frame *frame, net_sent_t done, void *arg);
/** The first NET_HEADER_SIZE bytes of a frame of ours. */
void ether_header(uint8_t *frame, const uint8_t *to, uint16_t type);

/** Find out who has an address, and ask for n echoes of so many bytes. @return 0 or negative errno, said. */
int ping(const char *address, unsigned n, uint32_t bytes);

static inline void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}
