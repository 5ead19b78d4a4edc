/* Paths: resolving "." and "..", by text alone. */
#include <errno.h>
#include <string.h>

#include <caisson/vfs.h>

/* Is the component at p, n bytes long, this one? */
static bool is(const char *p, size_t n, const char *what)
{
	return n == strlen(what) && !memcmp(p, what, n);
}

/* One component less at the end of out[0..len). */
static size_t parent(const char *out, size_t len)
{
	while (len > 0 && out[--len] != '/')
		;
	return len;
}

int vfs_resolve(const char *path, char *out)
{
	size_t len = 0, n;

	if (path[0] != '/')
		return -EINVAL;
	for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
		n = strcspn(path, "/");
		if (is(path, n, "..")) {
			len = parent(out, len);
		} else if (!is(path, n, ".")) {
			if (n > VFS_NAME_MAX || len + 1 + n >= VFS_PATH_MAX)
				return -ENAMETOOLONG;
			out[len++] = '/';
			memcpy(out + len, path, n);
			len += n;
		}
		path += n;
	}
	out[len] = '\0';
	return 0;
}
