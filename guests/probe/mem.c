/* Accesses outside RAM, and unusual accesses to devices. */
#include "access.h"
#include "plic.h"
#include "probe.h"
#include "regs.h"

#include <string.h>

/* Every kind of access, and a fetch, where nothing is: the fault of bare hardware. */
static void check_nothing_there(uint64_t address)
{
	unsigned bad = 0;

	for (unsigned i = 0; i < n_plain; i++) {
		const struct access *access = &accesses[i];
		uint64_t cause = strchr(access->name, 's') ? 7 : 5;
		uint64_t got = access_run(access, address, 0x5678);

		if (caught.any && caught.cause == cause && caught.value == address && got == 0x5678)
			continue;
		bad++;
		access_report(access, address, 0);
	}
	expect(!bad, "loads and stores fault at %lx", address);
	access_fetch(address);
	expect(caught.any && caught.cause == 1 && caught.value == address && caught.pc == address,
	       "fetch at %lx: cause %lx value %lx pc %lx", address, caught.cause, caught.value, caught.pc);
}

static void check_ram(uint64_t address)
{
	access_run(access_find("sd"), address, 0x8899aabbccddeeff);
	expect(!caught.any, "store to RAM at %lx", address);
	for (unsigned i = 0; i < n_plain; i++)
		access_report(&accesses[i], address, 0x1122334455667788);
	for (unsigned i = n_plain; i < n_accesses; i++) {
		access_run(&accesses[i], address, 1);
		expect(!caught.any, "%s in RAM", accesses[i].name);
	}
	access_report(access_find("ld"), address + 3, 0);
	access_report(access_find("sw"), address + 1, 5);
}

void test_mem(void)
{
	uint64_t end = machine.ram_base + machine.ram_size;
	const uint64_t nowhere[] = {
		0x50000, 0x2000000, 0x2004000, 0x11000000, 0x2f000000, end, end + 0x1000, 0x200000000,
		1ul << 40, 1ul << 41, 1ul << 50, 1ul << 56, 1ul << 63, ~0ul - 7,
	};

	catch_traps();
	check_ram(machine.ram_base + 0x400000);
	for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++)
		check_nothing_there(nowhere[i]);
}

/* Every width into every register: one line per width, the same value in all of x1 to x31. */
static void check_loads(uint64_t address)
{
	static const struct {
		const char *name;
		load_all run;
	} loads[] = {
		{ "lb", load_all_lb }, { "lbu", load_all_lbu }, { "lh", load_all_lh },
		{ "lhu", load_all_lhu }, { "lw", load_all_lw }, { "lwu", load_all_lwu },
		{ "ld", load_all_ld },
	};
	uint64_t out[32];

	for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		if (!address && i < 4)
			continue;
		memset(out, 0x55, sizeof(out));
		loads[i].run(address, out);
		for (unsigned r = 2; r < 32; r++)
			if (out[r] != out[1])
				expect(false, "%s at %lx into x%u: %lx", loads[i].name, address, r, out[r]);
		print("%s at %lx into x1 to x31: %lx\n", loads[i].name, address, out[1]);
	}
}

/* The PLIC takes only words; the UART's scratch register takes any width. */
static void check_plic_loads(uint64_t address)
{
	uint64_t out[32];
	static const load_all loads[] = { load_all_lw, load_all_lwu };

	for (size_t i = 0; i < 2; i++) {
		loads[i](address, out);
		for (unsigned r = 2; r < 32; r++)
			if (out[r] != out[1])
				expect(false, "word load at %lx into x%u: %lx", address, r, out[r]);
		print("word at %lx into x1 to x31: %lx\n", address, out[1]);
	}
}

void test_loads(void)
{
	unsigned context = plic_context(this_hart->id);

	uart_write(UART_SCR, 0x9c);
	load_all_lb(UART_BASE + UART_SCR, (uint64_t[32]){ 0 });
	check_loads(machine.ram_base + 0x400000);
	plic_write(PLIC_ENABLE(context), 0xfffffffe);
	check_plic_loads(PLIC_ENABLE(context));
	plic_write(PLIC_ENABLE(context), 0);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t out[32];

		(i ? load_all_lbu : load_all_lb)(UART_BASE + UART_SCR, out);
		for (unsigned r = 2; r < 32; r++)
			if (out[r] != out[1])
				expect(false, "byte load of the UART into x%u: %lx", r, out[r]);
		print("byte of the UART into x1 to x31: %lx\n", out[1]);
	}
}

/* The widths that a device takes, at aligned addresses; the rest fault. */
void test_widths(void)
{
	const uint64_t registers[] = {
		PLIC_PRIORITY(UART_INTERRUPT), PLIC_PENDING(0), PLIC_ENABLE(plic_context(this_hart->id)),
		PLIC_BASE + 0x1f0000, UART_BASE + UART_MCR, 0x101010, 0x100ff8,
	};

	catch_traps();
	uart_write(UART_MCR, 0);
	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
		for (unsigned k = 0; k < n_plain; k++)
			if (registers[i] % accesses[k].size == 0)
				access_report(&accesses[k], registers[i], 0);
	uart_write(UART_SCR, 0xa5);
	access_report(access_find("lb"), UART_BASE + UART_SCR, 0);
	access_report(access_find("lbu"), UART_BASE + UART_SCR, 0);
}

static void report_all(uint64_t address, uint64_t value)
{
	for (unsigned i = 0; i < n_accesses; i++)
		access_report(&accesses[i], address, value);
}

static void check_fetch_from_device(uint64_t address)
{
	access_fetch(address);
	expect(caught.any && (caught.cause == 1 || caught.cause == 2),
	       "fetch from the device at %lx: cause %lx", address, caught.cause);
}

/* Whatever a device makes of it, the guest goes on and the devices still work. */
void test_mem_odd(void)
{
	unsigned context = plic_context(this_hart->id);
	const uint64_t plic[] = {
		PLIC_PRIORITY(0), PLIC_PRIORITY(UART_INTERRUPT), PLIC_PRIORITY(1023), PLIC_PENDING(0),
		PLIC_PENDING(31), PLIC_ENABLE(context), PLIC_ENABLE(200), PLIC_THRESHOLD(context),
		PLIC_THRESHOLD(context) + 8, PLIC_THRESHOLD(200), PLIC_BASE + 0x1f0000, PLIC_BASE + 0x5ffff8,
	};

	catch_traps();
	for (size_t i = 0; i < sizeof(plic) / sizeof(plic[0]); i++) {
		report_all(plic[i], 0);
		report_all(plic[i] + 2, 0);
		report_all(plic[i] + 1, 0);
	}
	report_all(UART_BASE + UART_SCR, 0x41);
	report_all(UART_BASE + UART_LSR, 0x41);
	report_all(UART_BASE + UART_MSR, 0x41);
	report_all(UART_BASE + UART_LSR - 1, 0);
	report_all(0x101000, 0);
	report_all(0x101010, 0);
	report_all(0x101ff8, 0);
	report_all(0x100ff8, 0);
	check_fetch_from_device(UART_BASE);
	check_fetch_from_device(PLIC_BASE);
	check_fetch_from_device(0x101000);
	uart_write(UART_LCR, 3);
	uart_write(UART_MCR, 0);
	uart_write(UART_SCR, 0x77);
	expect(uart_read(UART_SCR) == 0x77, "the UART still works");
	plic_write(PLIC_PRIORITY(UART_INTERRUPT), 5);
	expect(plic_read(PLIC_PRIORITY(UART_INTERRUPT)) == 5, "the PLIC still works");
}
