/* The configuration of the unit tests; included before everything else. */
#pragma once

#define CONFIG_MAX_HARTS 8
#define CONFIG_LINEAR_BASE 0xffffffc000000000
#define CONFIG_KSTACK_BASE 0xfffffff000000000
#define CONFIG_IO_BASE 0xfffffff800000000
#define CONFIG_IMAGE_BASE 0xffffffff80000000
#define CONFIG_DEBUG 1
#define CONFIG_LOG_DEFAULT_LEVEL 2
#define CONFIG_LOG_MAX_LEVEL 4
#define CONFIG_HEAP 1
#define CONFIG_PAGING 1
#define CONFIG_IRQ 1
#define CONFIG_MULTITASK 1
#define CONFIG_SMP 1
#define CONFIG_DEBUG_FAIL_ALLOC 1
#define CONFIG_DRIVER_NS16550 1
#define CONFIG_SERIAL_LINE 1
#define CONFIG_DRIVER_SIFIVE_UART 1
#define CONFIG_DRIVER_PLIC 1
#define CONFIG_DRIVER_SIFIVE_TEST 1
#define CONFIG_FS 1
#define CONFIG_FS_INITRD 1
#define CONFIG_FS_FAT 1
#define CONFIG_VMM 1
#define CONFIG_SHELL 1
