/* Commands about the files of the bundle (the initrd): ls, cat. */
#include <errno.h>
#include <string.h>

#include <caisson/fs.h>
#include <shell/output.h>
#include <shell/shell.h>

#define CAT_MAX (64 * KiB) /* bytes that are shown */
#define PIECE 256

struct file_row {
	const char *name, *kind;
	uint64_t size;
};

static const struct shell_field file_fields[] = {
	SHELL_FIELD(struct file_row, size, SHELL_NUMBER, "bytes", 12),
	SHELL_FIELD(struct file_row, kind, SHELL_TEXT, "kind", -6),
	SHELL_FIELD(struct file_row, name, SHELL_TEXT, "name", 0),
};
static const struct shell_layout file_layout = SHELL_LAYOUT(file_fields);

/* What is to be listed: a folder and all below it. */
struct listing {
	struct shell *sh; /* NULL: only count */
	const char *folder;
	size_t len;
	unsigned n;
};

static bool is_below(const char *path, const struct listing *l)
{
	if (l->len == 0)
		return true;
	return strncmp(path, l->folder, l->len) == 0 && (path[l->len] == '\0' || path[l->len] == '/');
}

static const char *kind_of(unsigned mode)
{
	switch (mode & INITRD_TYPE) {
	case INITRD_REGULAR: return "file";
	case INITRD_DIRECTORY: return "folder";
	default: return "other";
	}
}

static bool list_entry(const struct initrd_entry *e, void *arg)
{
	struct listing *l = arg;

	if (!is_below(e->file.path, l))
		return true;
	l->n++;
	if (l->sh)
		shell_row(l->sh, &file_layout, &(struct file_row){ e->file.path, kind_of(e->mode), e->file.size });
	return true;
}

/* Leading and trailing slashes do not count. */
static void set_folder(struct listing *l, const char *word)
{
	l->folder = word + strspn(word, "/");
	l->len = strlen(l->folder);
	while (l->len && l->folder[l->len - 1] == '/')
		l->len--;
}

static int do_ls(struct shell *sh, int argc, char **argv)
{
	struct listing l = { .n = 0 };

	set_folder(&l, argc > 1 ? argv[1] : "");
	(void)initrd_for_each_entry(list_entry, &l); /* damage was logged at boot: what is before it is there */
	if (l.n == 0 && l.len) {
		shell_error(sh, "ls: there is no '%s'", argv[1]);
		return -ENOENT;
	}
	l.sh = sh;
	shell_table(sh, NULL, &file_layout);
	(void)initrd_for_each_entry(list_entry, &l);
	shell_table_end(sh);
	return 0;
}

SHELL_COMMAND(ls) = {
	"ls", "[FOLDER] [--json]", "the files of the bundle that ./caisson brought", do_ls,
	"vm/N.dtb describe the VMs, file/N are their images (docs/host.md).\n",
};

static bool is_text(const char *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)data[i] < ' ' && data[i] != '\n' && data[i] != '\t' && data[i] != '\r')
			return false;
	return true;
}

static void show_text(struct shell *sh, const char *data, size_t n)
{
	char piece[PIECE];
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		if (data[i] != '\r')
			piece[used++] = data[i] == 0x7f ? '?' : data[i];
		if (used == sizeof(piece) || i + 1 == n) {
			sh->write(sh, piece, used);
			used = 0;
		}
	}
	if (n && data[n - 1] != '\n')
		sh->write(sh, "\n", 1);
}

static int do_cat(struct shell *sh, int argc, char **argv)
{
	struct file file;
	size_t n;

	(void)argc;
	if (initrd_open(argv[1], &file)) {
		shell_error(sh, "cat: there is no file '%s'; 'ls' lists what there is", argv[1]);
		return -ENOENT;
	}
	n = (size_t)MIN(file.size, CAT_MAX);
	if (!is_text(file.data, n)) {
		shell_error(sh, "cat: '%s' is not text (%lu bytes)", argv[1], (unsigned long)file.size);
		return -EINVAL;
	}
	show_text(sh, file.data, n);
	if (file.size > n)
		shell_say(sh, "... and %lu bytes more\n", (unsigned long)(file.size - n));
	return 0;
}

SHELL_COMMAND(cat) = { "cat", "FILE", "print a text file of the bundle", do_cat, "At most its first 64 KiB.\n" };
