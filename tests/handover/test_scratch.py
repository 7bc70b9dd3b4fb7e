# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The scratch areas: found in reduced captures by the shape of their page, and held against what the kernel printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from devstate.check.run import check
from devstate.finding import Reaction
from devstate.handover.open import open_handover, open_memory
from devstate.memory.open import open_input
from devstate.memory.physmem import MemoryRegion, PhysMemory


def test_found_as_the_kernel_printed(any_captures: Path) -> None:
    """Address and entries of every capture, entries of no size included."""
    for path in sorted(any_captures.glob("*.core.zst")):
        truth = json.loads(path.with_name(path.name.replace(".core.zst", ".truth.json")).read_text())
        handover = open_handover(open_input(str(path)))
        assert [[int(start, 16), int(size, 16)] for start, size in truth["scratch"]] == [list(entry) for entry in handover.scratch or []]
        assert int(truth["scratch_pa"], 16) == handover.scratch_pa


@pytest.mark.parametrize("bad", [b"\x01", b"\0" * 48])
def test_not_guessed(shipped: Path, bad: bytes) -> None:
    """A page that is nearly of the shape (an unaligned start, no entry at all) is not taken for the array."""
    source = open_input(str(shipped / "small-7.3.core.zst"))
    assert source.memory is not None
    pa = open_handover(source).scratch_pa
    assert pa is not None
    regions = []
    for region in source.memory.regions:
        data = bytearray(region.data)
        if region.start <= pa < region.end:
            data[pa - region.start : pa - region.start + len(bad)] = bad
        regions.append(MemoryRegion(region.start, len(data), memoryview(data)))
    assert open_memory(PhysMemory(regions)).scratch is None


def test_preserved_memory_in_scratch(shipped: Path) -> None:
    """With the array moved over a preserved page, check names the page and the bit of the map."""
    source = open_input(str(shipped / "small-7.3.core.zst"))
    handover = open_handover(source)
    assert handover.preserved is not None
    page = int(handover.preserved.map.edges[0])
    handover.scratch = [(page - page % (2 << 20), 2 << 20)]
    report = check(handover)
    found = [finding for finding in report.findings if finding.rule == "preserved-in-scratch"]
    assert (page, Reaction.ACCEPTED) == (found[0].location.pa, report.predicted)
    assert handover.preserved.word(page) == (found[0].related[0][0], int(found[0].related[0][1].split()[1]))


def test_what_the_capture_lacks_is_said(shipped: Path, tmp_path: Path) -> None:
    """The note of our own captures says what is missing: inspect shows it, and check notes it."""
    from devstate.memory.notes import HandoverNote
    from devstate.memory.save import save_elf

    source = open_input(str(shipped / "empty-7.3.core.zst"))
    assert source.memory is not None
    path = tmp_path / "x.core"
    save_elf(str(path), source.memory.regions, HandoverNote(missing="no sessions yet"))
    report = check(open_handover(open_input(str(path))))
    assert ["capture-missing"] == [finding.rule for finding in report.findings]
    assert "no sessions yet" in report.findings[0].message
