/* The FatFs library's tables of characters, as they are. */
#include "ffunicode.c"
