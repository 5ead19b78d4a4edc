/* Switches between VMs: their ports, and whom a frame goes to. */
#include <vmm/switch.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <caisson/time.h>
#include <vmm/offload.h>

#define LOG_NAME "switch"
#include <caisson/log.h>

/* 01-80-C2-00-00-0x: between neighbouring switches; no switch passes it on (IEEE 802.1D, 7.12.6). */
#define NEIGHBOURS UINT64_C(0x000000c28001)
#define NEIGHBOURS_MASK UINT64_C(0xf0ffffffffff)

struct net_switch {
	char name[VM_NAME_MAX];
	spinlock_t lock;           /* of the following; innermost but for the log */
	struct mac_table macs;
	struct switch_port *ports[SWITCH_PORTS_MAX]; /* NULL: free */
};

/* Made by the manager task, and never removed. */
static struct net_switch switches[SWITCHES_MAX];
static unsigned n_switches;

static void count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

void switch_port_drop(struct switch_port *port, enum switch_drop why)
{
	count(&port->counters.drops[why], 1);
}

/* --- switches and ports --- */

static void out_of_patience(struct timer *t);

static struct net_switch *find(const char *name)
{
	for (unsigned i = 0; i < n_switches; i++)
		if (strcmp(switches[i].name, name) == 0)
			return &switches[i];
	return NULL;
}

static struct net_switch *find_or_make(const char *name)
{
	struct net_switch *sw = find(name);

	if (sw || n_switches == SWITCHES_MAX)
		return sw;
	sw = &switches[n_switches];
	*sw = (struct net_switch){ .lock = SPINLOCK_INIT };
	snprintf(sw->name, sizeof(sw->name), "%s", name);
	n_switches++;
	return sw;
}

static int enter(struct net_switch *sw, struct switch_port *port)
{
	for (unsigned i = 0; i < SWITCH_PORTS_MAX; i++) {
		if (sw->ports[i])
			continue;
		if (port->has_address && !mac_fix(&sw->macs, port, mac_number(port->address)))
			return -EEXIST;
		sw->ports[i] = port;
		port->index = i;
		return 0;
	}
	return -ENOSPC;
}

int switch_port_add(const char *name, struct switch_port *port, char *err, size_t err_size)
{
	struct net_switch *sw = find_or_make(name);
	irqflags_t flags;
	int error;

	if (!sw) {
		snprintf(err, err_size, "switch '%s': there are more than %d switches", name, SWITCHES_MAX);
		return -ENOSPC;
	}
	port->net_switch = sw;
	timer_init(&port->patience, out_of_patience);
	flags = spin_lock_irqsave(&sw->lock);
	error = enter(sw, port);
	spin_unlock_irqrestore(&sw->lock, flags);
	if (error)
		port->net_switch = NULL;
	if (error == -ENOSPC)
		snprintf(err, err_size, "switch '%s': it has no more than %d ports", name, SWITCH_PORTS_MAX);
	else if (error)
		snprintf(err, err_size, "switch '%s': the MAC address is another port's", name);
	else
		log_debug("%s: port %u of %s", name, port->number, port->owner);
	return error;
}

/* No port of that index is called back any more. */
static void forget_waiter(struct net_switch *sw, unsigned index)
{
	for (unsigned i = 0; i < SWITCH_PORTS_MAX; i++)
		if (sw->ports[i])
			sw->ports[i]->waiters &= ~(uint32_t)BIT(index);
}

bool switch_port_is_of(const struct switch_port *port, const char *name)
{
	return strcmp(port->net_switch->name, name) == 0;
}

void switch_port_set_link(struct switch_port *port, bool up)
{
	__atomic_store_n(&port->down, !up, __ATOMIC_RELEASE);
}

bool switch_port_has_link(const struct switch_port *port)
{
	return !__atomic_load_n(&port->down, __ATOMIC_ACQUIRE);
}

/* --- forwarding --- */

/* Keep a port from going away. The switch's lock is held. */
static void hold(struct switch_port *port)
{
	__atomic_fetch_add(&port->users, 1, __ATOMIC_RELAXED);
}

static void let_go(struct switch_port *port)
{
	__atomic_fetch_sub(&port->users, 1, __ATOMIC_RELEASE);
}

static enum switch_drop drop_reason(int error)
{
	switch (error) {
	case -EAGAIN:
		return DROP_FULL;
	case -ENOTCONN:
		return DROP_DOWN;
	case -EMSGSIZE:
		return DROP_TOO_LONG;
	default:
		return DROP_FAILED;
	}
}

/* It has no buffers. @return ticks for which it is worth waiting */
static uint64_t patience_left(struct switch_port *to)
{
	uint64_t now = time_now() | 1, all = time_from_us(SWITCH_PATIENCE_US), since = 0;

	if (__atomic_compare_exchange_n(&to->full_since, &since, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return all;
	return now - since < all ? since + all - now : 0;
}

/*
 * It has taken a frame: that buys it some patience and not all of it, or one buffer now and then would be enough to
 * hold up whatever else its senders have.
 */
static void took_one(struct switch_port *to)
{
	uint64_t since = __atomic_load_n(&to->full_since, __ATOMIC_RELAXED), now = time_now();
	uint64_t all = time_from_us(SWITCH_PATIENCE_US);

	if (now - since > all)
		since = now - all;
	since += time_from_us(SWITCH_EARNED_US);
	__atomic_store_n(&to->full_since, since < now ? since : 0, __ATOMIC_RELAXED);
}

/* Note down that `from` is called back when there are buffers, or after so long. */
static void wait_for(struct switch_port *to, const struct switch_port *from, uint64_t ticks)
{
	irqflags_t flags = spin_lock_irqsave(&to->net_switch->lock);

	if (!(to->waiters & BIT(from->index)))
		count(&to->counters.waits, 1);
	__atomic_store_n(&to->waiters, to->waiters | (uint32_t)BIT(from->index), __ATOMIC_SEQ_CST);
	if (!to->armed)
		timer_arm(&to->patience, time_now() + ticks + 1);
	to->armed = true;
	spin_unlock_irqrestore(&to->net_switch->lock, flags);
}

static int deliver(struct switch_port *to, const struct net_frame *frame)
{
	return switch_port_has_link(to) ? to->ops->deliver(to, frame) : -ENOTCONN;
}

/*
 * @return 0, or -EAGAIN: it is noted down who waits. That is done before a second attempt: buffers that come
 * meanwhile are either seen by it, or their owner sees who waits.
 */
static int hand_over(struct switch_port *from, struct switch_port *to, const struct net_frame *frame, bool may_wait)
{
	int error = deliver(to, frame);
	uint64_t patience = unlikely(error == -EAGAIN) && may_wait ? patience_left(to) : 0;

	if (unlikely(patience)) {
		wait_for(to, from, patience);
		error = deliver(to, frame);
		if (error == -EAGAIN)
			return error;
	}
	if (unlikely(error)) {
		switch_port_drop(to, drop_reason(error));
		return 0;
	}
	if (unlikely(__atomic_load_n(&to->full_since, __ATOMIC_RELAXED)))
		took_one(to);
	count(&to->counters.received, 1);
	count(&to->counters.received_bytes, frame->len);
	return 0;
}

/* The next of those who wait, in turn and held; it waits no longer. */
static struct switch_port *next_waiter(struct switch_port *to)
{
	irqflags_t flags = spin_lock_irqsave(&to->net_switch->lock);
	uint32_t later = to->waiters & (uint32_t)~BITS(to->served, 0), from = later ? later : to->waiters;
	struct switch_port *port = NULL;

	if (from) {
		to->served = (unsigned)__builtin_ctz(from);
		port = to->net_switch->ports[to->served];
		__atomic_store_n(&to->waiters, to->waiters & ~(uint32_t)BIT(to->served), __ATOMIC_SEQ_CST);
	}
	if (port)
		hold(port);
	spin_unlock_irqrestore(&to->net_switch->lock, flags);
	return port;
}

/* Let those who wait now try again, each once. @return one of them has more to do: it waits again */
static bool resume_waiters(struct switch_port *to)
{
	int n = __builtin_popcount(__atomic_load_n(&to->waiters, __ATOMIC_SEQ_CST));
	bool more = false;

	while (!more && n-- > 0) {
		struct switch_port *from = next_waiter(to);

		if (!from) /* it was removed meanwhile */
			continue;
		more = from->ops->resume(from);
		if (more)
			wait_for(to, from, time_from_us(SWITCH_RETRY_US));
		let_go(from);
	}
	return more;
}

bool switch_port_ready(struct switch_port *port)
{
	return unlikely(__atomic_load_n(&port->waiters, __ATOMIC_SEQ_CST)) && resume_waiters(port);
}

/* No frame was taken for so long: those that wait now are dropped when they are sent again. */
static void out_of_patience(struct timer *t)
{
	struct switch_port *to = container_of(t, struct switch_port, patience);
	irqflags_t flags = spin_lock_irqsave(&to->net_switch->lock);

	to->armed = false;
	spin_unlock_irqrestore(&to->net_switch->lock, flags);
	(void)resume_waiters(to);
}

/* Those that wait for a port that is gone: each is called back by its own timer, and finds that its frames go elsewhere. */
static void release_waiters(struct switch_port *gone)
{
	while (__atomic_load_n(&gone->waiters, __ATOMIC_SEQ_CST)) {
		struct switch_port *from = next_waiter(gone);

		if (!from)
			continue;
		wait_for(from, from, time_from_us(SWITCH_RETRY_US));
		let_go(from);
	}
}

void switch_port_remove(struct switch_port *port)
{
	struct net_switch *sw = port->net_switch;
	irqflags_t flags = spin_lock_irqsave(&sw->lock);

	mac_forget(&sw->macs, port);
	forget_waiter(sw, port->index);
	sw->ports[port->index] = NULL;
	spin_unlock_irqrestore(&sw->lock, flags);
	/* Whoever hands it a frame has interrupts off, so it is another hart, and soon done. */
	while (__atomic_load_n(&port->users, __ATOMIC_ACQUIRE))
		cpu_relax();
	timer_cancel_sync(&port->patience);
	release_waiters(port);
}

static bool may_talk(const struct switch_port *a, const struct switch_port *b)
{
	return !(a->isolated && b->isolated);
}

static int to_one(struct switch_port *from, struct switch_port *to, const struct net_frame *frame)
{
	int error = 0;

	if (unlikely(to == from))
		switch_port_drop(from, DROP_LOCAL);
	else if (unlikely(!may_talk(from, to)))
		switch_port_drop(from, DROP_ISOLATED);
	else
		error = hand_over(from, to, frame, from->ops->resume != NULL);
	let_go(to);
	return error;
}

/* The i-th port, held, if a frame to many goes there. */
static struct switch_port *flooded(struct net_switch *sw, unsigned i, const struct switch_port *from)
{
	struct switch_port *to;
	irqflags_t flags;

	if (!__atomic_load_n(&sw->ports[i], __ATOMIC_RELAXED))
		return NULL;
	flags = spin_lock_irqsave(&sw->lock);
	to = sw->ports[i];
	if (to && (to == from || !may_talk(from, to)))
		to = NULL;
	if (to)
		hold(to);
	spin_unlock_irqrestore(&sw->lock, flags);
	return to;
}

static void to_many(struct switch_port *from, const struct net_frame *frame)
{
	struct net_switch *sw = from->net_switch;
	unsigned copies = 0;

	for (unsigned i = 0; i < SWITCH_PORTS_MAX; i++) {
		struct switch_port *to = flooded(sw, i, from);

		if (!to)
			continue;
		(void)hand_over(from, to, frame, false);
		let_go(to);
		copies++;
	}
	from->copies = copies;
}

/* Learn where it comes from, find where it goes to. @return false: its source is another's */
static bool look_up(struct switch_port *from, uint64_t source, uint64_t destination, struct switch_port **to)
{
	struct net_switch *sw = from->net_switch;
	uint64_t now = time_now();
	irqflags_t flags;
	bool honest;

	*to = NULL;
	flags = spin_lock_irqsave(&sw->lock);
	honest = mac_learn(&sw->macs, from, source, now);
	if (likely(honest) && !mac_is_group(destination))
		*to = mac_find(&sw->macs, destination, now);
	if (*to)
		hold(*to);
	spin_unlock_irqrestore(&sw->lock, flags);
	return honest;
}

int switch_send(struct switch_port *from, const struct net_frame *frame)
{
	const uint8_t *header = frame->segs[0].data;
	uint64_t destination = mac_number(header), source = mac_number(header + NET_MAC_SIZE);
	struct switch_port *to;
	int error = 0;

	from->copies = 1;
	if (unlikely(!switch_port_has_link(from))) {
		switch_port_drop(from, DROP_DOWN);
		return 0;
	}
	if (unlikely(mac_is_group(source) || !source || offload_check(frame))) {
		switch_port_drop(from, DROP_BAD);
		return 0;
	}
	if (unlikely(!look_up(from, source, destination, &to))) {
		switch_port_drop(from, DROP_SPOOFED);
		return 0;
	}
	if (likely(to))
		error = to_one(from, to, frame);
	else if (unlikely((destination & NEIGHBOURS_MASK) == NEIGHBOURS))
		switch_port_drop(from, DROP_LOCAL);
	else
		to_many(from, frame);
	if (likely(!error)) {
		count(&from->counters.sent, 1);
		count(&from->counters.sent_bytes, frame->len);
	}
	return error;
}

/* --- for the monitor --- */

static void describe(const struct switch_port *p, struct switch_port_state *out)
{
	*out = (struct switch_port_state){
		.number = p->number, .has_address = p->has_address, .isolated = p->isolated,
		.uplink = p->uplink, .up = switch_port_has_link(p), .counters = p->counters,
	};
	snprintf(out->net_switch, sizeof(out->net_switch), "%s", p->net_switch->name);
	snprintf(out->owner, sizeof(out->owner), "%s", p->owner);
	memcpy(out->address, p->address, sizeof(out->address));
}

void switch_for_each_port(void (*fn)(const struct switch_port_state *s, void *arg), void *arg)
{
	struct switch_port_state state;

	for (unsigned i = 0; i < n_switches * SWITCH_PORTS_MAX; i++) {
		struct net_switch *sw = &switches[i / SWITCH_PORTS_MAX];
		irqflags_t flags = spin_lock_irqsave(&sw->lock);
		const struct switch_port *port = sw->ports[i % SWITCH_PORTS_MAX];

		if (port)
			describe(port, &state);
		spin_unlock_irqrestore(&sw->lock, flags);
		if (port)
			fn(&state, arg);
	}
}

static void describe_mac(const struct switch_port *p, const struct switch_mac *m, struct switch_mac_state *out)
{
	*out = (struct switch_mac_state){ .number = p->number, .fixed = m == &p->fixed,
					  .age_ns = m->seen > 1 ? time_to_ns(time_now() - m->seen) : 0 };
	snprintf(out->net_switch, sizeof(out->net_switch), "%s", p->net_switch->name);
	snprintf(out->owner, sizeof(out->owner), "%s", p->owner);
	for (unsigned i = 0; i < NET_MAC_SIZE; i++)
		out->address[i] = (uint8_t)(m->mac >> (8 * i));
}

static void each_mac_of(struct net_switch *sw, unsigned port, void (*fn)(const struct switch_mac_state *s, void *arg),
			void *arg)
{
	struct switch_mac_state state;

	for (unsigned i = 0; i <= SWITCH_LEARNED_MAX; i++) {
		irqflags_t flags = spin_lock_irqsave(&sw->lock);
		const struct switch_port *p = sw->ports[port];
		const struct switch_mac *m = !p ? NULL : i == 0 ? &p->fixed : &p->learned[i - 1];
		bool used = m && m->seen;

		if (used)
			describe_mac(p, m, &state);
		spin_unlock_irqrestore(&sw->lock, flags);
		if (used)
			fn(&state, arg);
	}
}

void switch_for_each_mac(void (*fn)(const struct switch_mac_state *s, void *arg), void *arg)
{
	for (unsigned i = 0; i < n_switches; i++)
		for (unsigned port = 0; port < SWITCH_PORTS_MAX; port++)
			each_mac_of(&switches[i], port, fn, arg);
}
