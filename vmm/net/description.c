/* Reading what a VM's description says of one of its network ports (docs/host.md). The host tool has checked it before. */
#include <vmm/net.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmm/config.h>

_Static_assert(NET_SWITCH_NAME_MAX == VM_NAME_MAX, "the same names");

struct reader {
	struct net_config *out;
	char *err;
	size_t err_size;
};

/* A piece of the text between commas: its name, and what stands behind the '='. */
struct item {
	const char *name, *value;
	size_t name_len, value_len; /* value_len 0: there is none */
};

static int __printf(2, 3) refuse(const struct reader *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(r->err, r->err_size, format, args);
	va_end(args);
	return -EINVAL;
}

static int read_name(const struct reader *r, const struct item *it, char *out, const char *what)
{
	bool good = it->value_len && it->value_len < NET_SWITCH_NAME_MAX;

	for (size_t i = 0; good && i < it->value_len; i++)
		good = vm_name_char(it->value[i]);
	if (!good)
		return refuse(r, "\"%.*s\" is not the name of a %s", (int)MIN(it->value_len, (size_t)40), it->value, what);
	memcpy(out, it->value, it->value_len);
	out[it->value_len] = '\0';
	return 0;
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static int read_mac(const struct reader *r, const struct item *it)
{
	bool good = it->value_len == 3 * NET_MAC_SIZE - 1;

	for (unsigned i = 0; good && i < NET_MAC_SIZE; i++) {
		const char *c = it->value + 3 * i;
		int high = hex_digit(c[0]), low = hex_digit(c[1]);

		good = high >= 0 && low >= 0 && (i == NET_MAC_SIZE - 1 || c[2] == ':');
		r->out->mac[i] = (uint8_t)(high << 4 | low);
	}
	return good && !(r->out->mac[0] & 1) ? 0 : refuse(r, "mac is not that of one device");
}

static int read_mtu(const struct reader *r, const struct item *it)
{
	char *end;
	unsigned long n = strtoul(it->value, &end, 10);

	if (!it->value_len || end != it->value + it->value_len || n < NET_MTU_MIN || n > NET_MTU_MAX)
		return refuse(r, "mtu is not %d to %d", NET_MTU_MIN, NET_MTU_MAX);
	r->out->mtu = (uint16_t)n;
	return 0;
}

static int read_uplink(const struct reader *r, const struct item *it)
{
	return read_name(r, it, r->out->uplink, "device");
}

static int read_isolated(const struct reader *r, const struct item *it)
{
	r->out->isolated = true;
	return it->value_len ? refuse(r, "isolated has a value") : 0;
}

static int read_plain(const struct reader *r, const struct item *it)
{
	r->out->plain = true;
	return it->value_len ? refuse(r, "plain has a value") : 0;
}

static const struct {
	const char *name;
	int (*read)(const struct reader *r, const struct item *it);
} items[] = {
	{ "mac", read_mac }, { "mtu", read_mtu }, { "isolated", read_isolated }, { "plain", read_plain }, { "uplink", read_uplink },
};

static int read_item(const struct reader *r, const struct item *it, uint32_t *seen)
{
	for (unsigned i = 0; i < ARRAY_SIZE(items); i++) {
		if (strlen(items[i].name) != it->name_len || memcmp(items[i].name, it->name, it->name_len) != 0)
			continue;
		if (*seen & BIT(i))
			return refuse(r, "%s is there twice", items[i].name);
		*seen |= (uint32_t)BIT(i);
		return items[i].read(r, it);
	}
	return refuse(r, "\"%.*s\" is unknown", (int)MIN(it->name_len, (size_t)40), it->name);
}

/* The next piece. @return what stands behind it, NULL: nothing does */
static const char *next_item(const char *text, struct item *it)
{
	size_t n = strcspn(text, ","), name = strcspn(text, ",=");

	it->name = text;
	it->name_len = name;
	it->value = text + name + (name < n);
	it->value_len = n - name - (name < n);
	return text[n] ? text + n + 1 : NULL;
}

int net_config_parse(const char *text, struct net_config *out, char *err, size_t err_size)
{
	const struct reader r = { out, err, err_size };
	uint32_t seen = 0;
	struct item it;
	int error;

	*out = (struct net_config){ .mtu = NET_MTU };
	text = next_item(text, &it);
	error = read_name(&r, &(struct item){ .value = it.name, .value_len = it.name_len }, out->net_switch, "switch");
	while (!error && text) {
		text = next_item(text, &it);
		error = read_item(&r, &it, &seen);
	}
	if (!error && !(seen & BIT(0)))
		return refuse(&r, "it has no mac");
	return error;
}
