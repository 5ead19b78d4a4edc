/* The smallest application: print a line and leave. */
#include <caisson/console.h>
#include <caisson/init.h>

int main(void)
{
	static const char text[] = "hello from Caisson\n";

	console_write(CONSOLE_MONITOR, text, sizeof(text) - 1);
	return 0;
}
