/* User areas, for tests that have none. */
#include <core/mm/aspace_internal.h>
#include <stdlib.h>

enum fault_result aspace_user_touch(struct aspace *as, const struct area *a, uint64_t addr, unsigned access)
{
	(void)as;
	(void)a;
	(void)addr;
	(void)access;
	abort();
}

void aspace_user_clear(struct aspace *as, const struct area *a)
{
	(void)as;
	(void)a;
	abort();
}
