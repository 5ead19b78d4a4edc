/* VMs and channels between them, out of the descriptions in the bundle. */
#include "bundle.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <caisson/fs.h>
#include <caisson/mm.h>
#include <vmm/channel.h>
#include <vmm/vm.h>

/* What there is no memory for need not have words of its own. */
const char *bundle_why(int error, const char *words)
{
	if (words[0])
		return words;
	return error == -ENOMEM ? "out of memory" : "it could not be made";
}

/* A reason begins with the VM's name, or with the file's where there is none yet. */
static int fail(int error, const char *who, const char *reason, char *err, size_t err_size)
{
	snprintf(err, err_size, "%s: %s", who, bundle_why(error, reason));
	return error;
}

static int make(const struct vm_config *config, char *reason, size_t size)
{
	struct vm *vm;
	int error = vm_create(config, &vm, reason, size);

	if (error)
		return error;
	error = vm_boot(vm, reason, size);
	if (error)
		vm_destroy(vm);
	return error;
}

/* --- channels: defined when the first VM that names one is made, so that nobody else looks for them --- */

static int define_channel(const struct file *description, char *err, size_t size)
{
	struct channel_config config;
	char reason[200];
	int error = channel_config_parse(description->data, description->size, &config, reason, sizeof(reason));

	if (!error)
		return channel_define(&config, err, size);
	snprintf(err, size, "%s: %s", description->path, reason);
	return error;
}

static int define_channels(char *err, size_t size)
{
	static bool done;

	for (unsigned n = 0; !done; n++) {
		char path[24];
		struct file description;
		int error;

		snprintf(path, sizeof(path), "channel/%u.dtb", n);
		error = initrd_open(path, &description);
		done = error == -ENOENT;
		if (!error)
			error = define_channel(&description, err, size);
		if (error && !done)
			return error;
	}
	return 0;
}

static int parse(const struct file *description, const char *only, struct vm_config *config, char *reason, size_t size)
{
	int error = vm_config_parse(description->data, description->size, config, reason, size);

	if (!error && only && strcmp(config->name, only) != 0)
		error = -ENOENT;
	if (!error && config->n_channels)
		error = define_channels(reason, size);
	return error;
}

int bundle_make(unsigned n, const char *only, char *err, size_t err_size)
{
	struct file description;
	struct vm_config *config;
	char path[24], reason[256] = "";
	int error;

	snprintf(path, sizeof(path), "vm/%u.dtb", n);
	if (initrd_open(path, &description))
		return -ENXIO;
	config = kzalloc(sizeof(*config));
	if (!config)
		return fail(-ENOMEM, path, "", err, err_size);
	error = parse(&description, only, config, reason, sizeof(reason));
	config->number = n;
	if (!error)
		error = make(config, reason, sizeof(reason));
	if (error) {
		fail(error, config->name[0] ? config->name : path, reason, err, err_size);
		kfree(config);
	}
	return error;
}

void bundle_unmake(struct vm *vm)
{
	void *config = (void *)(uintptr_t)vm->config;

	vm_destroy(vm);
	kfree(config);
}
