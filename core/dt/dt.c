/*
 * Questions to the machine's device tree. Nothing here trusts the blob: any
 * property may be missing or have a wrong size.
 */
#include <caisson/dt.h>

#include <errno.h>
#include <string.h>

int dt_u32(const void *fdt, int node, const char *prop, unsigned n, uint32_t *out)
{
	const fdt32_t *cells;
	int len;

	cells = dt_prop(fdt, node, prop, &len);
	if (!cells || ((uint64_t)n + 1) * sizeof(*cells) > (unsigned)len)
		return -ENOENT;
	*out = fdt32_ld(cells + n);
	return 0;
}

const char *dt_string(const void *fdt, int node, const char *prop)
{
	const char *value;
	int len;

	value = dt_prop(fdt, node, prop, &len);
	return value && memchr(value, '\0', (size_t)len) ? value : NULL;
}

bool dt_enabled(const void *fdt, int node)
{
	int len;
	const char *status = dt_prop(fdt, node, "status", &len);

	return !status || (len == sizeof("okay") && strcmp(status, "okay") == 0) ||
	       (len == sizeof("ok") && strcmp(status, "ok") == 0);
}

const char *dt_chosen(const char *prop)
{
	int chosen = dt_path("/chosen");

	return chosen < 0 ? NULL : dt_string(dt_blob(), chosen, prop);
}

static void copy_word(const char *from, size_t n, char *buf, size_t size)
{
	if (size == 0)
		return;
	n = MIN(n, size - 1);
	memcpy(buf, from, n);
	buf[n] = '\0';
}

bool boot_args_end(const char *word)
{
	return strncmp(word, "--", 2) == 0 && (word[2] == ' ' || word[2] == 0);
}

bool boot_arg(const char *key, char *buf, size_t size)
{
	const char *args = dt_chosen("bootargs");
	size_t key_len = strlen(key);
	bool found = false;

	for (const char *word = args ? args : ""; *word && !boot_args_end(word);) {
		size_t len = strcspn(word, " ");

		if (len >= key_len && memcmp(word, key, key_len) == 0) {
			size_t skip = key_len + (word[key_len] == '=');

			if (len == key_len || skip > key_len) {
				copy_word(word + skip, len - skip, buf, size);
				found = true;
			}
		}
		word += len;
		word += strspn(word, " ");
	}
	return found;
}

static bool has_device_type(int node, const char *type)
{
	const char *have = dt_string(dt_blob(), node, "device_type");

	return have && strcmp(have, type) == 0 && dt_enabled(dt_blob(), node);
}

void dt_for_each_memory(void (*fn)(uint64_t start, uint64_t size, void *arg), void *arg)
{
	const void *fdt = dt_blob();
	uint64_t start, size;
	int node;

	dt_for_each_child(node, fdt, 0) {
		if (!has_device_type(node, "memory"))
			continue;
		for (unsigned i = 0; dt_reg(fdt, node, i, &start, &size) == 0; i++) {
			size = MIN(size, UINT64_MAX - start);
			if (size > 0)
				fn(start, size, arg);
		}
	}
}

/* One cell or two. */
static uint64_t frequency(int node)
{
	uint32_t hi = 0, lo = 0;
	int len;

	if (!dt_prop(dt_blob(), node, "timebase-frequency", &len) || (len != 4 && len != 8) ||
	    (len == 8 && (dt_u32(dt_blob(), node, "timebase-frequency", 0, &hi) || hi != 0)) ||
	    dt_u32(dt_blob(), node, "timebase-frequency", len == 8, &lo))
		return 0;
	return lo;
}

static void first_frequency(uint64_t hwid, int node, void *arg)
{
	uint64_t *hz = arg;

	(void)hwid;
	if (*hz == 0)
		*hz = frequency(node);
}

uint64_t dt_timebase(void)
{
	int cpus = dt_path("/cpus");
	uint64_t hz = cpus < 0 ? 0 : frequency(cpus);

	if (hz == 0)
		dt_for_each_cpu(first_frequency, &hz);
	return hz;
}

void dt_for_each_cpu(void (*fn)(uint64_t hwid, int node, void *arg), void *arg)
{
	const void *fdt = dt_blob();
	int cpus = dt_path("/cpus");
	uint64_t hwid, size;
	int node;

	if (cpus < 0)
		return;
	dt_for_each_child(node, fdt, cpus) {
		if (has_device_type(node, "cpu") && dt_reg_on_bus(fdt, node, 0, &hwid, &size) == 0)
			fn(hwid, node, arg);
	}
}
