/* Frames: every block is an aligned host allocation, its physical address is its pointer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <caisson/mm.h>
#include <mem.h>

uint64_t mock_frames_used;
uint64_t mock_frames_total = UINT64_C(1) << 20;
unsigned mock_frames_max_order = FRAME_MAX_ORDER;
void (*mock_frame_hook)(void);

static void run_hook(void)
{
	void (*hook)(void) = mock_frame_hook;

	mock_frame_hook = NULL;
	if (hook)
		hook();
}

int frame_alloc(unsigned order, unsigned flags, hpa_t *out)
{
	uint64_t size = PAGE_SIZE << order;
	void *p;

	run_hook();
	if (mock_alloc_fails() || order > mock_frames_max_order)
		return -ENOMEM;
	if (mock_frames_used + BIT(order) > mock_frames_total)
		return -ENOMEM;
	p = aligned_alloc(size, size);
	if (!p)
		return -ENOMEM;
	if (size <= MiB * 4)
		memset(p, flags & FRAME_ZERO ? 0 : 0xa5, size);
	mock_frames_used += BIT(order);
	*out = HPA((uintptr_t)p);
	return 0;
}

void frame_free(hpa_t frame, unsigned order)
{
	free((void *)(uintptr_t)frame.v);
	mock_frames_used -= BIT(order);
}

uint64_t frame_free_count(void)
{
	return mock_frames_total - mock_frames_used;
}

uint64_t frame_total_count(void)
{
	return mock_frames_total;
}

void page_zero(void *page, uint64_t n)
{
	memset(page, 0, n);
}
