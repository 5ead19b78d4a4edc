/* Allocations that fail on purpose: the counter of all, and the number of the one that is to fail. */
#include <caisson/dt.h>
#include <caisson/fail.h>
#include <caisson/log.h>

#include <stdlib.h>

#define LOG_NAME "mm"

static uint64_t count;    /* atomic */
static uint64_t fails_at; /* atomic; value of count that the failing one brings, 0: none */

void alloc_fail_at(uint64_t n)
{
	uint64_t at = n ? __atomic_load_n(&count, __ATOMIC_RELAXED) + n : 0;

	__atomic_store_n(&fails_at, at, __ATOMIC_RELAXED);
}

bool alloc_fail_pending(void)
{
	return __atomic_load_n(&fails_at, __ATOMIC_RELAXED) != 0;
}

uint64_t alloc_count(void)
{
	return __atomic_load_n(&count, __ATOMIC_RELAXED);
}

bool alloc_fails(void)
{
	uint64_t now = __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED);

	if (likely(now != __atomic_load_n(&fails_at, __ATOMIC_RELAXED)))
		return false;
	alloc_fail_at(0);
	log_warn("allocation %lu fails on purpose", (unsigned long)now);
	return true;
}

void alloc_fail_boot(void)
{
	char value[24], *end;
	unsigned long n;

	if (!boot_arg("failalloc", value, sizeof(value)))
		return;
	n = strtoul(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || *end) {
		log_warn("boot argument failalloc=%s is not a number", value);
		return;
	}
	alloc_fail_at(n);
	log_info("allocation %lu will fail on purpose", n);
}
