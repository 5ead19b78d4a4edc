/* Plug-ins: which a VM gets, and CSR instructions that they answer to its kernel. */
// sources: vmm/plugin/plugin.c vmm/vcpu/illegal.c
#include <errno.h>
#include <test.h>

#include <arch/hext.h>
#include <arch/trap.h>
#include <vmm/plugin.h>
#include <vmm/vm.h>

#include "vmm/vcpu/vcpu_internal.h"

#define PC 0x80200000u
#define ALL ~UINT64_C(0)

static struct {
	int add_error;
	bool declines;
	uint32_t insn;
	uint64_t value, written;
	unsigned reads, writes, injected;
} m;

static struct vm_config config = { .name = "vm" };
static struct vm vm = { .config = &config };
static struct vcpu vcpu = { .vm = &vm, .id = 3 };
static char err[128];

/* --- what they call --- */

int vm_device_add(struct vm *v, const struct vdev_type *type, uint64_t base, unsigned irq, void *backend)
{
	(void)irq; (void)backend;
	if (m.add_error)
		return m.add_error;
	if (!m.declines)
		v->vdevs[v->n_vdevs++] = (struct vdev){ .type = type, .base = base };
	return 0;
}

uint32_t vcpu_trapped_insn(void) { return m.insn; }

void vcpu_live_inject(uint64_t cause, uint64_t tval)
{
	assert_int_equal(cause, CAUSE_ILLEGAL);
	assert_int_equal(tval, mock_live.stval);
	m.injected++;
}

/* --- two plug-ins --- */

static int get(struct vdev *dev, unsigned id, uint64_t *value)
{
	assert_ptr_equal(dev, &vm.vdevs[0]);
	assert_int_equal(id, 3);
	m.reads++;
	*value = m.value;
	return 0;
}

static int put(struct vdev *dev, unsigned id, uint64_t value)
{
	(void)dev; (void)id;
	m.writes++;
	m.written = value;
	return 0;
}

static int refuse(struct vdev *dev, unsigned id, uint64_t value)
{
	(void)dev; (void)id; (void)value;
	return -EINVAL;
}

static const struct plugin_csr csrs[] = {
	{ 0x5c0, get, put }, { 0x5c1, get, NULL }, { 0x5c2, get, refuse }, { 0x5c3, NULL, put },
};
static const struct plugin_csr same[] = { { 0x5c3, NULL, put } };

PLUGIN(first) = { .device = { .name = "first", .base = 0x1000, .size = 0x1000 }, .csrs = csrs, .n_csrs = ARRAY_SIZE(csrs) };
PLUGIN(second) = { .device = { .name = "second" }, .csrs = same, .n_csrs = 1 };
PLUGIN(third) = { .device = { .name = "third", .base = 0x2000, .size = 0x1000 } };

static int create(unsigned n, const char *a, const char *b)
{
	vm.n_plugins = vm.n_vdevs = 0;
	vm.answers_csrs = false;
	config.n_plugins = n;
	config.plugins[0] = a;
	config.plugins[1] = b;
	err[0] = '\0';
	return vm_plugins_create(&vm, err, sizeof(err));
}

static int begin(void **state)
{
	(void)state;
	memset(&m, 0, sizeof(m));
	memset(&mock_live, 0, sizeof(mock_live));
	mock_live.sstatus = SSTATUS_SPP;
	mock_live.stval = 0x1111;
	mock_live.pc = PC;
	vcpu.requests = 0;
	for (unsigned i = 0; i < 32; i++)
		vcpu.ctx.x[i] = i ? 0x100 + i : 0;
	return create(1, "first", NULL);
}

/* --- tests --- */

static void each_vm_has_those_that_it_names(void **state)
{
	struct vdev *dev;

	(void)state;
	assert_int_equal(create(0, NULL, NULL), 0);
	assert_false(vm.answers_csrs);
	assert_null(vm_plugin_csr(&vm, 0x5c0, &dev));
	assert_int_equal(create(1, "third", NULL), 0);
	assert_int_equal(vm.vdevs[0].base, 0x2000);
	assert_false(vm.answers_csrs);
	assert_int_equal(create(2, "third", "first"), 0);
	assert_true(vm.answers_csrs);
	assert_ptr_equal(vm_plugin_csr(&vm, 0x5c1, &dev), &csrs[1]);
	assert_ptr_equal(dev, &vm.vdevs[1]);
	assert_null(vm_plugin_csr(&vm, 0x5c4, &dev));
}

static void what_cannot_be_made_is_refused_by_name(void **state)
{
	(void)state;
	assert_int_equal(create(1, "forth", NULL), -EINVAL);
	assert_string_equal(err, "plugin: this hypervisor has no 'forth'");
	assert_int_equal(create(2, "first", "second"), -EINVAL);
	assert_string_equal(err, "plugin: CSR 0x5c3 of 'second' is another plug-in's in this VM");
	m.add_error = -EEXIST;
	assert_int_equal(create(1, "third", NULL), -EEXIST);
	assert_string_equal(err, "plugin: 'third' has addresses that something else has in this VM");
	m.add_error = -ENOMEM;
	assert_int_equal(create(1, "third", NULL), -ENOMEM);
	assert_string_equal(err, "plugin: the machine has too little memory for 'third'");
	m.add_error = 0;
	m.declines = true;
	assert_int_equal(create(1, "third", NULL), -ENXIO);
	assert_int_equal(vm.n_plugins, 0);
}

#define CSR(number, source, funct3, rd) ((uint32_t)(number) << 20 | (source) << 15 | (funct3) << 12 | (rd) << 7 | 0x73u)
enum { RW = 1, RS, RC, RWI = 5, RSI, RCI };

static const struct {
	uint32_t insn;
	unsigned reads, writes;
	uint64_t written, rd;
} answered[] = {
	{ CSR(0x5c0, 0, RS, 11), 1, 0, 0, 11 },        /* csrr a1 */
	{ CSR(0x5c0, 20, RS, 27), 1, 1, 0xff14, 27 },  /* 0xff00 | x20 */
	{ CSR(0x5c0, 20, RC, 3), 1, 1, 0xfe00, 3 },    /* 0xff00 & ~0x114 */
	{ CSR(0x5c0, 5, RW, 6), 1, 1, 0x105, 6 },
	{ CSR(0x5c0, 5, RW, 0), 0, 1, 0x105, 0 },      /* csrw */
	{ CSR(0x5c0, 31, RWI, 0), 0, 1, 31, 0 },
	{ CSR(0x5c0, 31, RSI, 8), 1, 1, 0xff1f, 8 },
	{ CSR(0x5c0, 31, RCI, 8), 1, 1, 0xff00, 8 },
	{ CSR(0x5c0, 0, RCI, 8), 1, 0, 0, 8 },
	{ CSR(0x5c1, 0, RS, 0), 1, 0, 0, 0 },
	{ CSR(0x5c2, 0, RC, 9), 1, 0, 0, 9 },
	{ CSR(0x5c3, 7, RW, 0), 0, 1, 0x107, 0 },
};

static void the_instructions_of_zicsr(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(answered); i++) {
		begin(state);
		m.insn = answered[i].insn;
		m.value = 0xff00;
		assert_int_equal(vcpu_illegal_insn(&vcpu, VCPU_SAVED_EARLY), VCPU_SAVED);
		assert_int_equal(m.reads + m.writes + m.injected, 0);
		assert_int_equal(vcpu_illegal_insn(&vcpu, ALL), VCPU_RESUME);
		assert_int_equal(m.injected, 0);
		assert_int_equal(mock_live.pc, PC + 4);
		assert_int_equal(m.reads, answered[i].reads);
		assert_int_equal(m.writes, answered[i].writes);
		assert_int_equal(m.written, answered[i].written);
		for (unsigned r = 0; r < 32; r++)
			assert_int_equal(vcpu.ctx.x[r], r == 0 ? 0 : r == answered[i].rd ? 0xff00 : 0x100 + r);
	}
}

static const uint32_t refused[] = {
	CSR(0x5c4, 0, RS, 11), CSR(0x5c1, 1, RS, 11), CSR(0x5c1, 0, RW, 11), CSR(0x5c3, 0, RS, 11), CSR(0x5c3, 1, RW, 11),
	CSR(0x5c2, 1, RW, 0), CSR(0x5c0, 0, 0, 11), CSR(0x5c0, 0, 4, 11), 0, ~0u, 0x10500073, 0x5c002583,
};

static void what_nobody_answers_is_the_guests(void **state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(refused); i++) {
		begin(state);
		m.insn = refused[i];
		assert_int_equal(vcpu_illegal_insn(&vcpu, ALL), VCPU_RESUME);
		assert_int_equal(m.injected, 1);
		assert_int_equal(m.writes, 0);
		assert_int_equal(mock_live.pc, PC);
		assert_int_equal(vcpu.ctx.x[11], 0x10b);
	}
}

static void user_programs_are_not_answered(void **state)
{
	(void)state;
	m.insn = CSR(0x5c0, 0, RS, 11);
	mock_live.sstatus = 0;
	assert_int_equal(vcpu_illegal_insn(&vcpu, VCPU_SAVED_EARLY), VCPU_RESUME);
	assert_int_equal(m.injected, 1);
	assert_int_equal(m.reads, 0);
}

static void a_write_that_ends_the_vm_is_the_last(void **state)
{
	(void)state;
	m.insn = CSR(0x5c0, 5, RW, 0);
	vcpu.requests = VCPU_REQ_STOP;
	assert_int_equal(vcpu_illegal_insn(&vcpu, ALL), VCPU_LEAVE);
	assert_int_equal(vcpu.leave, LEAVE_RESCHED);
	assert_int_equal(m.writes, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_vm_has_those_that_it_names, begin),
		cmocka_unit_test_setup(what_cannot_be_made_is_refused_by_name, begin),
		cmocka_unit_test(the_instructions_of_zicsr),
		cmocka_unit_test(what_nobody_answers_is_the_guests),
		cmocka_unit_test_setup(user_programs_are_not_answered, begin),
		cmocka_unit_test_setup(a_write_that_ends_the_vm_is_the_last, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
