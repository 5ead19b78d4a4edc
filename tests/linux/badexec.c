/*
 * What cannot be executed: each case is a file that execve() is given in a process of its own, and prints the error, or that
 * it ran. The executables are this program with a header that is changed.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOLDER "/tmp/badexec"
#define RAN 200

static struct {
	char *data;
	size_t size;
} own;

static Elf64_Ehdr *header;
static Elf64_Phdr *segments, *code, *data;
static size_t length; /* of the file that is made */

/* --- changes --- */

static void nothing(void) { length = 0; }
static void magic_only(void) { length = 4; }
static void ident_only(void) { length = 16; }
static void half_a_header(void) { length = 40; }
static void header_only(void) { length = sizeof(*header); }
static void one_segment(void) { length = sizeof(*header) + sizeof(*segments); }
static void headers_only(void) { length = sizeof(*header) + header->e_phnum * sizeof(*segments); }
static void half_of_the_code(void) { length = code->p_filesz / 2; }
static void magic(void) { header->e_ident[1] = 'F'; }
static void class_32(void) { header->e_ident[EI_CLASS] = ELFCLASS32; }
static void big_endian(void) { header->e_ident[EI_DATA] = ELFDATA2MSB; }
static void x86(void) { header->e_machine = EM_X86_64; }
static void relocatable(void) { header->e_type = ET_REL; }
static void core(void) { header->e_type = ET_CORE; }
static void no_segments(void) { header->e_phnum = 0; }
static void all_segments(void) { header->e_phnum = 65535; }
static void odd_segments(void) { header->e_phentsize = 57; }
static void headers_beyond(void) { header->e_phoff = UINT64_MAX - 16; }
static void headers_at_the_end(void) { header->e_phoff = own.size - 8; }
static void overlap(void) { data->p_vaddr = code->p_vaddr + (data->p_offset & 4095); }
static void wrong_order(void) { Elf64_Phdr keep = *code; *code = *data; *data = keep; }
static void absurd_memory(void) { data->p_memsz = UINT64_C(1) << 62; }
static void all_memory(void) { data->p_memsz = UINT64_MAX; }
static void most_of_user_space(void) { data->p_memsz = UINT64_C(0x3000000000); }
static void absurd_file(void) { data->p_filesz = data->p_memsz = UINT64_C(1) << 40; }
static void more_file_than_memory(void) { code->p_memsz = code->p_filesz - 4096; }
static void offset_beyond(void) { data->p_offset += UINT64_C(1) << 40; }
static void in_the_kernel(void) { data->p_vaddr = 0xffffffff80000000 + (data->p_offset & 4095); }
static void in_the_stack(void) { data->p_vaddr = 0x3fffffe000 + (data->p_offset & 4095); }
static void at_null(void) { code->p_vaddr = 0; }
static void not_aligned(void) { data->p_vaddr += 8; }
static void entry_nowhere(void) { header->e_entry = 0; }
static void entry_in_the_kernel(void) { header->e_entry = 0xffffffff80000000; }
static void entry_in_data(void) { header->e_entry = data->p_vaddr; }
static void no_code(void) { code->p_flags = PF_R | PF_W; }
static void dynamic(void) { segments[header->e_phnum - 1].p_type = PT_INTERP; }
static void as_it_is(void) { }

static const struct change {
	const char *name;
	void (*make)(void);
} changes[] = {
	{ "as it is", as_it_is }, { "nothing", nothing }, { "magic only", magic_only }, { "ident only", ident_only },
	{ "half a header", half_a_header }, { "header only", header_only }, { "one segment's header", one_segment },
	{ "headers only", headers_only }, { "half of the code", half_of_the_code }, { "another magic", magic }, { "32 bits", class_32 },
	{ "big endian", big_endian }, { "x86", x86 }, { "relocatable", relocatable }, { "core", core }, { "no segments", no_segments },
	{ "65,535 segments", all_segments }, { "headers of 57 bytes", odd_segments }, { "headers beyond everything", headers_beyond },
	{ "headers at the end", headers_at_the_end }, { "overlap", overlap }, { "wrong order", wrong_order },
	{ "absurd memory", absurd_memory }, { "all memory", all_memory }, { "most of user space", most_of_user_space },
	{ "absurd file", absurd_file }, { "more file than memory", more_file_than_memory }, { "offset beyond", offset_beyond },
	{ "in the kernel", in_the_kernel }, { "in the stack", in_the_stack }, { "at null", at_null }, { "not aligned", not_aligned },
	{ "entry nowhere", entry_nowhere }, { "entry in the kernel", entry_in_the_kernel }, { "entry in data", entry_in_data },
	{ "no code", no_code }, { "dynamic", dynamic },
};

/* --- trying --- */

static char *many[40000];

static void report(const char *name, int status)
{
	if (WIFSIGNALED(status))
		printf("%s: killed by %d\n", name, WTERMSIG(status));
	else if (WEXITSTATUS(status) == RAN)
		printf("%s: runs\n", name);
	else
		printf("%s: %s\n", name, strerror(WEXITSTATUS(status)));
	fflush(stdout);
}

static void try(const char *name, const char *path, char **arguments, char **environment)
{
	static char *again[] = { "again", NULL }, *none[] = { NULL };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execve(path, arguments ? arguments : again, environment ? environment : none);
		_exit(errno);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		status = 255 << 8;
	report(name, status);
}

static void put(const char *name, const void *what, size_t n, int mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0700);

	if (fd < 0 || write(fd, what, n) != (ssize_t)n || fchmod(fd, (mode_t)mode) || close(fd))
		abort();
}

static void read_own(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	struct stat st;

	if (fd < 0)
		fd = open("/program", O_RDONLY); /* where there is no /proc */
	if (fd < 0 || fstat(fd, &st))
		abort();
	own.size = (size_t)st.st_size;
	own.data = malloc(own.size);
	if (!own.data || read(fd, own.data, own.size) != (ssize_t)own.size)
		abort();
	close(fd);
	header = (Elf64_Ehdr *)own.data;
	segments = (Elf64_Phdr *)(own.data + header->e_phoff);
}

static void find_segments(void)
{
	code = data = NULL;
	for (Elf64_Phdr *p = segments; p < segments + header->e_phnum; p++)
		if (p->p_type == PT_LOAD && (p->p_flags & PF_X))
			code = p;
		else if (p->p_type == PT_LOAD && code && !data)
			data = p;
	if (!code || !data)
		abort();
}

static void try_changes(void)
{
	static char kept[4096];

	memcpy(kept, own.data, sizeof(kept));
	for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		find_segments();
		length = own.size;
		changes[i].make();
		put(FOLDER "/changed", own.data, length, 0700);
		memcpy(own.data, kept, sizeof(kept));
		try(changes[i].name, FOLDER "/changed", NULL, NULL);
	}
}

static void try_script(const char *name, const char *text)
{
	put(FOLDER "/script", text, strlen(text), 0700);
	try(name, FOLDER "/script", NULL, NULL);
}

static void try_scripts(void)
{
	char line[6000] = "#!" FOLDER "/good ";

	try_script("script", "#!" FOLDER "/good\n");
	try_script("script with an argument and spaces", "#! \t" FOLDER "/good  with words \t \n");
	try_script("script without a line's end", "#!" FOLDER "/good");
	try_script("script whose interpreter is not there", "#!/no/such\n");
	try_script("script without an interpreter", "#!\n");
	try_script("script of spaces", "#!    \n");
	try_script("script by a folder", "#!/tmp\n");
	try_script("script by what is not executable", "#!" FOLDER "/no-x\n");
	try_script("script by itself", "#!" FOLDER "/script\n");
	try_script("script by a script", "#!" FOLDER "/by-good\n");
	memset(line + strlen(line), 'x', 5000);
	try_script("script with a long argument", line);
	memset(line + 2, '/', 5000);
	try_script("script with a long interpreter", line);
	try_script("text", "echo hello\n");
}

static void try_arguments(void)
{
	static char long_word[200000];
	char *one_long[] = { "again", long_word, NULL };
	static char *two_long[41];
	char *good_environment[] = { "A=B", NULL };

	memset(long_word, 'x', sizeof(long_word) - 1);
	try("an argument of 200,000 bytes", FOLDER "/good", one_long, NULL);
	try("an environment of 200,000 bytes", FOLDER "/good", NULL, one_long);
	long_word[60000] = '\0';
	try("an argument of 60,000 bytes", FOLDER "/good", one_long, good_environment);
	for (unsigned i = 0; i < 40; i++)
		two_long[i] = long_word;
	two_long[0] = "again";
	try("arguments of 2,400,000 bytes", FOLDER "/good", two_long, NULL);
	for (unsigned i = 0; i < 39999; i++)
		many[i] = "again";
	many[3000] = NULL;
	try("3,000 arguments", FOLDER "/good", many, NULL);
}

static void try_paths(void)
{
	static char path[PATH_MAX + 100];

	try("a folder", "/tmp", NULL, NULL);
	try("no such file", FOLDER "/nothing", NULL, NULL);
	try("an empty path", "", NULL, NULL);
	try("below a file", FOLDER "/good/x", NULL, NULL);
	try("with a slash behind", FOLDER "/good/", NULL, NULL);
	try("not executable", FOLDER "/no-x", NULL, NULL);
	try("a device", FOLDER "/null", NULL, NULL);
	try("a link to itself", FOLDER "/loop", NULL, NULL);
	try("a link to nothing", FOLDER "/dangling", NULL, NULL);
	try("a link", FOLDER "/link", NULL, NULL);
	memset(path, '/', sizeof(path) - 1);
	try("a path that is too long", path, NULL, NULL);
	memset(path + 1, 'x', 300);
	path[301] = '\0';
	try("a name that is too long", path, NULL, NULL);
}

static void prepare(void)
{
	mkdir("/tmp", 0777);
	mkdir(FOLDER, 0777);
	put(FOLDER "/good", own.data, own.size, 0700);
	put(FOLDER "/no-x", own.data, own.size, 0600);
	put(FOLDER "/by-good", "#!" FOLDER "/good\n", strlen("#!" FOLDER "/good\n"), 0700);
	(void)!symlink("loop", FOLDER "/loop");
	(void)!symlink("nothing", FOLDER "/dangling");
	(void)!symlink("good", FOLDER "/link");
	(void)!mknod(FOLDER "/null", S_IFCHR | 0777, 1 << 8 | 3);
}

int main(int argc, char **argv)
{
	if (argc > 0 && (strcmp(argv[0], "again") == 0 || strcmp(argv[0], FOLDER "/good") == 0))
		return RAN;
	read_own();
	prepare();
	try_changes();
	try_scripts();
	try_arguments();
	try_paths();
	return 0;
}
