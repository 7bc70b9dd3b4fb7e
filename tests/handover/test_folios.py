# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Audits of folio arrays and of who owns what: the plain forms against the forms by columns, and both against what a set of pages says."""

from __future__ import annotations

import struct
from array import array
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devstate.errors import DecodeError
from devstate.handover import content, foliocolumns, folios, ownership
from devstate.handover.claims import Claims
from devstate.handover.content import MEMFD, FolioForm, file_runs, folio_records
from devstate.handover.folios import ADDRESS_END, FolioAudit, audit_few, audit_many, merge, merge_columns, record_of
from devstate.handover.follow import Follow
from devstate.handover.model import Handover
from devstate.handover.open import open_handover
from devstate.handover.ownership import Spans, subtract_few, subtract_many
from devstate.handover.preserved import PreservedPages, read_memory_map
from devstate.layout.model import Environment, TargetLayout
from devstate.layout.registry import Registry
from devstate.memory.arena import Arena
from devstate.memory.open import open_input
from devstate.pagetable.native import radix_build
from devstate.pagetable.radix import Run, radix_shape

PAGE = 4096
BIG = FolioForm(12, 0, 3, 2)
"""The same record on a big-endian machine."""


def mapped(runs: list[Run], byte_order: str = "little") -> PreservedPages:
    """A real map of these blocks, sorted, in a memory of its own."""
    arena = Arena(0x4000_0000, 1 << 24, byteorder=byte_order)  # type: ignore[arg-type]  # one of the two
    shape = radix_shape(PAGE)
    places = [int(arena.alloc()) for _ in range(radix_build(runs, shape, [], arena.byteorder)[0])]
    for number, pa in enumerate(places):
        arena.write(pa, radix_build(runs, shape, places, arena.byteorder)[1][number * PAGE : (number + 1) * PAGE])
    handover = Handover("test", arena.view(), Environment(PAGE, arena.byteorder), Registry.shipped(), Claims())
    found = read_memory_map(Follow(handover), TargetLayout("radix", depth=6), places[0])
    assert found is not None
    return found


RUNS = [
    *(Run(3 << 50, 2, 38), Run(0, 1, 20), Run(0x40_0000, 3, 9), Run(1 << 33, 2, 9)),
    *(Run(0x40_0000, 2, 3), Run(0x1_0000, 5, 1), Run(0x1_0000, 40, 0)),
]
HEADS = sorted({run.pa // PAGE + (block << run.order) for run in RUNS for block in range(run.blocks)})
little, big = mapped(RUNS), mapped(RUNS, "big")

"""Blocks that nest, and two of an order whose bits share the first leaf with others."""
pfns = st.sampled_from([0, 1, *HEADS, *(head + 1 for head in HEADS), (1 << 44) - 1, 1 << 44, (1 << 52) - 1]) | st.integers(0, (1 << 52) - 1)
indices = st.integers(0, 40) | st.sampled_from([512, 1024, (1 << 52) - 1, 1 << 52, (1 << 64) - 1, (1 << 64) - 2])
rows = st.lists(st.tuples(pfns, st.sampled_from([3, 3, 2, 1, 0, 7, 0xFFF]), indices), max_size=30)


@given(rows, st.integers(0, 45) | st.sampled_from([1 << 52, 1 << 40]), st.sampled_from([PAGE, 1 << 16]), st.booleans(), st.booleans())
@example([(1, 3, 7), (1024, 3, 7), (2, 3, 8)], 9, PAGE, False, False)  # the first of two with one index says where its folio ends
@settings(max_examples=400, deadline=None)
def test_both_audits_say_the_same(table: list[tuple[int, int, int]], pages: int, page: int, is_big: bool, without_map: bool) -> None:
    """Fault by fault, extents and gaps, for records of any kind, in both byte orders."""
    form, order = (BIG, ">QQ") if is_big else (MEMFD, "<QQ")
    records = bytearray()
    for pfn, flags, index in table:
        records += struct.pack(order, pfn << form.pfn_shift | flags << form.flags_shift, index)
    preserved = None if without_map else big if is_big else little
    given_ = (records, preserved, pages, page, "big" if is_big else "little", form)
    plain = audit_few(*given_)
    assert plain == audit_many(*given_)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(foliocolumns, "STEP", 3)
        assert plain == audit_many(*given_)


def faults_of(*table: tuple[int, int, int], pages: int = 100) -> dict[str, tuple[int, int]]:
    records = bytearray(b"".join(struct.pack("<QQ", pfn | flags << 52, index) for pfn, flags, index in table))
    audits = [audit(records, little, pages, PAGE, "little") for audit in (audit_few, audit_many)]
    assert audits[0] == audits[1]
    return {name: (count, first) for name, count, first in audits[0].faults}


@pytest.mark.parametrize(
    ("table", "faults"),
    [
        ([(0x10, 3, 0), (0x11, 3, 1)], {}),
        ([(0x10, 3, 0), (0, 3, 1), (0, 0, 2)], {"pfn-zero": (2, 1)}),
        ([(0x10, 3, 0), (0x9999, 3, 1)], {"not-preserved": (1, 1)}),
        ([(0x10, 4 | 3, 0), (0x11, 3, 1)], {"flags-unknown": (1, 0)}),
        ([(0x10, 1, 0), (0x11, 0, 1)], {"not-uptodate": (2, 0)}),
        ([(0x10, 3, 100)], {"beyond-size": (1, 0)}),
        ([(0x10, 3, 5), (0x11, 3, 5)], {"duplicate-index": (1, 1)}),
        ([(0x10, 3, 5), (0x11, 3, 2)], {"unsorted": (1, 1)}),
        ([(0x400, 3, 3)], {"misaligned-index": (1, 0)}),
        ([(0x400, 3, 8), (0x10, 3, 12)], {"inside-another": (1, 1)}),
        ([(0x10, 3, 0), (0x10, 3, 1)], {"duplicate-pfn": (1, 1)}),
    ],
)
def test_each_fault(table: list[tuple[int, int, int]], faults: dict[str, tuple[int, int]]) -> None:
    """One defect, one fault, with its count and the number of the first record."""
    assert faults == faults_of(*table)


def test_what_is_missing() -> None:
    """The first page of the file that no folio holds; a folio of 8 pages holds 8."""

    def audit(*table: tuple[int, int], pages: int) -> FolioAudit:
        records = bytearray(b"".join(struct.pack("<QQ", pfn | 3 << 52, index) for pfn, index in table))
        return audit_few(records, little, pages, PAGE, "little")

    assert (9, None) == (audit((0x400, 0), (0x10, 8), pages=9).present, audit((0x400, 0), (0x10, 8), pages=9).missing)
    assert (8, 8) == (audit((0x400, 0), pages=10).present, audit((0x400, 0), pages=10).missing)
    assert 0 == audit((0x400, 8), pages=10).missing
    assert (0, 0) == (audit(pages=10).present, audit(pages=10).missing)


@given(st.lists(pfns.map(lambda pfn: min(pfn, (1 << 44) - 1) * PAGE), max_size=60), st.booleans())
@example([0], False)
@settings(deadline=None)
def test_orders(pas: list[int], is_big: bool) -> None:
    """One lookup, many lookups, and what the map was built from: the smallest order of the blocks that start at an address."""
    import numpy as np

    preserved = big if is_big else little
    heads = [(run.pa + (block * PAGE << run.order), run.order) for run in RUNS for block in range(run.blocks)]
    wanted = [min((order for head, order in heads if head == pa), default=-1) for pa in pas]
    assert wanted == preserved.orders_at(np.array(pas, np.uint64)).tolist()
    assert wanted == [-1 if order is None else order for order in map(preserved.order_at, pas)]


edges_of = st.lists(st.integers(0, 60), max_size=12, unique=True).map(sorted).map(lambda each: array("Q", each[: len(each) // 2 * 2]))


def cells(edges: array[int]) -> set[int]:
    """What edges stand for, point by point."""
    return {each for start, end in zip(edges[0::2], edges[1::2], strict=True) for each in range(start, end)}


def edged(points: set[int]) -> list[int]:
    """The edges of a set of points."""
    return sorted(points ^ {point + 1 for point in points})


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=12))
def test_merge(pairs: list[tuple[int, int]]) -> None:
    """Ranges are the points that they hold; neither form leaves two that touch."""
    import numpy as np

    wanted = edged({point for start, end in pairs for point in range(start, end)})
    assert wanted == list(merge(pairs))
    assert wanted == list(merge_columns(np.array([a for a, _ in pairs], np.uint64), np.array([b for _, b in pairs], np.uint64)))


def test_merge_at_the_end_of_addresses() -> None:
    """What does not fit into 64 bits is cut, and what is wholly above is nothing."""
    assert [0, 4, ADDRESS_END - 9, ADDRESS_END] == list(merge([(ADDRESS_END - 9, 1 << 70), (0, 4), (1 << 65, 1 << 66)]))


@given(edges_of, edges_of)
def test_subtract(edges: array[int], other: array[int]) -> None:
    """Both forms give the points of one set that are not in the other."""
    wanted = edged(cells(edges) - cells(other))
    assert wanted == list(subtract_few(edges, other)) == list(subtract_many(edges, other))


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 20), st.integers(0, 3)), max_size=15), st.integers(1, 4))
def test_shared_and_pages(claims: list[tuple[int, int, int]], page: int) -> None:
    """The ranges that are shared are the points that two claims hold; the columns find the same ones, with the same owners."""
    spans = Spans()
    for start, size, owner in claims:
        spans.add(f"owner {owner}", array("Q", [start]), array("Q", [start + size]))
    counted = [sum(start <= point < start + size for start, size, _ in claims) for point in range(100)]
    few, pages = list(spans.shared()), list(spans.pages(page))
    assert {point for point, count in enumerate(counted) if count > 1} == {point for each in few for point in range(each.start, each.end)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ownership, "FEW", -1)
        assert (few, pages) == (list(spans.shared()), list(spans.pages(page)))
    touched = {point - point % page + each for start, size, _ in claims for point in range(start, start + size) for each in range(page)}
    assert edged(touched) == pages


def test_no_more_than_a_thousand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more shared ranges the first thousand are given, by either form."""
    spans = Spans()
    for _ in range(2):
        spans.add("twice", array("Q", range(0, 3003, 3)), array("Q", range(1, 3004, 3)))
    assert ownership.SHARED_MAX == 1000 < 1001 == len(range(0, 3003, 3))
    few = list(spans.shared())
    monkeypatch.setattr(ownership, "FEW", 0)
    assert 1000 == len(few) and few == list(spans.shared())


@pytest.mark.parametrize("few", [4096, 0])
def test_a_capture(few: int, any_captures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a real handover either form finds whole files and one owner for each page."""
    monkeypatch.setattr(folios, "FEW", few)
    monkeypatch.setattr(ownership, "FEW", few)
    handover = open_handover(open_input(str(any_captures / "small-7.3.core.zst")))
    found = ownership.find_owners(handover)
    assert ((), []) == (found.shared, list(found.unowned))
    for file in handover.files:
        audit = found.audits[file.path]
        assert (file.nr_folios, (), None) == (audit.count, audit.faults, audit.missing)
        assert sum(pages for _, _, pages in file_runs(handover, file)) * PAGE == sum(audit.extents[1::2]) - sum(audit.extents[0::2])


def test_holes_are_not_hashed_without_end(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that claims more than the memory and HOLES_MAX is refused at once; at the limit it is hashed."""
    handover = open_handover(open_input(str(shipped / "small-7.3.core.zst")))
    file = handover.files[0]
    assert handover.memory is not None and file.body is not None
    monkeypatch.setattr(content, "HOLES_MAX", 4096 - handover.memory.size)
    assert "49d1e173" == content.file_sha256(handover, file)[:8]
    monkeypatch.setattr(content, "HOLES_MAX", 4095 - handover.memory.size)
    with pytest.raises(DecodeError, match="much larger than the memory"):
        content.file_sha256(handover, file)


@pytest.mark.parametrize("few", [4096, 0])
def test_record_of(few: int, any_captures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each record is found by its page, the last one where there are several; and nothing for a page of nobody."""
    monkeypatch.setattr(folios, "FEW", few)
    handover = open_handover(open_input(str(any_captures / "small-7.3.core.zst")))
    file = handover.files[1]
    records = folio_records(handover, file)
    assert records is not None and file.pages is not None and len(records) == 256 * 16
    for number, (word, _) in enumerate(struct.iter_unpack("<QQ", records)):
        assert file.pages.where(number * 16) == record_of(handover, file, (word & (1 << 52) - 1) * PAGE)
    assert record_of(handover, file, 0x1234000) is None
    monkeypatch.setattr(folios, "folio_records", lambda *_: records[:16] * 3)
    assert file.pages.where(2 * 16) == record_of(handover, file, (int.from_bytes(records[:8], "little") & (1 << 52) - 1) * PAGE)
