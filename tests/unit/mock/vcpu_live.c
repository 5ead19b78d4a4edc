/* The state behind the mock arch/vcpu_live.h. */
#include <arch/vcpu_live.h>
#include <test.h>

struct mock_live mock_live;

void mock_fence(enum mock_fence_kind kind, uint64_t address, uint64_t id)
{
	assert_true(mock_live.n_fences < ARRAY_SIZE(mock_live.fences));
	mock_live.fences[mock_live.n_fences++] = (struct mock_fence){ kind, address, id };
}
