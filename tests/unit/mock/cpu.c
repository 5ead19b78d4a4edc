/* The state behind the mock arch/cpu.h and caisson/hart.h. */
#include <arch/cpu.h>
#include <caisson/hart.h>

bool mock_irq_on = true;
uint64_t mock_time;
uint64_t mock_cycle;
uint64_t mock_instret;
unsigned mock_fence_is;
unsigned mock_relaxes;
bool mock_io_silent;
void (*mock_wait)(bool wfi);

struct hart mock_harts[HART_MAX];
struct hart *mock_hart = mock_harts;
