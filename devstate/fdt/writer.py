# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A tree to bytes, in one of four styles; all but ``CANONICAL`` keep the tree's own order of nodes and properties.

    SEQUENTIAL   what libfdt's fdt_create ... fdt_finish leave: how the kernel writes a subtree, and wrote KHO's root in v1
    IN_PLACE     what fdt_add_subnode, fdt_setprop and fdt_pack make of a sequential root: how the kernel writes KHO's root since
                 v2 (each subtree goes before the older ones, each property of it before the older ones)
    CANONICAL    what ``dtc -I dtb -O dtb -s`` writes: reserve map, properties and nodes sorted; equal trees give equal bytes
    PRESERVE     each part of a tree that was read, at its place in the blob; what lies between the parts is kept

The first three differ in where the reserve map starts, and in where a property name goes that is not yet the tail of a name in the
strings block::

                 reserve map   new name
    SEQUENTIAL   0x30          before the others, at its first use
    IN_PLACE     0x28          of the root: before the others; else behind them, older nodes and properties first
    CANONICAL    0x28          behind the others, at its first use

The rest is the same: version 17, last compatible 16, no gaps, padding of zeros.
"""

from __future__ import annotations

from struct import error as StructError

from devstate.errors import EncodeError, UsageError
from devstate.fdt import rules
from devstate.fdt.header import HEADER_SIZE, LAST_COMPATIBLE, RESERVE_ENTRY, VERSION, Header
from devstate.fdt.model import Fdt, Node
from devstate.fdt.strings import Strings, encoded, encoded_all
from devstate.fdt.structure import BEGIN_NODE, END, END_NODE, PROP, PROPERTY_HEAD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SEQUENTIAL = "sequential"
IN_PLACE = "in-place"
CANONICAL = "canonical"
PRESERVE = "preserve"
STYLES = (SEQUENTIAL, IN_PLACE, CANONICAL, PRESERVE)

_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")
_AFTER_NAME = (b"\0\0\0\0", b"\0\0\0", b"\0\0", b"\0")
"""Zeros up to the next word, by the length modulo 4: of a value, and of a name, which has at least one."""


def write(fdt: Fdt, style: str = SEQUENTIAL) -> bytes:
    """The bytes of a tree. ``PRESERVE`` of a tree that :func:`devstate.fdt.read` gave is its blob, byte for byte.

    EncodeError: a name that is not latin-1, has a NUL or is too long, a root with a name, a reserve map entry of size 0 or beyond
    64 bits, a boot CPU beyond 32 bits, a limit of ``devstate.fdt.rules``; for ``PRESERVE``, a tree that does not stand whole in a
    blob. UsageError: an unknown style. A tree that breaks a rule is written all the same: judging is the reader's.
    """
    if style == PRESERVE:
        return _preserve(fdt)
    if style not in STYLES:
        raise UsageError(f"no style {style!r} to write a devicetree in; there are {', '.join(STYLES)}")
    if fdt.root.name:
        raise EncodeError("the root node has a name", expected="an empty name", found=repr(fdt.root.name))
    if not 0 <= fdt.boot_cpu < 1 << 32:
        raise EncodeError("boot CPU is beyond 32 bits", found=fdt.boot_cpu)
    order, used = _preorder(fdt.root, style == CANONICAL)
    if style == SEQUENTIAL:
        strings = Strings(used, ())
    else:
        strings = Strings((), used) if style == CANONICAL else Strings(fdt.root.properties, _by_age(fdt.root))
    start = HEADER_SIZE + 8 if style == SEQUENTIAL else HEADER_SIZE
    reserve_map = _reserve_map(sorted(fdt.reserve_map) if style == CANONICAL else fdt.reserve_map)
    structure = _structure(order, strings)
    at = start + len(reserve_map), start + len(reserve_map) + len(structure)
    size = at[1] + len(strings.block)
    if size > rules.MAX_SIZE:
        raise EncodeError("devicetree is too large", expected=f"at most {rules.MAX_SIZE} bytes", found=size)
    header = Header(size, *at, start, VERSION, LAST_COMPATIBLE, fdt.boot_cpu, len(strings.block), len(structure))
    return b"".join((header.pack().ljust(start, b"\0"), reserve_map, structure, strings.block))


def _preorder(root: Node, by_name: bool) -> tuple[list[Node | None], dict[str, bytes]]:
    """The nodes in the order of the bytes, with a None for each end of a node; and the property names in the order of first use."""
    order: list[Node | None] = []
    used: dict[str, bytes] = {}
    properties = 0
    stack: list[Iterator[Node]] = [iter((root,))]
    while stack:
        if len(stack) > rules.MAX_DEPTH:
            raise EncodeError("nodes are nested too deeply", expected=f"at most {rules.MAX_DEPTH}", found=len(stack))
        for node in stack[-1]:
            children = node.children
            if by_name:
                children = sorted(children, key=_name)
                node = Node(node.name, dict(sorted(node.properties.items())))
            order.append(node)
            used.update(node.properties)
            properties += len(node.properties)
            if children:
                stack.append(iter(children))
                break
            order.append(None)
        else:
            stack.pop()
            order.append(None)
    order.pop()  # the end of the iteration over the root alone
    for what, count, limit in (
        ("nodes", len(order) // 2, rules.MAX_NODES),
        ("properties", properties, rules.MAX_PROPERTIES),
        ("property names", len(used), rules.MAX_PROPERTY_NAMES),
    ):
        if count > limit:
            raise EncodeError(f"too many {what}", expected=f"at most {limit}", found=count)
    return order, used


def _name(node: Node) -> str:
    return node.name


def _by_age(root: Node) -> Iterator[str]:
    """The property names below the root in the order in which they came there, when each new thing is put before the older ones."""
    stack = list(root.children)
    while stack:
        node = stack.pop()
        yield from reversed(list(node.properties))
        stack.extend(node.children)


def _reserve_map(entries: Iterable[tuple[int, int]]) -> bytes:
    packed = []
    for address, size in entries:
        try:
            packed.append(RESERVE_ENTRY.pack(address, size))
        except StructError:
            raise EncodeError("reserve map entry is beyond 64 bits", found=f"{address:#x}, {size:#x}") from None
        if size == 0:
            raise EncodeError("reserve map entry has size 0, which would end the map", found=f"{address:#x}, 0")
    if len(packed) > rules.MAX_RESERVED:
        raise EncodeError("reserve map is too long", expected=f"at most {rules.MAX_RESERVED}", found=len(packed))
    return b"".join(packed) + bytes(RESERVE_ENTRY.size)


def _structure(order: list[Node | None], strings: Strings) -> bytes:
    names = iter(encoded_all([node.name for node in order if node]))
    parts: list[bytes] = []
    heads = strings.heads
    for node in order:
        if node is None:
            parts.append(END_NODE)
            continue
        name = next(names)
        parts += BEGIN_NODE, name, _AFTER_NAME[len(name) & 3]
        for key, value in node.properties.items():
            size = len(value)
            try:
                head = heads[key][size]
            except KeyError:
                head = strings.head(key, size)
            parts += head, value, _PADDING[size & 3]
    parts.append(END)
    return b"".join(parts)


def _preserve(fdt: Fdt) -> bytes:
    header, blob = fdt.header, fdt.blob
    if header is None or blob is None or len(blob) != header.totalsize:
        raise EncodeError("a tree that does not stand whole in a blob cannot be preserved", advice="choose another style")
    out = bytearray(blob)

    def lay(at: int, *parts: bytes) -> None:
        piece = b"".join(parts)
        out[at : at + len(piece)] = piece

    lay(0, header.pack())
    lay(header.off_mem_rsvmap, *(RESERVE_ENTRY.pack(*entry) for entry in fdt.reserve_map))
    stack = [fdt.root]
    while stack:
        node = stack.pop()
        stack.extend(node.children)
        if node.offset is None or node.structure is None:
            continue
        lay(node.offset, BEGIN_NODE, encoded(node.name))
        lay(node.offset + node.size - 4, END_NODE)
        for name, at in node.structure.value_offsets(node).items():
            value = node.properties[name]
            lay(at - PROPERTY_HEAD, PROP, len(value).to_bytes(4, "big"))
            lay(at, value)
            lay(header.off_dt_strings + int.from_bytes(blob[at - 4 : at], "big"), encoded(name))
    return bytes(out)
