/*
 * A disk with a file system: mounts it, lists, reads, writes, appends, renames, removes, then loads a program
 * from it and runs it. Its status is the program's. Arguments: the device (vda), and `many` to write from
 * several tasks at once instead.
 */
#include <string.h>

#include <caisson/init.h>
#include <caisson/print.h>
#include <caisson/vfs.h>

#include "load.h"
#include "many.h"

/* Say what went wrong. @return whether it went well. */
static bool good(const char *what, int64_t result)
{
	if (result < 0)
		print("%s: error %d\n", what, (int)result);
	return result >= 0;
}

static void show_entry(const char *folder, const struct vfs_dirent *d)
{
	char path[VFS_NAME_MAX + 32];
	struct vfs_stat st;

	strcpy(path, folder);
	strcat(path, "/");
	strcat(path, d->name);
	if (!good(d->name, vfs_stat(path, &st)))
		return;
	if (st.kind == VFS_DIR)
		print("  %s/\n", d->name);
	else
		print("  %s, %lu bytes\n", d->name, (unsigned long)st.size);
}

static void list(const char *folder)
{
	struct vfs_dirent d;
	struct vfs_file *f;
	int more;

	if (!good("list", vfs_open(folder, VFS_DIRECTORY, &f)))
		return;
	print("%s:\n", folder);
	while ((more = vfs_readdir(f, &d)) > 0)
		show_entry(folder, &d);
	good("list", more);
	good("list", vfs_close(f));
}

static void show(const char *path)
{
	char text[128];
	struct vfs_file *f;
	int64_t n;

	if (!good("read", vfs_open(path, VFS_READ, &f)))
		return;
	n = vfs_read(f, text, sizeof(text) - 1);
	if (good("read", n)) {
		text[n] = '\0';
		print("%s: %s\n", path, text);
	}
	good("read", vfs_close(f));
}

static void write_text(const char *path, unsigned flags, const char *text)
{
	struct vfs_file *f;

	if (!good("write", vfs_open(path, VFS_WRITE | flags, &f)))
		return;
	good("write", vfs_write(f, text, strlen(text)));
	good("write", vfs_close(f));
}

static void change_things(void)
{
	write_text("/disk/notes.txt", VFS_CREATE | VFS_TRUNCATE, "one");
	write_text("/disk/notes.txt", VFS_APPEND, " and two");
	show("/disk/notes.txt");
	good("mkdir", vfs_mkdir("/disk/folder"));
	good("rename", vfs_rename("/disk/notes.txt", "/disk/folder/Notes with a long name.txt"));
	good("remove", vfs_unlink("/disk/remove.me"));
	list("/disk");
	list("/disk/folder");
}

static int demonstrate(void)
{
	int status;

	list("/disk");
	show("/disk/hello.txt");
	change_things();
	status = program_run("/disk/program.bin");
	if (good("program", status))
		print("program: status %d\n", status);
	return status < 0 ? 1 : status;
}

int main(void)
{
	char device[16] = "vda", mode[8] = "";
	int status;

	(void)app_arg(0, device, sizeof(device));
	(void)app_arg(1, mode, sizeof(mode));
	if (!good("mount", vfs_mount("fat", device, "/disk", 0)))
		return 1;
	if (IS_ENABLED(CONFIG_MULTITASK) && !strcmp(mode, "many"))
		status = write_many();
	else
		status = demonstrate();
	if (!good("unmount", vfs_unmount("/disk")))
		return 1;
	print("unmounted\n");
	return status;
}
