/*
 * Loading a flat binary from a file and running it: into fresh frames first, which can
 * be written; then these frames are mapped once more, to be read and executed.
 */
#include "load.h"

#include <errno.h>

#include <arch/cpu.h>
#include <arch/layout.h>
#include <arch/mmu.h>
#include <caisson/kspace.h>
#include <caisson/mm.h>
#include <caisson/print.h>
#include <caisson/smp.h>
#include <caisson/vfs.h>

#include "services.h"

#define PROGRAM_MAX (1 * MiB)

struct program {
	uint64_t size;     /* bytes of the file */
	unsigned order;    /* of its frames */
	hpa_t frames;
	uint64_t address;  /* where it runs */
};

/* --- services --- */

static void service_print(const char *text)
{
	print("%s\n", text);
}

static int64_t service_read_file(const char *path, void *data, size_t n)
{
	struct vfs_file *f;
	int64_t done;
	int err = vfs_open(path, VFS_READ, &f);

	if (err)
		return err;
	done = vfs_read(f, data, n);
	err = vfs_close(f);
	return done < 0 ? done : err ? err : done;
}

static const struct services services = {
	.version = SERVICES_VERSION,
	.print = service_print,
	.read_file = service_read_file,
};

/* --- loading --- */

static int fill(struct program *p, struct vfs_file *f)
{
	unsigned char *at = hpa_to_kva(p->frames);
	uint64_t done = 0;
	int64_t n = 1;

	while (n > 0 && done < p->size) {
		n = vfs_read(f, at + done, p->size - done);
		done += n > 0 ? (uint64_t)n : 0;
	}
	return n < 0 ? (int)n : done < p->size ? -EIO : 0;
}

static int load(struct program *p, struct vfs_file *f)
{
	struct vfs_stat st;
	int err = vfs_fstat(f, &st);

	if (err)
		return err;
	if (st.size == 0 || st.size > PROGRAM_MAX)
		return -ENOEXEC;
	p->size = st.size;
	while (PAGE_SIZE << p->order < p->size)
		p->order++;
	err = frame_alloc(p->order, FRAME_ZERO, &p->frames);
	if (err)
		return err;
	err = fill(p, f);
	if (err)
		frame_free(p->frames, p->order);
	return err;
}

static int load_file(struct program *p, const char *path)
{
	struct vfs_file *f;
	int err = vfs_open(path, VFS_READ, &f), closed;

	if (err)
		return err;
	err = load(p, f);
	closed = vfs_close(f);
	if (!err && closed)
		frame_free(p->frames, p->order);
	return err ? err : closed;
}

/* --- running --- */

/* On each hart: what was written there are instructions, and what was translated there before counts no more. */
static void see_mapping(void *arg)
{
	struct program *p = arg;

	cpu_fence_i();
	arch_tlb_flush(p->address, PAGE_SIZE << p->order);
}

static void see_mapping_everywhere(struct program *p)
{
	if (IS_ENABLED(CONFIG_SMP))
		smp_call_all(see_mapping, p);
	else
		see_mapping(p);
}

static int map(struct program *p)
{
	uint64_t size = PAGE_SIZE << p->order;
	int err = aspace_find_free(&kernel_space, IO_BASE, size, PAGE_SIZE, &p->address);

	if (!err)
		err = aspace_map_linear(&kernel_space, p->address, size, p->frames, PERM_R | PERM_X);
	if (!err)
		see_mapping_everywhere(p);
	return err;
}

static int unmap(struct program *p)
{
	int err = aspace_unmap(&kernel_space, p->address);

	see_mapping_everywhere(p);
	return err;
}

int program_run(const char *path)
{
	struct program p = { 0 };
	int status, err = load_file(&p, path);

	if (err)
		return err;
	err = map(&p);
	if (!err) {
		status = ((program_entry *)(uintptr_t)p.address)(&services);
		err = unmap(&p);
	}
	frame_free(p.frames, p.order);
	return err ? err : status & 255;
}
