# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Flattened devicetrees of 5,000 nodes and some 20,000 properties, against libfdt through its own Python binding.

Reading: ours checks everything and makes every name and value; the peer's checked walk is ``fdt_check_full`` (without which it may
fault), then every node's name and every property's name and value. Writing: the same tree of Python objects to the same bytes.
"""

from __future__ import annotations

import random

from bench.row import Row, at_most
from bench.timing import interleave
from devstate.fdt import Fdt, Node, read
from devstate.fdt.writer import CANONICAL, PRESERVE, write

NODES = 5_000
NAMES = (
    "compatible", "reg", "status", "interrupts", "clocks", "#size-cells", "#address-cells", "preserved-data", "blob-size", "token",
    "data", "pos",
)  # fmt: skip
ROUNDS = 15


def wide_tree() -> Fdt:
    """The same tree each time: up to four levels below the root, two to six properties a node in any order, values of 4 to 16 bytes."""
    rng = random.Random(1)
    above: list[list[Node]] = [[]]
    for number in range(NODES, 0, -1):
        while len(above) > 1 and rng.random() < 0.5:
            above.pop()
        properties = {name: rng.randbytes(rng.choice((4, 8, 8, 16, 11))) for name in rng.sample(NAMES, rng.randrange(2, 7))}
        node = Node(f"node@{number:x}", properties, [])
        above[-1].append(node)
        if len(above) < 5:
            above.append(node.children)  # type: ignore[arg-type]  # a list, four lines above
    return Fdt(Node("", {"compatible": b"kho-v4\0"}, above[0]))


def run() -> list[Row]:
    """Times as ratios to the peer's in the same run."""
    import libfdt

    tree = wide_tree()
    blob = write(tree)
    again = read(blob)
    assert _write_peer(libfdt, tree) == blob
    seconds = interleave(
        {
            "read": lambda: read(blob),
            "read and visit": lambda: _visit(read(blob)),
            "peer's checked walk": lambda: _walk_peer(libfdt, blob),
            "write": lambda: write(tree),
            "canonical": lambda: write(tree, CANONICAL),
            "preserve": lambda: write(again, PRESERVE),
            "peer's sequential writer": lambda: _write_peer(libfdt, tree),
        },
        ROUNDS,
    )
    reading, writing = seconds["peer's checked walk"], seconds["peer's sequential writer"]
    return [
        at_most("full strict read, to pylibfdt's checked walk", seconds["read"] / reading, "x", 0.6, 0.5),
        at_most("the same, then visiting each property", seconds["read and visit"] / reading, "x"),
        at_most("write, to pylibfdt's sequential writer", seconds["write"] / writing, "x", 0.8, 0.7),
        at_most("write in canonical style, to the same", seconds["canonical"] / writing, "x"),
        at_most("write in preserve style, to the same", seconds["preserve"] / writing, "x"),
        at_most("full strict read of 5,000 nodes", seconds["read"] * 1e3, "ms"),
        at_most("write of 5,000 nodes", seconds["write"] * 1e3, "ms"),
    ]


def _visit(fdt: Fdt) -> int:
    """Touch every property's name and value."""
    size = 0
    stack = [fdt.root]
    while stack:
        node = stack.pop()
        for name, value in node.properties.items():
            size += len(name) + len(value)
        stack.extend(node.children)
    return size


def _walk_peer(libfdt, blob: bytes) -> int:  # type: ignore[no-untyped-def]  # the binding has no types
    assert libfdt.fdt_check_full(bytearray(blob), len(blob)) == 0
    tree = libfdt.Fdt(blob)
    size = 0
    node, depth = 0, 0
    while node >= 0 and depth >= 0:
        tree.get_name(node)
        at = tree.first_property_offset(node, libfdt.QUIET_NOTFOUND)
        while at >= 0:
            item = tree.get_property_by_offset(at)
            size += len(item.name) + len(item)
            at = tree.next_property_offset(at, libfdt.QUIET_NOTFOUND)
        node, depth = tree.next_node(node, depth, (libfdt.NOTFOUND,))
    return size


def _write_peer(libfdt, fdt: Fdt) -> bytes:  # type: ignore[no-untyped-def]  # the binding has no types
    writer = libfdt.FdtSw(1 << 20)
    writer.finish_reservemap()
    stack: list[Node | None] = [fdt.root]
    while stack:
        node = stack.pop()
        if node is None:
            writer.end_node()
            continue
        writer.begin_node(node.name)
        for name, value in node.properties.items():
            writer.property(name, value)
        stack.append(None)
        stack.extend(reversed(node.children))
    made = writer.as_fdt()
    return bytes(memoryview(made.as_bytearray())[: made.totalsize()])
