# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""mutate: every place that can be damaged is known, damage is told exactly, and no damage is more than the reader takes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devstate.check.run import check
from devstate.errors import EncodeError
from devstate.frozen import replace
from devstate.handover.build import build
from devstate.handover.model import Handover
from devstate.handover.mutate import COUNT_MAX, EDITS, SAMPLE, Change, damaged, edited, mutate
from devstate.handover.open import open_handover, open_memory
from devstate.handover.spec import FileSpec, Forms, SessionSpec
from devstate.handover.spots import CLASSES, Spot, spots
from devstate.layout.model import PAGE_SIZES
from devstate.memory.open import open_input
from devstate.memory.physmem import PhysMemory
from tests.handover.builders import KERNELS, POSTED
from tests.handover.test_versions import FULL, able, opened

SHIPPED = Path(__file__).resolve().parents[1] / "captures"
CASES = json.loads((SHIPPED / "tampered" / "cases.json").read_text())

FREE = {
    "folio-index-beyond-size": "number",
    "folio-pfn-not-preserved": "pfn",
    "luo-number-999": "number",
    "memfd-size-short": "number",
    "meta-release-unterminated": "text",
    "flb-name-unknown": "text",
    "radix-child-beyond-ram": "link",
    "radix-bit-extra-on-free-ram-page": "bit",
    "radix2-bit-e820-reserved": "bit",
    "radix2-bit-in-scratch": "bit",
}
"""Cases whose new value was a matter of choice, with the class of the field: mutate damages it too, with values of its own."""


def reopened(handover: Handover, changes: list[Change]) -> Handover:
    memory = handover.memory
    assert memory is not None
    regions = damaged(handover, changes)
    return open_memory(PhysMemory(regions, source="damaged", byteorder=memory.byteorder, page_size=memory.page_size), fdt=handover.fdt_pa)


@pytest.fixture(scope="module")
def small() -> Handover:
    return open_handover(open_input(str(SHIPPED / "small-7.3.core.zst")))


@pytest.mark.parametrize("name", CASES)
def test_what_was_tampered_with(name: str) -> None:
    """Each edit that real kernels were given is of a field that is known, and mutate can make the same bytes."""
    core = SHIPPED / "tampered" / f"{name}.core.zst"
    case, handover = CASES[name], open_handover(open_input(str(core)), fdt=int(CASES[name]["fdt_pa"], 16))
    writes = [each for each in case["writes"] if "pa" in each]
    twin = reopened(handover, [Change(int(each["pa"], 16), b"", bytes.fromhex(each["old"]), "", "", "") for each in writes])
    assert {"not-in-memory"} >= {each.code for each in twin.problems}
    pa, new = int(writes[0]["pa"], 16), bytes.fromhex(writes[0]["new"])
    known = list(spots(twin, range))
    there = [spot for spot in known if spot.pa < pa + len(new) and pa < spot.pa + spot.size]
    wanted = FREE.get(case["case"])
    if wanted == "bit":
        assert any(spot.what == "bit" for spot in known)
    elif wanted is not None:
        assert wanted in {spot.what for spot in there}
    else:
        assert any(new == made for spot in there for made in outcomes(twin, spot, pa, len(new)))


def outcomes(twin: Handover, spot: Spot, pa: int, size: int) -> Iterator[bytes]:
    """What the bytes at ``pa`` may become by edits of a spot."""
    assert twin.memory is not None
    for how in EDITS[spot.what]:
        for seed in range(2000):
            change = edited(twin, spot, how, Random(seed))
            if change is not None:
                data = bytearray(twin.memory.read(pa, size))
                for at in range(max(pa, change.pa), min(pa + size, change.pa + len(change.new))):
                    data[at - pa] = change.new[at - change.pa]
                yield bytes(data)


def test_a_seed_is_a_damage(small: Handover) -> None:
    """The same changes each time; another seed gives others; every class and every edit comes up."""
    assert mutate(small, 7) == mutate(small, 7) != mutate(small, 8)
    met = Counter((change.what, change.how) for seed in range(600) for change in mutate(small, seed, 4))
    assert {what for what, _ in met} == set(CLASSES) - {"raw", "sum"}
    assert {how for what in EDITS for how in EDITS[what]} - {"empty"} <= {how for _, how in met}


def test_changes_are_told(small: Handover) -> None:
    """What is said to be old was there, what is said to be new is there now, and nothing else differs."""
    for seed in range(40):
        changes = mutate(small, seed, 5)
        memory = PhysMemory(damaged(small, changes), source="damaged")
        assert small.memory is not None
        changed = {each.pa + at: byte for each in changes for at, byte in enumerate(each.new)}
        for each in changes:
            assert each.old == bytes(small.memory.read(each.pa, len(each.old))) and each.old != each.new
        for region in small.memory.regions:
            old, new = bytes(small.memory.read(region.start, region.size)), bytes(memory.read(region.start, region.size))
            found = {region.start + at for at in range(region.size) if old[at] != new[at]} if old != new else set()
            assert all(new[pa - region.start] == changed[pa] for pa in found)


SOME = replace(FULL, sessions=(*FULL.sessions[:2], SessionSpec("vm-beta", (FileSpec(1, b"c", 9000, order=2),))))


@given(st.integers(0, 1 << 32), st.sampled_from(KERNELS + POSTED), st.sampled_from(PAGE_SIZES), st.sampled_from(["little", "big"]))
@settings(max_examples=60, deadline=None)
@example(24541, KERNELS[2], 16384, "little")  # a folio beyond 64 bits before one that is missing
def test_damage_is_survived(seed: int, kernel: Forms, page_size: int, byte_order: str) -> None:
    """Whatever is damaged in whatever form: it opens, and check judges it; damage upon damage too."""
    handover = opened(build(able(replace(SOME, forms=kernel, page_size=page_size, byte_order=byte_order))))
    once = reopened(handover, mutate(handover, seed, 3))
    check(once)
    with suppress(EncodeError):  # nothing is left to be damaged behind a root that is lost
        check(reopened(once, mutate(once, seed + 1)))


@pytest.mark.parametrize("byte_order", ["little", "big"])
def test_numbers_are_native(byte_order: str) -> None:
    """One more is one more in the byte order of the machine, and in big-endian for a devicetree's header."""
    handover = opened(build(replace(SOME, byte_order=byte_order)))
    known = list(spots(handover, range))
    token = next(spot for spot in known if spot.path == "luo/session/vm-alpha/77.token")
    header = next(spot for spot in known if spot.path == "/@0x4")
    for spot, order in ((token, byte_order), (header, "big")):
        change = edited(handover, spot, "one-more", Random(1))
        assert change is not None
        old, new = (int.from_bytes(each, order) for each in (change.old, change.new))  # type: ignore[arg-type]  # one of the two
        assert old + 1 == new and (spot is header or old == 77)


def test_how_many(small: Handover) -> None:
    """At the limit of changes, one above it, and more than there is room for."""
    assert COUNT_MAX == len(mutate(small, 1, COUNT_MAX))
    for count in (0, COUNT_MAX + 1):
        with pytest.raises(EncodeError, match=f"expected 1..{COUNT_MAX}"):
            mutate(small, 1, count)
    with pytest.raises(EncodeError, match="no room for so many changes"):
        mutate(open_handover(open_input(str(SHIPPED / "empty-7.3.core.zst"))), 1, COUNT_MAX)


def test_long_arrays_are_sampled() -> None:
    """Ten thousand folios cost no more than a few; their first and last are among those that are looked at."""
    handover = opened(build(replace(FULL, sessions=(SessionSpec("s", (FileSpec(1, size=4096 * 10_000),)),))))
    looked: list[int] = []

    def pick(count: int) -> list[int]:
        looked.append(count)
        return [0, count - 1] if count > SAMPLE else list(range(count))

    paths = {spot.path for spot in spots(handover, pick) if "folio[" in spot.path}
    assert {f"luo/session/s/1@folio[{at}].{name}" for at in (0, 9999) for name in ("pfn", "flags", "index")} == paths
    assert 10_000 in looked
