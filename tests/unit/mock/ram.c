/* RAM banks and the linear map (hpa_to_kva, kva_to_hpa) over them. */
#include <sys/mman.h>
#include <caisson/mm.h>
#include <ram.h>
#include <test.h>

static struct bank {
	uint64_t start, size;
	char *mem;
	void *reserved; /* what was mapped: mem is aligned in it like start */
} banks[8];
static unsigned n_banks;

void mock_ram_add(uint64_t start, uint64_t size)
{
	char *mem = mmap(NULL, size + GiB, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct bank bank = { start, size, mem, mem };

	assert_true(mem != MAP_FAILED);
	assert_true(n_banks < ARRAY_SIZE(banks));
	bank.mem += (start - (uintptr_t)mem) & (GiB - 1);
	banks[n_banks++] = bank;
}

void mock_ram_reset(void)
{
	while (n_banks > 0) {
		n_banks--;
		munmap(banks[n_banks].reserved, banks[n_banks].size + GiB);
	}
}

void *hpa_to_kva(hpa_t pa)
{
	for (unsigned i = 0; i < n_banks; i++)
		if (pa.v - banks[i].start < banks[i].size)
			return banks[i].mem + (pa.v - banks[i].start);
	return (void *)(uintptr_t)pa.v;
}

hpa_t kva_to_hpa(const void *kva)
{
	for (unsigned i = 0; i < n_banks; i++) {
		uint64_t off = (uint64_t)((uintptr_t)kva - (uintptr_t)banks[i].mem);

		if (off < banks[i].size)
			return HPA(banks[i].start + off);
	}
	return HPA((uintptr_t)kva);
}

const void *mock_stack;
size_t mock_stack_size;

bool kva_has_hpa(const void *kva, size_t size)
{
	uintptr_t start = (uintptr_t)kva, stack = (uintptr_t)mock_stack;

	return !mock_stack || start + size <= stack || start >= stack + mock_stack_size;
}

bool ram_is_zero(hpa_t pa, uint64_t size)
{
	const uint64_t *words = hpa_to_kva(pa);

	for (uint64_t i = 0; i < size / sizeof(*words); i++)
		if (words[i])
			return false;
	return true;
}
