/* Folding of a VM's RAM, as users of guest memory see it. */
#include <vmm/memory.h>

#include <mem.h>

unsigned mock_folds_stopped;
void (*mock_fold_stop_hook)(void);

void guest_stop_fold(struct vm *vm)
{
	(void)vm;
	mock_folds_stopped++;
	if (mock_fold_stop_hook)
		mock_fold_stop_hook();
}
