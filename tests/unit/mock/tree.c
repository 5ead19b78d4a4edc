/* Making device trees: see tree.h. */
#include <tree.h>

#include <caisson/dt.h>
#include <test.h>

char fdt[FDT_SIZE] ALIGNED_TO(8);
static int error; /* of the tree's making */

void begin(const char *name)
{
	error |= fdt_begin_node(fdt, name);
}

void end(void)
{
	error |= fdt_end_node(fdt);
}

void string(const char *name, const char *value)
{
	error |= fdt_property_string(fdt, name, value);
}

void bytes(const char *name, const void *value, int n)
{
	error |= fdt_property(fdt, name, value, n);
}

void cells_of(const char *name, const uint32_t *cells, unsigned n)
{
	fdt32_t big[16];

	assert_true(n <= ARRAY_SIZE(big));
	for (unsigned i = 0; i < n; i++)
		big[i] = cpu_to_fdt32(cells[i]);
	bytes(name, big, (int)(n * 4));
}

void open_tree(void)
{
	memset(fdt, 0, sizeof(fdt));
	error = fdt_create(fdt, sizeof(fdt));
	error |= fdt_finish_reservemap(fdt);
	begin("");
	CELLS("#address-cells", 2);
	CELLS("#size-cells", 2);
}

void close_tree(void)
{
	end();
	error |= fdt_finish(fdt);
	assert_int_equal(error, 0);
	assert_int_equal(dt_init(fdt), 0);
	assert_ptr_equal(dt_blob(), fdt);
}

int at(const char *path)
{
	int node = fdt_path_offset(fdt, path);

	assert_true(node >= 0);
	return node;
}

void begin_cpu(uint32_t hwid, const char *isa)
{
	char name[16];

	snprintf(name, sizeof(name), "cpu@%x", hwid);
	begin(name);
	string("device_type", "cpu");
	CELLS("reg", hwid);
	if (isa)
		string("riscv,isa", isa);
}

void begin_cpus(void)
{
	open_tree();
	begin("cpus");
	CELLS("#address-cells", 1);
	CELLS("#size-cells", 0);
}

void close_cpus(void)
{
	end();
	close_tree();
}

void one_cpu(const char *isa)
{
	begin_cpus();
	begin_cpu(0, isa);
	end();
	close_cpus();
}
