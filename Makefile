# sluice: one non-recursive Makefile. `make help` lists the targets.
#
# A source file is found by its folder: a new .c in user/model/ is in the library, a new .c in
# tests/unit/ is a test program. Quiet unless V=1; SAN=1 builds with ASan and UBSan into build/san.

VERSION := 0.1.0
PREFIX  ?= /usr/local
DESTDIR ?=
INSTALL_ROOT = $(DESTDIR)$(PREFIX)
BUILD   := build$(if $(SAN),/san)
Q       := $(if $(V),,@)
say      = $(if $(V),,@printf '  %-7s %s\n' '$1' '$2')

CC         ?= gcc
CLANG      ?= clang
BPFTOOL    ?= $(firstword $(wildcard /usr/sbin/bpftool /sbin/bpftool) bpftool)
PYTHON     ?= /usr/bin/python3
PKG_CONFIG ?= pkg-config

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	    -Wundef -Wformat=2 -Werror
INCLUDES := -Iinclude -Iuser -I$(BUILD)/gen
CFLAGS   ?= -O2 -g
# A comma inside $(if).
, := ,
SANITIZE := $(if $(SAN),-fsanitize=address$(,)undefined -fno-sanitize-recover=all \
	    -fno-omit-frame-pointer)
override CFLAGS += -std=gnu11 $(WARNINGS) $(SANITIZE) -D_GNU_SOURCE \
	    -DSLUICE_VERSION='"$(VERSION)"'
LDFLAGS  += $(SANITIZE)

# Not at parse time: on a fresh machine make reads this before setup has installed gcc.
MULTIARCH   = $(shell gcc -print-multiarch)
BPF_CFLAGS  = -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Wshadow -Werror \
	      -Iinclude -I/usr/include/$(MULTIARCH)

# Libraries by the layer that may use them.
MODEL_PKGS := libcyaml yaml-0.1 jansson
AGENT_PKGS := libbpf libelf zlib libuv libmicrohttpd libmnl libcurl
CLI_PKGS   := libcurl ncurses
pkg_libs    = $(shell $(PKG_CONFIG) --libs $1)

BASE_SRC  := $(wildcard user/base/*.c)
MODEL_SRC := $(wildcard user/model/*.c)
AGENT_SRC := $(wildcard user/agent/*.c)
CLI_SRC   := $(wildcard user/cli/*.c)
BPF_SRC   := $(wildcard bpf/*.bpf.c tools/lab/*.bpf.c tools/bench/*.bpf.c)
UNIT_SRC  := $(wildcard tests/unit/*.c)
DATA_SRC  := $(wildcard tests/datapath/*.c)
STEPS_SRC := $(wildcard tests/agent/*.c)
BENCH_SRC := $(wildcard tools/bench/*.c)
BENCH_SRC := $(filter-out %.bpf.c,$(BENCH_SRC))
TOOL_SRC  := $(filter-out %.bpf.c,$(wildcard tools/lab/*.c))

obj        = $(patsubst %.c,$(BUILD)/obj/%.o,$1)
BPF_OBJ   := $(patsubst %.bpf.c,$(BUILD)/bpf/%.bpf.o,$(notdir $(BPF_SRC)))
SKELETONS := $(patsubst %.bpf.c,$(BUILD)/gen/%.skel.h,$(notdir $(BPF_SRC)))
UNIT_BIN  := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(UNIT_SRC))
# Each is a program of its own but for rig*.c, which they share.
STEPS_BIN := $(patsubst tests/agent/%.c,$(BUILD)/tests/agent/%,\
	       $(filter-out tests/agent/rig%,$(STEPS_SRC)))
DATA_BIN  := $(if $(DATA_SRC),$(BUILD)/tests/datapath)
BENCH_BIN := $(if $(BENCH_SRC),$(BUILD)/sluice-bench)
TOOL_BIN  := $(patsubst tools/lab/%.c,$(BUILD)/tools/%,$(TOOL_SRC))

vpath %.bpf.c bpf tools/lab tools/bench

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help demo check check-kernels soak fuzz bench lint format setup man install uninstall \
	clean tests unit-tests compile_commands.json

## all: build build/sluiced and build/sluice (no root needed)
all: $(BUILD)/sluiced $(BUILD)/sluice $(BPF_OBJ)

help:
	@sed -n 's/^## \([^:]*\): /\1\t/p' $(MAKEFILE_LIST) | \
		awk -F'\t' '{printf "  make %-24s %s\n", $$1, $$2}'

$(BUILD)/sluiced: $(call obj,$(AGENT_SRC)) $(BUILD)/libmodel.a $(BUILD)/libbase.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(call pkg_libs,$(AGENT_PKGS) $(MODEL_PKGS)) -lm

$(BUILD)/sluice: $(call obj,$(CLI_SRC)) $(BUILD)/libmodel.a $(BUILD)/libbase.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(call pkg_libs,$(CLI_PKGS) $(MODEL_PKGS)) -lm

$(BUILD)/libbase.a: $(call obj,$(BASE_SRC))
$(BUILD)/libmodel.a: $(call obj,$(MODEL_SRC))
$(BUILD)/%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

# One message for what a fresh machine lacks, in place of the first compiler's.
PKGS := $(sort $(MODEL_PKGS) $(AGENT_PKGS) $(CLI_PKGS))
$(BUILD)/tools-found:
	@for tool in $(CC) $(CLANG) $(BPFTOOL) $(PKG_CONFIG); do \
		command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	for library in $(PKGS); do \
		$(PKG_CONFIG) --exists $$library 2>/dev/null || missing="$$missing $$library"; done; \
	test -z "$$missing" || { \
		echo "make: what building needs is missing:$$missing; run: sudo make setup" >&2; \
		exit 1; }
	@mkdir -p $(@D) && touch $@

$(BUILD)/obj/%.o: %.c Makefile | $(BUILD)/tools-found
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(INCLUDES) -MMD -MP -c -o $@ $<

# Only these parts see the skeletons of the BPF objects.
$(call obj,$(AGENT_SRC) $(DATA_SRC) $(BENCH_SRC)): | $(SKELETONS)

$(BUILD)/bpf/%.bpf.o: %.bpf.c Makefile | $(BUILD)/tools-found
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MT $@ -MF $(@:.o=.d) -c -o $@ $<

# bpftool writes what -Wconversion, clang-tidy and friends would find: not ours to mend.
$(BUILD)/gen/%.skel.h: $(BUILD)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	@mkdir -p $(@D)
	$(Q){ echo '#pragma GCC system_header' && echo '/* NOLINTBEGIN */' && \
	      $(BPFTOOL) gen skeleton $< name $(subst -,_,$*)_bpf && echo '/* NOLINTEND */'; } >$@

$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libmodel.a $(BUILD)/libbase.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(call pkg_libs,cmocka $(MODEL_PKGS)) -lm

# Packets' headers lie where they lie; BPF and the hosts that this runs on read them there.
$(BUILD)/obj/tests/unit/fuzz.o: override CFLAGS += -fno-sanitize=alignment

FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
FUZZ_FLAGS   := -O1 -g -std=gnu11 -D_GNU_SOURCE -Iinclude -Iuser \
		-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=alignment \
		-fno-sanitize-recover=all

# User space once more, so that libFuzzer sees its ways.
$(BUILD)/fuzz/obj/%.o: %.c Makefile
	$(call say,FUZZ,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_FLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/fuzz/%: $(BUILD)/fuzz/obj/tests/fuzz/%.o \
		$(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(BASE_SRC) $(MODEL_SRC))
	$(call say,LINK,$@)
	$(Q)$(CLANG) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ $(call pkg_libs,$(MODEL_PKGS)) -lm

$(BUILD)/tests/datapath: $(call obj,$(DATA_SRC)) $(BUILD)/libmodel.a $(BUILD)/libbase.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ \
		$(call pkg_libs,cmocka libbpf libelf zlib $(MODEL_PKGS)) -lm

$(BUILD)/tests/agent/%: $(BUILD)/obj/tests/agent/%.o \
		$(call obj,$(filter tests/agent/rig%,$(STEPS_SRC))) \
		$(call obj,$(filter-out user/agent/main.c,$(AGENT_SRC))) \
		$(BUILD)/libmodel.a $(BUILD)/libbase.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ \
		$(call pkg_libs,cmocka $(AGENT_PKGS) $(MODEL_PKGS)) -lm -lpthread

$(BUILD)/sluice-bench: $(call obj,$(BENCH_SRC)) $(BUILD)/libmodel.a $(BUILD)/libbase.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ \
		$(call pkg_libs,libbpf libelf zlib $(MODEL_PKGS)) -lm

$(BUILD)/tools/old: TOOL_PKGS := libbpf libelf zlib
$(BUILD)/tools/%: $(BUILD)/obj/tools/lab/%.o $(BUILD)/libbase.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(if $(TOOL_PKGS),$(call pkg_libs,$(TOOL_PKGS))) \
		-lm -lpthread

# The data plane with the layouts of an older version, for tests of an upgrade.
OLD_OBJ := $(BUILD)/bpf/old.bpf.o
$(OLD_OBJ): tools/lab/old-layout $(wildcard bpf/*.h bpf/*.c include/sluice/*.h) | $(BUILD)/tools-found
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)tools/lab/old-layout $(BUILD)/old
	$(Q)$(CLANG) $(filter-out -Iinclude,$(BPF_CFLAGS)) -I$(BUILD)/old/include -c -o $@ \
		$(BUILD)/old/bpf/sluice.bpf.c

tests: all $(UNIT_BIN) $(DATA_BIN) $(STEPS_BIN) $(TOOL_BIN) $(OLD_OBJ) $(BENCH_BIN)

unit-tests: $(UNIT_BIN)

# A make of its own, so that it sees what setup installed; on all CPUs unless -j was given.
submake = $(MAKE) --no-print-directory \
	  $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))
run_tests = $(PYTHON) tests/run --build $(BUILD) $(if $(ONLY),--only '$(ONLY)')

## setup: install the Debian packages that building and testing need (root)
setup:
	$(Q)tools/setup

## demo: show the whole loop on real traffic in network namespaces (root)
demo: setup
	$(Q)$(submake) tests
	$(Q)SLUICE_BUILD=$(BUILD) tools/demo

## check: set up and run every test; ONLY=pattern runs those whose names match (root)
check: setup
	$(Q)$(submake) tests
	$(Q)$(submake) unit-tests SAN=1 BUILD=$(BUILD)/san
	$(Q)$(run_tests)

## check-kernels: load the data plane and run its packet tests on kernels 6.1 and 6.12 (root)
check-kernels:
	$(Q)tools/setup
	$(Q)$(submake) $(BPF_OBJ) $(DATA_BIN)
	$(Q)BUILD=$(BUILD) tools/kernels

## soak: run the long tests, and those of check in their long form (root)
soak: setup
	$(Q)$(submake) tests
	$(Q)$(run_tests) --soak

## fuzz: random inputs through every parser, FUZZ_SECONDS in all, 60 by default (root)
FUZZ_SECONDS ?= 60
fuzz: setup
	$(Q)$(submake) $(FUZZ_TARGETS:%=$(BUILD)/fuzz/%)
	$(Q)for target in $(FUZZ_TARGETS); do \
		mkdir -p $(BUILD)/fuzz/corpus/$$target && echo "fuzz: $$target" && \
		$(BUILD)/fuzz/$$target -print_final_stats=1 -max_len=8192 -verbosity=0 \
			-max_total_time=$$(($(FUZZ_SECONDS) / $(words $(FUZZ_TARGETS)) + 1)) \
			-artifact_prefix=$(BUILD)/fuzz/$$target- $(BUILD)/fuzz/corpus/$$target \
			tests/fuzz/corpus/$$target || exit 1; \
	done

## bench: measure, and write build/bench.json (root)
bench: setup
	$(Q)$(submake) all $(BUILD)/sluice-bench
	$(Q)$(BUILD)/sluice-bench $(BUILD)/bench.json
	$(Q)SLUICE_BUILD=$(BUILD) tools/bench/plane.py --idle 30 $(BUILD)/bench.json
	$(Q)SLUICE_BUILD=$(BUILD) tools/bench/probes $(BUILD)/bench.json

## lint: formatting, static analysis, spelling and the include arrows
lint:
	$(Q)$(submake) all $(SKELETONS)
	$(Q)BUILD=$(BUILD) tools/lint

## format: rewrite the C sources by .clang-format
format:
	$(Q)git ls-files '*.c' '*.h' | xargs clang-format -i

## compile_commands.json: for editors and clang-tidy
compile_commands.json:
	$(Q)bear -- $(MAKE) --always-make --no-print-directory tests >/dev/null

## man: write the manual pages, from what the programs say of themselves, into build/man/
man: $(BUILD)/sluiced $(BUILD)/sluice
	$(Q)tools/man $(BUILD)

# Where the shells look for them: bash, zsh, fish.
COMPLETIONS := bash-completion/completions/sluice zsh/site-functions/_sluice \
	       fish/vendor_completions.d/sluice.fish

## install: install below $(DESTDIR)$(PREFIX)
install: all man
	$(Q)install -D -m 755 $(BUILD)/sluiced $(INSTALL_ROOT)/sbin/sluiced
	$(Q)install -D -m 755 $(BUILD)/sluice $(INSTALL_ROOT)/bin/sluice
	$(Q)install -D -m 644 $(BUILD)/bpf/decap.bpf.o $(INSTALL_ROOT)/lib/sluice/decap.bpf.o
	$(Q)for p in $(notdir $(wildcard tools/provisioners/[a-z]*)); do \
		case $$p in *.py) mode=644;; *) mode=755;; esac; \
		install -D -m $$mode tools/provisioners/$$p \
			$(INSTALL_ROOT)/lib/sluice/provisioners/$$p; done
	$(Q)install -D -m 644 $(BUILD)/man/sluice.8 $(INSTALL_ROOT)/share/man/man8/sluice.8
	$(Q)install -D -m 644 $(BUILD)/man/sluice.yaml.5 $(INSTALL_ROOT)/share/man/man5/sluice.yaml.5
	$(Q)install -d $(dir $(addprefix $(INSTALL_ROOT)/share/,$(COMPLETIONS)))
	$(Q)$(BUILD)/sluice completion bash >$(INSTALL_ROOT)/share/$(word 1,$(COMPLETIONS))
	$(Q)$(BUILD)/sluice completion zsh >$(INSTALL_ROOT)/share/$(word 2,$(COMPLETIONS))
	$(Q)$(BUILD)/sluice completion fish >$(INSTALL_ROOT)/share/$(word 3,$(COMPLETIONS))
	$(Q)install -D -m 644 $(BUILD)/man/sluiced.8 $(INSTALL_ROOT)/share/man/man8/sluiced.8
	$(Q)install -D -m 644 docs/sluice.yaml $(INSTALL_ROOT)/share/doc/sluice/sluice.yaml
	$(Q)install -d $(INSTALL_ROOT)/lib/systemd/system
	$(Q)sed 's|@PREFIX@|$(PREFIX)|' tools/systemd/sluiced.service \
		>$(INSTALL_ROOT)/lib/systemd/system/sluiced.service

## uninstall: stop the agent, detach every interface, and remove what install put there
uninstall:
	$(Q)$(if $(DESTDIR),,tools/uninstall $(PREFIX)/sbin/sluiced)
	$(Q)rm -f $(addprefix $(INSTALL_ROOT)/,sbin/sluiced bin/sluice share/man/man8/sluice.8 \
		share/man/man8/sluiced.8 share/man/man5/sluice.yaml.5 \
		$(addprefix share/,$(COMPLETIONS)) lib/systemd/system/sluiced.service)
	$(Q)rm -rf $(INSTALL_ROOT)/lib/sluice $(INSTALL_ROOT)/share/doc/sluice

## clean: remove build/
clean:
	$(Q)rm -rf build compile_commands.json

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
