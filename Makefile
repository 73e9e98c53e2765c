# SPDX-License-Identifier: GPL-2.0-only
#
# The targets a person types. Each is one script of tools/kmemleak, which can
# be run alone; those with options say more with --help.

# what "make menuconfig" chose, if it was used
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

##@ Use
run: ## boot a kernel with this kmemleak, leak memory on purpose, show the report; fails if that lacks a leak [FLAVOR=...]
	@$T/demo.sh $(build-args)

shell: ## a prompt in that kernel
	@$T/build-kernel.sh $(build-args)
	@$T/run.sh $(build-args) --shell

##@ What these two build: machine, release, the detector's options
menuconfig: ## choose from menus; the choice is kept in .config
	@$T/kconfig.sh menuconfig

defconfig: ## write a .config with the defaults
	@$T/kconfig.sh defconfig

run shell kernel: export KMEMLEAK_CONFIG := $(abspath $(wildcard .config))

##@ Your own kernel tree (KDIR=<tree>)
install: need-KDIR ## put our files into the tree, replacing mm/kmemleak.c
	@$T/overlay.py install '$(KDIR)'

uninstall: need-KDIR ## restore the tree byte for byte
	@$T/overlay.py uninstall '$(KDIR)'

patches: need-KDIR need-OUT ## the same change as a git am series in OUT=<directory>
	@$T/overlay.py patches '$(KDIR)' '$(OUT)'

##@ Kernels (FLAVOR=um|x86_64|arm64 KERNEL=7.3|6.12|<path> [STOCK=1] [DEBUG=1] [CONFIG=<name>] [JOBS=n])
kernel: ## build one, fetching its source when needed
	@$T/build-kernel.sh $(build-args)

print-kernel: ## print KSRC=, KOUT= and IMAGE= of one already built (use make -s)
	@$T/build-kernel.sh --print $(build-args)

fetch: ## only fetch and unpack the source of KERNEL
	@$T/fetch-kernel.sh '$(KERNEL)'

##@ Quality
check: ## the tests, as CI runs them
	@$T/check.sh

check-full: ## the whole matrix of flavours, releases and configurations: hours, resumable [ROWS=...] [TABLE=file]
	@$T/check-full.sh $(if $(TABLE),--table '$(TABLE)') $(ROWS)

check-builds: ## compile for nine architectures and all that changes what we compile [QUICK=1] [BUILDS='options, names']
	@$T/check-builds.sh $(if $(filter-out 0 n no,$(QUICK)),--quick) $(BUILDS)

check-cross: ## the user-space tests for i386, arm, s390x and arm64, by qemu-user [QUICK=1]
	@$T/check-harness.sh cross $(if $(filter-out 0 n no,$(QUICK)),--quick)

lint: ## checkpatch, W=1 with gcc and clang, sparse, kernel-doc, shellcheck
	@$T/lint.sh

torture: ## ten minutes of it; beside stock, a table [SECONDS=N] [COMPARE=1] [TORTURE_ARGS='options']
	@$T/torture.sh $(build-args) $(if $(SECONDS),--seconds '$(SECONDS)') \
		$(if $(filter-out 0 n no,$(COMPARE)),--compare) $(TORTURE_ARGS)

busy: ## a minute of load on network, disks, namespaces, BPF, io_uring: is anything alive reported? [SECONDS=N] [COMPARE=1] [BUSY_ARGS='options']
	@$T/busy.sh $(build-args) $(if $(SECONDS),--seconds '$(SECONDS)') \
		$(if $(filter-out 0 n no,$(COMPARE)),--compare) $(BUSY_ARGS)

##@ Figures (KERNEL=7.3|<path>)
bench: ## in user-mode Linux, ours and stock in turn: table, JSON, plots [QUICK=1] [BENCH_ARGS='options']
	@benchmarks/bench-kernel.sh --flavor '$(FLAVOR)' --kernel '$(KERNEL)' \
		$(if $(filter-out 0 n no,$(QUICK)),--quick) $(BENCH_ARGS)

accuracy: ## which leaks are reported, and what is that is none, ours and stock: table, JSON; fails below 98 % [FLAVOR=...] [ACCURACY_ARGS='options']
	@benchmarks/accuracy.sh --flavor '$(FLAVOR)' --kernel '$(KERNEL)' --strict $(ACCURACY_ARGS)

##@ Housekeeping
clean: ## remove what this checkout has built; results stay
	@$T/clean.sh builds

distclean: ## also its results, and sources and packages, which all checkouts share
	@$T/clean.sh all

help: ## this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

need-%:
	@[ -n '$($*)' ] || { echo "error: $* is not set; run: make $(MAKECMDGOALS) $*=<path>" >&2; exit 2; }

.PHONY: run shell menuconfig defconfig install uninstall patches kernel print-kernel fetch check check-full \
	check-builds check-cross bench accuracy lint torture busy clean distclean help
