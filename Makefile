# Thin front of meson and ninja.  `make help` lists the targets.
BUILD ?= build
STATIC = $(BUILD)/static
LIBRARY = $(BUILD)/library
DEV = $(BUILD)/dev
ASAN = $(BUILD)/asan
FUZZ = $(BUILD)/fuzz
TREE = $(BUILD)/tree
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
# Warnings are errors in CI; a developer sees them and goes on.
SETUP = meson setup --prefix=/ --libdir=lib $(if $(CI),-Dwerror=true)
# $(call quiet,NAME,COMMAND): what it says is of interest when it fails.
, = ,
quiet = @mkdir -p $(BUILD); echo "configuring $(BUILD)/$(1)"; \
    $(2) >$(BUILD)/$(1).log 2>&1 || { cat $(BUILD)/$(1).log; exit 1; }
NINJA = ninja --quiet -C
RUN_TESTS = MXC="$(abspath $(TREE))/bin/mxc" tools/run-tests --build $(BUILD)

.PHONY: all
all: static library    ## build all and lay it out in build/tree
	@mkdir -p $(TREE)
	@for part in $(STATIC) $(LIBRARY); do \
	    meson install -C $$part --no-rebuild --only-changed --quiet \
	        --destdir "$(abspath $(TREE))" || exit 1; \
	done

.PHONY: static
static: $(STATIC)/build.ninja
	@$(NINJA) $(STATIC)

$(STATIC)/build.ninja:
	@tools/install-deps
	$(call quiet,static,CC=musl-gcc $(SETUP) $(STATIC) \
	    -Dstatic=true -Dtests=false)

# The programs are static, with musl; the library is for programs of glibc.
.PHONY: library
library: $(LIBRARY)/build.ninja
	@$(NINJA) $(LIBRARY)

$(LIBRARY)/build.ninja:
	@tools/install-deps
	$(call quiet,library,$(SETUP) $(LIBRARY) -Dprograms=false -Dtests=false)

.PHONY: dev
dev: $(DEV)/build.ninja   ## build with glibc, and the unit tests
	@$(NINJA) $(DEV)

$(DEV)/build.ninja:
	@tools/install-deps --tests
	$(call quiet,dev,$(SETUP) $(DEV))

.PHONY: run
run: all               ## show untrusted code under a policy
	@examples/demo "$(TREE)/bin/mxc"

.PHONY: check
check: all dev         ## unit tests, plan goldens, lint: under a minute
	@$(RUN_TESTS) --once lint unit lib plan

.PHONY: test
test: all dev          ## everything, as root and as an ordinary user
	@tools/fetch-oracle || echo "without it the comparison with MXC skips"
	@$(RUN_TESTS) lint unit lib plan contract backends fault e2e ffi escape \
	    sdk soak

.PHONY: bench
bench: all dev         ## start-up, network and SDK, next to others
	@bench/run --build $(BUILD)
	@bench/sessions --build $(BUILD)
	@bench/denials --build $(BUILD)
	@bench/limits --build $(BUILD)
	@bench/verify --build $(BUILD)
	@bench/backends --build $(BUILD)
	@bench/network --build $(BUILD)
	@bench/python --build $(BUILD)
	@bench/sdk-node --build $(BUILD) || echo "without npm the SDK is left out"

.PHONY: soak
soak: all              ## many runs, and nothing left behind (long)
	@MXC_SOAK=long $(RUN_TESTS) soak fault

# The programs leave their memory to the end of the process, so only the unit
# tests look for leaks.
ASAN_SUITES ?= contract e2e ffi
ASAN_ENV = UBSAN_OPTIONS=print_stacktrace=1 \
    MXC="$(abspath $(ASAN))/tree/bin/mxc" \
    MXC_CONTRACT_TOOLS="$(abspath $(ASAN))/tests/contract" \
    ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
.PHONY: asan
asan: $(ASAN)/build.ninja   ## tests and programs under ASan and UBSan
	@$(NINJA) $(ASAN)
	@meson install -C $(ASAN) --no-rebuild --only-changed --quiet \
	    --destdir "$(abspath $(ASAN))/tree"
	@failed=0; \
	$(ASAN_ENV) tools/run-tests --build $(BUILD) --dev asan unit || failed=1; \
	$(ASAN_ENV):detect_leaks=0 tools/run-tests --build $(BUILD) --dev asan \
	    $(ASAN_SUITES) || failed=1; \
	exit $$failed

$(ASAN)/build.ninja:
	$(call quiet,asan,$(SETUP) $(ASAN) -Db_sanitize=address$(,)undefined \
	    -Db_lundef=false -Dbuildtype=debug -Doptimization=1)

.PHONY: fuzz
fuzz: $(FUZZ)/build.ninja   ## each fuzz target for FUZZ_SECONDS (60)
	@$(NINJA) $(FUZZ) fuzzers
	tools/run-fuzz $(FUZZ)/fuzz $(FUZZ_SECONDS)

$(FUZZ)/build.ninja:
	$(call quiet,fuzz,CC=clang $(SETUP) $(FUZZ) -Dfuzz=true -Dtests=false \
	    -Dbuildtype=debug -Doptimization=1)

.PHONY: lint
lint: dev              ## style, borders, clang-tidy in depth, cppcheck
	@tools/lint --deep

.PHONY: analyze
analyze: $(BUILD)/analyze/build.ninja   ## gcc -fanalyzer (slow)
	@$(NINJA) $(BUILD)/analyze

$(BUILD)/analyze/build.ninja:
	$(call quiet,analyze,$(SETUP) $(BUILD)/analyze -Dtests=false \
	    -Dc_args=-fanalyzer)

.PHONY: format
format:                ## rewrite C sources with clang-format
	tools/lint --fix

.PHONY: install
install: static library ## make install PREFIX=DIR; the tree can be moved
	meson install -C $(STATIC) --no-rebuild --quiet --strip \
	    --destdir "$(abspath $(PREFIX))"
	meson install -C $(LIBRARY) --no-rebuild --quiet --strip \
	    --destdir "$(abspath $(PREFIX))"

.PHONY: deps
deps:                  ## install missing Debian packages (root) or name them
	@tools/install-deps --tests

.PHONY: clean
clean:                 ## remove everything that was built
	rm -rf $(BUILD)

.PHONY: help
help:                  ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' Makefile | expand -t 10
