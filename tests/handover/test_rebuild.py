# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""rebuild: what was opened is built again at the same addresses, and every page of metadata is the same, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings

from devstate.check.run import check
from devstate.errors import EncodeError
from devstate.handover.build import build
from devstate.handover.model import Handover
from devstate.handover.open import open_handover, open_memory
from devstate.handover.reach import content_edges, metadata_edges
from devstate.handover.rebuild import rebuild, spec_of
from devstate.handover.spec import Spec
from devstate.memory.open import open_input
from devstate.memory.physmem import PhysMemory
from tests.handover.builders import KERNELS, POSTED
from tests.handover.test_versions import FULL, able, opened, wanted

PAGE = 4096

LEFT = {
    "empty-7.3": {"/": 233},
    "small-7.3": {"/": 4064},
    "base-7.3": {"/": 4064},
    "flb-7.2": {"/": 4064, "memblock": 4074},
    "iommu-machine-7.3": {"/": 4064},
    "many-7.3": {"/": 4064},
    "reserve-7.3": {"/": 4064, "memblock": 4074},
}
"""All that is not the same, and the first byte of it: behind the end of devicetrees, which the kernel makes in a whole page and packs,
so that what stood behind stays."""


def differences(handover: Handover, memory: PhysMemory, edges: object) -> dict[int, int]:
    """The pages of ``handover`` in ``edges`` that are not so in ``memory``, and their first byte that is not."""
    assert handover.memory is not None
    page, found = handover.environment.page_size, {}
    ends = list(edges)  # type: ignore[call-overload]  # an array
    for start, end in zip(ends[0::2], ends[1::2], strict=True):
        for pa in range(start, end, page):
            old, new = bytes(handover.memory.read(pa, page)), bytes(memory.read(pa, page))
            if old != new:
                found[pa] = next(at for at in range(page) if old[at] != new[at])
    return found


@pytest.mark.parametrize("name", LEFT)
def test_real_handovers(name: str, shipped: Path, request: pytest.FixtureRequest) -> None:
    """Root, blobs, blocks, records, page lists, folio arrays, map and scratch of every capture; check says of the copy what it says of
    the original, and contents are the same.
    """
    core = shipped / f"{name}.core.zst"
    handover = open_handover(open_input(str(core if core.exists() else request.getfixturevalue("captures") / core.name)))
    assert handover.scratch_pa is not None and handover.preserved is not None
    built = rebuild(handover)
    memory = built.arena.view()
    found = differences(handover, memory, metadata_edges(handover, (handover.scratch_pa, 16 * len(handover.scratch or ()))))
    names = {handover.fdt_pa: "/"} | {each.pa: each.name for each in handover.subtrees}
    assert LEFT[name] == {names.get(pa, "map"): first for pa, first in found.items()}
    ends = {handover.fdt_pa: handover.fdt} | {each.pa: each.fdt for each in handover.subtrees}
    for pa, first in found.items():
        fdt = ends[pa]
        assert fdt is not None and first >= len(fdt.blob or b"")
    assert {} == differences(handover, memory, content_edges(handover))
    again = open_memory(memory, fdt=built.fdt_pa, scratch=built.scratch)
    assert ([], handover.preserved.map.orders) == (again.problems, again.preserved and again.preserved.map.orders)
    assert [each.rule for each in check(handover).findings] == [each.rule for each in check(again).findings]


@given(wanted(KERNELS + POSTED))
@settings(max_examples=60, deadline=None)
@example(FULL)
def test_built_handovers(want: Spec) -> None:
    """What was built once is built twice: every form, page size and byte order, and nothing is left out."""
    handover = opened(build(able(want)))
    memory = rebuild(handover).arena.view()
    assert {} == differences(handover, memory, metadata_edges(handover)) == differences(handover, memory, content_edges(handover))


def test_spec_of_a_spec() -> None:
    """Every pin names something, and nothing is built that is not preserved in the original."""
    handover = opened(build(FULL))
    spec = spec_of(handover)
    built = rebuild(handover)
    assert set(spec.pins) <= set(built.placed)
    assert handover.preserved is not None
    assert all(handover.preserved.covers(run.pa, run.blocks * PAGE << run.order) for run in built.preserved)


def test_damage_is_not_built_again(shipped: Path) -> None:
    """A handover with a problem has no spec."""
    handover = open_handover(open_input(str(shipped / "tampered" / "7.3-sess-block-cycle.core.zst")))
    with pytest.raises(EncodeError, match="damaged handover cannot be built again"):
        rebuild(handover)
