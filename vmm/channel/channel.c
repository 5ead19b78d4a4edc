/* Channels between VMs: who may attach, the shared memory, presence and doorbells. */
#include <vmm/channel.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <caisson/log.h>
#include <caisson/mm.h>
#include <caisson/spinlock.h>

#define LOG_NAME "channel"

struct channel {
	struct channel_config config;
	spinlock_t lock;
	hpa_t memory;
	unsigned attached;
	struct channel_end *ends[CHANNEL_MEMBERS_MAX]; /* by number; NULL: not attached */
	uint32_t present;      /* atomic to read; changed under the lock */
};

static struct channel channels[CHANNELS_MAX];
static unsigned n_channels;

static struct channel *find(const char *name)
{
	for (unsigned i = 0; i < n_channels; i++)
		if (strcmp(channels[i].config.name, name) == 0)
			return &channels[i];
	return NULL;
}

int channel_define(const struct channel_config *config, char *err, size_t err_size)
{
	if (find(config->name)) {
		snprintf(err, err_size, "channel '%s' is described twice", config->name);
		return -EEXIST;
	}
	if (n_channels == CHANNELS_MAX) {
		snprintf(err, err_size, "channel '%s': there are more than %d channels", config->name, CHANNELS_MAX);
		return -ENOSPC;
	}
	channels[n_channels] = (struct channel){ .config = *config };
	n_channels++;
	return 0;
}

/* --- attaching --- */

static const struct channel_right *right_of(const struct channel *ch, const char *vm)
{
	for (unsigned i = 0; i < ch->config.n_members; i++)
		if (strcmp(ch->config.members[i].name, vm) == 0)
			return &ch->config.members[i];
	return NULL;
}

/* May this VM attach as it wants to? @return 0 and its number, or negative errno with the message. */
static int check(const struct channel_right *want, const char *vm, struct channel **channel, unsigned *number,
		 char *err, size_t n)
{
	struct channel *ch = find(want->name);
	const struct channel_right *right = ch ? right_of(ch, vm) : NULL;

	if (!ch) {
		snprintf(err, n, "channel '%s': there is no such channel", want->name);
		return -ENOENT;
	}
	if (!right) {
		snprintf(err, n, "channel '%s': not on its access list", want->name);
		return -EACCES;
	}
	if (want->write && !right->write) {
		snprintf(err, n, "channel '%s': its access list allows reading only", want->name);
		return -EACCES;
	}
	*channel = ch;
	*number = (unsigned)(right - ch->config.members);
	if (!ch->ends[*number])
		return 0;
	snprintf(err, n, "channel '%s': it is attached already", want->name);
	return -EEXIST;
}

static unsigned order_of(const struct channel *ch)
{
	unsigned order = 0;

	while (PAGE_SIZE << order < ch->config.size)
		order++;
	return order;
}

static void enter(struct channel *ch, struct channel_end *end)
{
	irqflags_t flags = spin_lock_irqsave(&ch->lock);

	ch->ends[end->number] = end;
	ch->attached++;
	spin_unlock_irqrestore(&ch->lock, flags);
}

int channel_attach(const struct channel_right *want, const char *vm, struct channel_end *end,
		   char *err, size_t err_size)
{
	struct channel *ch;
	unsigned number;
	int error = check(want, vm, &ch, &number, err, err_size);

	if (error) {
		log_warn("%s: attaching refused: %s", vm, err);
		return error;
	}
	if (ch->attached == 0 && frame_alloc(order_of(ch), FRAME_ZERO, &ch->memory)) {
		snprintf(err, err_size, "channel '%s': the machine has too little memory for it", want->name);
		return -ENOMEM;
	}
	*end = (struct channel_end){ .channel = ch, .number = number, .write = want->write };
	enter(ch, end);
	log_info("%s: attached to %s as member %u, %s", vm, want->name, number, want->write ? "rw" : "ro");
	return 0;
}

void channel_detach(struct channel_end *end)
{
	struct channel *ch = end->channel;
	irqflags_t flags;
	unsigned left;

	channel_set_present(end, false);
	flags = spin_lock_irqsave(&ch->lock);
	ch->ends[end->number] = NULL;
	left = --ch->attached;
	spin_unlock_irqrestore(&ch->lock, flags);
	if (left == 0)
		frame_free(ch->memory, order_of(ch));
	end->channel = NULL;
}

void channel_listen(struct channel_end *end, void (*event)(void *arg, unsigned from), void *arg)
{
	irqflags_t flags = spin_lock_irqsave(&end->channel->lock);

	end->event = event;
	end->arg = arg;
	spin_unlock_irqrestore(&end->channel->lock, flags);
}

const struct channel_config *channel_config(const struct channel_end *end)
{
	return &end->channel->config;
}

hpa_t channel_memory(const struct channel_end *end)
{
	return end->channel->memory;
}

/* --- presence and doorbells --- */

static void tell_others(struct channel *ch, const struct channel_end *but)
{
	for (unsigned i = 0; i < ch->config.n_members; i++) {
		struct channel_end *end = ch->ends[i];

		if (end && end != but && end->present && end->event)
			end->event(end->arg, CHANNEL_PRESENCE);
	}
}

void channel_set_present(struct channel_end *end, bool present)
{
	struct channel *ch = end->channel;
	irqflags_t flags = spin_lock_irqsave(&ch->lock);
	uint32_t mask = present ? ch->present | (uint32_t)BIT(end->number) : ch->present & ~(uint32_t)BIT(end->number);
	bool news = end->present != present;

	end->present = present;
	__atomic_store_n(&ch->present, mask, __ATOMIC_SEQ_CST);
	if (news)
		tell_others(ch, end);
	spin_unlock_irqrestore(&ch->lock, flags);
}

uint32_t channel_present(const struct channel_end *end)
{
	return __atomic_load_n(&end->channel->present, __ATOMIC_SEQ_CST);
}

void channel_ring(struct channel_end *end, uint32_t to)
{
	struct channel *ch = end->channel;
	irqflags_t flags = spin_lock_irqsave(&ch->lock);
	struct channel_end *other = to < CHANNEL_MEMBERS_MAX ? ch->ends[to] : NULL;

	if (other && other->present && other->event) {
		end->rings++;
		other->rung++;
		other->event(other->arg, end->number);
	}
	spin_unlock_irqrestore(&ch->lock, flags);
}

/* --- for the monitor --- */

int channel_look(unsigned i, struct channel_state *out)
{
	struct channel *ch = &channels[i];
	irqflags_t flags;

	if (i >= n_channels)
		return -ENOENT;
	*out = (struct channel_state){ .config = ch->config };
	flags = spin_lock_irqsave(&ch->lock);
	out->has_memory = ch->attached != 0;
	for (unsigned m = 0; m < ch->config.n_members; m++) {
		const struct channel_end *end = ch->ends[m];

		if (end)
			out->members[m] = (struct channel_member_state){
				.attached = true, .present = end->present, .write = end->write,
				.rings = end->rings, .rung = end->rung,
			};
	}
	spin_unlock_irqrestore(&ch->lock, flags);
	return 0;
}
