/* A channel to other VMs: what its registers say, and which accesses to its memory it lets through. */
#include "access.h"
#include "channel.h"
#include "probe.h"

/* Where the first channel's windows are in a VM that has one. */
#define REGISTERS	0x10010000ul
#define MEMORY		0x18000000ul

static struct channel channel;

static void expect_cause(const char *access, uint64_t address, uint64_t cause)
{
	access_run(access_find(access), address, 0x1234);
	expect(caught.any && caught.cause == cause && caught.value == address,
	       "%s at %lx: cause %lu", access, address, caught.cause);
}

static void expect_works(const char *access, uint64_t address)
{
	access_run(access_find(access), address, 0x1234);
	expect(!caught.any, "%s at %lx works", access, address);
}

static void check_zero(void)
{
	bool zero = true;

	for (uint64_t i = 0; i < channel.size / 8; i++)
		zero &= channel.memory[i] == 0;
	expect(zero, "%lu bytes are zero", channel.size);
}

static void check_accesses(uint64_t address)
{
	static const char *const stores[] = { "sb", "sh", "sw", "sd", "amoadd.w", "amoswap.w" };

	expect_works("lbu", address);
	expect_works("ld", address);
	for (unsigned i = 0; i < sizeof(stores) / sizeof(stores[0]); i++) {
		if (channel.read_only)
			expect_cause(stores[i], address, 7);
		else
			expect_works(stores[i], address);
	}
	access_fetch(address);
	expect(caught.any && caught.cause == 1, "fetch at %lx: cause %lu", address, caught.cause);
}

void test_channel(void)
{
	uint64_t start, end;

	catch_traps();
	expect(channel_find(NULL, &channel), "the device tree has a channel");
	expect(channel_read(&channel, CHANNEL_MAGIC) == CHANNEL_MAGIC_VALUE, "magic");
	expect(channel_read(&channel, CHANNEL_SIZE) == channel.size, "both say %lu bytes", channel.size);
	expect(channel_read(&channel, CHANNEL_ACCESS) == !channel.read_only, "both say %s",
	       channel.read_only ? "read-only" : "read-write");
	start = (uint64_t)channel.memory;
	end = start + channel.size;
	check_zero();
	check_accesses(start);
	check_accesses(end - 8);
	expect_cause("ld", end, 5);
	expect_cause("sd", end, 7);
	expect_cause("lbu", start - 1, 5);
	expect_cause("lw", channel.registers + 0x2c, 5);
	expect_cause("sb", channel.registers + CHANNEL_DOORBELL, 7);
	access_fetch(channel.registers);
	expect(caught.any && caught.cause == 1, "fetch from the registers: cause %lu", caught.cause);
}

/* A VM that has none finds nothing where others have theirs. */
void test_no_channel(void)
{
	catch_traps();
	expect(!channel_find(NULL, &channel), "the device tree has no channel");
	for (unsigned n = 0; n < 4; n++) {
		expect_cause("lw", REGISTERS + n * 0x1000, 5);
		expect_cause("sw", REGISTERS + n * 0x1000 + CHANNEL_DOORBELL, 7);
		expect_cause("ld", MEMORY + n * 0x1000000, 5);
		expect_cause("sd", MEMORY + n * 0x1000000, 7);
	}
}
