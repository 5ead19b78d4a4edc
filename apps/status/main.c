/*
 * The exit status: the program ends with the number that its argument says. What is
 * not between 0 and 255 arrives as 255, so that a failure never looks like success.
 */
#include <caisson/init.h>
#include <caisson/print.h>

int main(void)
{
	return (int)app_arg_number(0, 0);
}
