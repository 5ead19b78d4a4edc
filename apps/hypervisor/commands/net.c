/* The monitor's commands about networks between VMs. */
#include <errno.h>
#include <stdio.h>

#include <shell/output.h>
#include <shell/shell.h>
#include <vmm/net.h>
#include <vmm/switch.h>
#include <vmm/vm.h>

#include "vm_commands.h"

#define MAC_TEXT 18
#define NS_PER_S UINT64_C(1000000000)

static const char *mac_text(const uint8_t *mac, char out[MAC_TEXT])
{
	snprintf(out, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return out;
}

struct port_row {
	const char *net_switch, *owner, *mac, *link;
	uint64_t number, isolated, uplink, sent, sent_bytes, received, received_bytes, dropped, waits;
	uint64_t bad, spoofed, isolation, local, full, down, too_long, failed;
};

static const struct shell_field port_fields[] = {
	SHELL_FIELD(struct port_row, net_switch, SHELL_TEXT, "switch", -10),
	SHELL_FIELD(struct port_row, owner, SHELL_TEXT, "port of", -16),
	SHELL_FIELD(struct port_row, number, SHELL_NUMBER, "no", 2),
	SHELL_FIELD(struct port_row, mac, SHELL_TEXT, "address", -17),
	SHELL_FIELD(struct port_row, link, SHELL_TEXT, "link", -4),
	SHELL_FIELD(struct port_row, isolated, SHELL_FLAG, "alone", -5),
	SHELL_FIELD(struct port_row, uplink, SHELL_FLAG, NULL, 0),
	SHELL_FIELD(struct port_row, sent, SHELL_NUMBER, "sent", 9),
	SHELL_FIELD(struct port_row, sent_bytes, SHELL_SIZE, "bytes", 9),
	SHELL_FIELD(struct port_row, received, SHELL_NUMBER, "received", 9),
	SHELL_FIELD(struct port_row, received_bytes, SHELL_SIZE, "bytes", 9),
	SHELL_FIELD(struct port_row, dropped, SHELL_NUMBER, "dropped", 8),
	SHELL_FIELD(struct port_row, waits, SHELL_NUMBER, NULL, 0),
	SHELL_FIELD(struct port_row, bad, SHELL_NUMBER, NULL, 0),
	SHELL_FIELD(struct port_row, spoofed, SHELL_NUMBER, NULL, 0),
	SHELL_FIELD(struct port_row, isolation, SHELL_NUMBER, NULL, 0),
	SHELL_FIELD(struct port_row, local, SHELL_NUMBER, NULL, 0),
	SHELL_FIELD(struct port_row, full, SHELL_NUMBER, NULL, 0),
	SHELL_FIELD(struct port_row, down, SHELL_NUMBER, NULL, 0),
	SHELL_FIELD(struct port_row, too_long, SHELL_NUMBER, NULL, 0),
	SHELL_FIELD(struct port_row, failed, SHELL_NUMBER, NULL, 0),
};
static const struct shell_layout port_layout = SHELL_LAYOUT(port_fields);

static void show_port(const struct switch_port_state *s, void *arg)
{
	const struct switch_counters *c = &s->counters;
	uint64_t dropped = 0;
	char mac[MAC_TEXT];

	for (unsigned i = 0; i < DROP_REASONS; i++)
		dropped += c->drops[i];
	shell_row(arg, &port_layout, &(struct port_row){
		.net_switch = s->net_switch, .owner = s->owner, .number = s->number,
		.mac = s->has_address ? mac_text(s->address, mac) : NULL, .link = s->up ? "up" : "down",
		.isolated = s->isolated, .uplink = s->uplink,
		.sent = c->sent, .sent_bytes = c->sent_bytes, .received = c->received, .received_bytes = c->received_bytes,
		.dropped = dropped, .waits = c->waits,
		.bad = c->drops[DROP_BAD], .spoofed = c->drops[DROP_SPOOFED], .isolation = c->drops[DROP_ISOLATED],
		.local = c->drops[DROP_LOCAL], .full = c->drops[DROP_FULL], .down = c->drops[DROP_DOWN],
		.too_long = c->drops[DROP_TOO_LONG], .failed = c->drops[DROP_FAILED],
	});
}

/* For a person: why, where something was dropped. */
static void say_drops(const struct switch_port_state *s, void *arg)
{
	static const char *const names[DROP_REASONS] = {
		[DROP_BAD] = "bad", [DROP_SPOOFED] = "spoofed", [DROP_ISOLATED] = "isolated", [DROP_LOCAL] = "local",
		[DROP_FULL] = "full", [DROP_DOWN] = "down", [DROP_TOO_LONG] = "long", [DROP_FAILED] = "failed",
	};

	for (unsigned i = 0; i < DROP_REASONS; i++)
		if (s->counters.drops[i])
			shell_say(arg, "%s %u dropped %llu: %s\n", s->owner, s->number,
				  (unsigned long long)s->counters.drops[i], names[i]);
}

static int do_ports(struct shell *sh, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	shell_table(sh, NULL, &port_layout);
	switch_for_each_port(show_port, sh);
	shell_table_end(sh);
	switch_for_each_port(say_drops, sh);
	return 0;
}

struct mac_row {
	const char *net_switch, *mac, *owner;
	uint64_t number, fixed, age_s;
};

static const struct shell_field mac_fields[] = {
	SHELL_FIELD(struct mac_row, net_switch, SHELL_TEXT, "switch", -10),
	SHELL_FIELD(struct mac_row, mac, SHELL_TEXT, "address", -17),
	SHELL_FIELD(struct mac_row, owner, SHELL_TEXT, "port of", -16),
	SHELL_FIELD(struct mac_row, number, SHELL_NUMBER, "no", 2),
	SHELL_FIELD(struct mac_row, fixed, SHELL_FLAG, "fixed", -5),
	SHELL_FIELD(struct mac_row, age_s, SHELL_NUMBER, "seen s ago", 10),
};
static const struct shell_layout mac_layout = SHELL_LAYOUT(mac_fields);

static void show_mac(const struct switch_mac_state *s, void *arg)
{
	char mac[MAC_TEXT];

	shell_row(arg, &mac_layout, &(struct mac_row){
		.net_switch = s->net_switch, .mac = mac_text(s->address, mac), .owner = s->owner, .number = s->number,
		.fixed = s->fixed, .age_s = s->age_ns / NS_PER_S,
	});
}

static int do_macs(struct shell *sh, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	shell_table(sh, NULL, &mac_layout);
	switch_for_each_mac(show_mac, sh);
	shell_table_end(sh);
	return 0;
}

static int do_link(struct shell *sh, int argc, char **argv)
{
	struct vm *vm = vm_command_find(sh, argv[1]);
	uint64_t n;
	int error;

	(void)argc;
	if (!vm)
		return -ENOENT;
	if (!vm->config->n_nets) {
		shell_error(sh, "%s has no network device", argv[1]);
		return -ENODEV;
	}
	error = shell_number(sh, argv[2], 0, vm->config->n_nets - 1, &n);
	if (!error)
		vio_net_set_link(vm->nets[n].dev, argv[3][0] == 'u');
	return error;
}

SHELL_COMMAND(net) = { "net", "COMMAND", "networks between VMs; `net` alone lists its commands", NULL, NULL };
SHELL_COMMAND(net_ports) = {
	"net ports", "[--json]", "ports of switches: frames sent, received, dropped", do_ports,
	"Sent and received are the port's owner's: a VM's, or the machine's network device's. docs/network.md has the reasons\n"
	"for dropping.\n",
};
SHELL_COMMAND(net_mac) = { "net mac", "[--json]", "addresses that the switches know, and their ports", do_macs, NULL };
SHELL_COMMAND(net_link) = {
	"net link", "VM N up|down", "pull the cable of a VM's network device, or put it in", do_link,
	"Its guest is told. N counts the [[net]] tables of its description, from 0.\n",
};
