/* The ISA extensions of guests: what the machine has, what a description hides and requires. */
// sources: vmm/vm/isa.c vmm/image/isa_names.c core/dt/dt.c core/dt/bus.c core/dt/index.c core/dt/isa.c
#include <errno.h>
#include <test.h>

#include <arch/csr.h>
#include <arch/hext.h>
#include <logged.h>
#include <tree.h>
#include <vmm/config.h>
#include <vmm/isa.h>

#define RICH "rv64imafdcvh_zicbom_zicboz_zicsr_sstc_svpbmt_svadu_xunknown"

struct hext_features hext;
static struct vm_config config;
static uint64_t set;
static char message[128];

static int setup(void **state)
{
	(void)state;
	memset(&config, 0, sizeof(config));
	hext = (struct hext_features){ .sstc = true, .stateen = true, .henvcfg = UINT64_MAX };
	mock_log_clear();
	return 0;
}

static int choose(void)
{
	message[0] = '\0';
	return guest_isa_choose(&config, &set, message, sizeof(message));
}

static const char *text(void)
{
	static struct isa_text isa;

	isa_describe(set, &isa);
	return isa.string;
}

static void machine(const char *isa)
{
	one_cpu(isa);
	guest_isa_init();
	assert_int_equal(choose(), 0);
}

static void H12_what_the_machine_has(void **state)
{
	(void)state;
	machine(RICH);
	assert_string_equal(text(), "rv64imafdc_zicbom_zicboz_zicsr_sstc_svpbmt");
	assert_true(set & BIT(ISA_SVADU));
	assert_true(set & BIT(ISA_SSSTATEEN));
	assert_non_null(strstr(mock_log_text(), "host ISA: " RICH "\n"));
	machine("rv64imac");
	assert_string_equal(text(), "rv64imac");
	machine("rv64imac_zicntr_zihpm");
	assert_string_equal(text(), "rv64imac_zicntr"); /* no guest reads the other counters */
}

static void H12_h_and_v_are_never_there(void **state)
{
	struct isa_text isa;

	(void)state;
	machine(RICH);
	assert_false(set & (BIT(ISA_H) | BIT(ISA_V)));
	isa_describe(UINT64_MAX, &isa);
	for (const char **name = isa.list; *name; name++) {
		assert_string_not_equal(*name, "h");
		assert_string_not_equal(*name, "v");
	}
	assert_memory_equal(isa.string, "rv64imafdc_", 11);
	assert_true(strlen(isa.string) < sizeof(isa.string));
}

/* What is in the list of extensions but cannot be switched on for guests is not theirs. */
static void H12_needs_its_enable_bit(void **state)
{
	static const struct { uint64_t bits; enum isa_ext ext; } needs[] = {
		{ ENVCFG_CBZE, ISA_ZICBOZ }, { ENVCFG_CBCFE, ISA_ZICBOM }, { ENVCFG_CBIE_FLUSH, ISA_ZICBOM },
		{ ENVCFG_PBMTE, ISA_SVPBMT }, { ENVCFG_ADUE, ISA_SVADU },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(needs); i++) {
		hext.henvcfg = ~needs[i].bits;
		machine(RICH);
		assert_false(set & BIT(needs[i].ext));
		assert_false(guest_isa_henvcfg(set) & needs[i].bits);
	}
	hext.henvcfg = UINT64_MAX;
	hext.sstc = hext.stateen = false;
	machine(RICH);
	assert_false(set & (BIT(ISA_SSTC) | BIT(ISA_SSSTATEEN)));
}

static void H12_hidden_is_switched_off(void **state)
{
	static const struct { uint64_t bits; enum isa_ext ext; } switches[] = {
		{ ENVCFG_STCE, ISA_SSTC }, { ENVCFG_CBZE, ISA_ZICBOZ }, { ENVCFG_CBCFE | ENVCFG_CBIE_FLUSH, ISA_ZICBOM },
		{ ENVCFG_PBMTE, ISA_SVPBMT },
	};
	uint64_t all;

	(void)state;
	machine(RICH);
	all = guest_isa_henvcfg(set);
	assert_int_equal(all & (ENVCFG_ADUE | ENVCFG_FIOM), ENVCFG_FIOM); /* A/D updating only when it is asked for */
	for (unsigned i = 0; i < ARRAY_SIZE(switches); i++) {
		config.isa_hide = BIT(switches[i].ext);
		assert_int_equal(choose(), 0);
		assert_null(strstr(text(), isa_names[switches[i].ext]));
		assert_int_equal(guest_isa_henvcfg(set), all & ~switches[i].bits);
	}
	config.isa_hide = BIT(ISA_F);
	assert_int_equal(choose(), 0);
	assert_string_equal(text(), "rv64imac_zicbom_zicboz_zicsr_sstc_svpbmt"); /* D goes with F */
	config.isa_hide = BIT(ISA_D);
	assert_int_equal(choose(), 0);
	assert_true(set & BIT(ISA_F));
	config.isa_hide = BIT(ISA_V) | BIT(ISA_H) | BIT(ISA_ZBKX); /* not there anyway */
	assert_int_equal(choose(), 0);
	assert_string_equal(text(), "rv64imafdc_zicbom_zicboz_zicsr_sstc_svpbmt");
}

static void H12_required_but_missing_is_refused(void **state)
{
	(void)state;
	machine(RICH);
	config.isa_require = BIT(ISA_SSTC) | BIT(ISA_D) | BIT(ISA_SVADU);
	assert_int_equal(choose(), 0);
	config.isa_require = BIT(ISA_SSTC) | BIT(ISA_ZBA);
	assert_int_equal(choose(), -ENODEV);
	assert_string_equal(message, "isa-require: this machine has no \"zba\" for guests");
	config.isa_require = BIT(ISA_H);
	assert_int_equal(choose(), -ENODEV);
	assert_string_equal(message, "isa-require: this machine has no \"h\" for guests");
	config.isa_require = BIT(ISA_D);
	config.isa_hide = BIT(ISA_F);
	assert_int_equal(choose(), -ENODEV);
	assert_string_equal(message, "isa-require: \"d\" is hidden from it (isa-hide)");
}

static void H12_long_host_strings_are_logged_whole(void **state)
{
	char isa[1200] = "rv64i", word[400];

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		sprintf(isa + strlen(isa), "_zlong%u", i);
	machine(isa);
	assert_non_null(strstr(mock_log_text(), "host ISA: rv64i_zlong0_"));
	assert_non_null(strstr(mock_log_text(), "_zlong99\n"));
	memset(word, 'x', sizeof(word));
	begin_cpus();
	begin_cpu(0, NULL);
	bytes("riscv,isa-extensions", word, sizeof(word)); /* one word without an end */
	end();
	close_cpus();
	mock_log_clear();
	guest_isa_init();
	assert_non_null(strstr(mock_log_text(), "host ISA: xxxx"));
	begin_cpus();
	begin_cpu(0, NULL);
	bytes("riscv,isa-extensions", "i\0m\0sstc", 9);
	end();
	close_cpus();
	guest_isa_init();
	assert_non_null(strstr(mock_log_text(), "host ISA: i m sstc"));
	assert_int_equal(choose(), 0);
	assert_string_equal(text(), "rv64im_sstc");
}

static void names_are_found(void **state)
{
	(void)state;
	for (int i = 0; i < ISA_EXTS; i++)
		assert_int_equal(isa_by_name(isa_names[i]), i);
	assert_int_equal(isa_by_name(""), -1);
	assert_int_equal(isa_by_name("SSTC"), -1);
	assert_int_equal(isa_by_name("sst"), -1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(H12_what_the_machine_has),
		T(H12_h_and_v_are_never_there),
		T(H12_needs_its_enable_bit),
		T(H12_hidden_is_switched_off),
		T(H12_required_but_missing_is_refused),
		T(H12_long_host_strings_are_logged_whole),
		T(names_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
