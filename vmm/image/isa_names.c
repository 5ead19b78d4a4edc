/* The names of ISA extensions, and sets of them as text. */
#include <vmm/isa.h>

#include <string.h>

const char *const isa_names[ISA_EXTS] = {
	[ISA_I] = "i", [ISA_M] = "m", [ISA_A] = "a", [ISA_F] = "f", [ISA_D] = "d", [ISA_C] = "c",
	[ISA_ZICBOM] = "zicbom", [ISA_ZICBOZ] = "zicboz", [ISA_ZICNTR] = "zicntr", [ISA_ZICSR] = "zicsr",
	[ISA_ZIFENCEI] = "zifencei", [ISA_ZIHINTPAUSE] = "zihintpause", [ISA_ZIHPM] = "zihpm",
	[ISA_ZAWRS] = "zawrs", [ISA_ZBA] = "zba", [ISA_ZBB] = "zbb", [ISA_ZBC] = "zbc", [ISA_ZBS] = "zbs",
	[ISA_ZBKB] = "zbkb", [ISA_ZBKC] = "zbkc", [ISA_ZBKX] = "zbkx", [ISA_SSTC] = "sstc",
	[ISA_SVINVAL] = "svinval", [ISA_SVNAPOT] = "svnapot", [ISA_SVPBMT] = "svpbmt", [ISA_SVADU] = "svadu",
	[ISA_SSSTATEEN] = "ssstateen", [ISA_V] = "v", [ISA_H] = "h",
};

_Static_assert(ISA_EXTS <= 64, "one bit of a set each");

int isa_by_name(const char *name)
{
	for (int i = 0; i < ISA_EXTS; i++)
		if (strcmp(isa_names[i], name) == 0)
			return i;
	return -1;
}

void isa_describe(uint64_t set, struct isa_text *out)
{
	char *end = stpcpy(out->string, "rv64");
	unsigned n = 0;

	for (unsigned i = 0; i < ISA_LISTED; i++) {
		if (!(set & BIT(i)))
			continue;
		out->list[n++] = isa_names[i];
		if (isa_names[i][1])
			*end++ = '_';
		end = stpcpy(end, isa_names[i]);
	}
	out->list[n] = NULL;
}
