/*
 * What network devices leave to one another: checksums, and cutting a large TCP packet into what goes over the wire.
 * Done here for receivers that cannot take a frame as it is. Pure functions: they look at the frame alone, and what
 * it says of itself is checked.
 */
#pragma once

#include <caisson/net.h>
#include <caisson/types.h>

#define OFFLOAD_SEGMENTS_MAX 64 /* pieces that a frame may have */
#define OFFLOAD_CUTS_MAX 128    /* packets that one may be cut into: 64 KiB with an MSS of 536 */
#define OFFLOAD_HEADERS_MAX 256 /* bytes of Ethernet, IP and TCP headers */

/**
 * Does what is to be done to a frame make sense?
 * @return 0; -EINVAL: a checksum beyond its end, no TCP packet where one is to be cut, or too many packets out of it
 */
int offload_check(const struct net_frame *frame) __must_check;

/** May it be given as it is to somebody who can do this? can: enum net_feature, the first group. */
bool offload_fits(const struct net_offload *offload, uint32_t can);

/**
 * Make of a frame what needs nothing done to it any more, one packet after the other.
 * @param emit  gets each; the frame and its data are good until it returns. Unless it returns 0 that is the end.
 * @return 0, what emit returned, or as offload_check; -EMSGSIZE: it has more than OFFLOAD_SEGMENTS_MAX pieces
 */
int offload_finish(const struct net_frame *frame, int (*emit)(const struct net_frame *frame, void *arg), void *arg) __must_check;

/**
 * Ones' complement sum of n bytes, folded (RFC 1071), as it stands in memory: not complemented.
 * @param sum  what to begin with; n has to be even for another part to follow
 */
uint16_t offload_sum(uint16_t sum, const void *data, size_t n);

/** Copy n bytes of a frame from off on. @return bytes copied: fewer at its end. */
uint32_t offload_copy(const struct net_frame *frame, uint32_t off, void *to, uint32_t n);
