# Fuzz targets on the host: clang's libFuzzer with the address and undefined-behaviour sanitizers.
#
#   make -f tests/fuzz/fuzz.mk build          build every tests/fuzz/fuzz_*.c
#   make -f tests/fuzz/fuzz.mk run            and run each for SECONDS, beginning with what is known: tests/fuzz/corpus/NAME
#                                             and what earlier runs have found, build/fuzz/corpus/NAME
#   make -f tests/fuzz/fuzz.mk keep           put the finds into the tree: no more inputs than it takes to get everywhere
#
# T=ring: only those targets. What a target fails with is written to build/fuzz/failed/.
# As in unit tests the second line of a target names the sources of the tree that it is linked with, and mocks come
# from tests/unit/mock. chains.c takes the place of the functions in WRAPPED.

FUZZ    := build/fuzz
FUZZCC  ?= clang
SAN     := address,undefined
WRAPPED := vio_pop vio_unpop vio_push vio_publish vio_complete vio_fail
FUZZ_CFLAGS := -std=gnu11 -g -O1 -fsanitize=$(SAN),fuzzer-no-link -fno-sanitize-recover=all -fno-omit-frame-pointer \
	-Wall -Wextra -Wno-unknown-warning-option -Wno-gnu-variable-sized-type-not-at-end \
	-include tests/unit/mock/config.h \
	-Itests/unit/mock -Iinclude -Ivmm/include -Ishell/include -Iarch/riscv64/include -I.
FUZZ_LINKS = -lfdt $(addprefix -Wl$(comma)--wrap=,$(WRAPPED))
comma   := ,

ALL_TARGETS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
TARGETS := $(if $(T),$(filter $(T),$(ALL_TARGETS)),$(ALL_TARGETS))
SECONDS ?= 60
# Inputs are short: what a hundred steps do not find a thousand will not.
OPTIONS := -max_len=400 -timeout=60 -rss_limit_mb=3000 -print_final_stats=0
# It does without sanitizers, and with them it would take most of the time.
$(FUZZ)/obj/tests/fuzz/ram.o: FUZZ_CFLAGS := $(filter-out -fsanitize% -O1,$(FUZZ_CFLAGS)) -O2

# What the targets of devices share. A target with an entry of its own has none of it but the mocks.
ALONE   := $(patsubst tests/fuzz/fuzz_%.c,%,$(shell grep -l LLVMFuzzerTestOneInput tests/fuzz/fuzz_*.c))
MOCKS   := $(addprefix $(FUZZ)/obj/tests/unit/mock/,cpu.o fold.o heap.o mem.o)
COMMON  := $(patsubst %,$(FUZZ)/obj/%.o,$(patsubst %.c,%,$(filter-out tests/fuzz/fuzz_% tests/fuzz/path_model.c,$(wildcard tests/fuzz/*.c)))) \
	$(MOCKS)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: build run keep
.NOTPARALLEL: run keep

build: $(addprefix $(FUZZ)/,$(TARGETS))

$(FUZZ)/obj/%.o: %.c tests/fuzz/fuzz.mk
	@mkdir -p $(@D)
	@echo "  FUZZCC  $<"
	@$(FUZZCC) $(FUZZ_CFLAGS) -MMD -MP -c $< -o $@

sources_of = $(patsubst %.c,$(FUZZ)/obj/%.o,$(shell sed -n '2s,^// sources:,,p' tests/fuzz/fuzz_$(1).c))

define target_rule
$(FUZZ)/$(1): $(FUZZ)/obj/tests/fuzz/fuzz_$(1).o $(call sources_of,$(1)) $(if $(filter $(1),$(ALONE)),$(MOCKS),$(COMMON))
	@echo "  FUZZLD  $(1)"
	@$(FUZZCC) -fsanitize=$(SAN),fuzzer $$^ $(FUZZ_LINKS) -o $$@
endef
$(foreach t,$(ALL_TARGETS),$(eval $(call target_rule,$(t))))

run: $(addprefix run-,$(TARGETS))
run-%: $(FUZZ)/%
	@mkdir -p $(FUZZ)/corpus/$* $(FUZZ)/failed
	$< $(OPTIONS) -artifact_prefix=$(FUZZ)/failed/$*- -max_total_time=$(SECONDS) $(FUZZ)/corpus/$* tests/fuzz/corpus/$*

# By what they reach alone: how often is in no list that should stay short.
keep: $(addprefix keep-,$(TARGETS))
keep-%: $(FUZZ)/%
	@mkdir -p $(FUZZ)/corpus/$* tests/fuzz/corpus/$*
	rm -rf $(FUZZ)/kept; mkdir $(FUZZ)/kept
	$< $(OPTIONS) -use_counters=0 -merge=1 $(FUZZ)/kept $(FUZZ)/corpus/$* tests/fuzz/corpus/$*
	rm -rf tests/fuzz/corpus/$*; mv $(FUZZ)/kept tests/fuzz/corpus/$*

-include $(shell find $(FUZZ) -name '*.d' 2>/dev/null)
