/* What the machine looks like, what memory holds at the start, and console streams. */
#include "probe.h"

#include <libfdt.h>
#include <string.h>

/* Harts, RAM and boot arguments as this guest sees them. */
void test_machine(void)
{
	print("boot hart %lu\n", this_hart->id);
	print("harts %u\n", machine.harts);
	print("ram %lx at %lx\n", machine.ram_size, machine.ram_base);
	print("timebase %lu\n", machine.timebase);
	print("bootargs '%s'\n", machine.bootargs);
	print("satp %lx sie %lx sstatus.sie %lu\n", csr_read(satp), csr_read(sie),
	      csr_read(sstatus) & SSTATUS_SIE);
	expect(csr_read(scounteren) & 2, "programs may read the time");
}

static bool listed(const char *name)
{
	int cpus = fdt_path_offset(machine.dtb, "/cpus");
	int cpu = fdt_first_subnode(machine.dtb, cpus), len;
	const char *list = fdt_getprop(machine.dtb, cpu, "riscv,isa-extensions", &len);

	return list && fdt_stringlist_contains(list, len, name);
}

#define WORKS(name, text) do { \
	catch_clear(); \
	__asm__ volatile(text : : "r"(page) : "memory", "t0"); \
	expect(!listed(name) || !caught.any, name " works if it is listed"); \
} while (0)

/* Each extension that the device tree lists can be used; H never is. */
void test_isa(void)
{
	uint64_t page = machine.ram_base + 0x400000;

	catch_traps();
	csr_set(sstatus, SSTATUS_FS);
	expect(!listed("h"), "h is not listed");
	expect(listed("i") && listed("m") && listed("a") && listed("c"), "imac is listed");
	WORKS("d", ".insn r 0x53, 0, 0x01, x0, x0, x0");		/* fadd.d ft0, ft0, ft0 */
	WORKS("sstc", "csrr t0, 0x14d");
	WORKS("zicntr", "rdtime t0; rdcycle t0; rdinstret t0");
	WORKS("zicboz", ".insn i 0x0f, 2, x0, %0, 4");
	WORKS("zicbom", ".insn i 0x0f, 2, x0, %0, 1");
	WORKS("zba", ".insn r 0x33, 2, 0x10, t0, t0, t0");		/* sh1add */
	WORKS("zbb", ".insn r 0x33, 7, 0x20, t0, t0, t0");		/* andn */
	WORKS("zawrs", ".insn i 0x73, 0, x0, x0, 0x1d");		/* wrs.sto */
	WORKS("svinval", ".insn r 0x73, 0, 0x0b, x0, x0, x0");		/* sinval.vma */
	catch_clear();
	__asm__ volatile(".insn i 0x73, 2, t0, x0, 0x600" : : : "t0");	/* hstatus */
	expect(caught.any && caught.cause == CAUSE_ILLEGAL, "reading hstatus is illegal: cause %lx",
	       caught.cause);
	catch_clear();
	__asm__ volatile(".insn i 0x73, 4, t0, %0, 0x600" : : "r"(page) : "t0");	/* hlv.b */
	expect(caught.any && caught.cause == CAUSE_ILLEGAL, "hlv.b is illegal: cause %lx", caught.cause);
}

/* From the end of this program on, RAM below the device tree reads as zero. */
void test_zeroed(void)
{
	const uint64_t *word = (const uint64_t *)guest_end;
	const uint64_t *end = (const uint64_t *)(machine.ram_base + 0x1000000);

	while (word < end && !*word)
		word++;
	expect(word == end, "RAM is zero at first");
}

/* Leave a pattern in RAM, then reboot: a second boot must not find it. */
void test_dirty(void)
{
	uint64_t *word = (uint64_t *)(machine.ram_base + 0x800000);
	unsigned found = 0;

	for (unsigned i = 0; i < 4096; i++) {
		found += word[i] != 0;
		word[i] = 0x6b6b6b6b6b6b6b6b;
	}
	print("words that were not zero: %u\n", found);
	sbi_call(SBI_EXT_SRST, 0, SRST_COLD_REBOOT, 0);
}

/* Echo so many bytes of input, each as it comes. */
void test_cat(void)
{
	uint64_t left = bootarg_number("n", 1);

	while (left) {
		int c = uart_get();

		if (c < 0)
			continue;
		uart_put((char[]){ (char)c }, 1);
		left--;
	}
	print("\n");
}

/* Every byte value, alone and after each of the first 32: nothing in between may change one. */
void test_bytes(void)
{
	for (unsigned first = 0; first < 32; first++)
		for (unsigned second = 0; second < 256; second++)
			uart_put((char[]){ (char)first, (char)second }, 2);
	print("\n");
}

/* So many numbered lines of 64 bytes, to see that none is lost. */
void test_lines(void)
{
	uint64_t n = bootarg_number("n", 1000);

	for (uint64_t i = 0; i < n; i++)
		print("%08lu 0123456789abcdef0123456789abcdef0123456789abcdef012345\n", i);
}
