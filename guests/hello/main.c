/* The smallest guest: one line, then a clean end. */
#include "guest.h"

int main(void)
{
	print("hello from a guest\n");
	return 0;
}
