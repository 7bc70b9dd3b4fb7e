# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Generated C under more warnings than a kernel build has, and in C++ programs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from devstate.gen.files import folder
from devstate.layout.registry import Registry
from devstate.testing.prover import layouts_of, write_all

MORE = ("-Wundef", "-Wshadow", "-Wconversion", "-Wsign-conversion", "-Wcast-qual", "-Wcast-align", "-Wmissing-prototypes", "-Wpedantic")
EMBEDDED = r".*(structure with flexible array member|due to flexible array member).*"
"""What both compilers say to a struct that ends in another one with a flexible array: formats have that."""

QUIET = ("-Wno-unused", "-Wno-missing-field-initializers", "-Wno-extern-c-compat")
"""Static functions of the shims; `{ .one = 1 }`; a struct of nothing but a flexible array, which sizeof sees in C++."""


def said(where: Path, compiler: str, *arguments: str) -> list[str]:
    """The warnings and errors of a compiler."""
    if shutil.which(compiler) is None:
        assert os.environ.get("CI") != "true", f"CI must have {compiler}"
        pytest.skip(f"{compiler} is not installed")
    command = [compiler, "-Wall", "-Wextra", f"-I{folder()}", "-fsyntax-only", *arguments]
    lines = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False).stderr.splitlines()
    return [line for line in lines if re.search(r": (warning|error|fatal error): ", line) and not re.match(EMBEDDED, line)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that is generated for the shipped formats; codecs.c includes all codecs."""
    where = tmp_path_factory.mktemp("written")
    names = list(Registry.shipped().summaries)
    write_all(where, [layouts_of(name) for name in names])
    lines = (where / "all.c").read_text().splitlines()
    (where / "codecs.c").write_text("\n".join(line for line in lines if "proof" not in line) + "\n")
    return where


@pytest.mark.parametrize("compiler", ["gcc", "clang-14"])
def test_more_warnings(written: Path, compiler: str) -> None:
    """Every codec, and the shims: no implicit conversion, no shadowed name, nothing beyond C11 but what is marked."""
    assert [] == said(written, compiler, "-std=c11", *MORE, "codecs.c")


@pytest.mark.parametrize("compiler", ["g++", "clang++-14"])
def test_in_cpp(written: Path, compiler: str) -> None:
    """A program in C++ includes the headers of every format, and every size and offset is what it is in C."""
    lines = [line.replace("_codec.c", "_codec.h") for line in (written / "codecs.c").read_text().splitlines()]
    (written / "headers.cc").write_text('extern "C" {\n' + "\n".join(lines) + "\n}\n")
    assert [] == said(written, compiler, "-std=c++17", *QUIET, "headers.cc")
