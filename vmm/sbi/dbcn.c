/* SBI Debug Console extension ("Debug Console Extension (EID #0x4442434E)"). */
#include <vmm/console_mux.h>
#include <vmm/memory.h>
#include <vmm/sbi.h>
#include <vmm/vm.h>

enum { DBCN_WRITE, DBCN_READ, DBCN_WRITE_BYTE };

/** One call copies at most this much; the guest is told how much and calls again. */
#define CHUNK 256

static bool buffer_ok(const struct vcpu *v)
{
	return sbi_arg(v, 2) == 0 && guest_in_ram(v->vm, GPA(sbi_arg(v, 1)), sbi_arg(v, 0));
}

static enum vcpu_next dbcn_write(struct vcpu *v)
{
	uint64_t n = MIN(sbi_arg(v, 0), CHUNK);
	char buf[CHUNK];
	size_t written;

	if (!buffer_ok(v))
		return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
	if (guest_read(v->vm, GPA(sbi_arg(v, 1)), buf, n))
		return sbi_return(v, SBI_ERR_FAILED, 0);
	written = console_mux_write(v->vm, buf, n);
	sbi_return(v, SBI_SUCCESS, written);
	/* It will call again, and again: meanwhile others may run. */
	return unlikely(written < n) ? vcpu_leave(v, LEAVE_YIELD) : VCPU_RESUME;
}

static enum vcpu_next dbcn_read(struct vcpu *v)
{
	char buf[CHUNK];
	size_t n;

	if (!buffer_ok(v))
		return sbi_return(v, SBI_ERR_INVALID_PARAM, 0);
	n = console_mux_read(v->vm, buf, MIN(sbi_arg(v, 0), CHUNK));
	if (guest_write(v->vm, GPA(sbi_arg(v, 1)), buf, n))
		return sbi_return(v, SBI_ERR_FAILED, 0);
	return sbi_return(v, SBI_SUCCESS, n);
}

/* This one call waits. */
static enum vcpu_next dbcn_write_byte(struct vcpu *v)
{
	if (console_mux_put(v->vm, (char)sbi_arg(v, 0)) == VDEV_FULL)
		return vcpu_call_again(v);
	return sbi_return(v, SBI_SUCCESS, 0);
}

static enum vcpu_next dbcn_call(struct vcpu *v)
{
	switch (sbi_fid(v)) {
	case DBCN_WRITE:
		return dbcn_write(v);
	case DBCN_READ:
		return dbcn_read(v);
	case DBCN_WRITE_BYTE:
		return dbcn_write_byte(v);
	default:
		return sbi_return(v, SBI_ERR_NOT_SUPPORTED, 0);
	}
}

SBI_EXT(dbcn) = { "dbcn", SBI_EXT_DBCN, SBI_EXT_DBCN, dbcn_call };
