/*
 * The index of the machine's device tree.
 *
 * libfdt knows nothing between two questions: it checks every token again and
 * finds parents, paths and siblings by walking from the start, at 100,000
 * instructions a walk. So the adopted blob is walked and checked once, and later
 * questions go straight to the node. A tree that is too big for the index or
 * does not pass the check, and any other blob, takes libfdt's way.
 */
#include <caisson/dt.h>

#include <errno.h>
#include <string.h>

#include "index.h"

#define INDEX_NODES 512
#define NONE (-1)
#define NOTHING UINT32_MAX /* noted of this property: it may be there all the same */

static const char *const noted_names[DT_NOTED] = { "phandle", "#address-cells", "#size-cells" };

struct index_node {
	int offset;   /* libfdt's name for the node; rising */
	int props;    /* where its properties begin */
	int parent;   /* index of, as the next; NONE for the root */
	int sibling;  /* the next child of the same parent, NONE for the last */
	uint32_t noted[DT_NOTED]; /* of dt_noted(), or NOTHING */
};

static const void *blob;
static struct index_node nodes[INDEX_NODES];
static int n_nodes;            /* 0: no index */
static int recent;             /* a hint where to look first; any hart may write it */
static const char *structure;  /* the blob's structure and strings blocks */
static const char *strings;
static uint32_t structure_size, strings_size;

static uint32_t read_u32(uint32_t offset)
{
	return fdt32_to_cpu(*(const fdt32_t *)(structure + offset));
}

/* Most names differ at once. */
static inline bool is_name(const char *a, const char *b)
{
	return *a == *b && strcmp(a, b) == 0;
}

/* Bytes of the name at `offset` with its zero, padded; 0 when it does not end. */
static uint32_t name_bytes(uint32_t offset)
{
	const char *end = memchr(structure + offset, '\0', structure_size - offset);

	return end ? (uint32_t)ALIGN_UP((uint64_t)(end - (structure + offset)) + 1, 4) : 0;
}

/* Bytes of the property behind its tag at `offset`; 0 when it is not sound. */
static uint32_t prop_bytes(uint32_t offset)
{
	uint64_t bytes;

	if (structure_size - offset < 8)
		return 0;
	bytes = ALIGN_UP(8 + (uint64_t)read_u32(offset), 4);
	if (bytes > structure_size - offset || read_u32(offset + 4) >= strings_size)
		return 0;
	return (uint32_t)bytes;
}

/* Note a node whose tag is at `offset`. @return its number, or NONE when the index is full. */
static int add_node(uint32_t offset, uint32_t name_len, int parent, int elder)
{
	if (n_nodes == INDEX_NODES)
		return NONE;
	nodes[n_nodes] = (struct index_node){ (int)offset, (int)(offset + 4 + name_len), parent, NONE,
					      { NOTHING, NOTHING, NOTHING } };
	if (elder != NONE)
		nodes[elder].sibling = n_nodes;
	return n_nodes++;
}

/*
 * Note the property behind its tag at `offset` if it is one of those. A tree's strings stand in it once,
 * as a rule, so that after the first of a name the name's place tells.
 */
static void note(int node, uint32_t offset, uint32_t *places)
{
	uint32_t name;

	if (read_u32(offset) != 4)
		return;
	name = read_u32(offset + 4);
	for (unsigned i = 0; i < DT_NOTED; i++) {
		if (places[i] == UINT32_MAX && is_name(strings + name, noted_names[i]))
			places[i] = name;
		if (places[i] == name)
			nodes[node].noted[i] = read_u32(offset + 8);
	}
}

/* One walk over the structure block. @return false: not sound, or too big. */
static bool index_build(void)
{
	uint32_t at = 0, bytes, places[DT_NOTED] = { UINT32_MAX, UINT32_MAX, UINT32_MAX };
	int open = NONE, elder = NONE; /* the node we are in; its youngest child so far */

	n_nodes = recent = 0;
	while (structure_size - at >= 4) {
		uint32_t tag_at = at;

		at += 4;
		switch (read_u32(tag_at)) {
		case FDT_BEGIN_NODE:
			bytes = name_bytes(at);
			if (bytes == 0 || (open == NONE && n_nodes > 0))
				return false;
			open = add_node(tag_at, bytes, open, elder);
			if (open == NONE)
				return false;
			elder = NONE;
			at += bytes;
			break;
		case FDT_PROP:
			bytes = prop_bytes(at);
			if (bytes == 0 || open == NONE)
				return false;
			note(open, at, places);
			at += bytes;
			break;
		case FDT_END_NODE:
			if (open == NONE)
				return false;
			elder = open;
			open = nodes[open].parent;
			break;
		case FDT_NOP:
			break;
		case FDT_END:
			return open == NONE && n_nodes > 0;
		default:
			return false;
		}
	}
	return false;
}

static bool blocks_are_sound(void)
{
	uint64_t total = fdt_totalsize(blob);
	uint64_t structure_end = (uint64_t)fdt_off_dt_struct(blob) + structure_size;
	uint64_t strings_end = (uint64_t)fdt_off_dt_strings(blob) + strings_size;

	/* With a zero at its end, every string that begins in the strings block ends there. */
	return fdt_version(blob) >= 17 && structure_end <= total && strings_end <= total &&
	       fdt_off_dt_struct(blob) % 4 == 0 && structure_size % 4 == 0 && structure_size <= INT32_MAX &&
	       strings_size > 0 && strings[strings_size - 1] == '\0';
}

int dt_init(const void *fdt)
{
	if (!fdt || (uintptr_t)fdt % 8 != 0 || fdt_check_header(fdt) != 0)
		return -EINVAL;
	blob = fdt;
	structure = (const char *)fdt + fdt_off_dt_struct(fdt);
	strings = (const char *)fdt + fdt_off_dt_strings(fdt);
	structure_size = fdt_size_dt_struct(fdt);
	strings_size = fdt_size_dt_strings(fdt);
	if (!blocks_are_sound() || !index_build())
		n_nodes = 0;
	return 0;
}

const void *dt_blob(void)
{
	return blob;
}

static int index_search(int node)
{
	int lo = 0, hi = n_nodes;

	while (lo < hi) {
		int mid = (lo + hi) / 2;

		if (nodes[mid].offset == node)
			return mid;
		if (nodes[mid].offset < node)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NONE;
}

/* Questions come in runs: after one node its parent or the next is asked about. */
static int index_near(int i, int node)
{
	int parent = nodes[i].parent;

	if (parent != NONE && nodes[parent].offset == node)
		return parent;
	return i + 1 < n_nodes && nodes[i + 1].offset == node ? i + 1 : index_search(node);
}

/* Number of a node in the index, or NONE. */
static int index_find(const void *fdt, int node)
{
	int i = __atomic_load_n(&recent, __ATOMIC_RELAXED);

	if (fdt != blob || i >= n_nodes)
		return NONE;
	if (nodes[i].offset != node) {
		i = index_near(i, node);
		if (i != NONE)
			__atomic_store_n(&recent, i, __ATOMIC_RELAXED);
	}
	return i;
}

bool dt_noted(const void *fdt, int node, enum dt_noted which, uint32_t *value)
{
	int i = index_find(fdt, node);

	if (i == NONE || nodes[i].noted[which] == NOTHING)
		return false;
	*value = nodes[i].noted[which];
	return true;
}

static int search_phandle(const void *fdt, uint32_t phandle)
{
	uint32_t have;

	for (int node = 0; node >= 0; node = dt_next_node(fdt, node))
		if (dt_u32(fdt, node, "phandle", 0, &have) == 0 && have == phandle)
			return node;
	return -ENOENT;
}

int dt_by_phandle(const void *fdt, uint32_t phandle)
{
	if (phandle == 0 || phandle == UINT32_MAX)
		return -ENOENT;
	if (fdt == blob)
		for (int i = 0; i < n_nodes; i++)
			if (nodes[i].noted[DT_PHANDLE] == phandle)
				return nodes[i].offset;
	return search_phandle(fdt, phandle);
}

int dt_parent(const void *fdt, int node)
{
	int i = index_find(fdt, node);
	int parent;

	if (i != NONE)
		return nodes[i].parent == NONE ? -ENOENT : nodes[nodes[i].parent].offset;
	parent = fdt_parent_offset(fdt, node);
	return parent < 0 ? -ENOENT : parent;
}

int dt_next_node(const void *fdt, int node)
{
	int i = index_find(fdt, node);

	if (i == NONE)
		node = fdt_next_node(fdt, node, NULL);
	else
		node = i + 1 < n_nodes ? nodes[i + 1].offset : NONE;
	return node < 0 ? -ENOENT : node;
}

int dt_first_child(const void *fdt, int parent)
{
	int i = index_find(fdt, parent);
	int child;

	if (i != NONE)
		child = i + 1 < n_nodes && nodes[i + 1].parent == i ? nodes[i + 1].offset : NONE;
	else
		child = fdt_first_subnode(fdt, parent);
	return child < 0 ? -ENOENT : child;
}

int dt_next_child(const void *fdt, int child)
{
	int i = index_find(fdt, child);

	if (i != NONE)
		child = nodes[i].sibling == NONE ? NONE : nodes[nodes[i].sibling].offset;
	else
		child = fdt_next_subnode(fdt, child);
	return child < 0 ? -ENOENT : child;
}

const void *dt_prop(const void *fdt, int node, const char *name, int *len)
{
	int i = index_find(fdt, node);
	const struct fdt_property *p;
	uint32_t at;

	if (i == NONE)
		return fdt_getprop(fdt, node, name, len);
	for (at = (uint32_t)nodes[i].props;; at += 4) {
		p = (const struct fdt_property *)(structure + at);
		if (p->tag == cpu_to_fdt32(FDT_NOP))
			continue;
		if (p->tag != cpu_to_fdt32(FDT_PROP))
			break;
		*len = (int)fdt32_to_cpu(p->len);
		if (is_name(strings + fdt32_to_cpu(p->nameoff), name))
			return p->data;
		at += (uint32_t)ALIGN_UP(8 + (uint64_t)*len, 4);
	}
	*len = -FDT_ERR_NOTFOUND;
	return NULL;
}

/* Does a path component of n bytes name this node, with or without its unit address? */
static bool is_named(const struct index_node *node, const char *component, size_t n)
{
	const char *name = structure + node->offset + 4;

	return *name == *component && strncmp(name, component, n) == 0 &&
	       (name[n] == '\0' || (name[n] == '@' && !memchr(component, '@', n)));
}

/* By numbers, as the result. */
static int named_child(int parent, const char *component, size_t n)
{
	int i = parent + 1;

	if (i >= n_nodes || nodes[i].parent != parent)
		return NONE;
	while (i != NONE && !is_named(&nodes[i], component, n))
		i = nodes[i].sibling;
	return i;
}

int dt_path_n(const char *path, size_t len)
{
	const char *end = path + len;
	int i = 0, node;

	if (n_nodes == 0 || len == 0 || *path != '/') {
		node = blob ? fdt_path_offset_namelen(blob, path, (int)len) : NONE;
		return node < 0 ? -ENOENT : node;
	}
	while (path < end && i != NONE) {
		const char *slash = memchr(path, '/', (size_t)(end - path));
		size_t n = (size_t)((slash ? slash : end) - path);

		if (n > 0)
			i = named_child(i, path, n);
		path += n + 1;
	}
	return i == NONE ? -ENOENT : nodes[i].offset;
}

int dt_path(const char *path)
{
	return dt_path_n(path, strlen(path));
}
