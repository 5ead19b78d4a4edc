/* Boot arguments without a device tree. */
#include <stdio.h>
#include <string.h>
#include <boot_arg.h>
#include <caisson/dt.h>

const char *mock_boot_key, *mock_boot_value;

bool boot_arg(const char *key, char *buf, size_t size)
{
	if (!mock_boot_key || strcmp(key, mock_boot_key) != 0)
		return false;
	snprintf(buf, size, "%s", mock_boot_value);
	return true;
}
