# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""differences: each change of one field gives the row that names it, and what merely moved gives none."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest
from edited import opened
from hypothesis import given
from hypothesis import strategies as st

from devstate.handover.content import file_sha256
from devstate.handover.difference import RANGES_MAX, Difference, _ranges_only_in_one, differences
from devstate.handover.model import Handover
from devstate.handover.open import open_handover
from devstate.memory.open import open_input


@pytest.fixture(scope="module")
def capture(shipped: Path) -> Path:
    return shipped / "small-7.3.core.zst"


@pytest.fixture(scope="module")
def plain(capture: Path) -> Handover:
    return open_handover(open_input(str(capture)))


def changed(plain: Handover, capture: Path, pa: int, new: bytes) -> list[Difference]:
    """The rows after one write."""
    return differences(plain, opened(capture, {pa: new}))


def test_nothing_differs_from_itself(plain: Handover, capture: Path) -> None:
    """Two readings of one capture, contents too."""
    assert [] == differences(plain, opened(capture, {}), content=file_sha256)


def test_fields_of_a_file(plain: Handover, capture: Path) -> None:
    """Position, size, seals by name, and a flag that has none."""
    file = plain.files[0]
    rows = {
        (0, 8): Difference(file.path, "pos", 0, 77),
        (8, 8): Difference(file.path, "size", 4096, 77),
        (16, 4): Difference(file.path, "seals", "SEAL", "SEAL|GROW|WRITE|0x40"),
        (20, 4): Difference(file.path, "flags", 0, 77),
        (24, 8): Difference(file.path, "nr_folios", 1, 77),
        (40, 4): Difference(file.path, "folios.total_pages", 1, 77),
    }
    for (offset, size), row in rows.items():
        assert [row] == changed(plain, capture, file.data_pa + offset, (77).to_bytes(size, "little"))


def test_names_and_tokens_tell_what_belongs_together(plain: Handover, capture: Path) -> None:
    """A renamed session is one that went and one that came; a changed token a file that went and one that came."""
    assert plain.luo is not None
    session = plain.luo.sessions[0]
    gone, come = Difference("luo/session/vm-alpha", "present", True, False), Difference("luo/session/vm-gamma", "present", False, True)
    assert [gone, come] == changed(plain, capture, session.pa, b"vm-gamma")
    gone, come = Difference("luo/session/vm-alpha/2", "present", True, False), Difference("luo/session/vm-alpha/9", "present", False, True)
    assert [gone, come] == changed(plain, capture, session.files[1].pa + 56, b"\x09")


def test_the_second_of_one_name_is_told_apart(plain: Handover, capture: Path) -> None:
    """Duplicates are damage, but the other side's one still finds its partner."""
    assert plain.luo is not None
    rows = changed(plain, capture, plain.luo.sessions[1].pa, b"vm-alpha\0")
    assert [Difference("luo/session/vm-beta", "present", True, False), Difference("luo/session/vm-alpha#2", "present", False, True)] == rows


def test_a_handler_string(plain: Handover, capture: Path) -> None:
    """Another compatible, and that nobody knows it."""
    file = plain.files[0]
    rows = {row.field: (row.old, row.new) for row in changed(plain, capture, file.pa, b"memfd-v9")}
    assert ("memfd-v2", "memfd-v9") == rows["compatible"]
    assert ("memfd-v2", None) == rows["format"]
    assert (True, None) == rows["readable"]
    assert (4096, None) == rows["size"]


def test_links_count_as_there_or_not(plain: Handover, capture: Path) -> None:
    """An address that moved is no difference; one that went is."""
    assert plain.luo is not None
    session = plain.luo.sessions[1]
    rows = changed(plain, capture, session.pa + 64, bytes(8))
    assert Difference("luo/session/vm-beta", "file_set_ser.files", "set", "0") in rows
    assert Difference("luo/session/vm-beta/77", "present", True, False) in rows


def test_provenance_and_number(plain: Handover, capture: Path) -> None:
    """kexec-metadata's fields and LUO's count of live updates."""
    assert plain.metadata is not None and plain.luo is not None and plain.luo.pa is not None
    assert [Difference("metadata", "previous_release", "7.3.4", "7.4.4")] == changed(plain, capture, plain.metadata.pa + 6, b"4")
    assert [Difference("metadata", "kexec_count", 1, 2)] == changed(plain, capture, plain.metadata.pa + 69, b"\x02")
    assert [Difference("luo", "liveupdate_num", 1, 3)] == changed(plain, capture, plain.luo.pa + 8, b"\x03")


def test_preserved_memory(plain: Handover, capture: Path) -> None:
    """A bit that was lost: totals, the range, the order."""
    assert plain.preserved is not None
    start, _ = next(plain.preserved.map.ranges())
    word = plain.preserved.word(start)
    assert word is not None and plain.memory is not None
    value = plain.memory.u64(word[0]) & ~(1 << word[1])
    assert [
        Difference("preserved", "bytes", 1499136, 1495040),
        Difference("preserved", "removed", 4096, 0),
        Difference(f"preserved/{start:#x}", "bytes", 4096, 0),
        Difference("preserved", "order 0", 366, 365),
    ] == changed(plain, capture, word[0], value.to_bytes(8, "little"))


def test_contents_count_when_asked(plain: Handover, capture: Path) -> None:
    """One bit of a page is only seen with hashes."""
    file = plain.files[0]
    assert file.pages is not None and plain.memory is not None
    page = (plain.memory.u64(file.pages.where(0) or 0) & ((1 << 52) - 1)) * 4096
    other = opened(capture, {page: bytes([plain.memory.read(page, 1)[0] ^ 1])})
    assert [] == differences(plain, other)
    rows = differences(plain, other, content=file_sha256)
    assert [(file.path, "sha256")] == [(row.path, row.field) for row in rows]


def test_other_machines(plain: Handover, shipped: Path) -> None:
    """Against a handover without LUO: what went is named once."""
    empty = open_handover(open_input(str(shipped / "empty-7.3.core.zst")))
    rows = differences(plain, empty)
    gone = [Difference("subtree/LUO", "present", True, False), Difference("luo", "present", True, False)]
    assert gone == [row for row in rows if not row.path.startswith(("preserved", "scratch"))]
    assert {Difference("scratch", "0.start", "0x1b000000", "0xd800000"), Difference("scratch", "1.size", 0, 50331648)} < set(rows)
    totals = ("removed", "added")
    turned = {(row.path, row.field, row.new, row.old) for row in rows if row.field not in totals}
    assert turned == {(row.path, row.field, row.old, row.new) for row in differences(empty, plain) if row.field not in totals}


def test_regions_and_flbs(captures: Path) -> None:
    """Objects that only one side has, and fields of those that both have."""
    reserve = open_handover(open_input(str(captures / "reserve-7.3.core.zst")))
    flb = open_handover(open_input(str(captures / "flb-7.2.core.zst")))
    rows = differences(reserve, flb)
    assert Difference("memblock/trace", "present", True, False) in rows
    assert Difference("memblock/r1", "present", False, True) in rows
    assert Difference("luo/flb/liveupdate-test-flb-v0", "present", False, True) in rows
    assert Difference("luo/flb", "count", 0, 3) in rows
    assert Difference("metadata", "previous_release", "7.3.4", "7.2.13") in rows
    named = [row for row in rows if row.path.startswith("preserved/")]
    assert len(named) <= 2 * RANGES_MAX


edges = st.lists(st.integers(0, 300), unique=True, max_size=40).map(lambda each: sorted(each)[: len(each) // 2 * 2])


@given(edges, edges)
def test_ranges_only_in_one(old: list[int], new: list[int]) -> None:
    """Equal to sets of addresses; and the ranges are apart and ascending."""

    def covered(flat: list[int]) -> set[int]:
        return {address for start, end in zip(flat[0::2], flat[1::2], strict=True) for address in range(start, end)}

    a, b = covered(old), covered(new)
    found = _ranges_only_in_one(memoryview(array("Q", old)), memoryview(array("Q", new)))
    for (starts, sizes), expected in zip(found, (a - b, b - a), strict=True):
        assert expected == {address for start, size in zip(starts, sizes, strict=True) for address in range(start, start + size)}
        ends = [start + size for start, size in zip(starts, sizes, strict=True)]
        assert all(end < start for end, start in zip(ends, starts[1:], strict=False))
