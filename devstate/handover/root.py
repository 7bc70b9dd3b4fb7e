# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""KHO's root: finding it in memory, and reading its properties and subtrees.

The root is found by an address that somebody gives (``--fdt``, the note in our own captures), else by looking at every page for
a devicetree whose root ``compatible`` is a ``kho-v*``.
"""

from __future__ import annotations

from devstate.errors import DecodeError, UsageError
from devstate.fdt.header import HEADER_SIZE, totalsize
from devstate.fdt.reader import read_partial
from devstate.handover.forms import best_form
from devstate.handover.model import Subtree
from devstate.handover.text import c_string
from devstate.layout.model import NodeLayout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from devstate.fdt.model import Fdt, Node, Property
    from devstate.handover.follow import Follow
    from devstate.layout.model import FieldLayout, Layout
    from devstate.memory.physmem import PhysMemory

FDT_MAGIC = b"\xd0\x0d\xfe\xed"
PREFIX = "kho-v"
FOUND_BY = "kho_data.fdt_addr (x86) or /chosen linux,kho-fdt"
"""What the schemas of roots say about how they are reached: a devicetree of any other schema is no root."""

NAMED_MAX = 8
"""Properties that are named beside one that is missing: no node of KHO has more."""

CANDIDATES_MAX = 64
"""Roots that are listed when there are several: a dump holds the incoming, the outgoing and a few stale ones."""


def find_roots(memory: PhysMemory) -> list[tuple[int, str]]:
    """(physical address, root compatible) of every page that starts a devicetree which says that it is KHO's root."""
    found = []
    for pa in memory.find_pages(FDT_MAGIC):
        compatible = root_compatible(memory, pa)
        if compatible is not None and compatible.startswith(PREFIX):
            found.append((pa, compatible))
            if len(found) == CANDIDATES_MAX:
                break
    return found


def root_compatible(memory: PhysMemory, pa: int) -> str | None:
    """The first string of ``/compatible`` of the devicetree at ``pa``; None when there is no readable one."""
    blob = blob_at(memory, pa)
    if blob is None:
        return None
    try:
        fdt, _ = read_partial(blob)
        strings = fdt.root.compatible
    except DecodeError:
        return None
    return strings[0] if strings else None


def blob_at(memory: PhysMemory, pa: int) -> memoryview | None:
    """The bytes of the devicetree at ``pa`` by its own totalsize, shorter when the capture ends before; None when there is none."""
    if not memory.contains(pa, HEADER_SIZE):
        return None
    size = totalsize(memory.read(pa, HEADER_SIZE))
    if size is None:
        return None
    pieces: list[memoryview] = []
    length = 0
    for offset, view in memory.read_present(pa, size):  # a capture may have seams anywhere
        if offset != length:
            break
        pieces.append(view)
        length += len(view)
    return pieces[0] if len(pieces) == 1 else memoryview(b"".join(pieces))


def choose_root(memory: PhysMemory) -> int:
    """The only root in ``memory``. UsageError, with the list, when there are several or none."""
    roots = find_roots(memory)
    if len(roots) == 1:
        return roots[0][0]
    if not roots:
        raise UsageError(f"{memory.source}: no KHO root FDT in this memory; give its physical address with --fdt if you know it")
    listed = "; ".join(f"--fdt {pa:#x} ({compatible})" for pa, compatible in roots)
    raise UsageError(f"{memory.source}: {len(roots)} KHO root FDTs in this memory; choose one: {listed}")


def root_layout(follow: Follow, fdt: Fdt, compatible: str) -> Layout | None:
    """The layout of the form of this string that the root has; None and a problem when no schema of a root has the string."""
    registry, environment, base = follow.handover.registry, follow.handover.environment, follow.handover.fdt_pa
    layouts = [registry.layout(name, environment) for name in registry.names(compatible)]
    form = best_form((each for each in layouts if each.found_by == FOUND_BY), fdt.root)
    if form is None:
        prop = fdt.root.property("compatible")
        at = base if base is None or prop is None or prop.offset is None else base + prop.offset
        related = () if base is None or prop is not None else around(fdt.root, base)
        follow.problem("kho-compatible", "no known kernel writes this root", at, "/", "a known kho-v*", repr(compatible), related)
    return form


def number(follow: Follow, node: Node, field: FieldLayout, base: int | None, path: str, code: str) -> tuple[int | None, int | None]:
    """A native integer property: (value, address of the payload). None and a problem when it is absent or of another length."""
    prop: Property | None = node.property(field.name)
    if prop is None:
        if not field.optional:
            here = base if base is None or node.offset is None else base + node.offset
            related = () if base is None else around(node, base)
            follow.problem(code, f"the property {field.name} is missing", here, path, f"{field.size} bytes", "nothing", related)
        return None, None
    at = None if base is None or prop.offset is None else base + prop.offset
    if len(prop.value) != field.size:
        follow.problem(code, f"the property {field.name} has a wrong length", at, path, f"{field.size} bytes", f"{len(prop.value)} bytes")
        return None, at
    return int.from_bytes(prop.value, follow.order), at


def passes_header_check(fdt: Fdt | None) -> bool:
    """Whether libfdt's fdt_check_header() takes the header: each block begins in the blob, and those with a size end in it."""
    header = fdt.header if fdt is not None else None
    if header is None:
        return False
    blocks = ((header.off_dt_struct, header.size_dt_struct), (header.off_dt_strings, header.size_dt_strings), (header.off_mem_rsvmap, 0))
    inside = all(start >= HEADER_SIZE and start + size <= header.totalsize for start, size in blocks)
    return inside and header.off_mem_rsvmap % 8 == 0 and header.off_dt_struct % 4 == 0


def around(node: Node, base: int) -> tuple[tuple[int, str], ...]:
    """Where a property that ``node`` lacks may have been: beside those that it has, behind them, or under a name that has changed.

    ``base`` is the address of the blob.
    """
    if node.structure is None or node.offset is None:
        return ()
    block, places, end = node.structure, [], node.offset + 4 + (len(node.name) + 4 & -4)
    for name, at in list(block.value_offsets(node).items())[:NAMED_MAX]:
        places.append((base + at, f"the value of {name}"))
        end = max(end, at + len(node.properties[name]))
        places.append((base + block.strings[0] + int.from_bytes(block.data[at - 4 : at], "big"), f"the name {name}"))
    return (*places, (base + end, "the end of the properties"))


def open_root(follow: Follow, blob: memoryview, pa: int | None) -> None:
    """Read the root devicetree in ``blob`` into the handover: compatible, memory map, subtrees."""
    handover = follow.handover
    handover.fdt_pa = pa
    try:
        fdt, errors = read_partial(blob, source=handover.source)
    except DecodeError as error:
        fdt, errors = None, [error]
    for each in errors:
        at = pa if pa is None or each.offset is None else pa + each.offset
        follow.problem("kho-fdt", each.message, at, "/", each.expected, each.found)
    if fdt is None:
        return
    handover.fdt = fdt
    try:
        strings = fdt.root.compatible
    except DecodeError as error:
        strings = ()
        follow.problem("kho-compatible", "the root compatible is no string", pa, "/", error.expected, error.found)
    handover.compatible = strings[0] if strings else ""
    layout = root_layout(follow, fdt, handover.compatible)
    if layout is None or not isinstance(layout.root, NodeLayout) or not layout.root.properties:
        return
    handover.layout = layout
    handover.memory_map_pa, at = number(follow, fdt.root, layout.root.properties[0], pa, "/", "kho-map")
    if handover.memory_map_pa == 0:
        follow.problem("kho-map", "the memory map is absent", at, "/", "a physical address", "0x0")
    for child in layout.root.children:
        for node in fdt.root.children:
            handover.subtrees.append(_subtree(follow, child, node, pa))


def open_cut_root(follow: Follow, names: Iterable[str]) -> None:
    """What a root still says whose names of properties are cut off, as debugfs shows it: the compatible by its text, the address of the
    map as the only number, clients by their nodes' names and by ``names``. Nothing happens when the root was read.
    """
    handover = follow.handover
    if handover.layout is not None or handover.fdt is None:
        return
    root = handover.fdt.root
    strings = [c_string(value)[0] for value in root.properties.values() if value.startswith(PREFIX.encode())]
    numbers = [value for value in root.properties.values() if len(value) == 8 and not value.startswith(PREFIX.encode())]
    if len(strings) != 1 or not handover.registry.names(strings[0]):
        return
    handover.compatible = strings[0]
    handover.problems[:] = [each for each in handover.problems if each.code != "kho-compatible"]
    handover.layout = root_layout(follow, handover.fdt, strings[0])
    if len(numbers) == 1:
        handover.memory_map_pa = int.from_bytes(numbers[0], follow.order)
    clients = dict.fromkeys([*(node.name for node in root.children), *names])
    handover.subtrees += [Subtree(name, None, None) for name in clients]


def _subtree(follow: Follow, layout: NodeLayout, node: Node, base: int | None) -> Subtree:
    values = [number(follow, node, field, base, f"/{node.name}", "subtree-property") for field in layout.properties]
    subtree = Subtree(node.name, values[0][0], values[1][0] if len(values) > 1 else None)
    subtree.data_pa = values[0][1]
    subtree.size_pa = values[1][1] if len(values) > 1 else None
    return subtree
