/*
 * A VM's description as the hypervisor gets it: a small device tree per VM in
 * the initrd (vm/0.dtb, vm/1.dtb, ... in the order of the command line), made
 * and checked by the host tool from TOML or from options. docs/host.md lists
 * its properties. The images it names are files of the initrd.
 */
#pragma once

#include <caisson/fs.h>
#include <caisson/pt.h>
#include <caisson/types.h>
#include <vmm/net.h>

#define VM_NAME_MAX 32
#define VM_VCPUS_MAX 8
#define SCROLLBACK_MIN 4096
#define SCROLLBACK_MAX 1048576
#define VM_STOP_TIMEOUT 10   /* seconds, if the description does not say */
#define VM_SECONDS_MAX 3600
#define VM_CHANNELS_MAX 4
#define VM_PLUGINS_MAX 4
#define VM_DISKS_MAX 8
#define VM_DISK_SERIAL_MAX 20
#define VM_DISK_PARTS_MAX 128
#define BLOCK_NAME_MAX 16 /* of a device of the machine, its ending zero included */
#define CHANNEL_MEMBERS_MAX 8
#define CHANNEL_SIZE_MIN PAGE_SIZE
#define CHANNEL_SIZE_MAX (16 * MiB)

/** What names of VMs and channels are made of. */
static inline bool vm_name_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

/** A file of the initrd with the name under which the user knows it (for messages). */
struct vm_image {
	struct file file;      /* file.data == NULL: not given */
	const char *label;     /* as typed by the user */
};

/** Is a VM started again when it has ended by itself? */
enum vm_restart { VM_RESTART_NEVER, VM_RESTART_ON_CRASH, VM_RESTART_ALWAYS };

/** What its guest has for a console: the UART, or a virtio console as well. */
enum vm_console { VM_CONSOLE_UART, VM_CONSOLE_VIRTIO };

/** Access to a channel between VMs, asked for or granted (vmm/channel.h). */
struct channel_right {
	char name[VM_NAME_MAX];
	bool write;            /* false: reading only */
};

/** A disk (vmm/vm/disks.c). */
struct vm_disk {
	char device[BLOCK_NAME_MAX]; /* of the machine: "vda"; "": it is in RAM */
	uint64_t ram;          /* bytes, whole sectors */
	unsigned part;         /* of its partition table, from 1; 0: the whole */
	bool read_only;
	uint64_t overlay;      /* what is written goes into RAM, at most so many bytes; 0: it does not */
	char store[BLOCK_NAME_MAX]; /* what is written goes to this device of the machine; "": it does not */
	char serial[VM_DISK_SERIAL_MAX + 1];
	const char *label;     /* as typed by the user; NULL: it has no file */
};

struct vm_config {
	char name[VM_NAME_MAX];
	unsigned cpus;                 /* 1 to 8 */
	uint64_t memory;               /* bytes, multiple of 4 KiB, at least 2 MiB */
	struct vm_image kernel;        /* required */
	struct vm_image initrd, dtb;   /* optional */
	const char *bootargs;          /* "" when not given */
	bool has_entry, has_load, has_initrd_load, has_dtb_load;
	uint64_t entry, load, initrd_load, dtb_load; /* guest-physical */
	bool eager;                    /* all RAM backed before start */
	const struct pt_format *format;/* NULL: the hypervisor chooses */
	uint64_t hart_mask;            /* our hart numbers; 0: all */
	bool exclusive;                /* they are its own, one for each vCPU (vmm/partition.h) */
	unsigned weight;               /* 1 to 10000 (vmm/share.h); 0: not given */
	unsigned cap;                  /* per cent of a hart for the whole VM; 0: none */
	enum vm_restart restart;
	unsigned stop_timeout;         /* seconds that its guest has to shut down when asked to; 0: it is not asked */
	unsigned watchdog;             /* seconds until its watchdog first bites; 0: it has none */
	uint64_t isa_hide, isa_require;/* BIT(enum isa_ext) (vmm/isa.h) */
	unsigned number;               /* of the description in the bundle: its console's channel */
	bool entropy;                  /* it has an entropy device */
	enum vm_console console;
	uint32_t scrollback;           /* bytes of console output to keep, a power of two; 0: as many as usual */
	bool console_log;              /* the host wants all it writes, also while nobody looks */
	bool no_autostart;             /* created, but started by the monitor only */
	unsigned n_channels;
	struct channel_right channels[VM_CHANNELS_MAX]; /* to attach to */
	unsigned n_plugins;
	const char *plugins[VM_PLUGINS_MAX]; /* names (vmm/plugin.h) */
	unsigned n_disks;
	struct vm_disk disks[VM_DISKS_MAX];
	unsigned n_nets;
	struct net_config nets[VM_NETS_MAX];
};

/**
 * Read a description. Strings of the result point into the blob and the initrd, which must stay.
 * @param fdt, size  the blob, of any content and alignment
 * @param[out] err   on failure a message that names the property (err_size bytes, NUL-terminated)
 * @return 0, -EINVAL (bad description), -ENOENT (an image that the initrd does not hold), -ENOMEM
 */
int vm_config_parse(const void *fdt, uint64_t size, struct vm_config *out,
		    char *err, size_t err_size) __must_check;
