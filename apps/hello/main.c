/* The smallest application: it prints a line and leaves, without heap, tasks and interrupts. */
#include <caisson/init.h>
#include <caisson/print.h>

int main(void)
{
	print("hello from Caisson\n");
	return 0;
}
