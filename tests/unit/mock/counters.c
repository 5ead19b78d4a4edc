/* Stands in for vmm/vcpu/counters.c: nothing is counted, but who and what is checked. */
#include <test.h>
#include <vmm/vcpu.h>

void vcpu_count_sent(struct vcpu *from, struct vcpu *to, enum fw_event sent)
{
	assert_ptr_not_equal(from, to);
	assert_true(sent < FW_EVENTS && sent + 1 < FW_EVENTS);
}
