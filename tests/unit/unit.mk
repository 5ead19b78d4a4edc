# Unit tests on the host: cmocka with the address and undefined-behaviour sanitizers.
#
#   make -f tests/unit/unit.mk             build and run every tests/unit/test_*.c
#   make -f tests/unit/unit.mk T=frame     the test files whose name contains "frame";
#                                          where there is none: all tests named so
#
# A test file's second line names the sources of the tree that it is linked with:
#   // sources: core/mm/pt.c core/mm/frame.c
# Whatever these leave undefined comes from tests/unit/mock/*.c, which stands in an
# archive: a mock is linked only where the real thing is not. Mock headers come first
# in the include path. The exit status is not 0 when a test fails or does not build.

UNIT   := build/unit$(if $(COVERAGE),-coverage)
HOSTCC ?= gcc
LINKS  := -lcmocka -lfdt -lm -Wl,-T,tests/unit/mock/sections.ld
HOST_CFLAGS := -std=gnu11 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -Wall -Wextra -Werror \
	-include tests/unit/mock/config.h \
	-Itests/unit/mock -Iinclude -Ivmm/include -Ishell/include -Iarch/riscv64/include -I.

# COVERAGE=1: count which lines run, in a folder of its own (make coverage).
ifneq ($(COVERAGE),)
HOST_CFLAGS += --coverage -O0
endif

ALL_TESTS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_*.c))
BY_FILE   := $(foreach t,$(ALL_TESTS),$(if $(findstring $(T),$(t)),$(t)))
TESTS     := $(if $(T),$(or $(BY_FILE),$(ALL_TESTS)),$(ALL_TESTS))
FILTER    := $(if $(T),$(if $(BY_FILE),,*$(T)*))

MOCK_OBJS := $(patsubst %.c,$(UNIT)/%.o,$(filter-out %/filter.c,$(wildcard tests/unit/mock/*.c)))
# Linked into every test, because nothing refers to it by name.
HOOK_OBJ  := $(UNIT)/tests/unit/mock/filter.o

# The FatFs library is compiled in with fs/fat (fs/fat/build.mk), sanitizers and all.
FATFS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/caisson/src/fatfs
$(UNIT)/fs/fat/%.o: HOST_CFLAGS += -isystem $(FATFS) -Ifs/fat -DFFCONF_H='"fat_config.h"'

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: run build
.NOTPARALLEL: run

# A test that does not build must not keep the others from running.
run:
	@$(MAKE) --no-print-directory -k -f tests/unit/unit.mk T=$(T) build; \
	built=$$?; failed=; \
	for t in $(TESTS); do \
		log=$(UNIT)/$$t.log; \
		if [ $$built -ne 0 ] && ! $(MAKE) -s -q -f tests/unit/unit.mk $(UNIT)/$$t 2>/dev/null; then \
			echo "  NOT BUILT $$t"; failed="$$failed $$t"; continue; fi; \
		if UNIT_FILTER='$(FILTER)' timeout -s KILL 600 $(UNIT)/$$t >$$log 2>&1 </dev/null; then \
			echo "  PASS $$t ($$(grep -c '^\[       OK' $$log))"; \
		else \
			cat $$log; echo "  FAIL $$t"; failed="$$failed $$t"; fi; \
	done; \
	if [ -n "$$failed" ]; then echo "unit tests failed:$$failed"; exit 1; fi

build: $(addprefix $(UNIT)/,$(TESTS))

$(UNIT)/%.o: %.c tests/unit/unit.mk
	@mkdir -p $(@D)
	@echo "  HOSTCC  $<"
	@$(HOSTCC) $(HOST_CFLAGS) -MMD -MP -c $< -o $@

$(UNIT)/libmock.a: $(MOCK_OBJS)
	@rm -f $@
	@ar rcs $@ $^

sources_of = $(patsubst %.c,$(UNIT)/%.o,$(shell sed -n '2s,^// sources:,,p' tests/unit/$(1).c))

define test_rule
$(UNIT)/$(1): $(UNIT)/tests/unit/$(1).o $(call sources_of,$(1)) $(HOOK_OBJ) $(UNIT)/libmock.a
	@echo "  HOSTLD  $(1)"
	@$(HOSTCC) $(HOST_CFLAGS) $$^ $(LINKS) -o $$@
endef
$(foreach t,$(ALL_TESTS),$(eval $(call test_rule,$(t))))

-include $(shell find $(UNIT) -name '*.d' 2>/dev/null)
