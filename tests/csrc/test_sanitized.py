# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Whole rehearsals, every process of them, with the C core under sanitizers; all that ship by `make csan`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.csrc.sanitized import ROOT, RUNNER, build, environment, reports

pytestmark = pytest.mark.parametrize("core", ["native"], indirect=True)

PLACE = "&dma->tlb[page & (dma->tlb_size - 1)]"
TAG = "tag = page << TLB_SHIFT | TLB_VALID"


@pytest.fixture(scope="session")
def sanitized(compiler: str, core: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the core as a module."""
    folder: Path = tmp_path_factory.mktemp("sanitized")
    build(folder, compiler, core)
    return folder


def rehearse(folder: Path, compiler: str, *arguments: str) -> tuple[int, str, str]:
    """Exit status and report of a rehearsal, and what sanitizers reported."""
    command = [sys.executable, "-m", "devstate", "rehearse", *arguments]
    result = subprocess.run(command, env=environment(folder, compiler), capture_output=True, text=True, timeout=120, cwd=ROOT)
    return result.returncode, result.stdout, reports(folder) + result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("small-guest",),
        ("smmuv3",),
        ("two-hops",),
        ("small-guest", "--fault", "fail:iommu.restore"),
        ("small-guest", "--fault", "kill:kernel.frozen"),
    ],
    ids=" ".join,
)
def test_rehearsal(compiler: str, sanitized: Path, arguments: tuple[str, ...]) -> None:
    """It ends as it must, and no process has done what a sanitizer reports."""
    status, said, reported = rehearse(sanitized, compiler, *arguments)
    assert (0, "") == (status, reported), said


@pytest.mark.parametrize(
    ("right", "wrong", "kind"),
    [
        (PLACE, "&dma->tlb[dma->tlb_size + (page & (dma->tlb_size - 1))]", "heap-buffer-overflow"),
        (TAG, "tag = page << (TLB_SHIFT + 64 * (page > 0)) | TLB_VALID", "shift exponent 76 is too large"),
    ],
    ids=["place", "shift"],
)
def test_what_a_device_does_wrong_is_reported(compiler: str, core: list[str], tmp_path: Path, right: str, wrong: str, kind: str) -> None:
    """A place behind the end of the cache, or a shift by too much: the sanitizers have been there in the device process."""
    text = (ROOT / "csrc" / "pt_translate.c").read_text()
    assert right in text
    (tmp_path / "pt_translate.c").write_text(text.replace(right, wrong))
    objects = RUNNER.compile_sources(tmp_path, compiler, [tmp_path / "pt_translate.c"], f"-I{ROOT / 'csrc'}")
    build(tmp_path, compiler, [*(each for each in core if not each.endswith("/pt_translate.o")), *objects])
    status, said, reported = rehearse(tmp_path, compiler, "small-guest")
    assert kind in reported
    assert (1, True) == (status, "the device process ended with status 99" in said), said
