/*
 * Channels between VMs: shared memory with a doorbell for each member.
 *
 * A channel is defined once, at the start, with its access list: which VMs may
 * attach, and how. Its memory is there while a VM is attached, zero at first. A
 * member is a VM on the list; it is attached while it exists, and present while
 * its guest says so. This is the core: how a guest finds a channel (registers, an
 * interrupt line, the windows in its memory map) is a front end's business, for
 * now that of vmm/device/vchannel.c (docs/channel.md).
 *
 * Channels are defined, attached and detached by the manager task only. Everything
 * else is any context. Lock order: channel -> front end -> interrupt controller.
 */
#pragma once

#include <caisson/types.h>
#include <vmm/config.h>

#define CHANNELS_MAX 16

struct channel;

/** What a machine's bundle says of a channel (channel/0.dtb ...; docs/host.md). */
struct channel_config {
	char name[VM_NAME_MAX];
	uint64_t size;          /* bytes: a power of two, CHANNEL_SIZE_MIN to CHANNEL_SIZE_MAX */
	unsigned n_members;
	struct channel_right members[CHANNEL_MEMBERS_MAX]; /* the access list, the owner first: VMs by name */
};

/** `from` of an event: members came or went. */
#define CHANNEL_PRESENCE 31

/** One attached VM's end of a channel. Its user provides the memory and fills in nothing. */
struct channel_end {
	struct channel *channel;
	unsigned number;        /* place in the access list: the member's number */
	bool write;             /* its memory is mapped read-write */
	/* Guarded by the channel: */
	bool present;
	uint64_t rings, rung;   /* how often it rang others, how often others rang it */
	void (*event)(void *arg, unsigned from);
	void *arg;
};

/**
 * Read a channel's description.
 * @param fdt, size  the blob, of any content and alignment
 * @param[out] err   on failure a message that names the property
 * @return 0, -EINVAL, -ENOMEM
 */
int channel_config_parse(const void *fdt, uint64_t size, struct channel_config *out,
			 char *err, size_t err_size) __must_check;

/** "NAME:rw" or "NAME:ro". @return 0, or -EINVAL: it is neither, or the name is none. */
int channel_right_parse(const char *text, struct channel_right *out) __must_check;

/** Add a channel to the machine's. @return 0, -EEXIST (its name is taken), -ENOSPC (CHANNELS_MAX), each with a message. */
int channel_define(const struct channel_config *config, char *err, size_t err_size) __must_check;
/**
 * Attach a VM. The first one makes the memory: zero, physically contiguous, aligned to its size.
 * @param want  the channel's name and the access asked for; read-only may be asked for where read-write is allowed
 * @param[out] err  on failure why, without the VM's name
 * @return 0; -ENOENT (no such channel), -EACCES (the list does not have it), -EEXIST (it is attached), -ENOMEM
 */
int channel_attach(const struct channel_right *want, const char *vm, struct channel_end *end,
		   char *err, size_t err_size) __must_check;
/** Leave; the last one takes the memory along. No event comes to this end any more. */
void channel_detach(struct channel_end *end);

/** Where events of this end go: called with the channel's lock held and interrupts off, with the number of the member
 *  that rang, or CHANNEL_PRESENCE. Only a present member is rung, so this comes before channel_set_present. */
void channel_listen(struct channel_end *end, void (*event)(void *arg, unsigned from), void *arg);

const struct channel_config *channel_config(const struct channel_end *end);
hpa_t channel_memory(const struct channel_end *end);

/** The guest is ready, or is not any more. The other members that are present get CHANNEL_PRESENCE if that is news. */
void channel_set_present(struct channel_end *end, bool present);
/** Which members are present, as a mask of their numbers. */
uint32_t channel_present(const struct channel_end *end);
/** Ring a member's doorbell. One that is not present, or that is none, hears nothing. to: any value. */
void channel_ring(struct channel_end *end, uint32_t to);

/** For the monitor. */
struct channel_member_state {
	bool attached, present, write;
	uint64_t rings, rung;
};

struct channel_state {
	struct channel_config config;
	bool has_memory;
	struct channel_member_state members[CHANNEL_MEMBERS_MAX];
};

/** What the i-th channel is like now. @return 0, or -ENOENT: there are not so many. */
int channel_look(unsigned i, struct channel_state *out) __must_check;
