# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The verdict on a devicetree of 5,000 nodes and some 20,000 properties (the tree of bench/fdt.py), and on a wide one: 5,000 siblings.

The peer is libfdt's own ``fdt_check_full``, compiled by its authors' build and called through pylibfdt's low-level binding: one call
with a bytearray, whose cost beside the checking is about a microsecond. It looks for neither duplicates nor stray properties.
"""

from __future__ import annotations

from bench.fdt import wide_tree
from bench.row import Row, at_most
from bench.timing import interleave
from devstate.fdt import Fdt, Node, read
from devstate.fdt.writer import write
from devstate.pagetable.fdt_validate import fdt_validate, scratch_for

ROUNDS = 101


def siblings() -> Fdt:
    """A root with 5,000 children of two properties each."""
    return Fdt(Node("", {}, [Node(f"node@{n:x}", {"reg": bytes(8), "compatible": b"kho-v4\0"}) for n in range(5_000)]))


def run() -> list[Row]:
    """Times as ratios to the peer's in the same run."""
    import libfdt

    rows = []
    for label, tree in (("5,000 nodes", wide_tree()), ("5,000 siblings", siblings())):
        blob = write(tree)
        peer = bytearray(blob)
        scratch = scratch_for(len(blob))
        assert libfdt.fdt_check_full(peer, len(peer)) == 0 == fdt_validate(blob, scratch).offset
        seconds = interleave(
            {
                "validate": lambda blob=blob, scratch=scratch: fdt_validate(blob, scratch),
                "fresh": lambda blob=blob: fdt_validate(blob),
                "peer": lambda peer=peer: libfdt.fdt_check_full(peer, len(peer)),
            },
            ROUNDS,
        )
        reading = interleave({"read": lambda blob=blob: read(blob)}, 5)["read"]
        to_peer = at_most(f"FDT validate, {label}, to fdt_check_full", seconds["validate"] / seconds["peer"], "x", must=0.25, aim=0.16)
        rows += [
            to_peer,
            at_most(f"FDT validate, {label}, fresh scratch memory, to the same", seconds["fresh"] / seconds["peer"], "x"),
            at_most(f"FDT validate, {label}, to our own read()", seconds["validate"] / reading, "x"),
            at_most(f"FDT validate, {label}", seconds["validate"] * 1e6, "us"),
            at_most(f"fdt_check_full, {label}", seconds["peer"] * 1e6, "us"),
        ]
    return rows
