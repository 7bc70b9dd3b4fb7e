# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""reserve_mem regions, edited one field at a time: what differs from the command line is allocated afresh, and lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from devstate.check.run import check
from devstate.finding import Reaction
from tests.check.edits import Edited


@pytest.fixture
def edited(shipped: Path) -> Edited:
    """A handover with three regions (contents left out), as the kernel wrote it."""
    folder = shipped / "tampered"
    case = json.loads((folder / "cases.json").read_text())["7.3-reserve-start-unaligned"]
    made = Edited(folder / "7.3-reserve-start-unaligned.core.zst")
    for write in case["writes"]:
        if "pa" in write:
            made.write(int(write["pa"], 16), bytes.fromhex(write["old"]))
    made.opened = made.reopened()
    assert ["trace", "oops", "odd"] == [region.name for region in made.opened.regions]
    assert () == check(made.opened).findings
    return made


def blob(edited: Edited, old: bytes, new: bytes) -> int:
    """Replace the first ``old`` in the memblock devicetree."""
    subtree = edited.opened.subtree("memblock")
    assert subtree is not None and subtree.blob is not None and subtree.pa is not None
    return edited.write(subtree.pa + bytes(subtree.blob).index(old), new)


def number(edited: Edited, name: str, prop: str, change: Callable[[int], int]) -> int:
    """Change a property of a region's node."""
    subtree = edited.opened.subtree("memblock")
    assert subtree is not None and subtree.fdt is not None and subtree.pa is not None
    found = subtree.fdt.root.child(name).property(prop)
    return edited.u64(subtree.pa + found.offset, change(int.from_bytes(found.value, "little")))


EDITS: dict[str, Callable[[Edited], int]] = {
    "start a page on": lambda e: number(e, "trace", "start", lambda value: value + 4096),
    "start inside a page": lambda e: number(e, "trace", "start", lambda value: value + 64),
    "start of another region": lambda e: number(e, "oops", "start", lambda value: e.opened.regions[0].start),
    "size halved": lambda e: number(e, "trace", "size", lambda value: value // 2),
    "size doubled": lambda e: number(e, "trace", "size", lambda value: value * 2),
    "size 0": lambda e: number(e, "odd", "size", lambda value: 0),
    "root string": lambda e: blob(e, b"memblock-v1", b"memblock-v2"),
    "region string": lambda e: blob(e, b"reserve-mem-v1", b"reserve-mem-v2"),
    "first property gone": lambda e: blob(e, b"\0\0\0\3\0\0\0\x08", b"\0\0\0\3\0\0\0\x07"),
}


@pytest.mark.parametrize("name", EDITS)
def test_the_region_is_wrong(edited: Edited, name: str) -> None:
    """Each is predicted as region-wrong, by an error that stands in the memblock devicetree or leads to it."""
    pa = EDITS[name](edited)
    report = check(edited.reopened())
    assert Reaction.REGION_WRONG == report.predicted, report.findings
    places = [finding.location.pa for finding in report.findings] + [at for finding in report.findings for at, _ in finding.related]
    assert any(place is not None and abs(place - pa) < 128 for place in places), [hex(place or 0) for place in places]
