# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""How the kernel looks things up in a devicetree: libfdt's read-only functions, which see no more of the tree than they walk over.

A damaged structure shows as "not found" behind the damage, and does no harm before it. Source: scripts/dtc/libfdt/fdt.c, fdt_ro.c.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

BEGIN, END, PROP, NOP = 1, 2, 3, 4


class Tree:
    """A devicetree blob; ``node`` is an offset into the structure block, 0 for the root."""

    def __init__(self, blob: bytes) -> None:
        self.blob = blob.ljust(40, b"\0")
        _, self.total, self.start, self.strings, self.reserved, self.version, self.last, _, self.strings_size, self.size = struct.unpack(
            ">10I", self.blob[:40]
        )

    def sound(self) -> bool:
        """fdt_check_header()."""
        if self.blob[:4] != b"\xd0\x0d\xfe\xed" or self.version < 2 or self.last > 17 or self.last > self.version:
            return False
        if not 40 <= self.total <= 0x7FFFFFFF or not 40 <= self.reserved <= self.total or self.reserved % 8 or self.start % 4:
            return False
        size = self.size if self.version >= 17 else 0
        return self.start + size <= self.total and self.strings + self.strings_size <= self.total and min(self.start, self.strings) >= 40

    def tags(self, at: int) -> Iterator[tuple[int, int]]:
        """(tag, offset behind it) from ``at`` on; ends at damage."""
        size = min(self.size, len(self.blob) - self.start) if self.version >= 17 else len(self.blob) - self.start
        block = self.blob[self.start : self.start + size]
        while at + 4 <= len(block):
            tag, at = int.from_bytes(block[at : at + 4], "big"), at + 4
            where = at
            if tag == BEGIN:
                end = block.find(b"\0", at)
                if end < 0:
                    return
                at = end + 1
            elif tag == PROP:
                if at + 8 > len(block):
                    return
                at += 8 + int.from_bytes(block[at : at + 4], "big")
            elif tag not in (END, NOP):
                return
            at = at + 3 & ~3
            if at > len(block):
                return
            yield tag, where

    def props(self, node: int) -> Iterator[tuple[bytes, bytes]]:
        """(name, value) of a node's properties, up to its first subnode."""
        walk = self.tags(node)
        if next(walk, (0, 0))[0] != BEGIN:
            return
        for tag, at in walk:
            if tag == NOP:
                continue
            if tag != PROP:
                return
            length, name = struct.unpack(">2I", self.blob[self.start + at : self.start + at + 8])
            text = self.blob[self.strings + name : self.strings + self.strings_size].partition(b"\0")
            yield text[0] if text[1] and name < self.strings_size else b"?", self.blob[self.start + at + 8 : self.start + at + 8 + length]

    def prop(self, node: int, name: bytes) -> bytes | None:
        """fdt_getprop(): the first of the name."""
        return next((value for each, value in self.props(node) if each == name), None)

    def compatible(self, node: int, text: bytes) -> bool:
        """fdt_node_check_compatible() == 0: any string of the list."""
        value = self.prop(node, b"compatible")
        return value is not None and text in value.split(b"\0")[:-1]

    def subnode(self, name: bytes) -> int | None:
        """fdt_subnode_offset() of the root: the whole name, or what stands before an @."""
        depth = 0
        for tag, at in self.tags(0):
            if tag == BEGIN:
                depth += 1
                begin = self.start + at
                if depth == 2 and self.blob[begin : begin + len(name)] == name and self.blob[begin + len(name)] in (0, ord("@")):
                    return at - 4
            elif tag == END:
                depth -= 1
                if depth == 0:
                    return None
        return None
