# SPDX-License-Identifier: GPL-2.0-only
#
# The targets that a person types. Each is one script of tools/kmemleak or benchmarks,
# which can be run alone; scripts with options describe them with --help.
#
# "make help" is made from this file: "##@" begins a group, and "## time | text" after a
# target describes it. The times are those of two CPUs, with sources fetched and kernels
# built before.

# the choices of "make menuconfig", if there are any
-include .config

FLAVOR ?= $(if $(CONFIG_FLAVOR_X86_64),x86_64,$(if $(CONFIG_FLAVOR_ARM64),arm64,um))
KERNEL ?= $(if $(CONFIG_KERNEL_6_12),6.12,7.3)
STOCK ?=
DEBUG ?= $(CONFIG_KERNEL_DEBUG)
CONFIG ?=
QUICK ?=
T := tools/kmemleak

build-args = --flavor '$(FLAVOR)' --kernel '$(KERNEL)' \
	$(if $(filter-out 0 n no,$(STOCK)),--stock) \
	$(if $(filter-out 0 n no,$(DEBUG)),--debug) \
	$(if $(CONFIG),--config '$(CONFIG)')

.DEFAULT_GOAL := help

##@ A kernel with this kmemleak: FLAVOR=um|x86_64|arm64 KERNEL=7.3|6.12|<path> STOCK=1 DEBUG=1 CONFIG=<name>
run: ## 30 s | leak memory on purpose, show the report; fails if a leak is missing
	@$T/demo.sh $(build-args)

shell: ## 10 s | a prompt in that kernel
	@$T/build-kernel.sh $(build-args)
	@$T/run.sh $(build-args) --shell

kernel: ## 3 min | only build it; fetches its source first [JOBS=n]
	@$T/build-kernel.sh $(build-args)

print-kernel: ## | print KSRC=, KOUT= and IMAGE= of one that was built (with make -s)
	@$T/build-kernel.sh --print $(build-args)

fetch: ## 2 min | only fetch and unpack the source
	@$T/fetch-kernel.sh '$(KERNEL)'

menuconfig: ## | choose machine, release and options of the detector, kept in .config
	@$T/kconfig.sh menuconfig

defconfig: ## 5 s | a .config with the defaults
	@$T/kconfig.sh defconfig

run shell kernel: export KMEMLEAK_CONFIG := $(abspath $(wildcard .config))

##@ A memory image of a kernel without kmemleak
command: ## 15 s | build kmemleak(8), which finds the leaks in it: tools/mm/kmemleak/build/kmemleak
	@$T/build-deps.sh image
	@$(MAKE) --no-print-directory -C tools/mm/kmemleak

##@ A running kernel without kmemleak: KDIR=/lib/modules/<release>/build
module: need-KDIR ## 10 s | build kmemleak.ko, which finds the leaks of it: mm/kmemleak/module/build/
	@$(MAKE) --no-print-directory -C mm/kmemleak/module KDIR='$(KDIR)'

##@ Your own kernel tree: KDIR=<tree>
install: need-KDIR ## 2 s | put our files into the tree, in place of mm/kmemleak.c
	@$T/overlay.py install '$(KDIR)'

uninstall: need-KDIR ## 2 s | restore the tree byte for byte
	@$T/overlay.py uninstall '$(KDIR)'

patches: need-KDIR need-OUT ## 5 s | the same as a series for git am, in OUT=<directory>
	@$T/overlay.py patches '$(KDIR)' '$(OUT)'

##@ Tests (COMPARE=1: beside stock)
check: ## 1 h | the tests that CI runs
	@$T/check.sh

check-full: ## 15 h | all kernels and configurations; resumable [ROWS='pattern...' TABLE=<file>]
	@$T/check-full.sh $(if $(TABLE),--table '$(TABLE)') $(ROWS)

check-builds: ## 2.5 h | compile for nine architectures [QUICK=1 BUILDS='options, names']
	@$T/check-builds.sh $(if $(filter-out 0 n no,$(QUICK)),--quick) $(BUILDS)

check-cross: ## 15 min | the user-space tests for i386, arm, s390x and arm64 [QUICK=1]
	@$T/check-harness.sh cross $(if $(filter-out 0 n no,$(QUICK)),--quick)

lint: ## 5 min | checkpatch, W=1 with gcc and clang, sparse, kernel-doc, shellcheck
	@$T/lint.sh

torture: ## 10 min | random load and leaks [FLAVOR=... SECONDS=n COMPARE=1 TORTURE_ARGS='options']
	@$T/torture.sh $(build-args) $(if $(SECONDS),--seconds '$(SECONDS)') \
		$(if $(filter-out 0 n no,$(COMPARE)),--compare) $(TORTURE_ARGS)

busy: ## 10 min | load on all subsystems: false reports? [SECONDS=n COMPARE=1 BUSY_ARGS='options']
	@$T/busy.sh $(build-args) $(if $(SECONDS),--seconds '$(SECONDS)') \
		$(if $(filter-out 0 n no,$(COMPARE)),--compare) $(BUSY_ARGS)

##@ Figures, ours beside stock: KERNEL=7.3|6.12|<path>
bench: ## 15 min | times in user-mode Linux: table, JSON, plots [QUICK=1: 2 min; BENCH_ARGS='options']
	@benchmarks/bench-kernel.sh --flavor '$(FLAVOR)' --kernel '$(KERNEL)' \
		$(if $(filter-out 0 n no,$(QUICK)),--quick) $(BENCH_ARGS)

accuracy: ## 1 min | which leaks are reported; fails below 98 % [FLAVOR=... ACCURACY_ARGS='options']
	@benchmarks/accuracy.sh --flavor '$(FLAVOR)' --kernel '$(KERNEL)' --strict $(ACCURACY_ARGS)

price: ## 25 min | instructions of kmalloc() and kfree(): off, stock, ours; x86_64, arm64 [PRICE_ARGS='options']
	@benchmarks/price.sh --kernel '$(KERNEL)' $(PRICE_ARGS)

##@ Housekeeping
clean: ## 5 s | remove the builds of this checkout; results stay
	@$T/clean.sh builds

distclean: ## 5 s | also remove results, and sources and packages, which all checkouts share
	@$T/clean.sh all

help: ## | this list
	@echo 'Times are those of two CPUs. A kernel that was not built before takes 3 minutes more.'
	@awk 'BEGIN { FS = ":.*## *| *[|] " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-13s %6s  %s\n", $$1, $$2, $$3 }' $(MAKEFILE_LIST)
	@echo
	@echo 'The user-space harness: make -C tools/testing/kmemleak help.  Benchmarks: benchmarks/README.md.'

need-%:
	@[ -n '$($*)' ] || { echo "error: $* is not set; run: make $(MAKECMDGOALS) $*=<path>" >&2; exit 2; }

.PHONY: run shell module menuconfig defconfig install uninstall patches kernel print-kernel fetch check check-full \
	check-builds check-cross bench accuracy price lint torture busy clean distclean help
