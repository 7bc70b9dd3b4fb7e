# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Everything a person or CI does with devstate. A fresh machine needs python3 (3.11 or later, with venv), gcc, make, and
# a network package index; git is not needed. `make PYTHON=python3.12 ...` picks another interpreter for a new venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
BUILD_INPUTS := pyproject.toml setup.py $(wildcard csrc/*.[ch] csrc/*.py)
GENERATORS := tools/gen.py tools/formats.py tools/golden.py tools/rules.py
FUZZ_SECONDS ?= 20
DEMO := tests/captures/small-7.3.core.zst

.PHONY: help demo test check lint types bench fuzz gen docs csan coverage dist clean campaign soak proof
.DELETE_ON_ERROR:

help:
	@echo "make demo      install into $(VENV), then inspect and check a real handover"
	@echo "make test      the tests"
	@echo "make check     ruff, mypy --strict, layering, generated files up to date"
	@echo "make bench     all benchmarks; make bench-NAME for one; tables in build/bench"
	@echo "make fuzz      every fuzz target for FUZZ_SECONDS (20) each"
	@echo "make campaign  edit a handover everywhere, and hold check to a model of the reading kernel"
	@echo "make proof     every struct of every format, generated C held to Python: all page sizes, sanitizers, cffi, big-endian"
	@echo "make live      a real update under QEMU: make live KERNEL=bzImage, with one that make live-kernel SOURCE=DIR built"
	@echo "make soak      a thousand rehearsals of random machines with random faults"
	@echo "make gen       regenerate baselines, compiled layouts and docs"
	@echo "make csan      the C tests under AddressSanitizer and UBSan; the tests that need the core, and every rehearsal, with such a core"

# A new pip first: the scripts that old ones write start half an interpreter slower. Bytecode at once: where Python may not write it
# (PYTHONDONTWRITEBYTECODE, a read-only checkout), each run would compile everything again.
# Two stamps: what a user needs, and what a developer needs. Both are remade when the build inputs change.
$(VENV)/.installed: $(BUILD_INPUTS)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade pip
	$(PIP) install --editable .
	$(BIN)/python -m compileall -q devstate schemas
	touch $@

# pylibfdt is an oracle that comes as source only: without it the tests that need it are skipped, but not in CI.
$(VENV)/.developed: $(VENV)/.installed
	$(PIP) install --editable '.[dev]'
	$(BIN)/python -c 'import libfdt' 2>/dev/null || $(PIP) install --editable '.[oracle]' || test -z "$$CI"
	touch $@

demo: $(VENV)/.installed
	$(BIN)/devstate inspect $(DEMO)
	$(BIN)/devstate check $(DEMO)

test: $(VENV)/.developed
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: lint types
	$(BIN)/python -m pytest tests/test_layering.py
	for tool in $(GENERATORS); do $(BIN)/python $$tool --check || exit 1; done

lint: $(VENV)/.developed
	$(BIN)/ruff check --no-cache .

types: $(VENV)/.developed
	$(BIN)/mypy

# Every single edit of a shipped handover, check's prediction against a model of the reading kernel: about 100 a second on a small capture.
campaign: $(VENV)/.developed
	$(BIN)/python -m tests.check.campaign $(CAPTURES)

# Every prefix and every bit of every struct, for pages of 4, 16 and 64 KiB, in each build of the generated C.
proof: $(VENV)/.developed
	$(BIN)/python -m tests.gen.total $(PROOF)

# A thousand random machines and faults, one rehearsal each: half an hour.
soak: $(VENV)/.developed
	$(BIN)/python -m tests.rehearsal.soak $(SOAK)

# A real kernel that hands over, in QEMU (x86-64, also without KVM): make live-kernel SOURCE=DIR builds one from its source. docs/live.md.
KERNEL ?= build/live/arch/x86/boot/bzImage

live: $(VENV)/.developed
	$(BIN)/python -m tests.live.run $(KERNEL) $(NEXT)
	$(BIN)/python -m tests.live.built $(KERNEL) $(NEXT)

live-campaign: $(VENV)/.developed
	$(BIN)/python -m tests.live.campaign $(KERNEL) $(NEXT) $(CAMPAIGN)

live-kernel:
	tests/live/build.sh $(SOURCE) build/live

bench: $(VENV)/.developed
	$(BIN)/python -m bench.run --all

bench-%: $(VENV)/.developed
	$(BIN)/python -m bench.run $*

fuzz: $(VENV)/.developed
	$(BIN)/python fuzz/c/run.py --seconds $(FUZZ_SECONDS)
	$(BIN)/python fuzz/generated.py --seconds $(FUZZ_SECONDS)
	for target in fuzz/*_fuzzer.py; do $(BIN)/python $$target --seconds $(FUZZ_SECONDS) || exit 1; done

gen: $(VENV)/.developed
	for tool in $(GENERATORS); do $(BIN)/python $$tool || exit 1; done

docs: $(VENV)/.developed
	$(BIN)/python tools/formats.py
	$(BIN)/python tools/formats.py

csan: $(VENV)/.developed
	$(BIN)/python -m pytest tests/csrc $(PYTEST_ARGS)
	$(BIN)/python -m tests.csrc.sanitized -m pytest --hypothesis-profile=ci tests/pagetable tests/memory tests/codec tests/fdt tests/rehearsal
	$(BIN)/python -m tests.csrc.sanitized

coverage: $(VENV)/.developed
	$(PIP) install 'pytest-cov>=5'
	$(BIN)/python -m pytest --cov=devstate --cov-report=term-missing:skip-covered $(PYTEST_ARGS)

dist: $(VENV)/.developed
	$(PIP) install 'build>=1'
	$(BIN)/python -m build --outdir build/dist

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis devstate/_core.*so
	rm -f $(VENV)/.installed $(VENV)/.developed
