/* The monitor's `vm show`: a VM's configuration as in effect. */
#include <errno.h>
#include <stdio.h>

#include <caisson/hart.h>
#include <caisson/mm.h>
#include <shell/output.h>
#include <shell/shell.h>
#include <vmm/console_mux.h>
#include <vmm/isa.h>
#include <vmm/vm.h>

#include "vm_commands.h"

#define SET_TEXT 320 /* extensions, channels, disks, networks */

/* Members bear the names of the keys in docs/configuration.md. */
struct show_row {
	const char *name, *state, *reason, *kernel, *initrd, *dtb, *append, *format, *harts, *isa, *isa_hide,
		*isa_require, *restart, *plugin, *channel, *disk, *net, *console;
	uint64_t id, cpus, memory, ram, load, kernel_size, entry;
	uint64_t initrd_load, initrd_size, dtb_load, dtb_size;
	uint64_t eager, exclusive, weight, cap, scrollback, log,
		stop_timeout, watchdog, entropy,
		autostart;
};

static const struct shell_field show_fields[] = {
	SHELL_FIELD(struct show_row, name, SHELL_TEXT, "name", 0),
	SHELL_FIELD(struct show_row, id, SHELL_NUMBER, "id", 0),
	SHELL_FIELD(struct show_row, state, SHELL_TEXT, "state", 0),
	SHELL_FIELD(struct show_row, reason, SHELL_TEXT, "reason", 0),
	SHELL_FIELD(struct show_row, cpus, SHELL_NUMBER, "cpus", 0),
	SHELL_FIELD(struct show_row, harts, SHELL_TEXT, "harts", 0),
	SHELL_FIELD(struct show_row, exclusive, SHELL_FLAG, "exclusive", 0),
	SHELL_FIELD(struct show_row, weight, SHELL_NUMBER, "weight", 0),
	SHELL_FIELD(struct show_row, cap, SHELL_NUMBER, "cap, % of a hart (0: none)", 0),
	SHELL_FIELD(struct show_row, memory, SHELL_SIZE, "memory", 0),
	SHELL_FIELD(struct show_row, ram, SHELL_HEX, "memory starts at", 0),
	SHELL_FIELD(struct show_row, eager, SHELL_FLAG, "eager", 0),
	SHELL_FIELD(struct show_row, format, SHELL_TEXT, "format", 0),
	SHELL_FIELD(struct show_row, kernel, SHELL_TEXT, "kernel", 0),
	SHELL_FIELD(struct show_row, load, SHELL_HEX, "  load", 0),
	SHELL_FIELD(struct show_row, kernel_size, SHELL_SIZE, "  size", 0),
	SHELL_FIELD(struct show_row, entry, SHELL_HEX, "  entry", 0),
	SHELL_FIELD(struct show_row, initrd, SHELL_TEXT, "initrd", 0),
	SHELL_FIELD(struct show_row, initrd_load, SHELL_HEX, "  load", 0),
	SHELL_FIELD(struct show_row, initrd_size, SHELL_SIZE, "  size", 0),
	SHELL_FIELD(struct show_row, dtb, SHELL_TEXT, "dtb", 0),
	SHELL_FIELD(struct show_row, dtb_load, SHELL_HEX, "  load", 0),
	SHELL_FIELD(struct show_row, dtb_size, SHELL_SIZE, "  room", 0),
	SHELL_FIELD(struct show_row, append, SHELL_TEXT, "append", 0),
	SHELL_FIELD(struct show_row, isa, SHELL_TEXT, "isa", 0),
	SHELL_FIELD(struct show_row, isa_hide, SHELL_TEXT, "isa-hide", 0),
	SHELL_FIELD(struct show_row, isa_require, SHELL_TEXT, "isa-require", 0),
	SHELL_FIELD(struct show_row, entropy, SHELL_FLAG, "entropy", 0),
	SHELL_FIELD(struct show_row, console, SHELL_TEXT, "console", 0),
	SHELL_FIELD(struct show_row, scrollback, SHELL_SIZE, "scrollback", 0),
	SHELL_FIELD(struct show_row, log, SHELL_FLAG, "log (on the host)", 0),
	SHELL_FIELD(struct show_row, restart, SHELL_TEXT, "restart", 0),
	SHELL_FIELD(struct show_row, stop_timeout, SHELL_NUMBER, "stop-timeout, s", 0),
	SHELL_FIELD(struct show_row, watchdog, SHELL_NUMBER, "watchdog, s (0: none)", 0),
	SHELL_FIELD(struct show_row, plugin, SHELL_TEXT, "plugin", 0),
	SHELL_FIELD(struct show_row, channel, SHELL_TEXT, "channel", 0),
	SHELL_FIELD(struct show_row, disk, SHELL_TEXT, "disk", 0),
	SHELL_FIELD(struct show_row, net, SHELL_TEXT, "net", 0),
	SHELL_FIELD(struct show_row, autostart, SHELL_FLAG, "autostart", 0),
};
static const struct shell_layout show_layout = SHELL_LAYOUT(show_fields);

/* Words for the sets of a description. */
struct set_texts {
	char harts[VM_HARTS_TEXT], hide[SET_TEXT], require[SET_TEXT], plugins[SET_TEXT], channels[SET_TEXT], disks[SET_TEXT], nets[SET_TEXT];
	struct isa_text isa;
};

static const char *isa_set(uint64_t set, char *out)
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < ISA_EXTS && n < SET_TEXT; i++)
		if (set >> i & 1)
			n += (size_t)snprintf(out + n, SET_TEXT - n, "%s%s", n ? " " : "", isa_names[i]);
	return set ? out : NULL;
}

static const char *plugin_names(const struct vm_config *c, char *out)
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < c->n_plugins && n < SET_TEXT; i++)
		n += (size_t)snprintf(out + n, SET_TEXT - n, "%s%s", n ? " " : "", c->plugins[i]);
	return n ? out : NULL;
}

/* As its description names them: "ring:rw". */
static const char *channel_names(const struct vm_config *c, char *out)
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < c->n_channels && n < SET_TEXT; i++)
		n += (size_t)snprintf(out + n, SET_TEXT - n, "%s%s:%s", n ? " " : "", c->channels[i].name,
				      c->channels[i].write ? "rw" : "ro");
	return n ? out : NULL;
}

/* What is behind them: "root.img:rw". */
static const char *disk_names(const struct vm_config *c, char *out)
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < c->n_disks && n < SET_TEXT; i++) {
		const struct vm_disk *d = &c->disks[i];

		n += (size_t)snprintf(out + n, SET_TEXT - n, "%s%s:%s", n ? " " : "", d->ram ? "RAM" : d->label ? d->label :
				      d->device, d->read_only ? "ro" : d->overlay || d->store[0] ? "overlay" : "rw");
	}
	return n ? out : NULL;
}

/* Switch and address: "lan:02:ca:00:00:00:01". */
static const char *net_names(const struct vm_config *c, char *out)
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < c->n_nets && n < SET_TEXT; i++) {
		const struct net_config *net = &c->nets[i];
		const uint8_t *mac = net->mac;

		n += (size_t)snprintf(out + n, SET_TEXT - n, "%s%s:%02x:%02x:%02x:%02x:%02x:%02x%s%s", n ? " " : "",
				      net->net_switch, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
				      net->isolated ? ":isolated" : "", net->plain ? ":plain" : "");
	}
	return n ? out : NULL;
}

static const char *label(const struct vm_image *image)
{
	return image->file.data ? image->label : NULL;
}

static const char *restart_name(enum vm_restart restart)
{
	static const char *const names[] = {
		[VM_RESTART_NEVER] = "never", [VM_RESTART_ON_CRASH] = "on-crash", [VM_RESTART_ALWAYS] = "always",
	};

	return names[restart];
}

static void describe(const struct vm *vm, struct set_texts *t, struct show_row *row)
{
	const struct vm_config *c = vm->config;
	const struct image_layout *l = &vm->layout;
	struct console_stats console;

	console_mux_stats(vm, &console);
	isa_describe(vm->isa, &t->isa);
	*row = (struct show_row){
		.name = c->name, .id = vm->id, .state = vm_state_name(vm), .reason = vm_end_reason(vm),
		.cpus = vm->n_vcpus, .harts = vm_hart_names(vm, t->harts),
		.exclusive = c->exclusive, .weight = vm->share.weight, .cap = vm->share.cap,
		.memory = vm->ram_size, .ram = vm->ram_start, .eager = c->eager, .format = vm->space.format->name,
		.kernel = label(&c->kernel), .load = l->kernel_start, .kernel_size = l->kernel_size, .entry = l->entry,
		.initrd = label(&c->initrd), .initrd_load = l->initrd_start, .initrd_size = l->initrd_size,
		.dtb = label(&c->dtb), .dtb_load = l->dtb_start, .dtb_size = l->dtb_size, .append = c->bootargs,
		.isa = t->isa.string, .isa_hide = isa_set(c->isa_hide, t->hide),
		.isa_require = isa_set(c->isa_require, t->require),
		.console = vm->console ? "virtio" : "uart", .scrollback = console.size, .log = c->console_log,
		.stop_timeout = c->stop_timeout, .watchdog = c->watchdog, .entropy = c->entropy,
		.plugin = plugin_names(c, t->plugins),
		.channel = channel_names(c, t->channels),
		.disk = disk_names(c, t->disks), .net = net_names(c, t->nets),
		.restart = restart_name(c->restart), .autostart = !c->no_autostart,
	};
}

static int vm_show(struct shell *sh, int argc, char **argv)
{
	struct vm *vm = vm_command_find(sh, argv[1]);
	struct set_texts *texts;
	struct show_row row;

	(void)argc;
	if (!vm)
		return -ENOENT;
	texts = kalloc(sizeof(*texts));
	if (!texts) {
		shell_error(sh, "no memory for its description");
		return -ENOMEM;
	}
	describe(vm, texts, &row);
	shell_record(sh, NULL, &show_layout, &row);
	kfree(texts);
	return 0;
}

SHELL_COMMAND(vm_show) = {
	"vm show", "VM [--json]", "a VM's keys as in effect, where its images are", vm_show,
	"The names are those of docs/configuration.md. Without a dtb of its own the VM has a generated one.\n",
};
