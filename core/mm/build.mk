# Frames, heap, page tables, address spaces.
obj-y += core/mm/frame.o core/mm/buddy.o core/mm/linear.o
obj-$(CONFIG_ZERO_ENGINE) += core/mm/zero.o
obj-$(CONFIG_FRAME_STOCK) += core/mm/stock.o
obj-$(CONFIG_HEAP_SLAB) += core/mm/heap_slab.o
obj-$(CONFIG_HEAP_LIBRARY) += core/mm/heap_library.o
ifeq ($(CONFIG_HEAP),y)
obj-y += $(if $(CONFIG_DEBUG_HEAP),core/mm/heap_debug.o,core/mm/heap.o)
endif
obj-$(CONFIG_DEBUG_FRAMES) += core/mm/frame_debug.o
obj-$(CONFIG_DEBUG_FAIL_ALLOC) += core/mm/fail.o
obj-$(CONFIG_PAGING) += core/mm/pt.o core/mm/aspace.o core/mm/aspace_fault.o
obj-$(CONFIG_ASPACE_FOLD) += core/mm/aspace_fold.o
obj-$(CONFIG_FRAME_COUNTS) += core/mm/frame_count.o
obj-$(CONFIG_USER_AREAS) += core/mm/aspace_user.o core/mm/page_source.o core/mm/page_set.o
