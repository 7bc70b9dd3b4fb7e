# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Witnesses of changes that are no matter of one struct: what a link leads to, how deep a tree is, what a unit or a constant is.

::

    a leaf of the writer's tree    07 00 00 00 00 00 00 00    three pages are preserved
    a reader with a level more     takes entry 0, 0x7, for the address of the next table
"""

from __future__ import annotations

from devstate.compat.cells import cells_of
from devstate.compat.leaves import struct_of
from devstate.compat.reads import stands_for, value_at, value_text
from devstate.compat.tags import FIRST_ADDRESS, Tags
from devstate.compat.words import target_text
from devstate.finding import Read, Witness
from devstate.frozen import replace
from devstate.layout.model import FieldLayout, IntType, NodeLayout, StructLayout, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change
    from devstate.layout.model import Layout, TargetLayout

HEADERS = {"blocks": ("next", "count"), "pages": ("next", "nr_objects")}
"""Targets that start with a header, and its two 64-bit fields. Source: include/linux/kho/abi/block.h (7.2); the posted iommu.h."""

BITMAP = 0b111
"""Three pages that are preserved."""


def proof_of(change: Change, writer: Layout, reader: Layout, *, newer: bool) -> Witness:
    """The witness of such a change for one direction."""
    texts = (change.old, change.new) if newer else (change.new, change.old)
    fields = (change.old_field, change.new_field) if newer else (change.new_field, change.old_field)
    depths = [None if field is None or field.target is None else field.target.depth for field in fields]
    name = change.subject.rpartition(".")[2].rpartition("/")[2]
    if change.kind == "constant" and depths[0] is not None and depths[1] is not None and depths[0] != depths[1]:
        data, reads = _tree(name, depths[0], depths[1], writer)
    elif change.kind == "target":
        data, reads = _target(name, fields[0], fields[1], texts, writer, reader)
    elif change.kind == "length":
        data, reads = _bitmap(name, fields[0], fields[1])
    elif change.kind == "encoding":
        data, reads = _encoding(writer, reader, texts)
    else:
        data, reads = _value(name, fields[0], fields[1], texts, writer)
    return Witness(data, "old" if newer else "new", reads)


def _tree(name: str, wrote: int, reads: int, writer: Layout) -> tuple[bytes, tuple[Read, ...]]:
    """A tree of another depth: leaves are taken for tables, or tables for leaves."""
    order = writer.environment.byte_order
    if reads > wrote:
        data = BITMAP.to_bytes(8, order)
        read = Read(name, "a bitmap: pages 0, 1 and 2", f"{BITMAP:#x}", "the bitmap of a leaf, taken for the address of the next table")
    else:
        address = FIRST_ADDRESS
        data = address.to_bytes(8, order)
        pages = ", ".join(str(bit) for bit in range(64) if address >> bit & 1)
        read = Read(
            name, f"{address:#x}, the next table", f"a bitmap: pages {pages}", "an address in a table, taken for the bitmap of a leaf"
        )
    return data, (read,)


def _target(
    name: str, wrote: FieldLayout | None, reads: FieldLayout | None, texts: tuple[str, str], writer: Layout, reader: Layout
) -> tuple[bytes, tuple[Read, ...]]:
    """What the writer puts at the link, as the reader takes it, where both are known: a struct, or a block with a header before it."""
    targets = [None if field is None else field.target for field in (wrote, reads)]
    if wrote is None or reads is None:
        structs = [_named(writer, texts[0]), _named(reader, texts[1])]
    else:
        structs = [_laid(side, target) for side, target in zip((writer, reader), targets, strict=True)]
    if structs[0] is None or structs[1] is None:
        address = FIRST_ADDRESS.to_bytes(8, writer.environment.byte_order)
        words = [text if target is None else target_text(target) for target, text in zip(targets, texts, strict=True)]
        return address, (Read(name, words[0], words[1]),)
    tags, data = Tags(writer, reader, {}), bytearray(max(structs[0].size, structs[1].size))
    cells = sorted(cells_of(writer, structs[0]), key=lambda cell: cell.bits)
    for cell in cells:
        tags.put(data, cell, structs[0], structs[1])
    read = [
        Read(cell.path, None, value_text(cell, value_at(bytes(data), cell)), stands_for(cell, cells))
        for cell in cells_of(reader, structs[1])
        if cell.role == "data"
    ]
    return bytes(data), tuple(read)


def _laid(layout: Layout, target: TargetLayout | None) -> StructLayout | None:
    """The first bytes at a target as one struct: the element, behind the header where there is one. None for what is no row of structs."""
    inner = None if target is None else struct_of(layout, target.element) if target.element is not None else None
    if target is None or inner is None or target.kind not in (*HEADERS, "one", "contiguous", "counted"):
        return None
    if target.kind not in HEADERS:
        return inner
    first = tuple(FieldLayout(field, 8 * at, 8, IntType(8)) for at, field in enumerate(HEADERS[target.kind]))
    element = FieldLayout("entry", 16, inner.size, StructType(inner.name))
    return StructLayout("block", 16 + inner.size, 1, True, (*first, element))


def _named(layout: Layout, text: str) -> StructLayout | None:
    return next((each for each in layout.structs if text == f"struct {each.name}"), None)


def _bitmap(name: str, wrote: FieldLayout | None, reads: FieldLayout | None) -> tuple[bytes, tuple[Read, ...]]:
    """A bitmap of another size: its last byte is tagged."""
    sizes = [0 if field is None or field.target is None else field.target.size or 0 for field in (wrote, reads)]
    data = bytes(max(sizes[0] - 1, 0)) + b"\x07"
    if sizes[1] > sizes[0]:
        read = Read(f"{name}[{sizes[0]}..{sizes[1] - 1}]", None, "nothing", "behind the last byte of the bitmap")
    else:
        read = Read(f"{name}[{sizes[1]}..{sizes[0] - 1}]", "0x7 in the last byte", "nothing", "not looked at")
    return data, (read,)


def _encoding(writer: Layout, reader: Layout, texts: tuple[str, str]) -> tuple[bytes, tuple[Read, ...]]:
    """A devicetree that is taken for a struct, or the other way round. Source of the magic: Devicetree Specification v0.4, 5.2."""
    if isinstance(writer.root, NodeLayout):
        data = b"\xd0\x0d\xfe\xed" + (72).to_bytes(4, "big") + bytes(64)
    else:
        struct = writer.struct()
        buffer, tags = bytearray(struct.size), Tags(writer, reader, {})
        for cell in cells_of(writer, struct):
            tags.put(buffer, cell, struct, struct)
        data = bytes(buffer)
    return data, (Read(reader.name, texts[0], f"it as {texts[1]}", data[:8].hex()),)


def _value(
    name: str, wrote: FieldLayout | None, reads: FieldLayout | None, texts: tuple[str, str], writer: Layout
) -> tuple[bytes, tuple[Read, ...]]:
    """One value that means something else: a unit, a constant, the type of a property, an absent property."""
    if wrote is None or not wrote.size:
        return b"", (Read(name, texts[0], texts[1]),)
    one = StructLayout("value", wrote.size, 1, True, (_at_zero(wrote),))
    data, tags = bytearray(wrote.size), Tags(writer, writer, {})
    cells = cells_of(writer, one)
    for cell in cells:
        tags.put(data, cell, one, one)
    shown = value_text(cells[0], value_at(bytes(data), cells[0])) if cells else ""
    got = shown
    if reads is not None and reads.size == wrote.size:
        others = cells_of(writer, StructLayout("value", reads.size, 1, True, (_at_zero(reads),)))
        got = value_text(others[0], value_at(bytes(data), others[0])) if others else shown
    return bytes(data), (Read(name, f"{shown}, {texts[0]}", f"{got}, {texts[1]}"),)


def _at_zero(field: FieldLayout) -> FieldLayout:
    return replace(field, offset=0)
