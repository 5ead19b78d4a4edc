/* core/dt: addresses through the buses' ranges, interrupts, phandles, the timebase; with trees that contradict themselves. */
// sources: core/dt/dt.c core/dt/bus.c core/dt/map.c core/dt/index.c core/irq/find.c core/irq/irq.c
#include <errno.h>

#include <caisson/dt.h>
#include <caisson/irq.h>
#include <test.h>
#include <tree.h>

static uint64_t addr, size;

static int reg_of(const char *path)
{
	addr = size = 0;
	return dt_reg(fdt, at(path), 0, &addr, &size);
}

/* Root 2+2 cells; "inner" 1+1 at 0x1000 of "outer", whose 0 is at 0x1_0000_0000. */
static void make_buses(void)
{
	open_tree();
	begin("outer");
	CELLS("#address-cells", 1);
	CELLS("#size-cells", 1);
	CELLS("ranges", 0, 1, 0, 0x100000, 0x200000, 0, 0x40000000, 0x1000);
	begin("inner");
	CELLS("#address-cells", 1);
	CELLS("#size-cells", 1);
	CELLS("ranges", 0x80, 0x1000, 0x100);
	begin("deep");
	CELLS("reg", 0x90, 0x10);
	end();
	begin("across");
	CELLS("reg", 0x170, 0x20);
	end();
	end();
	begin("second");
	CELLS("reg", 0x200800, 0x800);
	end();
	begin("outside");
	CELLS("reg", 0x300000, 4);
	end();
	begin("below");
	CELLS("reg", 0x1ffff0, 0x20);
	end();
	end();
	begin("plain");
	CELLS("#address-cells", 1);
	CELLS("#size-cells", 1);
	begin("device");
	CELLS("reg", 0x123, 4);
	end();
	end();
	begin("same");
	CELLS("#address-cells", 2);
	CELLS("#size-cells", 1);
	bytes("ranges", "", 0);
	begin("device");
	CELLS("reg", 1, 2, 3);
	end();
	end();
	begin("odd");
	CELLS("ranges", 1, 2, 3);
	begin("device");
	CELLS("reg", 0, 0x123, 4);
	end();
	end();
	close_tree();
}

static void addresses_go_through_ranges(void **state)
{
	(void)state;
	make_buses();
	assert_int_equal(reg_of("/outer/inner/deep"), 0);
	assert_int_equal(addr, 0x100001010);
	assert_int_equal(size, 0x10);
	assert_int_equal(reg_of("/outer/second"), 0);
	assert_int_equal(addr, 0x40000800);
	assert_int_equal(reg_of("/plain/device"), 0);
	assert_int_equal(addr, 0x123);
	assert_int_equal(reg_of("/same/device"), 0);
	assert_int_equal(addr, 0x100000002);
}

static void reserved_memory_has_the_roots_cells(void **state)
{
	(void)state;
	open_tree();
	begin("reserved-memory");
	begin("firmware");
	CELLS("reg", 0, 0x80000000, 0, 0x40000);
	end();
	end();
	close_tree();
	assert_int_equal(reg_of("/reserved-memory/firmware"), 0);
	assert_int_equal(addr, 0x80000000);
	assert_int_equal(size, 0x40000);
}

static void addresses_outside_of_ranges_are_refused(void **state)
{
	(void)state;
	make_buses();
	assert_int_equal(reg_of("/outer/inner/across"), -EINVAL); /* begins inside, ends outside */
	assert_int_equal(reg_of("/outer/outside"), -EINVAL);
	assert_int_equal(reg_of("/outer/below"), -EINVAL);
	assert_int_equal(reg_of("/odd/device"), -EINVAL);
	assert_int_equal(dt_reg_on_bus(fdt, at("/outer/outside"), 0, &addr, &size), 0);
	assert_int_equal(addr, 0x300000);
}

/* --- windows --- */

static uint64_t mapped_at, mapped_size;
static bool no_room;

void *io_map(hpa_t pa, uint64_t n)
{
	static char window;

	mapped_at = pa.v;
	mapped_size = n;
	return no_room ? NULL : &window;
}

static int map_reg(uint32_t hi, uint32_t lo, uint32_t size_hi, uint32_t size_lo)
{
	volatile char *regs;
	uint64_t n;

	open_tree();
	begin("device");
	CELLS("reg", hi, lo, size_hi, size_lo);
	end();
	close_tree();
	mapped_size = 0;
	return dt_map(fdt, at("/device"), 0, 0x10, &regs, &n);
}

static void windows_are_checked(void **state)
{
	(void)state;
	assert_int_equal(map_reg(1, 0x2000, 0, 0x10), 0);
	assert_int_equal(mapped_at, 0x100002000);
	assert_int_equal(mapped_size, 0x10);
	assert_int_equal(map_reg(0, 0x2000, 0, 0), -EINVAL);
	assert_int_equal(map_reg(0, 0x2000, 0, 0xf), -EINVAL);
	assert_int_equal(map_reg(0xffffffff, 0xfffffff0, 0, 0x10), -EINVAL);
	assert_int_equal(map_reg(0xffffffff, 0xfffffff0, 0xffffffff, 0xffffffff), -EINVAL);
	assert_int_equal(map_reg(0, 0x1000, 0x1000000, 0), -EINVAL);
	assert_int_equal(mapped_size, 0);
	no_room = true;
	assert_int_equal(map_reg(0, 0x2000, 0, 0x10), -ENOMEM);
	no_room = false;
}

/* --- interrupts --- */

static void begin_controller(const char *name, uint32_t phandle, uint32_t cells)
{
	begin(name);
	CELLS("phandle", phandle);
	CELLS("#interrupt-cells", cells);
	bytes("interrupt-controller", "", 0);
	end();
}

static void make_interrupts(void)
{
	open_tree();
	CELLS("interrupt-parent", 5);
	begin_controller("one", 5, 1);
	begin_controller("two", 6, 2);
	begin_controller("wide", 7, 99);
	begin_controller("again", 5, 2); /* a phandle that is there twice: the first counts */
	begin("circle");
	CELLS("phandle", 8);
	CELLS("interrupt-parent", 8);
	CELLS("interrupts", 1);
	end();
	begin("a");
	CELLS("interrupts", 10, 11);
	end();
	begin("bus");
	CELLS("interrupt-parent", 6);
	begin("b");
	CELLS("interrupts", 20, 4, 21, 4, 22);
	end();
	end();
	begin("c");
	CELLS("interrupts", 1); /* is not looked at */
	CELLS("interrupts-extended", 5, 30, 6, 31, 4, 5, 32, 7, 1);
	end();
	begin("nobody");
	CELLS("interrupt-parent", 77);
	CELLS("interrupts", 1);
	CELLS("interrupts-extended", 5);
	end();
	begin("lost");
	CELLS("interrupt-parent", 77);
	CELLS("interrupts", 1);
	end();
	begin("wild");
	CELLS("interrupt-parent", 0xffffffff);
	CELLS("interrupts", 1);
	end();
	begin("none");
	end();
	close_tree();
}

static uint32_t controller, source;

static int interrupt_of(const char *path, unsigned n)
{
	return dt_interrupt(fdt, at(path), n, &controller, &source);
}

#define IS(path, n, phandle, number)                                  \
	do {                                                          \
		assert_int_equal(interrupt_of(path, n), 0);           \
		assert_int_equal(controller, phandle);                \
		assert_int_equal(source, number);                     \
	} while (0)

static void interrupts_have_a_controller(void **state)
{
	(void)state;
	make_interrupts();
	IS("/a", 0, 5, 10);
	IS("/a", 1, 5, 11);
	assert_int_equal(interrupt_of("/a", 2), -ENOENT);
	IS("/bus/b", 1, 6, 21);
	assert_int_equal(interrupt_of("/bus/b", 2), -ENOENT); /* half an interrupt */
	IS("/c", 0, 5, 30);
	IS("/c", 1, 6, 31);
	IS("/c", 2, 5, 32);
	assert_int_equal(interrupt_of("/none", 0), -ENOENT);
	assert_int_equal(interrupt_of("/a", UINT32_MAX), -ENOENT);
}

static void interrupts_that_contradict_themselves(void **state)
{
	(void)state;
	make_interrupts();
	assert_int_equal(interrupt_of("/circle", 0), -EINVAL); /* is not a controller, and its own parent */
	assert_int_equal(interrupt_of("/c", 3), -EINVAL);      /* 99 cells */
	assert_int_equal(interrupt_of("/nobody", 0), -EINVAL); /* a controller without a source */
	assert_int_equal(interrupt_of("/lost", 0), -EINVAL);
	assert_int_equal(interrupt_of("/wild", 0), -EINVAL);
	assert_int_equal(dt_by_phandle(fdt, 5), at("/one"));
	assert_int_equal(dt_by_phandle(fdt, 0), -ENOENT);
	assert_int_equal(dt_by_phandle(fdt, 77), -ENOENT);
}

static void interrupts_of_another_controller_are_not_ours(void **state)
{
	static const struct irqchip chip = { .name = "mock", .n_sources = 8, .phandle = 5 };
	unsigned irq;

	(void)state;
	make_interrupts();
	assert_int_equal(irq_find(fdt, at("/a"), 0, &irq), -ENXIO); /* we have none yet */
	irqchip_register(&chip, NULL);
	assert_int_equal(irq_find(fdt, at("/a"), 1, &irq), 0);
	assert_int_equal(irq, 11);
	assert_int_equal(irq_find(fdt, at("/bus/b"), 0, &irq), -ENXIO);
	assert_int_equal(irq_find(fdt, at("/lost"), 0, &irq), -EINVAL);
	assert_int_equal(irq_find(fdt, at("/none"), 0, &irq), -ENOENT);
}

/* --- time and harts --- */

static void the_timebase_is_where_it_is_told(void **state)
{
	(void)state;
	begin_cpus();
	CELLS("timebase-frequency", 1000);
	close_cpus();
	assert_int_equal(dt_timebase(), 1000);
	begin_cpus();
	CELLS("timebase-frequency", 0, 2000);
	close_cpus();
	assert_int_equal(dt_timebase(), 2000);
	begin_cpus();
	CELLS("timebase-frequency", 1, 0); /* 4 GHz: no */
	begin_cpu(0, NULL);
	end();
	begin_cpu(1, NULL);
	CELLS("timebase-frequency", 3000);
	end();
	close_cpus();
	assert_int_equal(dt_timebase(), 3000);
	begin_cpus();
	bytes("timebase-frequency", "abc", 3);
	close_cpus();
	assert_int_equal(dt_timebase(), 0);
	open_tree();
	close_tree();
	assert_int_equal(dt_timebase(), 0);
}

static void note_id(uint64_t hwid, int node, void *arg)
{
	(void)node;
	*(uint64_t *)arg += hwid;
}

static void hart_ids_have_up_to_64_bits(void **state)
{
	uint64_t sum = 0;

	(void)state;
	open_tree();
	begin("cpus");
	CELLS("#address-cells", 2);
	CELLS("#size-cells", 0);
	CELLS("ranges", 0, 0, 1, 1); /* means nothing here */
	begin("cpu@100000002");
	string("device_type", "cpu");
	CELLS("reg", 1, 2);
	end();
	begin("cpu@3");
	string("device_type", "cpu");
	CELLS("reg", 3); /* half an id */
	end();
	close_cpus();
	dt_for_each_cpu(note_id, &sum);
	assert_int_equal(sum, 0x100000002);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_go_through_ranges),
		cmocka_unit_test(reserved_memory_has_the_roots_cells),
		cmocka_unit_test(addresses_outside_of_ranges_are_refused),
		cmocka_unit_test(windows_are_checked),
		cmocka_unit_test(interrupts_have_a_controller),
		cmocka_unit_test(interrupts_that_contradict_themselves),
		cmocka_unit_test(interrupts_of_another_controller_are_not_ours),
		cmocka_unit_test(the_timebase_is_where_it_is_told),
		cmocka_unit_test(hart_ids_have_up_to_64_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
