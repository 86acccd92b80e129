# SPDX-License-Identifier: BSD-2-Clause
# `make help` lists the targets. Everything built lands in $(BUILD).

BUILD   ?= build
DESTDIR ?=
PREFIX  ?= /usr/local
CC      ?= gcc
CLANG   ?= clang
BPFTOOL ?= bpftool
V       ?= 0

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-7s %s\n'
endif

# bpftool lives in sbin, which a login shell of root may lack.
export PATH := $(PATH):/usr/sbin:/sbin

WARNINGS := -Wall -Wextra -Wshadow -Wundef -Werror
CPPFLAGS += -D_GNU_SOURCE -Iuser -I$(BUILD)
CFLAGS   ?= -O2 -g
CFLAGS   += -std=gnu11 -fno-strict-aliasing $(WARNINGS)
LDLIBS   := -lxdp -lbpf -lelf -lz -losipparser2 -levent_openssl -levent_core -lssl -lcrypto -lcares \
	    -lsqlite3 -ljansson -linih -lsystemd -lresolv -lpthread
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

# The library is every subsystem but the two programs' own folders; the daemon's folder without its
# main is in it too, so that tests can link what it is made of.
LIB_SRC    := $(filter-out user/daemon/sipwardd.c,$(wildcard user/base/*.c user/filter/*.c \
	      user/store/*.c user/dns/*.c user/sip/*.c user/digest/*.c user/registrar/*.c \
	      user/policy/*.c user/record/*.c user/proxy/*.c user/net/*.c user/document/*.c user/daemon/*.c))
CLI_SRC    := $(wildcard user/cli/*.c)
LIB_OBJ    := $(LIB_SRC:%.c=$(BUILD)/obj/%.o)
LIB_SAN    := $(LIB_SRC:%.c=$(BUILD)/san/%.o)
CLI_OBJ    := $(CLI_SRC:%.c=$(BUILD)/obj/%.o)
DAEMON_OBJ := $(BUILD)/obj/user/daemon/sipwardd.o

UNIT_BIN  := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
BPF_BIN   := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/bpf/test_*.c))
FUZZ_BIN  := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/fuzz/fuzz_*.c))
BENCH_BIN := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/bench/bench_*.c))
TOOL_BIN  := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/tools/*.c))

.PHONY: all deps test check fuzz bench bench-flood demo lab run install uninstall clean help programs tools tests \
	kernel-test
.DELETE_ON_ERROR:
.SECONDARY:

all: programs ## build sipward, sipwardd and the filter object

programs: $(BUILD)/sipward.bpf.o $(BUILD)/sipward $(BUILD)/sipwardd
tools: $(TOOL_BIN)

deps: ## install what building and testing need (Debian 12, as root)
	$(Q)scripts/deps

# Targets for a user: each first installs what is missing, then builds with what is there.
demo: deps ## show the whole job in a lab of network namespaces
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc) programs tools
	$(Q)BUILD=$(BUILD) scripts/demo

lab: deps ## leave the demo's lab running to try things by hand
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc) programs tools
	$(Q)BUILD=$(BUILD) scripts/lab shell

run: deps ## guard a real interface from the clone: make run IFACE=eth0 UPSTREAM=sip:HOST:PORT
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc) programs
	$(Q)BUILD=$(BUILD) scripts/run '$(IFACE)' '$(UPSTREAM)'

test: deps ## run every test
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc) check

# What the daemons of the net tests and of the benches are started with; lib.sh reads it.
export SIPWARD_WORKERS ?= $(WORKERS)
export SIPWARD_STEERING ?= $(STEERING)

check: programs tests ## the same, nothing installed; LAYER=unit|bpf|net|fuzz for one, WORKERS=4 STEERING=no for daemons with so many
	$(Q)BUILD=$(BUILD) tests/run $(LAYER)

tests: $(UNIT_BIN) $(BPF_BIN) $(FUZZ_BIN) $(TOOL_BIN)

fuzz: $(FUZZ_BIN) ## fuzz every input surface; SECONDS_EACH=60
	$(Q)BUILD=$(BUILD) tests/fuzz/run $(or $(SECONDS_EACH),60)

kernel-test: deps ## test on Debian 12's own kernel, in virtual machines (some minutes)
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc) programs tests $(BUILD)/tests/kernel/neighbour.bpf.o
	$(Q)BUILD=$(BUILD) tests/kernel/run

bench: deps ## measure, and print a table
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc) programs $(BENCH_BIN) $(TOOL_BIN)
	$(Q)BUILD=$(BUILD) tests/bench/run

bench-flood: deps ## calls a second under a flood, a table and a plot; needs kamailio, gnuplot-nox
	$(Q)$(MAKE) --no-print-directory -j$(shell nproc) programs tools
	$(Q)BUILD=$(BUILD) tests/bench/flood.sh

# The filter.
BPF_CC   := $(CLANG) -target bpf -O2 -g -mcpu=v3 -std=gnu11 $(WARNINGS) -I.
BPF_DEPS := $(wildcard bpf/*.c bpf/*.h maps/*.h) vmlinux.h
$(BUILD)/sipward.bpf.o: $(BPF_DEPS)
	$(say) BPF $@
	@mkdir -p $(@D)
	$(Q)$(BPF_CC) -c bpf/sipward.bpf.c -o $@.tmp
	$(Q)$(BPFTOOL) gen object $@ $@.tmp && rm -f $@.tmp

$(BUILD)/sipward.skel.h: $(BUILD)/sipward.bpf.o
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name sipward_bpf > $@

$(BUILD)/steering.bpf.o: $(BPF_DEPS)
	$(say) BPF $@
	@mkdir -p $(@D)
	$(Q)$(BPF_CC) -c bpf/steering.bpf.c -o $@.tmp
	$(Q)$(BPFTOOL) gen object $@ $@.tmp && rm -f $@.tmp

$(BUILD)/steering.skel.h: $(BUILD)/steering.bpf.o
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name steering_bpf > $@

# Programs around the filter's code for tests and benches, each with a skeleton of its own.
BPF_SKEL := $(patsubst %.bpf.c,$(BUILD)/%.skel.h,$(wildcard tests/bpf/*.bpf.c tests/bench/*.bpf.c))
$(BUILD)/tests/%.bpf.o: tests/%.bpf.c $(BPF_DEPS)
	$(say) BPF $@
	@mkdir -p $(@D)
	$(Q)$(BPF_CC) -c $< -o $@
$(BUILD)/tests/%.skel.h: $(BUILD)/tests/%.bpf.o
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name $(notdir $*)_bpf > $@
$(patsubst $(BUILD)/%,$(BUILD)/obj/%.o,$(BPF_BIN) $(BENCH_BIN)): | $(BPF_SKEL)
$(BUILD)/obj/tests/tools/xdpflood.o: | $(BUILD)/tests/bench/flood.skel.h

# User space: once plain, once with sanitizers for the tests.
$(BUILD)/obj/%.o: %.c | $(BUILD)/sipward.skel.h $(BUILD)/steering.skel.h
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/san/%.o: %.c | $(BUILD)/sipward.skel.h $(BUILD)/steering.skel.h
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(SANITIZE) -MMD -MP -c $< -o $@

$(BUILD)/libsipward.a: $(LIB_OBJ)
	$(say) AR $@
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/libsipward-san.a: $(LIB_SAN)
	$(say) AR $@
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/sipward: $(CLI_OBJ) $(BUILD)/libsipward.a
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@

$(BUILD)/sipwardd: $(DAEMON_OBJ) $(BUILD)/libsipward.a
	$(say) LD $@
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@

# Tests: one file, one program. Unit tests run under ASan and UBSan; those that talk to the kernel's
# BPF side and the benches do not.
$(BUILD)/tests/unit/%: $(BUILD)/san/tests/unit/%.o $(BUILD)/libsipward-san.a
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(SANITIZE) $^ $(LDLIBS) -lcmocka -o $@

$(BUILD)/tests/bpf/%: $(BUILD)/obj/tests/bpf/%.o $(BUILD)/libsipward.a
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $^ $(LDLIBS) -lcmocka -o $@
$(BUILD)/tests/bench/%: $(BUILD)/obj/tests/bench/%.o $(BUILD)/libsipward.a
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $^ $(LDLIBS) -o $@
$(BUILD)/tests/tools/%: $(BUILD)/obj/tests/tools/%.o $(BUILD)/libsipward.a
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $^ $(LDLIBS) -o $@

# libFuzzer needs clang; the library is compiled again with its coverage.
FUZZ_FLAGS := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
LIB_FUZZ   := $(LIB_SRC:%.c=$(BUILD)/fuzzobj/%.o)
$(BUILD)/fuzzobj/%.o: %.c | $(BUILD)/sipward.skel.h $(BUILD)/steering.skel.h
	$(say) CLANG $@
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) $(CFLAGS) $(FUZZ_FLAGS) -MMD -MP -c $< -o $@
$(BUILD)/libsipward-fuzz.a: $(LIB_FUZZ)
	$(say) AR $@
	$(Q)rm -f $@ && ar rcs $@ $^
$(BUILD)/tests/fuzz/%: $(BUILD)/fuzzobj/tests/fuzz/%.o $(BUILD)/libsipward-fuzz.a
	$(say) LD $@
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CFLAGS) -fsanitize=fuzzer,address,undefined $^ $(LDLIBS) -o $@

install: programs ## install to $(DESTDIR)$(PREFIX), with unit and configuration
	$(Q)DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' BUILD=$(BUILD) scripts/install

uninstall: ## remove what install put there; configuration and state stay
	$(Q)DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' BUILD=$(BUILD) scripts/install --remove

clean: ## remove $(BUILD)
	rm -rf $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
