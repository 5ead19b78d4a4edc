/* The words that the user gave, one a line, each in brackets. */
#include <caisson/init.h>
#include <caisson/print.h>

int main(void)
{
	char word[256];

	for (unsigned n = 0; app_arg(n, word, sizeof(word)) >= 0; n++)
		print("[%s]\n", word);
	return 0;
}
