/* The PLIC driver on registers that are memory, with a device tree of several sockets. */
// sources: core/dt/dt.c core/dt/bus.c core/dt/map.c core/dt/index.c
#include "drivers/irqchip/plic.c"

#include <test.h>

#define REGS_SIZE 0x210000u

static unsigned char *regs;
static char fdt[8192] ALIGNED_TO(8);
static const struct irqchip *registered;
static void *registered_dev;

void *io_map(hpa_t pa, uint64_t size)
{
	assert_int_equal(pa.v, 0xc000000);
	assert_true(size <= REGS_SIZE);
	return regs;
}

void irqchip_register(const struct irqchip *c, void *dev)
{
	registered = c;
	registered_dev = dev;
}

/* The boot hart has hardware id 5 here, the other two are 2 and 9. */
struct hart *hart_by_hwid(uint64_t hwid)
{
	return hwid == 5 ? &mock_harts[0] : hwid == 2 ? &mock_harts[1] : hwid == 9 ? &mock_harts[2] : NULL;
}

struct hart harts[HART_MAX];

unsigned hart_count(void)
{
	return 3;
}

static uint32_t *reg(uint64_t offset)
{
	return (uint32_t *)(void *)(regs + offset);
}

static void add_cpu(int cpus, uint32_t hwid)
{
	char name[16];
	int cpu, intc;

	snprintf(name, sizeof(name), "cpu@%x", hwid);
	cpu = fdt_add_subnode(fdt, cpus, name);
	assert_int_equal(fdt_setprop_string(fdt, cpu, "device_type", "cpu"), 0);
	assert_int_equal(fdt_setprop_u32(fdt, cpu, "reg", hwid), 0);
	intc = fdt_add_subnode(fdt, cpu, "interrupt-controller");
	assert_int_equal(fdt_setprop_empty(fdt, intc, "interrupt-controller"), 0);
	assert_int_equal(fdt_setprop_u32(fdt, intc, "phandle", 0x100 + hwid), 0);
}

static int add_plic(const char *name, uint32_t ndev, uint32_t size, const uint32_t *contexts, unsigned n)
{
	int node = fdt_add_subnode(fdt, 0, name);

	assert_int_equal(fdt_setprop_u64(fdt, node, "reg", 0xc000000), 0);
	assert_int_equal(fdt_appendprop_u32(fdt, node, "reg", size), 0);
	assert_int_equal(fdt_setprop_u32(fdt, node, "riscv,ndev", ndev), 0);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(fdt_appendprop_u32(fdt, node, "interrupts-extended", contexts[i]), 0);
	return node;
}

static void make_cpus(void)
{
	int cpus;

	assert_int_equal(fdt_create_empty_tree(fdt, sizeof(fdt)), 0);
	cpus = fdt_add_subnode(fdt, 0, "cpus");
	assert_int_equal(fdt_setprop_u32(fdt, cpus, "#address-cells", 1), 0);
	assert_int_equal(fdt_setprop_u32(fdt, cpus, "#size-cells", 0), 0);
	add_cpu(cpus, 9);
	add_cpu(cpus, 5);
	add_cpu(cpus, 2);
	add_cpu(cpus, 77); /* beyond what the build supports */
}

static int probe(const char *path)
{
	assert_int_equal(dt_init(fdt), 0);
	return plic_probe(fdt, fdt_path_offset(fdt, path));
}

static int setup(void **state)
{
	(void)state;
	memset(&plic, 0, sizeof(plic));
	memset(regs, 0xff, REGS_SIZE);
	registered = NULL;
	mock_hart = &mock_harts[0];
	for (unsigned i = 0; i < 3; i++)
		mock_harts[i].index = i;
	make_cpus();
	return 0;
}

/* M and S mode of harts 2, 5, 9; contexts 1, 3 and 4 are the S-modes (hart 9 has no M-mode context). */
static const uint32_t contexts[] = { 0x102, 11, 0x102, 9, 0x105, 11, 0x105, 9, 0x109, 9 };

static int setup_bound(void **state)
{
	setup(state);
	add_plic("plic", 95, REGS_SIZE, contexts, ARRAY_SIZE(contexts));
	assert_int_equal(probe("/plic"), 0);
	assert_non_null(registered);
	return 0;
}

static void each_hart_has_the_context_of_its_s_mode(void **state)
{
	static const unsigned context[] = { 3, 1, 4 };

	(void)state;
	assert_int_equal(registered->n_sources, 96);
	for (unsigned i = 0; i < 3; i++) {
		mock_hart = &mock_harts[i];
		assert_int_equal(*reg(THRESHOLD(context[i])), ~0u);
		registered->hart_init(registered_dev);
		assert_int_equal(*reg(THRESHOLD(context[i])), 0);
		*reg(CLAIM(context[i])) = 40 + i;
		assert_int_equal(registered->claim(registered_dev), 40 + i);
		registered->complete(registered_dev, 7);
		assert_int_equal(*reg(CLAIM(context[i])), 7);
	}
	assert_int_equal(*reg(THRESHOLD(0)), ~0u); /* the firmware's own */
	assert_int_equal(*reg(THRESHOLD(2)), ~0u);
}

static void what_was_enabled_before_is_forgotten(void **state)
{
	static const unsigned ours[] = { 1, 3, 4 };

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		for (unsigned source = 0; source < 96; source += 32)
			assert_int_equal(*reg(ENABLE(ours[i], source)), 0);
	assert_int_equal(*reg(ENABLE(0, 0)), ~0u);
	assert_int_equal(*reg(ENABLE(2, 0)), ~0u);
}

static void sources_go_to_the_boot_hart(void **state)
{
	(void)state;
	assert_int_equal(registered->enable(registered_dev, 10), 0);
	assert_int_equal(registered->enable(registered_dev, 33), 0);
	assert_int_equal(registered->enable(registered_dev, 95), 0);
	assert_int_equal(*reg(ENABLE(3, 0)), 1u << 10);
	assert_int_equal(*reg(ENABLE(3, 32)), 1u << 1);
	assert_int_equal(*reg(ENABLE(3, 64)), 1u << 31);
	assert_int_equal(*reg(PRIORITY(33)), 1);
	assert_int_equal(*reg(ENABLE(1, 0)), 0);
	assert_int_equal(registered->enable(registered_dev, 0), -EINVAL);
	assert_int_equal(registered->enable(registered_dev, 96), -EINVAL);
}

static void a_disabled_source_can_be_completed_and_enabled_again(void **state)
{
	(void)state;
	assert_int_equal(registered->enable(registered_dev, 10), 0);
	registered->disable(registered_dev, 10);
	assert_int_equal(*reg(PRIORITY(10)), 0);
	assert_int_equal(*reg(ENABLE(3, 0)), 1u << 10); /* or the completion would be ignored */
	assert_int_equal(registered->enable(registered_dev, 10), 0);
	assert_int_equal(*reg(PRIORITY(10)), 1);
	registered->disable(registered_dev, 5000);
}

static void B8_sources_move_when_their_hart_leaves(void **state)
{
	(void)state;
	assert_int_equal(registered->enable(registered_dev, 10), 0);
	assert_int_equal(registered->enable(registered_dev, 95), 0);
	harts[2].online = false;
	assert_false(registered->may_leave(registered_dev, 0)); /* nobody else is there */
	assert_true(registered->may_leave(registered_dev, 1));
	harts[2].online = harts[2].reserved = true;
	assert_false(registered->may_leave(registered_dev, 0));
	harts[2].reserved = false;
	assert_true(registered->may_leave(registered_dev, 0));
	mock_hart = &mock_harts[1];
	registered->hart_leave(registered_dev); /* has none */
	assert_int_equal(*reg(ENABLE(3, 0)), 1u << 10);
	mock_hart = &mock_harts[0];
	registered->hart_leave(registered_dev);
	assert_int_equal(*reg(ENABLE(3, 0)), 0);
	assert_int_equal(*reg(ENABLE(4, 0)), 1u << 10);
	assert_int_equal(*reg(ENABLE(4, 64)), 1u << 31);
	assert_int_equal(registered->enable(registered_dev, 11), 0);
	assert_int_equal(*reg(ENABLE(4, 0)), 3u << 10);
}

static void a_second_controller_is_left(void **state)
{
	(void)state;
	add_plic("plic2", 95, REGS_SIZE, contexts, ARRAY_SIZE(contexts));
	assert_int_equal(probe("/plic2"), -ENODEV);
}

static void a_controller_of_another_socket(void **state)
{
	static const uint32_t other[] = { 0x1234, 9 }, socket[] = { 0x102, 11, 0x109, 9, 0x102, 9 };

	(void)state;
	add_plic("none", 95, REGS_SIZE, other, ARRAY_SIZE(other));
	add_plic("plic", 95, REGS_SIZE, socket, ARRAY_SIZE(socket));
	assert_int_equal(probe("/none"), -ENOENT);
	assert_null(registered);
	assert_int_equal(probe("/plic"), 0);
	/* The boot hart is not served: the first of ours that is gets the sources. */
	assert_int_equal(registered->enable(registered_dev, 10), 0);
	assert_int_equal(*reg(ENABLE(2, 0)), 1u << 10);
	assert_int_equal(registered->claim(registered_dev), 0);
	registered->complete(registered_dev, 3);
	registered->hart_init(registered_dev);
}

static void broken_nodes_are_refused(void **state)
{
	int node;

	(void)state;
	add_plic("none", 0, REGS_SIZE, contexts, ARRAY_SIZE(contexts));
	add_plic("many", 1024, REGS_SIZE, contexts, ARRAY_SIZE(contexts));
	add_plic("small", 95, 0x200000, contexts, ARRAY_SIZE(contexts));
	add_plic("bare", 95, REGS_SIZE, NULL, 0);
	add_plic("odd", 95, REGS_SIZE, contexts, 1);
	node = add_plic("noreg", 95, REGS_SIZE, contexts, ARRAY_SIZE(contexts));
	assert_int_equal(fdt_delprop(fdt, node, "reg"), 0);
	assert_int_equal(probe("/none"), -EINVAL);
	assert_int_equal(probe("/many"), -EINVAL);
	assert_int_equal(probe("/small"), -EINVAL);
	assert_int_equal(probe("/bare"), -ENOENT);
	assert_int_equal(probe("/odd"), -ENOENT);
	assert_int_equal(probe("/noreg"), -ENOENT);
	add_plic("silent", 95, REGS_SIZE, contexts, ARRAY_SIZE(contexts));
	mock_io_silent = true;
	assert_int_equal(probe("/silent"), -ENXIO);
	mock_io_silent = false;
	assert_null(registered);
}

static void contexts_beyond_the_registers_are_not_used(void **state)
{
	(void)state;
	add_plic("plic", 95, 0x203000, contexts, ARRAY_SIZE(contexts)); /* contexts 0 to 2 */
	assert_int_equal(probe("/plic"), 0);
	assert_int_equal(plic.context[1], 1);
	assert_int_equal(plic.context[0], NO_CONTEXT);
	assert_int_equal(plic.context[2], NO_CONTEXT);
}

static int allocate(void **state)
{
	(void)state;
	regs = malloc(REGS_SIZE);
	return regs ? 0 : -1;
}

static int release(void **state)
{
	(void)state;
	free(regs);
	return 0;
}

int main(void)
{
#define CASE(test, start) cmocka_unit_test_setup(test, start)
	const struct CMUnitTest tests[] = {
		CASE(each_hart_has_the_context_of_its_s_mode, setup_bound),
		CASE(what_was_enabled_before_is_forgotten, setup_bound),
		CASE(sources_go_to_the_boot_hart, setup_bound),
		CASE(B8_sources_move_when_their_hart_leaves, setup_bound),
		CASE(a_disabled_source_can_be_completed_and_enabled_again, setup_bound),
		CASE(a_second_controller_is_left, setup_bound),
		CASE(a_controller_of_another_socket, setup),
		CASE(broken_nodes_are_refused, setup),
		CASE(contexts_beyond_the_registers_are_not_used, setup),
	};

	return cmocka_run_group_tests(tests, allocate, release);
}
