# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The C core twice: as it is installed, and built without any instruction set beyond the baseline. Both must do what plain Python does."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cffi
import pytest

from devstate.pagetable import native

ROOT = Path(__file__).resolve().parents[2]


def build_script() -> ModuleType:
    """csrc/build_core.py as a module."""
    spec = importlib.util.spec_from_file_location("build_core", ROOT / "csrc" / "build_core.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def portable(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """(ffi, lib) of the core built with -DDS_PORTABLE."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    script = build_script()
    target = tmp_path_factory.mktemp("portable") / "libdevstate.so"
    sources = [str(ROOT / source) for source in script.sources()]
    subprocess.run([compiler, "-std=gnu11", "-O2", "-shared", "-fPIC", "-DDS_PORTABLE", *sources, "-o", str(target)], check=True)
    ffi = cffi.FFI()
    ffi.cdef(script.cdef(script.read_header()))
    return ffi, ffi.dlopen(str(target))


@pytest.fixture(scope="module", params=["installed", "portable"])
def core(request: pytest.FixtureRequest, portable: tuple[Any, Any]) -> Iterator[str]:
    """Runs a test on both cores."""
    if not native.BUILT:
        pytest.skip("devstate is installed without its C core")
    installed = native.ffi, native.lib
    if request.param == "portable":
        native.ffi, native.lib = portable
    yield request.param
    native.ffi, native.lib = installed
