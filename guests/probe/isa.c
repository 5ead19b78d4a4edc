/* ISA extensions: what is listed works; with `hidden`, what can be switched off is off. */
#include "probe.h"

#include <libfdt.h>
#include <string.h>

#define ENTRY_PBMT_IO (2ul << 61)
#define GIGAPAGE 30
#define PTE_LEAF 0xcf		/* V R W X A D */
#define SATP_SV39 (8ul << 60)
#define SATP_OF(root) (SATP_SV39 | (uint64_t)(root) >> 12)

static bool listed(const char *name)
{
	int cpus = fdt_path_offset(machine.dtb, "/cpus");
	int cpu = fdt_first_subnode(machine.dtb, cpus), len;
	const char *list = fdt_getprop(machine.dtb, cpu, "riscv,isa-extensions", &len);

	return list && fdt_stringlist_contains(list, len, name);
}

/* Is the extension's name a word of riscv,isa? Single letters come before the first "_". */
static bool in_string(const char *name)
{
	int cpus = fdt_path_offset(machine.dtb, "/cpus");
	const char *isa = fdt_getprop(machine.dtb, fdt_first_subnode(machine.dtb, cpus), "riscv,isa", NULL);
	const char *found = isa ? strstr(isa + 4, name) : NULL;
	size_t n = strlen(name);

	if (n == 1)
		return found && memchr(isa + 4, *name, strcspn(isa + 4, "_"));
	return found && found[-1] == '_' && (found[n] == '_' || found[n] == '\0');
}

#define TRY(text) do { \
	catch_clear(); \
	__asm__ volatile(text : : "r"(page) : "memory", "t0"); \
} while (0)

#define WORKS(name, text) do { \
	TRY(text); \
	expect(!listed(name) || !caught.any, name " works if it is listed"); \
} while (0)

/* Each extension that the device tree lists can be used; H never is. */
void test_isa(void)
{
	uint64_t page = machine.ram_base + 0x400000;

	catch_traps();
	csr_set(sstatus, SSTATUS_FS);
	expect(!listed("h") && !in_string("h"), "h is not listed");
	expect(!listed("v") && !in_string("v"), "v is not listed");
	expect(!listed("zihpm") && !in_string("zihpm"), "zihpm is not listed");
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
	TRY(".insn i 0x73, 2, t0, x0, 0x600");				/* hstatus */
	expect(caught.any && caught.cause == CAUSE_ILLEGAL, "reading hstatus is illegal: cause %lx",
	       caught.cause);
	TRY(".insn i 0x73, 4, t0, %0, 0x600");				/* hlv.b */
	expect(caught.any && caught.cause == CAUSE_ILLEGAL, "hlv.b is illegal: cause %lx", caught.cause);
}

/* --- what can be switched off --- */

/* One gigabyte page over RAM, through which memory is looked at as I/O. */
static void check_pbmt(bool works)
{
	static uint64_t root[512] __attribute__((aligned(4096)));
	uint64_t frame = machine.ram_base >> 12, page = machine.ram_base + (1ul << GIGAPAGE) + 0x400000;

	root[machine.ram_base >> GIGAPAGE] = frame << 10 | PTE_LEAF;
	root[(machine.ram_base >> GIGAPAGE) + 1] = frame << 10 | PTE_LEAF | ENTRY_PBMT_IO;
	csr_write(satp, SATP_OF(root));
	__asm__ volatile("sfence.vma" : : : "memory");
	TRY("lb t0, 0(%0)");
	csr_write(satp, 0);
	__asm__ volatile("sfence.vma" : : : "memory");
	expect(works ? !caught.any : caught.any && caught.cause == 13, "svpbmt: a page type of its own %s",
	       works ? "works" : "faults");
}

static void check_svadu(bool works)
{
	long error = sbi_call(SBI_EXT_FWFT, FWFT_GET, FWFT_AD_UPDATING).error;

	expect(works ? error == SBI_SUCCESS : error == SBI_NOT_SUPPORTED, "svadu: FWFT %s it",
	       works ? "offers" : "does not have");
}

static void note_timer(struct trap *trap)
{
	caught = (struct caught){ true, trap->scause, trap->stval, trap->sepc };
	timer_set(~0ul);
}

/* Whichever timer the guest was told of, it comes. */
static void check_timer(void)
{
	trap_handler before = trap_set_handler(note_timer);

	catch_clear();
	for (unsigned i = 0; i < 3; i++) {
		caught.any = false;
		timer_set(time_now() + machine.timebase / 1000);
		csr_set(sie, SIE_STIE);
		csr_set(sstatus, SSTATUS_SIE);
		while (!*(volatile bool *)&caught.any)
			wait_for_interrupt();
		csr_clear(sstatus, SSTATUS_SIE);
		expect(caught.cause == CAUSE_TIMER, "timer %u comes", i);
	}
	csr_clear(sie, SIE_STIE);
	trap_set_handler(before);
}

#define CHECK(name, text) do { \
	bool works_ = bootarg(name, word, sizeof(word)) && !strcmp(word, "on"); \
	if (bootarg(name, word, sizeof(word))) { \
		TRY(text); \
		expect(works_ ? !caught.any : caught.any && caught.cause == CAUSE_ILLEGAL, name " %s: %s", \
		       works_ ? "works" : "is illegal", text); \
		expect(listed(name) == works_ && in_string(name) == works_, name " %s", \
		       works_ ? "is listed" : "is not listed"); \
	} \
} while (0)

/* `test=isa-switches sstc=off zicboz=on ...`: each named extension is there, or is as if it were not. */
void test_isa_switches(void)
{
	uint64_t page = machine.ram_base + 0x400000;
	char word[8];

	catch_traps();
	csr_set(sstatus, SSTATUS_FS);
	CHECK("f", ".insn r 0x53, 0, 0x00, x0, x0, x0");		/* fadd.s ft0, ft0, ft0 */
	CHECK("d", ".insn r 0x53, 0, 0x01, x0, x0, x0");		/* fadd.d ft0, ft0, ft0 */
	CHECK("f", ".insn i 0x73, 2, t0, x0, 0x003");			/* fcsr */
	CHECK("sstc", ".insn i 0x73, 2, t0, x0, 0x14d");		/* stimecmp */
	CHECK("sstc", ".insn i 0x73, 1, x0, x0, 0x14d");		/* ... written */
	if (machine.sstc)
		timer_set(~0ul);
	CHECK("zicboz", ".insn i 0x0f, 2, x0, %0, 4");			/* cbo.zero */
	CHECK("zicbom", ".insn i 0x0f, 2, x0, %0, 0");			/* cbo.inval */
	CHECK("zicbom", ".insn i 0x0f, 2, x0, %0, 1");			/* cbo.clean */
	CHECK("zicbom", ".insn i 0x0f, 2, x0, %0, 2");			/* cbo.flush */
	CHECK("zicntr", "rdtime t0");
	CHECK("zicntr", "rdcycle t0");
	CHECK("zicntr", "rdinstret t0");
	CHECK("v", ".insn i 0x57, 7, t0, x0, 0x0c0");			/* vsetvli t0, x0, e8, m1 */
	csr_set(sstatus, 3 << 9);
	CHECK("v", ".insn i 0x57, 7, t0, x0, 0x0c0");			/* ... with sstatus.VS on */
	if (bootarg("svpbmt", word, sizeof(word)))
		check_pbmt(!strcmp(word, "on"));
	if (bootarg("svadu", word, sizeof(word)))
		check_svadu(!strcmp(word, "on"));
	if (bootarg("ssstateen", word, sizeof(word))) {
		TRY(".insn i 0x73, 2, t0, x0, 0x10c");			/* sstateen0 */
		expect(caught.any == !!strcmp(word, "on") && (!caught.any || caught.cause == CAUSE_ILLEGAL),
		       "sstateen0 is %s", word);
	}
	if (!bootarg("zicntr", word, sizeof(word)) || strcmp(word, "off"))
		check_timer();
}
