# Frames, heap, page tables, address spaces.
obj-y += core/mm/frame.o core/mm/buddy.o core/mm/linear.o
obj-$(CONFIG_HEAP) += core/mm/heap.o
obj-$(CONFIG_DEBUG_FAIL_ALLOC) += core/mm/fail.o
obj-$(CONFIG_PAGING) += core/mm/pt.o core/mm/aspace.o core/mm/aspace_fault.o
