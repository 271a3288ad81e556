# The targets a person types. Everything else is CMake; what is installed is in scripts/setup.
#
#   BUILD=folder    another build folder           (default: build)
#   PRESET=name     a preset of CMakePresets.json  (default: release)
#   JOBS=n          parallel jobs                  (default: all processors)
#   LISTEN, ADMIN   where make run serves          (default: 127.0.0.1:8080 and 127.0.0.1:8081; port 0: any)
#   TESTS=regex     only the tests whose name matches
#   CHECKS=names    only these checks of scripts/checks

BUILD  ?= build
PRESET ?= release
JOBS   ?= $(shell nproc)
TESTS  ?=
CHECKS ?=
ONCE   ?=

# What was compiled in one clone is found again in another, wherever it lies.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := build
.PHONY: help setup configure build run test bench check format clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what building needs (Debian packages, npm)
	@scripts/setup build

# Configuring costs a second; ninja does it again by itself when a CMake file changes.
configure: setup
	@test -f $(BUILD)/build.ninja || cmake --preset $(PRESET) -B $(BUILD)

# The tests are most of what there is to compile; who only wants to run Mayfly need not wait for them.
build: configure ## build the binary: build/mayfly
	@cmake --build $(BUILD) -j $(JOBS) --target mayfly

run: ## build, start the daemon, deploy and call every example, stay up (ONCE=1: end after the calls)
	@scripts/setup build examples
	@$(MAKE) build
	@scripts/run --build $(BUILD) $(if $(ONCE),--once)

test: ## build and run every test; ends with ctest's summary
	@scripts/setup build test
	@$(MAKE) configure
	@cmake --build $(BUILD) -j $(JOBS)
	@ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS) $(if $(TESTS),-R '$(TESTS)')

bench: ## the comparison with other servers, as a table and as build/bench.json
	@scripts/setup build bench
	@$(MAKE) configure
	@cmake --build $(BUILD) -j $(JOBS) --target mayfly bench_volley bench_publish bench_follow keep_alive_sim
	@bench/run --build $(BUILD)

check: ## the checks of the repository: documents, layout, format, second compiler, sanitizers, linter, fuzzers
	@scripts/setup build test check
	@$(MAKE) configure
	@scripts/check $(CHECKS)

format: ## reformat the C++ sources
	@git ls-files '*.cpp' '*.h' '*.c' | xargs clang-format-19 -i

clean: ## remove everything that was built
	@rm -rf $(BUILD) build-*
