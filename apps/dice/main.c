/* Random bytes: throws a die 6,000 times and counts; with an argument, so many lines of 16 bytes instead. */
#include <caisson/init.h>
#include <caisson/print.h>
#include <caisson/random.h>
#include <caisson/task.h>
#include <caisson/time.h>

#define THROWS 6000u
#define SIDES 6u
#define FEWEST 850u  /* five standard deviations from 1,000 */
#define MOST 1150u
#define WAITS 100u   /* of 10 ms, for a device */
#define BYTES 16u

/* All sides are equally likely: bytes from 252 on are thrown again. */
static unsigned throw(void)
{
	uint8_t byte;

	do
		random_bytes(&byte, 1);
	while (byte >= 256 / SIDES * SIDES);
	return byte % SIDES;
}

static int count_throws(void)
{
	unsigned counts[SIDES] = { 0 };
	bool fair = true;

	for (unsigned i = 0; i < THROWS; i++)
		counts[throw()]++;
	for (unsigned i = 0; i < SIDES; i++)
		fair = fair && counts[i] >= FEWEST && counts[i] <= MOST;
	print("%u throws: %s\n", THROWS, fair ? "a fair die" : "not a fair die");
	return !fair;
}

static void show_line(void)
{
	uint8_t line[BYTES];

	random_bytes(line, sizeof(line));
	for (unsigned i = 0; i < BYTES; i++)
		print("%02x%s", line[i], i + 1 < BYTES ? " " : "\n");
}

static bool wait_for_seed(void)
{
	for (unsigned i = 0; i < WAITS && !random_is_seeded(); i++)
		task_sleep_until(time_now() + time_from_us(10000));
	return random_is_seeded();
}

int main(void)
{
	unsigned lines = (unsigned)app_arg_number(0, 0);

	print("seeded: %s\n", wait_for_seed() ? "yes" : "no");
	if (lines == 0)
		return count_throws();
	while (lines-- > 0)
		show_line();
	return 0;
}
