/*
 * The newest lines of the log, for the monitor. There is no lock, so that a panic
 * under way cannot wait for one: a reader finds out that a line changed under it.
 */
#include <caisson/log.h>

#include <string.h>

#include <caisson/mm.h>

struct slot {
	uint64_t number; /* atomic: of its line, plus one; 0: being written */
	struct log_line line;
};

/* Frames, not heap: they stay for good, which is no leak. */
#define ORDER 4
_Static_assert(LOG_KEPT * sizeof(struct slot) <= PAGE_SIZE << ORDER, "they hold all");

static struct slot *slots; /* LOG_KEPT of them, or NULL */
static uint64_t end; /* atomic: the number that the next line gets */

int log_keep_start(void)
{
	hpa_t frames;
	int error = frame_alloc(ORDER, FRAME_ZERO, &frames);

	if (!error)
		__atomic_store_n(&slots, hpa_to_kva(frames), __ATOMIC_RELEASE);
	return error;
}

void log_keep(enum log_level level, const char *component, const char *text, size_t n)
{
	struct slot *all = __atomic_load_n(&slots, __ATOMIC_ACQUIRE), *s;
	uint64_t number;

	if (!all)
		return;
	number = __atomic_fetch_add(&end, 1, __ATOMIC_RELAXED);
	s = &all[number % LOG_KEPT];
	__atomic_store_n(&s->number, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	n = MIN(n, sizeof(s->line.text) - 1);
	s->line.level = level;
	strncpy(s->line.component, component, sizeof(s->line.component) - 1);
	memcpy(s->line.text, text, n);
	s->line.text[n] = '\0';
	__atomic_store_n(&s->number, number + 1, __ATOMIC_RELEASE);
}

static bool read_slot(uint64_t number, struct log_line *out)
{
	const struct slot *s = &slots[number % LOG_KEPT];

	if (__atomic_load_n(&s->number, __ATOMIC_ACQUIRE) != number + 1)
		return false;
	*out = s->line;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&s->number, __ATOMIC_RELAXED) == number + 1;
}

bool log_kept_line(uint64_t *number, struct log_line *out)
{
	uint64_t last = __atomic_load_n(&end, __ATOMIC_RELAXED);

	if (last > LOG_KEPT)
		*number = MAX(*number, last - LOG_KEPT);
	for (; *number < last; ++*number)
		if (read_slot(*number, out))
			return true;
	return false;
}
