/* The monitor's command about channels between VMs. */
#include <shell/output.h>
#include <shell/shell.h>
#include <vmm/channel.h>

struct member_row {
	const char *channel, *vm, *access, *state;
	uint64_t size, number, owner, rings, rung;
};

static const struct shell_field fields[] = {
	SHELL_FIELD(struct member_row, channel, SHELL_TEXT, "channel", -12),
	SHELL_FIELD(struct member_row, size, SHELL_SIZE, "size", 9),
	SHELL_FIELD(struct member_row, number, SHELL_NUMBER, "no", 3),
	SHELL_FIELD(struct member_row, vm, SHELL_TEXT, "VM", -16),
	SHELL_FIELD(struct member_row, owner, SHELL_FLAG, "owner", -5),
	SHELL_FIELD(struct member_row, access, SHELL_TEXT, "access", -6),
	SHELL_FIELD(struct member_row, state, SHELL_TEXT, "state", -8),
	SHELL_FIELD(struct member_row, rings, SHELL_NUMBER, "rang", 10),
	SHELL_FIELD(struct member_row, rung, SHELL_NUMBER, "was rung", 10),
};
static const struct shell_layout layout = SHELL_LAYOUT(fields);

static const char *state_name(const struct channel_member_state *m)
{
	return m->present ? "present" : m->attached ? "attached" : "absent";
}

/* As it is attached, or else as it may be. */
static bool writes(const struct channel_state *c, unsigned m)
{
	return c->members[m].attached ? c->members[m].write : c->config.members[m].write;
}

static void show(struct shell *sh, const struct channel_state *c)
{
	for (unsigned m = 0; m < c->config.n_members; m++)
		shell_row(sh, &layout, &(struct member_row){
			.channel = c->config.name, .size = c->config.size, .number = m, .owner = m == 0,
			.vm = c->config.members[m].name, .access = writes(c, m) ? "rw" : "ro",
			.state = state_name(&c->members[m]),
			.rings = c->members[m].rings, .rung = c->members[m].rung,
		});
}

static int do_channel(struct shell *sh, int argc, char **argv)
{
	struct channel_state state;

	(void)argc;
	(void)argv;
	shell_table(sh, NULL, &layout);
	for (unsigned i = 0; channel_look(i, &state) == 0; i++)
		show(sh, &state);
	shell_table_end(sh);
	return 0;
}

SHELL_COMMAND(channel) = {
	"channel", "[--json]", "channels between VMs: size, members, doorbells", do_channel,
	"A member is absent while it has no VM, attached while it has one, present when its guest says so.\n"
	"Its doorbells are counted since it was attached.\n",
};
