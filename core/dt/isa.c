/*
 * ISA extensions that the device tree names for the harts. A cpu node has the
 * newer list riscv,isa-extensions, the older string riscv,isa, or both; then the
 * list counts.
 *
 * The string is "rv64", single letters, then names separated by "_" (RISC-V
 * unprivileged ISA, chapter "ISA Extension Naming Conventions"). Versions such
 * as "2p1" may follow a letter or a name; letter case does not matter.
 */
#include <caisson/dt.h>

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Bytes of a version ("2" or "2p1") at s, 0 if there is none. */
static size_t version_len(const char *s)
{
	size_t n = strspn(s, "0123456789");

	if (n > 0 && (s[n] == 'p' || s[n] == 'P') && isdigit((unsigned char)s[n + 1]))
		n += 1 + strspn(s + n + 1, "0123456789");
	return n;
}

static bool letter_is(char have, const char *ext)
{
	if (ext[1] != '\0')
		return false;
	return tolower((unsigned char)have) == ext[0] ||
	       (tolower((unsigned char)have) == 'g' && strchr("imafd", ext[0]));
}

/* Is the name at s, of len bytes and perhaps with a version, this extension? Most names differ at once. */
static bool name_is(const char *s, size_t len, const char *ext)
{
	size_t n;

	if ((s[0] | 0x20) != ext[0])
		return false;
	n = strlen(ext);
	return len >= n && strncasecmp(s, ext, n) == 0 && (len == n || version_len(s + n) == len - n);
}

static bool string_names(const char *isa, const char *ext)
{
	if (strncasecmp(isa, "rv64", 4) != 0)
		return false;
	isa += 4;
	/* "s", "x" and "z" begin a name; it should, but need not, stand behind a "_". */
	while (*isa && !strchr("_sxzSXZ", *isa)) {
		if (letter_is(*isa, ext))
			return true;
		isa++;
		isa += version_len(isa);
	}
	while (*isa) {
		const char *end;

		isa += *isa == '_';
		end = strchr(isa, '_');
		end = end ? end : isa + strlen(isa);
		if (name_is(isa, (size_t)(end - isa), ext))
			return true;
		isa = end;
	}
	return false;
}

/* Is the terminated word this extension? Letter case apart; ext is in lower case. */
static bool word_is(const char *word, const char *ext)
{
	while (*ext && (*word | 0x20) == *ext) {
		word++;
		ext++;
	}
	return *ext == '\0' && *word == '\0';
}

#define LETTERS 27u /* and one place for what is none */

struct question {
	const char *const *names;
	unsigned n;
	uint64_t by_second[LETTERS]; /* which names have this as their second letter: most begin with z or s */
	unsigned harts;
	uint64_t everywhere; /* names that all harts so far have */
};

static uint64_t from_string(const struct question *q, const char *isa)
{
	uint64_t found = 0;

	for (unsigned i = 0; i < q->n; i++)
		if (string_names(isa, q->names[i]))
			found |= BIT(i);
	return found;
}

static unsigned letter(char c)
{
	unsigned place = (unsigned char)(c | 0x20) - 'a';

	return MIN(place, LETTERS - 1);
}

static void sort_names(struct question *q)
{
	for (unsigned i = 0; i < q->n; i++)
		q->by_second[letter(q->names[i][1])] |= BIT(i);
}

static uint64_t find_word(const struct question *q, const char *word)
{
	uint64_t candidates = *word ? q->by_second[letter(word[1])] : 0;

	for (unsigned i = 0; candidates; i++, candidates >>= 1)
		if ((candidates & 1) && word_is(word, q->names[i]))
			return BIT(i);
	return 0;
}

static uint64_t from_list(const struct question *q, const char *list, int len)
{
	const char *end = list + len;
	uint64_t found = 0;

	while (end > list && end[-1] != '\0')
		end--; /* a last word without its zero is none */
	while (list < end) {
		found |= find_word(q, list);
		while (*list++)
			;
	}
	return found;
}

static void ask_cpu(uint64_t hwid, int node, void *arg)
{
	struct question *q = arg;
	int len;
	const char *list = dt_prop(dt_blob(), node, "riscv,isa-extensions", &len);
	const char *isa;

	(void)hwid;
	q->harts++;
	if (list) {
		q->everywhere &= from_list(q, list, len);
		return;
	}
	isa = dt_string(dt_blob(), node, "riscv,isa");
	q->everywhere &= isa ? from_string(q, isa) : 0;
}

uint64_t dt_isa_mask(const char *const *names, unsigned n)
{
	struct question q = { .names = names, .n = n, .everywhere = UINT64_MAX };

	sort_names(&q);
	dt_for_each_cpu(ask_cpu, &q);
	return q.harts > 0 ? q.everywhere : 0;
}
