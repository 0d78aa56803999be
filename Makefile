# SPDX-License-Identifier: Apache-2.0
# One Makefile.  Variants build side by side below build/: release, asan
# (gcc), clang (clang with ASan + UBSan), tsan, fuzz.
#   make               the program, optimised: ./weir
#   make check         all tests           make lint   the house rules
#   make demo          the main job, end to end, no API key
#   make bench-routing the bars of routing quality
#   make bench-off-policy   of these the estimates from simulated logs
#   make default-classifier  models/default.weir from the labelled sets
#   make unit T=name   one unit test program, e.g. T=json
#   make install       PREFIX=/usr/local, DESTDIR
#   make chaos         a storm of faults; make soak: for half an hour
#   make tsan          the threaded parts under ThreadSanitizer
#   make bench         every benchmark (bench-*), some minutes

VARIANT ?= release
B := build/$(VARIANT)
LAYERS := base features models datasets trainer router bench

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes \
  -Wmissing-prototypes -Wwrite-strings -Wundef -Wvla -Wformat=2 \
  -Wpointer-arith -Wcast-qual -Werror
PKGS := libcurl libevent libevent_openssl libevent_pthreads libcjson \
  libutf8proc yaml-0.1 sqlite3 zlib openssl libnghttp2
LIBS = $(shell pkg-config --libs $(PKGS)) -llinear -lpthread -lm

# GCC 12.2 with LTO may put a variable that is written to into .rodata
# (gcc.gnu.org/PR107769); -fno-ipa-cp keeps it from that.
LTO := -flto=auto
ifneq ($(VARIANT),clang)
LTO += -fno-ipa-cp
endif
FLAGS_release := -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE \
  $(LTO)
LINK_release := -pie -Wl,-z,relro,-z,now $(LTO) -O2
SAN := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
  -fno-omit-frame-pointer
FLAGS_asan := $(SAN)
LINK_asan := $(SAN)
FLAGS_clang := $(SAN)
LINK_clang := $(SAN)
# GCC sees less through TSan's calls and guesses at unset variables.
FLAGS_tsan := -O1 -g -fsanitize=thread -Wno-maybe-uninitialized
LINK_tsan := -fsanitize=thread
FLAGS_fuzz := $(SAN) -fsanitize=fuzzer-no-link
LINK_fuzz := $(SAN)
ifneq (,$(filter clang fuzz,$(VARIANT)))
CC := clang
else
CC := gcc
endif

CFLAGS ?=
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE -ffp-contract=off -I. $(WARN) $(FLAGS_$(VARIANT)) -MMD -MP \
  $(CFLAGS)

SRC := $(foreach d,$(LAYERS),$(wildcard $(d)/*.c $(d)/*/*.c))
DATA := $(foreach d,$(LAYERS),$(wildcard $(d)/*.S))
OBJ := $(SRC:%.c=$(B)/%.o) $(DATA:%.S=$(B)/%.o)
UNIT := $(patsubst tests/unit/test_%.c,%,$(wildcard tests/unit/test_*.c))
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
UNIT_BIN := $(UNIT:%=$(B)/test_%)

.PHONY: all deps check lint unit unit-bins fuzz fuzz-bins clean docs format install
all: weir

weir: build/release/weir
	@cp -f $< $@

ifneq ($(VARIANT),release)
build/release/weir: FORCE
	@$(MAKE) --no-print-directory VARIANT=release $@
.PHONY: FORCE
FORCE:
endif

$(B)/weir: $(B)/weir.o $(B)/libweir.a
	@echo "  link  $@"
	@$(CC) $(LINK_$(VARIANT)) -o $@ $^ $(LIBS)

$(B)/libweir.a: $(OBJ)
	@rm -f $@
	@$(if $(filter gcc,$(CC)),gcc-ar,ar) rcs $@ $^

$(B)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  cc    $@"
	@$(CC) $(ALL_CFLAGS) -c -o $@ $<

# Files that the program carries within it.
$(B)/models/catalogue_data.o: models/catalogue.json
$(B)/%.o: %.S
	@mkdir -p $(@D)
	@echo "  as    $@"
	@$(CC) -c -o $@ $<

$(B)/test_%: $(B)/tests/unit/test_%.o $(B)/libweir.a
	@echo "  link  $@"
	@$(CC) $(LINK_$(VARIANT)) -o $@ $^ $(LIBS) -lcmocka

BARS := $(patsubst %.c,$(B)/%.o,$(wildcard tests/bars/*.c))
# The bars of routing quality on public outcomes (docs/evaluation.md).
$(B)/routing_bars: $(BARS) $(B)/libweir.a
	@echo "  link  $@"
	@$(CC) $(LINK_$(VARIANT)) -o $@ $^ $(LIBS)

# What translation between dialects costs (docs/performance.md).
CODEC_BARS := $(patsubst %.c,$(B)/%.o,$(wildcard tests/bars/codec/*.c))
$(B)/codec_bars: $(CODEC_BARS) $(B)/libweir.a
	@echo "  link  $@"
	@$(CC) $(LINK_$(VARIANT)) -o $@ $^ $(LIBS)

.PHONY: bench-codec
bench-codec: weir
	@$(MAKE) --no-print-directory VARIANT=release build/release/codec_bars
	@build/release/codec_bars
	@tests/lint/deps.sh bench && bench/codec.sh

OUTSIDE_BARS := $(patsubst %.c,$(B)/%.o,$(wildcard tests/bars/outside/*.c))
$(B)/outside_bars: $(OUTSIDE_BARS) $(B)/libweir.a
	@echo "  link  $@"
	@$(CC) $(LINK_$(VARIANT)) -o $@ $^ $(LIBS)

# What share of requests is abstained on (docs/evaluation.md).
.PHONY: bench-outside
bench-outside:
	@$(MAKE) --no-print-directory VARIANT=release build/release/outside_bars
	@build/release/outside_bars

$(B)/reading_bars: $(B)/tests/bars/reading/reading.o $(B)/libweir.a
	@echo "  link  $@"
	@$(CC) $(LINK_$(VARIANT)) -o $@ $^ $(LIBS)

STREAM_BARS := $(patsubst %.c,$(B)/%.o,$(wildcard tests/bars/streams/*.c))
$(B)/streams_bars: $(STREAM_BARS) $(B)/libweir.a
	@echo "  link  $@"
	@$(CC) $(LINK_$(VARIANT)) -o $@ $^ $(LIBS)

# Memory of 10,000 open streams.
.PHONY: bench-streams
bench-streams: weir
	@$(MAKE) --no-print-directory VARIANT=release build/release/streams_bars
	@bench/streams.sh

# The classifier that ships: needs the labelled sets in DATA_DIR and python3.
DATA_DIR ?= ../shared/data
.PHONY: default-classifier
default-classifier: weir
	python3 models/default_data.py $(DATA_DIR) build/default.jsonl.gz
	./weir train --data build/default.jsonl.gz --tiers models/tiers.yaml \
	  --bits 17 --min-rows 20 --seed 1 --out models/default.weir

.PHONY: bench-routing
bench-routing:
	@$(MAKE) --no-print-directory VARIANT=release build/release/routing_bars
	@build/release/routing_bars

# Of these the off-policy estimates alone.
.PHONY: bench-off-policy
bench-off-policy:
	@$(MAKE) --no-print-directory VARIANT=release build/release/routing_bars
	@build/release/routing_bars off-policy

$(B)/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(B)/libweir.a
	@echo "  link  $@"
	@$(CC) $(LINK_fuzz) -fsanitize=fuzzer -o $@ $^ $(LIBS) -lhttp_parser

.SECONDARY:
unit-bins: $(UNIT_BIN)
fuzz-bins: $(FUZZ:%=$(B)/fuzz_%)

# One unit test program under ASan + UBSan: make unit T=json
unit:
	@$(MAKE) --no-print-directory VARIANT=asan build/asan/test_$(T)
	build/asan/test_$(T)

deps:
	@tests/lint/deps.sh

check:
	@tests/lint/deps.sh check
	@tests/run.sh

lint:
	@tests/lint/deps.sh check
	@tests/lint/run.sh

# ---- benchmarks; each prints its figures and what they were wanted to be ----
.PHONY: demo bench-decision bench-load bench-memory
demo:
	@bench/demo.sh

# The demo with the questions dealt anew SEEDS times: is the promise kept?
.PHONY: demo-seeds
demo-seeds:
	@bench/seeds.sh

# A verify plan in service, before a mock that plays real models' answers.
.PHONY: bench-plans
bench-plans: weir
	@bench/plans.sh

# A seeded storm over providers, disk, reloads and clients, then what must hold
# whatever happened: make chaos STORM=60 SEED=7.  soak: the same for long, with
# memory that may not grow.
STORM ?= 60
SEED ?= 1
SOAK ?= 1800
.PHONY: chaos soak tsan
chaos: weir build/disk_fault.so
	@python3 tests/chaos/chaos.py ./weir $(CURDIR)/build/disk_fault.so \
	  $(STORM) $(SEED)
soak: weir build/disk_fault.so
	@python3 tests/chaos/chaos.py ./weir $(CURDIR)/build/disk_fault.so \
	  $(SOAK) $(SEED) soak

# The threaded parts under ThreadSanitizer: what workers share, the log's
# threads, and a short storm over all.
TSAN_TESTS := threads outlog outlog_settle metrics session cache purse
TSAN_STORM ?= 5
tsan:
	@$(MAKE) --no-print-directory VARIANT=tsan build/tsan/weir \
	  $(TSAN_TESTS:%=build/tsan/test_%)
	@$(foreach t,$(TSAN_TESTS),build/tsan/test_$(t) &&) true
	TSAN_OPTIONS=exitcode=66 python3 tests/chaos/chaos.py build/tsan/weir - \
	  $(TSAN_STORM) $(SEED)

build/disk_fault.so build/fail_malloc.so build/slow_dns.so: build/%.so: tests/preload/%.c
	@mkdir -p $(@D)
	@$(CC) -std=c11 -D_GNU_SOURCE $(WARN) -O2 -fPIC -shared -o $@ $< -ldl

build/count_malloc.so: tests/preload/count_malloc.c
	@mkdir -p $(@D)
	@$(CC) -std=c11 -D_GNU_SOURCE $(WARN) -O2 -fPIC -shared -o $@ $<

# The outcomes of real models, where they are there; else made-up prompts.
OUTCOMES := $(wildcard ../shared/data/mmlu-pro.jsonl.gz)
bench-decision: weir build/count_malloc.so
	@LD_PRELOAD=build/count_malloc.so ./weir bench decision
	@$(foreach f,$(OUTCOMES),echo; echo "prompts of $(notdir $f):"; \
	  LD_PRELOAD=build/count_malloc.so ./weir bench decision --data $f;)

bench-load: weir
	@tests/lint/deps.sh bench && bench/load.sh

bench-memory: weir
	@tests/lint/deps.sh bench && bench/memory.sh

.PHONY: profile bench-limits
bench-limits: weir
	@tests/lint/deps.sh bench && bench/limits.sh

profile: weir
	@tests/lint/deps.sh bench && bench/profile.sh

# Seconds for each fuzzer: make fuzz SECONDS=60
SECONDS ?= 30
fuzz:
	@$(MAKE) --no-print-directory VARIANT=fuzz fuzz-bins
	@tests/fuzz/run.sh $(SECONDS)

# The references that are made from the program's own tables.
docs: weir
	@docs/update.sh

# A month of traffic with shocks, and weir left alone with it: SEEDS months,
# JOBS at a time; those that build/bench-cycle.jsonl has are not run again.
SEEDS ?= 2
JOBS ?= 2
.PHONY: bench-cycle
bench-cycle: weir
	@if [ -e ../shared/data/mmlu-pro.jsonl.gz ]; then \
	  python3 bench/cycle.py ./weir ../shared/data $(SEEDS) --jobs $(JOBS); \
	else echo "skipped: the labelled sets in ../shared/data are not there"; fi

# Training 100,000 prompts x 4 arms: time and memory; reading them alone.
bench-train: weir
	@$(MAKE) --no-print-directory VARIANT=release build/release/reading_bars
	@mkdir -p build/bench-train
	python3 bench/train_rows.py datasets/sample.jsonl 100000 \
	  > build/bench-train/rows.jsonl
	@build/release/reading_bars build/bench-train/rows.jsonl
	/usr/bin/time -f '%e s, %U s of CPU, %M kB in the largest process' \
	  ./weir train --data build/bench-train/rows.jsonl \
	  --out build/bench-train/rows.weir
.PHONY: bench-train

# DESTDIR and PREFIX as usual: the program, its default classifier, manuals, a
# unit for systemd.
PREFIX ?= /usr/local
install: weir
	install -Dm755 weir $(DESTDIR)$(PREFIX)/bin/weir
	install -Dm644 models/default.weir \
	  $(DESTDIR)$(PREFIX)/share/weir/default.weir
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 \
	  $(DESTDIR)$(PREFIX)/share/man/man5
	install -m644 docs/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -m644 docs/man/*.5 $(DESTDIR)$(PREFIX)/share/man/man5/
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/local/bin|$(PREFIX)/bin|' packaging/weir.service \
	  >$(DESTDIR)$(PREFIX)/lib/systemd/system/weir.service

# Every benchmark, one after the other.
.PHONY: bench
bench: bench-decision bench-load bench-codec bench-streams bench-memory bench-train bench-routing

format:
	@clang-format -i $(shell git ls-files '*.c' '*.h')

clean:
	rm -rf build weir

-include $(OBJ:.o=.d) $(B)/weir.d $(BARS:.o=.d) $(CODEC_BARS:.o=.d) $(STREAM_BARS:.o=.d) \
  $(UNIT:%=$(B)/tests/unit/test_%.d) \
  $(FUZZ:%=$(B)/tests/fuzz/fuzz_%.d)
