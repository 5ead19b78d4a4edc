/* FAT images: see fat_image.h. */
#include <unistd.h>

#include <caisson/vfs.h>

#include <block_ram.h>
#include <fat_image.h>
#include <test.h>

extern void (*const __constructors_start[])(void);
extern void (*const __constructors_end[])(void);

static char folder[] = "/tmp/caisson-fat-XXXXXX";
static char output[1 << 16];

static void command_of(char *command, size_t room, const char *format, va_list args)
{
	int n = snprintf(command, room, "cd '%s' && ", folder);

	vsnprintf(command + n, room - (size_t)n, format, args);
}

int shell(const char *format, ...)
{
	char command[2048];
	va_list args;

	va_start(args, format);
	command_of(command, sizeof(command), format, args);
	va_end(args);
	return system(command);
}

const char *shell_output(const char *format, ...)
{
	char command[2048];
	va_list args;
	size_t n;
	FILE *in;

	va_start(args, format);
	command_of(command, sizeof(command), format, args);
	va_end(args);
	in = popen(command, "r");
	assert_non_null(in);
	n = fread(output, 1, sizeof(output) - 1, in);
	output[n] = '\0';
	assert_int_equal(pclose(in), 0);
	return output;
}

int image_folder(void **state)
{
	(void)state;
	image_register();
	return mkdtemp(folder) ? 0 : -1;
}

int image_folder_remove(void **state)
{
	(void)state;
	return shell("rm -rf '%s'", folder);
}

static const char *image_file(void)
{
	static char name[64];

	snprintf(name, sizeof(name), "%s/image", folder);
	return name;
}

void image_make(const char *options, unsigned kib)
{
	assert_int_equal(shell("rm -f image && /usr/sbin/mkfs.fat %s -C image %u >mkfs.log", options, kib), 0);
	mock_disk_load(image_file());
}

int image_check(void)
{
	mock_disk_save(image_file());
	return shell("/usr/sbin/fsck.fat -n image >fsck.log || { cat fsck.log; exit 1; }");
}

void image_mount(unsigned flags)
{
	assert_int_equal(vfs_mount("fat", "vda", "/", flags), 0);
}

void image_unmount_clean(void)
{
	assert_int_equal(vfs_unmount("/"), 0);
	assert_int_equal(image_check(), 0);
}

void image_register(void)
{
	for (void (*const *c)(void) = __constructors_start; c < __constructors_end; c++)
		(*c)();
}
