# The FatFs library's own sources are fetched into the cache (tools/caisson/fetch.py) and
# included by library.c and unicode.c.
FATFS ?= $(CACHE)/src/fatfs
obj-$(CONFIG_FS_FAT) += fs/fat/fat.o fs/fat/disk.o fs/fat/names.o fs/fat/file.o fs/fat/dir.o fs/fat/library.o fs/fat/unicode.o
$(S)/fs/fat/%.o: CPPFLAGS += -isystem $(FATFS) -Ifs/fat -DFFCONF_H='"fat_config.h"'
