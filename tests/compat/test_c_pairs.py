# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The pairs of C structs, read from headers and from object files: what happens in each direction."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from devstate.compat.examine import examine
from devstate.layout.declared import Declared
from devstate.layout.model import Environment
from devstate.layout.registry import Registry
from devstate.source.opening import open_layouts
from tests.compat.c_pairs import PAIRS, header

pytest.importorskip("clang.cindex")

TYPES = """\
typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32; typedef unsigned long long u64;
typedef u32 __le32; typedef u32 __be32; typedef _Bool bool;
"""

NOT_IN_OBJECTS = {"byte-order"}
"""What no debug information tells: the byte order that sparse checks."""

IDS = [pair[0] for pair in PAIRS]


@pytest.fixture(scope="module")
def headers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Declared, Declared]:
    """Both sides as one header each."""
    made = []
    for side, name in enumerate(("old", "new")):
        path = tmp_path_factory.mktemp(name) / "pairs.h"
        path.write_text(header(side))
        made.append(open_layouts(str(path), Environment(), registry=Registry.shipped()))
    return made[0], made[1]


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Both sides compiled with debug information."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no gcc")
    made = []
    for side, name in enumerate(("old", "new")):
        path = tmp_path_factory.mktemp(name) / "pairs.c"
        variables = "".join(f"struct s{index:03} v{index:03};\n" for index in range(len(PAIRS)))
        path.write_text(TYPES + header(side).partition("\n")[2] + variables)
        subprocess.run([compiler, "-g", "-c", path, "-o", path.with_suffix(".o")], check=True)
        made.append(path.with_suffix(".o"))
    return made[0], made[1]


@pytest.mark.parametrize("index", range(len(PAIRS)), ids=IDS)
def test_headers(headers: tuple[Declared, Declared], index: int) -> None:
    """From C text."""
    report = examine([headers], type_name=f"s{index:03}")
    assert PAIRS[index][3:] == (str(report.read_old), str(report.read_new))
    assert () == report.missing


@pytest.mark.parametrize("index", range(len(PAIRS)), ids=IDS)
def test_objects(objects: tuple[Path, Path], index: int) -> None:
    """From what the compiler wrote down of it."""
    if IDS[index] in NOT_IN_OBJECTS:
        pytest.skip("the compiler does not know it")
    name = f"s{index:03}"
    sides = [open_layouts(str(path), Environment(), type_name=name, registry=Registry.shipped()) for path in objects]
    report = examine([(sides[0], sides[1])], type_name=name)
    assert PAIRS[index][3:] == (str(report.read_old), str(report.read_new))


@pytest.mark.parametrize("index", range(len(PAIRS)), ids=IDS)
def test_findings_are_proven(headers: tuple[Declared, Declared], index: int) -> None:
    """Every misread and every short read has its bytes; no finding is taken down; same against same is silent."""
    report = examine([headers], type_name=f"s{index:03}")
    for finding in report.findings:
        if max(finding.read_old or 0, finding.read_new or 0) > 1:
            assert finding.witness is not None and finding.witness.reads
            assert "no harm" not in finding.message
    assert () == examine([(headers[0], headers[0])], type_name=f"s{index:03}").findings
