/*
 * For Linux, without a C library: what the performance counters say of a loop of 20 million instructions.
 * Prints "NAME COUNT" for each of its events, or "NAME error N".
 */
#define SYS_IOCTL 29
#define SYS_WRITE 64
#define SYS_READ 63
#define SYS_EXIT 93
#define SYS_PERF_EVENT_OPEN 241
#define PERF_ENABLE 0x2400
#define PERF_DISABLE 0x2401
#define TYPE_HARDWARE 0
#define TYPE_RAW 4
#define FIRMWARE(code) (1ul << 63 | (code))
#define ROUNDS 10000000ul

struct attr {
	unsigned type, size;
	unsigned long config, period, sample_type, read_format, flags, wakeup, config1;
};

static const struct {
	const char *name;
	unsigned type;
	unsigned long config;
} events[] = {
	{ "cycles", TYPE_HARDWARE, 0 }, { "instructions", TYPE_HARDWARE, 1 }, { "cache-misses", TYPE_HARDWARE, 3 },
	{ "exits", TYPE_RAW, FIRMWARE(256) },
};

static long call(long number, long a, long b, long c, long d, long e)
{
	register long a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c, a3 __asm__("a3") = d;
	register long a4 __asm__("a4") = e, a7 __asm__("a7") = number;

	__asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a7) : "memory");
	return a0;
}

static void print(const char *s)
{
	long n = 0;

	while (s[n])
		n++;
	call(SYS_WRITE, 1, (long)s, n, 0, 0);
}

static void print_number(unsigned long n)
{
	char digits[21], *at = &digits[20];

	*at = 0;
	do
		*--at = (char)('0' + n % 10);
	while (n /= 10);
	print(at);
}

static void count(unsigned i)
{
	struct attr attr = { .type = events[i].type, .size = sizeof(attr), .config = events[i].config, .flags = 1 };
	long fd = call(SYS_PERF_EVENT_OPEN, (long)&attr, 0, -1, -1, 0);
	unsigned long value = 0, left = ROUNDS;

	print(events[i].name);
	if (fd >= 0) {
		call(SYS_IOCTL, fd, PERF_ENABLE, 0, 0, 0);
		__asm__ volatile("1: addi %0, %0, -1\n bnez %0, 1b" : "+r"(left));
		call(SYS_READ, fd, (long)&value, sizeof(value), 0, 0); /* an exit at least: a call of the SBI */
		call(SYS_IOCTL, fd, PERF_DISABLE, 0, 0, 0);
		call(SYS_READ, fd, (long)&value, sizeof(value), 0, 0);
	}
	print(fd < 0 ? " error " : " ");
	print_number(fd < 0 ? (unsigned long)-fd : value);
	print("\n");
}

void _start(void)
{
	for (unsigned i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		count(i);
	call(SYS_EXIT, 0, 0, 0, 0, 0);
}
