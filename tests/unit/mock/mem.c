/* Failure injection for the mock frames and the mock heap. */
#include <mem.h>

uint64_t mock_alloc_fail_at;
uint64_t mock_alloc_calls;

bool mock_alloc_fails(void)
{
	mock_alloc_calls++;
	if (mock_alloc_fail_at == 0)
		return false;
	return --mock_alloc_fail_at == 0;
}
