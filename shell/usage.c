/*
 * Usage lines: their words, and checking what was typed against them; the numbers
 * that commands take.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <caisson/time.h>
#include <shell/output.h>
#include <shell/shell.h>

#define DAY_S 86400
#define JSON "--json"

bool shell_usage_word(const char **usage, struct shell_word *out)
{
	const char *at = *usage + strspn(*usage, " ");
	size_t len = strcspn(at, " ");

	*usage = at + len;
	*out = (struct shell_word){ .text = at, .len = len, .optional = *at == '[' };
	if (len && out->optional) {
		out->text++;
		out->len -= 2;
	}
	if (out->len > 3 && memcmp(out->text + out->len - 3, "...", 3) == 0) {
		out->repeated = true;
		out->len -= 3;
	}
	return len != 0;
}

bool shell_word_is(const struct shell_word *w, const char *text)
{
	return strlen(text) == w->len && memcmp(w->text, text, w->len) == 0;
}

size_t shell_alternative(const struct shell_word *w, unsigned i, const char **out)
{
	const char *at = w->text, *end = w->text + w->len, *bar;

	for (;; at = bar + 1, i--) {
		bar = memchr(at, '|', (size_t)(end - at));
		*out = at;
		if (i == 0)
			return (size_t)((bar ? bar : end) - at);
		if (!bar)
			return 0;
	}
}

/* A placeholder stands for any word; else it is one of those. */
static bool fits(const struct shell_word *w, const char *word)
{
	const char *one;
	size_t len;

	if (*w->text >= 'A' && *w->text <= 'Z')
		return true;
	for (unsigned i = 0; (len = shell_alternative(w, i, &one)) != 0; i++)
		if (strlen(word) == len && memcmp(one, word, len) == 0)
			return true;
	return false;
}

/* Its words that are meant for shell_check, without --json. */
static bool next_word(const char **usage, struct shell_word *w)
{
	while (shell_usage_word(usage, w))
		if (!shell_word_is(w, JSON))
			return true;
	return false;
}

static int wrong(struct shell *sh, const struct shell_command *c)
{
	shell_say(sh, "usage: %s%s%s\n", c->name, *c->usage ? " " : "", c->usage);
	return -EINVAL;
}

static int missing(struct shell *sh, const struct shell_command *c, const struct shell_word *w)
{
	shell_error(sh, "%s: %.*s is missing", c->name, (int)w->len, w->text);
	return wrong(sh, c);
}

static int unfit(struct shell *sh, const struct shell_command *c, const struct shell_word *w, const char *word)
{
	shell_error(sh, "%s: '%s' is not %.*s", c->name, word, (int)w->len, w->text);
	return wrong(sh, c);
}

int shell_check(struct shell *sh, const struct shell_command *c, int argc, char **argv)
{
	const char *usage = c->usage;
	struct shell_word w = { 0 };
	int i = 0;

	while (next_word(&usage, &w)) {
		if (i == argc && !w.optional)
			return missing(sh, c, &w);
		for (int first = i; i < argc && (i == first || w.repeated); i++)
			if (!fits(&w, argv[i]))
				return unfit(sh, c, &w, argv[i]);
	}
	if (i == argc)
		return 0;
	shell_error(sh, "%s: '%s' is one word too many", c->name, argv[i]);
	return wrong(sh, c);
}

static int to_number(const char *word, uint64_t max, uint64_t *out)
{
	char *end;

	if (*word < '0' || *word > '9' || strlen(word) > 19)
		return -EINVAL;
	*out = strtoul(word, &end, 10);
	return *end || *out > max ? -EINVAL : 0;
}

int shell_number(struct shell *sh, const char *word, uint64_t min, uint64_t max, uint64_t *out)
{
	if (to_number(word, max, out) == 0 && *out >= min)
		return 0;
	shell_error(sh, "'%s' is not a number from %lu to %lu", word, (unsigned long)min, (unsigned long)max);
	return -EINVAL;
}

/* "1.5" -> 1500. @return 0 or -EINVAL */
static int to_milliseconds(const char *word, uint64_t *ms)
{
	size_t digits = strspn(word, "0123456789");
	uint64_t unit = 1000;

	if (digits == 0 || digits > 5)
		return -EINVAL;
	*ms = strtoul(word, NULL, 10) * 1000;
	word += digits;
	if (*word == '.')
		for (word++; *word >= '0' && *word <= '9' && unit > 1; word++) {
			unit /= 10;
			*ms += (uint64_t)(*word - '0') * unit;
		}
	return *word || *ms > DAY_S * UINT64_C(1000) ? -EINVAL : 0;
}

int shell_seconds(struct shell *sh, const char *word, uint64_t *ticks)
{
	uint64_t ms;

	if (to_milliseconds(word, &ms)) {
		shell_error(sh, "'%s' is not a number of seconds, such as 2 or 0.25, up to a day", word);
		return -EINVAL;
	}
	*ticks = time_from_us(ms * 1000);
	return 0;
}
