# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The C core, compiled once for all tests: under sanitizers, with and without the instruction sets of the machine."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.csrc.sanitized import RUNNER

VARIANTS = {"native": (), "portable": ("-DDS_PORTABLE",)}


@pytest.fixture(scope="session")
def compiler() -> str:
    """gcc; CI must have it."""
    found = shutil.which("gcc")
    if found is None:
        assert os.environ.get("CI") != "true", "CI must have gcc"
        pytest.skip("no gcc")
    return found


@pytest.fixture(scope="session", params=list(VARIANTS))
def core(request: pytest.FixtureRequest, compiler: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The object files of csrc, of each variant, with every warning an error."""
    warnings = ["-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Wvla"]
    objects: list[str] = RUNNER.compile_core(tmp_path_factory.mktemp(request.param), compiler, *warnings, *VARIANTS[request.param])
    return objects
