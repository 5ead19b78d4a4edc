/* core/dt: the words of riscv,isa and riscv,isa-extensions. */
// sources: core/dt/dt.c core/dt/bus.c core/dt/index.c core/dt/isa.c
#include <caisson/dt.h>
#include <test.h>
#include <tree.h>

static bool isa_has(const char *ext)
{
	return dt_isa_mask(&ext, 1);
}

static void isa_string_words(void **state)
{
	(void)state;
	one_cpu("rv64imafdch_zicbom_Zicboz_sstc_svpbmt");
	assert_true(isa_has("h"));
	assert_true(isa_has("i"));
	assert_true(isa_has("zicbom"));
	assert_true(isa_has("zicboz"));
	assert_true(isa_has("svpbmt"));
	assert_false(isa_has("v"));
	assert_false(isa_has("zicbo"));
	assert_false(isa_has("zicbomx"));
	assert_false(isa_has("ssaia"));
	assert_false(isa_has("rv64"));
	assert_false(isa_has("s"));
	assert_false(isa_has("b"));
}

static void isa_string_versions_and_forms(void **state)
{
	(void)state;
	one_cpu("RV64I2P1M2A2P1C_Zicsr2p0_smaia1p0_zve32x");
	assert_true(isa_has("i"));
	assert_true(isa_has("m"));
	assert_true(isa_has("c"));
	assert_true(isa_has("zicsr"));
	assert_true(isa_has("smaia"));
	assert_true(isa_has("zve32x"));
	assert_false(isa_has("p"));
	assert_false(isa_has("zve"));
	assert_false(isa_has("h"));
	one_cpu("rv64gcsstc_zba");
	assert_true(isa_has("d"));
	assert_true(isa_has("sstc"));
	assert_true(isa_has("zba"));
	assert_false(isa_has("h"));
	one_cpu("rv32imac");
	assert_false(isa_has("i"));
	one_cpu("rv64");
	assert_false(isa_has("i"));
	one_cpu("rv64i__");
	assert_true(isa_has("i"));
	one_cpu(NULL);
	assert_false(isa_has("i"));
}

static void isa_list_words(void **state)
{
	(void)state;
	begin_cpus();
	begin_cpu(0, NULL);
	bytes("riscv,isa-extensions", "i\0m\0H\0sstc\0svad", 15);
	end();
	close_cpus();
	assert_true(isa_has("h"));
	assert_true(isa_has("i"));
	assert_true(isa_has("sstc"));
	assert_false(isa_has("ss"));
	assert_false(isa_has("svad")); /* not terminated */
	assert_false(isa_has("svadu"));
}

static void isa_of_every_enabled_hart(void **state)
{
	(void)state;
	begin_cpus();
	begin_cpu(0, "rv64imach_sstc");
	end();
	begin_cpu(1, "rv64imac_zba");
	bytes("riscv,isa-extensions", "i\0h\0m", 6); /* where there is a list, it counts */
	end();
	begin_cpu(2, "rv64i");
	string("status", "disabled");
	end();
	close_cpus();
	assert_true(isa_has("h"));
	assert_true(isa_has("m"));
	assert_false(isa_has("a"));
	assert_false(isa_has("sstc"));
	assert_int_equal(dt_isa_mask((const char *[]){ "sstc", "h", "i", "zba", "m" }, 5), 0x16);
	assert_int_equal(dt_isa_mask(NULL, 0), 0);
	open_tree();
	close_tree();
	assert_false(isa_has("i"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(isa_string_words),
		cmocka_unit_test(isa_string_versions_and_forms),
		cmocka_unit_test(isa_list_words),
		cmocka_unit_test(isa_of_every_enabled_hart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
