/*
 * A switch's table of addresses. Entries are the ports' own, so whoever sends from very many addresses only
 * forgets its own. An address that is fixed, or was seen behind another port a moment ago, cannot be taken away.
 */
#include <caisson/time.h>
#include <vmm/switch.h>

#define MULTIPLIER UINT64_C(0x9e3779b97f4a7c15)

static struct switch_mac **bucket(struct mac_table *t, uint64_t mac)
{
	return &t->buckets[(mac * MULTIPLIER >> 32) % SWITCH_BUCKETS];
}

static bool is_fixed(const struct switch_mac *m)
{
	return m == &m->port->fixed;
}

static bool is_older(const struct switch_mac *m, uint64_t now, unsigned seconds)
{
	return !is_fixed(m) && now - m->seen > seconds * timebase_hz;
}

static struct switch_mac *find(struct mac_table *t, uint64_t mac)
{
	struct switch_mac *m = *bucket(t, mac);

	while (m && m->mac != mac)
		m = m->next;
	return m;
}

static void enter(struct mac_table *t, struct switch_mac *m, struct switch_port *port, uint64_t mac, uint64_t now)
{
	struct switch_mac **head = bucket(t, mac);

	*m = (struct switch_mac){ .mac = mac, .seen = now | 1, .port = port, .next = *head };
	*head = m;
}

static void leave(struct mac_table *t, struct switch_mac *m)
{
	struct switch_mac **at = bucket(t, m->mac);

	if (!m->seen)
		return;
	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	m->seen = 0;
}

struct switch_port *mac_find(struct mac_table *t, uint64_t mac, uint64_t now)
{
	struct switch_mac *m = find(t, mac);

	if (!m)
		return NULL;
	if (likely(!is_older(m, now, SWITCH_AGE_S)))
		return m->port;
	leave(t, m);
	return NULL;
}

/* A free entry of the port, or its oldest, free then. */
static struct switch_mac *make_room(struct mac_table *t, struct switch_port *port)
{
	struct switch_mac *oldest = &port->learned[0];

	for (unsigned i = 0; i < SWITCH_LEARNED_MAX; i++)
		if (port->learned[i].seen < oldest->seen)
			oldest = &port->learned[i];
	leave(t, oldest);
	return oldest;
}

bool mac_learn(struct mac_table *t, struct switch_port *port, uint64_t mac, uint64_t now)
{
	struct switch_mac *m = find(t, mac);

	if (likely(m && m->port == port)) {
		m->seen = now | 1;
		return true;
	}
	if (m) {
		if (!is_older(m, now, SWITCH_STICKY_S))
			return false;
		leave(t, m);
	}
	enter(t, make_room(t, port), port, mac, now);
	return true;
}

bool mac_fix(struct mac_table *t, struct switch_port *port, uint64_t mac)
{
	struct switch_mac *m = find(t, mac);

	if (m && is_fixed(m))
		return false;
	if (m)
		leave(t, m);
	enter(t, &port->fixed, port, mac, 0);
	return true;
}

void mac_forget(struct mac_table *t, struct switch_port *port)
{
	leave(t, &port->fixed);
	for (unsigned i = 0; i < SWITCH_LEARNED_MAX; i++)
		leave(t, &port->learned[i]);
}
