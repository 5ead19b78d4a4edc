/*
 * The machine's device tree: adopted once, then asked.
 *
 * Nothing here trusts the blob: any property may be missing or have a wrong
 * size. libfdt finds a node's parent only by walking the tree from its start, so
 * dt_init makes one walk and keeps an index of the nodes and their parents.
 * Nodes that did not fit, and nodes of other blobs, take libfdt's slow way.
 */
#include <caisson/dt.h>

#include <errno.h>
#include <string.h>

#define INDEX_NODES 512
#define INDEX_DEPTH 16

struct index_node {
	int offset;
	int parent;
};

static const void *blob;
static struct index_node nodes[INDEX_NODES]; /* in the order of the blob, so by rising offset */
static unsigned n_nodes;

static void index_build(void)
{
	int path[INDEX_DEPTH] = { 0 };
	int depth = 0;
	int node = 0;

	n_nodes = 0;
	while ((node = fdt_next_node(blob, node, &depth)) >= 0 && depth > 0) {
		if (depth >= INDEX_DEPTH)
			continue;
		if (n_nodes == INDEX_NODES)
			return;
		path[depth] = node;
		nodes[n_nodes++] = (struct index_node){ node, path[depth - 1] };
	}
}

static const struct index_node *index_find(int node)
{
	unsigned lo = 0;
	unsigned hi = n_nodes;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (nodes[mid].offset == node)
			return &nodes[mid];
		if (nodes[mid].offset < node)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

int dt_init(const void *fdt)
{
	if (!fdt || (uintptr_t)fdt % 8 != 0 || fdt_check_header(fdt) != 0)
		return -EINVAL;
	blob = fdt;
	index_build();
	return 0;
}

const void *dt_blob(void)
{
	return blob;
}

int dt_parent(const void *fdt, int node)
{
	const struct index_node *entry = fdt == blob ? index_find(node) : NULL;
	int parent = entry ? entry->parent : fdt_parent_offset(fdt, node);

	return parent < 0 ? -ENOENT : parent;
}

/* n big-endian cells (at most 2) as one number. */
static uint64_t read_cells(const fdt32_t *cell, int n)
{
	uint64_t value = 0;

	for (int i = 0; i < n; i++)
		value = value << 32 | fdt32_ld(cell + i);
	return value;
}

int dt_reg(const void *fdt, int node, unsigned n, uint64_t *addr, uint64_t *size)
{
	int parent = dt_parent(fdt, node);
	int addr_cells = parent < 0 ? -1 : fdt_address_cells(fdt, parent);
	int size_cells = parent < 0 ? -1 : fdt_size_cells(fdt, parent);
	const fdt32_t *reg;
	uint64_t at;
	int len;

	reg = fdt_getprop(fdt, node, "reg", &len);
	if (!reg)
		return -ENOENT;
	if (addr_cells < 1 || addr_cells > 2 || size_cells < 0 || size_cells > 2)
		return -EINVAL;
	at = (uint64_t)n * (unsigned)(addr_cells + size_cells);
	if ((at + (unsigned)(addr_cells + size_cells)) * sizeof(*reg) > (unsigned)len)
		return -ENOENT;
	*addr = read_cells(reg + at, addr_cells);
	*size = read_cells(reg + at + addr_cells, size_cells);
	return 0;
}

int dt_u32(const void *fdt, int node, const char *prop, unsigned n, uint32_t *out)
{
	const fdt32_t *cells;
	int len;

	cells = fdt_getprop(fdt, node, prop, &len);
	if (!cells || ((uint64_t)n + 1) * sizeof(*cells) > (unsigned)len)
		return -ENOENT;
	*out = fdt32_ld(cells + n);
	return 0;
}

const char *dt_string(const void *fdt, int node, const char *prop)
{
	const char *value;
	int len;

	value = fdt_getprop(fdt, node, prop, &len);
	return value && memchr(value, '\0', (size_t)len) ? value : NULL;
}

bool dt_enabled(const void *fdt, int node)
{
	const char *status;

	if (!fdt_getprop(fdt, node, "status", NULL))
		return true;
	status = dt_string(fdt, node, "status");
	return status && (strcmp(status, "okay") == 0 || strcmp(status, "ok") == 0);
}

const char *dt_chosen(const char *prop)
{
	int chosen = blob ? fdt_path_offset(blob, "/chosen") : -1;

	return chosen < 0 ? NULL : dt_string(blob, chosen, prop);
}

static void copy_word(const char *from, size_t n, char *buf, size_t size)
{
	if (size == 0)
		return;
	n = MIN(n, size - 1);
	memcpy(buf, from, n);
	buf[n] = '\0';
}

bool boot_arg(const char *key, char *buf, size_t size)
{
	const char *args = dt_chosen("bootargs");
	size_t key_len = strlen(key);
	bool found = false;

	for (const char *word = args ? args : ""; *word;) {
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
	const char *have = dt_string(blob, node, "device_type");

	return have && strcmp(have, type) == 0 && dt_enabled(blob, node);
}

void dt_for_each_memory(void (*fn)(uint64_t start, uint64_t size, void *arg), void *arg)
{
	uint64_t start, size;
	int node;

	fdt_for_each_subnode(node, blob, 0) {
		if (!has_device_type(node, "memory"))
			continue;
		for (unsigned i = 0; dt_reg(blob, node, i, &start, &size) == 0; i++) {
			size = MIN(size, UINT64_MAX - start);
			if (size > 0)
				fn(start, size, arg);
		}
	}
}

void dt_for_each_cpu(void (*fn)(uint64_t hwid, int node, void *arg), void *arg)
{
	int cpus = fdt_path_offset(blob, "/cpus");
	uint64_t hwid, size;
	int node;

	if (cpus < 0)
		return;
	fdt_for_each_subnode(node, blob, cpus) {
		if (has_device_type(node, "cpu") && dt_reg(blob, node, 0, &hwid, &size) == 0)
			fn(hwid, node, arg);
	}
}
