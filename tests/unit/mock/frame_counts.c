/* Owners of frames beyond the first, in a table that is searched. */
#include <caisson/mm.h>
#include <stdlib.h>

static struct { uint64_t frame; unsigned owners; } counted[4096];

static unsigned *owners_of(hpa_t frame)
{
	unsigned i = frame.v / PAGE_SIZE % ARRAY_SIZE(counted), empty = ARRAY_SIZE(counted);

	for (unsigned n = 0; n < ARRAY_SIZE(counted); n++, i = (i + 1) % ARRAY_SIZE(counted)) {
		if (counted[i].frame == frame.v)
			return &counted[i].owners;
		if (empty == ARRAY_SIZE(counted) && counted[i].owners == 0)
			empty = i;
	}
	if (empty == ARRAY_SIZE(counted))
		abort();
	counted[empty].frame = frame.v;
	return &counted[empty].owners;
}

int frame_counts_start(void)
{
	return 0;
}

void frame_get(hpa_t frame)
{
	(*owners_of(frame))++;
}

void frame_put(hpa_t frame)
{
	unsigned *owners = owners_of(frame);

	if (*owners == 0)
		frame_free(frame, 0);
	else
		(*owners)--;
}

bool frame_is_shared(hpa_t frame)
{
	return *owners_of(frame) != 0;
}
