/*
 * The program that apps/mount loads from its disk: a flat binary that runs wherever it
 * is put. Its memory can be read and executed, not written, so it has no variables but those on the stack.
 */
#include "../services.h"

/* Tables of data are part of the binary too, and move with it. */
static const unsigned char weights[] = { 1, 3, 5, 7 };

static unsigned weighted_sum(const char *text, int64_t n)
{
	unsigned sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum += weights[i % (int64_t)sizeof(weights)] * (unsigned char)text[i];
	return sum;
}

int program(const struct services *services);

int program(const struct services *services)
{
	char text[64];
	int64_t n;

	if (services->version != SERVICES_VERSION)
		return 1;
	services->print("program: running");
	n = services->read_file("/disk/hello.txt", text, sizeof(text));
	if (n < 0)
		return 2;
	services->print("program: has read the file");
	return (int)(weighted_sum(text, n) % 100);
}
