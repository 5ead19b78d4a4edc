/*
 * What a program must not do: each thing is done by a process of its own, which dies of the signal that Linux sends, and
 * again by one with a handler, which says what it is told. `faults compute`: a neighbour that must not notice.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define KERNEL 0xffffffff80000000

static const char constant[16] = "constant";
static uint64_t expected; /* the address that a handler is to be told; 0: whatever */
static char *area;        /* two pages, the second without access */

/* The compiler knows too much of pointers. */
#define READ(at) __asm__ volatile("ld t0, (%0)" ::"r"(at) : "t0", "memory")
#define WRITE(at) __asm__ volatile("sb zero, (%0)" ::"r"(at) : "memory")

static void jump(uint64_t to)
{
	expected = to;
	((void (*)(void))to)();
}

static void read_at(uint64_t at)
{
	expected = at;
	READ(at);
}

static void write_at(uint64_t at)
{
	expected = at;
	WRITE(at);
}

static void kernel_read(void) { read_at(KERNEL); }
static void kernel_write(void) { write_at(KERNEL); }
static void kernel_memory(void) { read_at(0xffffffc000000000); }
static void kernel_jump(void) { jump(KERNEL); }
static void null_read(void) { read_at(0); }
static void null_write(void) { write_at(8); }
static void null_jump(void) { jump(0); }
static void no_page(void) { read_at(0x3000000000); }
static void beyond_user(void) { read_at(0x4000000000); }
static void not_canonical(void) { READ(UINT64_C(1) << 62); }
static void highest(void) { READ(UINT64_MAX - 7); }
static void constant_write(void) { write_at((uint64_t)constant); }
static void text_write(void) { write_at((uint64_t)text_write & ~UINT64_C(1)); }
static void no_access(void) { read_at((uint64_t)area + PAGE); }
static void across_pages(void) { READ(area + PAGE - 4); }
static void stack_jump(void) { uint32_t code[4] = { 0x8082 }; jump((uint64_t)code); }
static void data_jump(void) { memcpy(area, (uint16_t[]){ 0x8082 }, 2); jump((uint64_t)area); }
static void no_access_jump(void) { jump((uint64_t)area + PAGE); }

static int deeper(volatile int *caller)
{
	volatile int here[256];

	here[0] = *caller + 1;
	return here[0] == -1 ? 0 : deeper(here) + here[1];
}

static void overflow(void)
{
	volatile int none = 0;

	exit(deeper(&none));
}

static void beyond_file(void)
{
	int fd;

	mkdir("/tmp", 0777);
	fd = open("/tmp/faults", O_RDWR | O_CREAT, 0600);

	if (ftruncate(fd, 100))
		exit(99);
	read_at((uint64_t)mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd, 0) + 2 * PAGE);
}

static void into_the_middle(void)
{
	/* lui t0, 0 is 0x000002b7: its second half is no instruction. */
	__asm__ volatile(".option push\n.option norvc\nla t1, 1f + 2\njr t1\n1: lui t0, 0\n.option pop" ::: "t0", "t1");
}

/* Linux tells a handler where the instruction is, we where the data is. */
static void odd_lr(void)
{
	__asm__ volatile("lr.w t0, (%0)" ::"r"(area + 2) : "t0", "memory");
}

static void odd_amo(void)
{
	__asm__ volatile("amoadd.d t0, zero, (%0)" ::"r"(area + 1) : "t0", "memory");
}

/* Of these a handler is told where they are. */
#define INSTRUCTION(name, text) \
	static void name(void) \
	{ \
		__asm__ volatile("la t0, 1f\nsd t0, %0\n1: " text : "=m"(expected) :: "t0", "memory"); \
	}
INSTRUCTION(ebreak, "ebreak")
INSTRUCTION(zero, ".word 0")
INSTRUCTION(ones, ".word 0xffffffff")
INSTRUCTION(csr_read, "csrr t0, sstatus")
INSTRUCTION(csr_write, "csrw satp, zero")
INSTRUCTION(machine_csr, "csrr t0, mhartid")
INSTRUCTION(no_csr, "csrr t0, 0x5c0")
INSTRUCTION(sret, "sret")
INSTRUCTION(mret, "mret")
INSTRUCTION(wfi, "wfi")
INSTRUCTION(sfence, "sfence.vma")
INSTRUCTION(hypervisor_load, ".word 0x6c0542f3") /* hlv.d t0, (a0) */
INSTRUCTION(hypervisor_fence, ".word 0x62000073") /* hfence.gvma */

/* A handler, but no stack to run it on. */
static void no_stack(void)
{
	__asm__ volatile("li sp, 64\nld t0, 0(zero)" ::: "t0", "memory");
}

static void kernel_stack(void)
{
	__asm__ volatile("mv sp, %0\nmv tp, %0\nmv gp, %0\nld t0, 0(zero)" ::"r"(KERNEL + 0x1000) : "t0", "memory");
}

static void sigreturn_from_nowhere(void)
{
	__asm__ volatile("mv sp, %0\nli a7, 139\necall" ::"r"(area + PAGE) : "a0", "a7", "memory");
}

/* A frame of ones: registers that no program may have. */
static void sigreturn_of_ones(void)
{
	char *big = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(big, 0xff, 4 * PAGE);
	__asm__ volatile("mv sp, %0\nli a7, 139\necall\nebreak" ::"r"(big) : "a0", "a7", "memory");
}

static void trap_of_the_library(void) { abort(); }

static const struct deed {
	const char *name;
	void (*function)(void);
	int has_no_stack; /* of the program's own, for a handler */
} deeds[] = {
	{ "kernel read", kernel_read, 0 }, { "kernel write", kernel_write, 0 }, { "kernel memory", kernel_memory, 0 },
	{ "kernel jump", kernel_jump, 0 }, { "null read", null_read, 0 }, { "null write", null_write, 0 },
	{ "null jump", null_jump, 0 }, { "no page", no_page, 0 }, { "beyond user space", beyond_user, 0 },
	{ "not canonical", not_canonical, 0 }, { "highest", highest, 0 }, { "constant write", constant_write, 0 },
	{ "text write", text_write, 0 }, { "no access", no_access, 0 }, { "across pages", across_pages, 0 },
	{ "stack jump", stack_jump, 0 }, { "data jump", data_jump, 0 }, { "no access jump", no_access_jump, 0 },
	{ "overflow", overflow, 0 }, { "beyond file", beyond_file, 0 }, { "into the middle", into_the_middle, 0 },
	{ "odd lr", odd_lr, 0 }, { "odd amo", odd_amo, 0 },
	{ "ebreak", ebreak, 0 }, { "zero", zero, 0 }, { "ones", ones, 0 }, { "csr read", csr_read, 0 }, { "csr write", csr_write, 0 },
	{ "machine csr", machine_csr, 0 }, { "no csr", no_csr, 0 }, { "sret", sret, 0 }, { "mret", mret, 0 }, { "wfi", wfi, 0 },
	{ "sfence", sfence, 0 }, { "hypervisor load", hypervisor_load, 0 }, { "hypervisor fence", hypervisor_fence, 0 },
	{ "no stack", no_stack, 1 }, { "kernel stack", kernel_stack, 1 }, { "sigreturn from nowhere", sigreturn_from_nowhere, 1 },
	{ "sigreturn of ones", sigreturn_of_ones, 1 }, { "abort", trap_of_the_library, 0 },
};

static void handler(int signal, siginfo_t *info, void *context)
{
	const char *address = !expected ? "" : (uint64_t)info->si_addr == expected ? ", its address" : ", another address";

	(void)context;
	if (signal == SIGABRT)
		printf("; handler: %d code %d", signal, info->si_code);
	else
		printf("; handler: %d code %d%s", signal, info->si_code, address);
	fflush(stdout);
	_exit(0);
}

static void handle_all(int on_stack)
{
	static char stack[16384];
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | (on_stack ? SA_ONSTACK : 0) };
	const stack_t other = { .ss_sp = stack, .ss_size = sizeof(stack) };

	if (on_stack)
		sigaltstack(&other, NULL);
	for (int signal = 1; signal < 32; signal++)
		if (signal != SIGKILL && signal != SIGSTOP)
			sigaction(signal, &action, NULL);
}

static int in_child(const struct deed *d, int handled)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return -1;
	if (pid == 0) {
		if (handled)
			handle_all(!d->has_no_stack);
		d->function();
		_exit(77);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void say(const struct deed *d)
{
	int status = in_child(d, 0);

	if (WIFSIGNALED(status))
		printf("%s: dies of %d", d->name, WTERMSIG(status));
	else
		printf("%s: ends with %d", d->name, WEXITSTATUS(status));
	status = in_child(d, 1);
	if (WIFSIGNALED(status))
		printf("; with a handler: dies of %d", WTERMSIG(status));
	printf("\n");
}

/* Long enough to be beside all of the rest; any mistake shows. */
static void compute(void)
{
	uint64_t x = 88172645463325252, *kept = malloc(1 << 20);
	double sum = 0;

	for (unsigned round = 0; round < 2000; round++)
		for (unsigned i = 0; i < (1 << 17); i += 16) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			kept[i] = round ? kept[i] + x : x;
			sum += 1.0 / (double)(1 + (x & 1023));
		}
	printf("computed %016llx %.6f\n", (unsigned long long)(kept[0] ^ kept[65536] ^ x), sum);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "compute") == 0) {
		compute();
		return 0;
	}
	area = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED || mprotect(area + PAGE, PAGE, PROT_NONE))
		return 99;
	for (unsigned i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++)
		say(&deeds[i]);
	return 0;
}
