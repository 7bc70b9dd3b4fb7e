# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The subtrees of KHO's root: finding each blob's format and reading it. LUO has a module of its own.

A blob's format is asked from the registry: by the root ``compatible`` when the blob is a devicetree, else by the schemas that say
``found_by="KHO subtree NAME"`` and by the version that these find in the blob.
"""

from __future__ import annotations

from devstate.errors import DecodeError
from devstate.fdt.header import HEADER_SIZE, totalsize
from devstate.fdt.reader import read_partial
from devstate.handover.forms import best_form
from devstate.handover.model import Metadata, Region
from devstate.handover.root import FDT_MAGIC, around, blob_at, number
from devstate.handover.text import c_string
from devstate.layout.model import NodeLayout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.handover.follow import Follow
    from devstate.handover.model import Subtree
    from devstate.layout.model import Layout

BLOB_MAX = 1 << 30
"""Bytes of one blob that are looked at: far above any published one, far below what a wrong size may claim."""


def open_subtree(follow: Follow, subtree: Subtree, given: memoryview | None = None) -> None:
    """Read the blob (from memory, or ``given`` by a debugfs file) and find its format. What is wrong becomes a problem."""
    handover = follow.handover
    if subtree.pa == 0 and subtree.size != 0:
        follow.problem("subtree-property", "a subtree's address is 0", subtree.data_pa, subtree.path, "a physical address", "0x0")
        return
    subtree.blob = given if given is not None else _blob(follow, subtree)
    if subtree.blob is not None and subtree.blob[:4] == FDT_MAGIC:
        _open_fdt(follow, subtree)
    else:
        subtree.layout = _struct_layout(follow, subtree)
    subtree.format = None if subtree.layout is None else subtree.layout.name
    _judge_size(follow, subtree)
    if subtree.layout is None and subtree.blob is not None and handover.registry.found_by(f"KHO subtree {subtree.name}"):
        found = bytes(subtree.blob[:16])
        related = links_to(subtree)
        related += around(subtree.fdt.root, subtree.pa) if subtree.fdt is not None and subtree.pa is not None else ()
        follow.problem(
            "subtree-format", "the blob is of no known format", subtree.pa, subtree.path, "a known compatible", found, related
        )


def links_to(subtree: Subtree) -> tuple[tuple[int, str], ...]:
    """Where the root says where the blob is, and how long."""
    places = ((subtree.data_pa, "the address of the blob"), (subtree.size_pa, "the size of the blob"))
    return tuple((pa, what) for pa, what in places if pa is not None)


def _blob(follow: Follow, subtree: Subtree) -> memoryview | None:
    memory = follow.handover.memory
    if memory is None or subtree.pa is None:
        return None
    known = blob_at(memory, subtree.pa)
    size = len(known) if known is not None else _known_size(follow, subtree)
    if known is None and subtree.size is not None and (subtree.size < size or memory.contains(subtree.pa, min(subtree.size, BLOB_MAX))):
        size = min(subtree.size, BLOB_MAX)
    blob = follow.read(subtree.pa, size, subtree.path, subtree.data_pa)
    if blob is not None:
        follow.claim(subtree.pa, len(blob) or 1, subtree.path, "blob", subtree.data_pa)
    return blob


def _judge_size(follow: Follow, subtree: Subtree) -> None:
    """Note a recorded size that is more than the blob's format has."""
    layout = subtree.layout
    if layout is None or subtree.size is None or subtree.blob is None:
        return
    size = totalsize(subtree.blob) if isinstance(layout.root, NodeLayout) else layout.struct().size
    if size is not None and (subtree.size > size or (subtree.size < size and isinstance(layout.root, NodeLayout))):
        message = "the recorded size is not that of the format"
        follow.problem("subtree-size", message, subtree.size_pa, subtree.path, f"{size} bytes", f"{subtree.size} bytes")


def _known_size(follow: Follow, subtree: Subtree) -> int:
    """Bytes of the struct that a subtree of this name has, for formats that do not record the size."""
    registry = follow.handover.registry
    sizes = [registry.summaries[name].size or 0 for name in registry.found_by(f"KHO subtree {subtree.name}")]
    return max(sizes) or HEADER_SIZE if sizes else 0


def _open_fdt(follow: Follow, subtree: Subtree) -> None:
    assert subtree.blob is not None  # open_subtree() asked
    try:
        subtree.fdt, errors = read_partial(subtree.blob, source=follow.handover.source)
        strings = subtree.fdt.root.compatible
    except DecodeError as error:
        follow.problem("subtree-fdt", error.message, subtree.pa, subtree.path, error.expected, error.found)
        return
    for each in errors:
        at = None if subtree.pa is None or each.offset is None else subtree.pa + each.offset
        follow.problem("subtree-fdt", each.message, at, f"{subtree.path}{each.path or ''}", each.expected, each.found)
    registry = follow.handover.registry
    own = registry.found_by(f"KHO subtree {subtree.name}")  # a client that is known refuses what others know
    names = [name for name in (registry.names(strings[0]) if strings else []) if not own or name in own]
    layouts = [registry.layout(name, follow.handover.environment) for name in names]
    subtree.layout = best_form(layouts, subtree.fdt.root)


def _struct_layout(follow: Follow, subtree: Subtree) -> Layout | None:
    registry, blob = follow.handover.registry, subtree.blob
    for name in registry.found_by(f"KHO subtree {subtree.name}"):
        layout = registry.layout(name, follow.handover.environment)
        if isinstance(layout.root, NodeLayout) or blob is None:
            continue
        carrier, _, field_name = layout.carrier.partition(":")
        if carrier != "field":
            continue
        field = layout.struct().field(field_name)
        raw = bytes(blob[field.offset : field.offset + field.size])
        if layout.version is not None or c_string(raw)[0] == layout.compatible:
            return layout
    return None


def open_metadata(follow: Follow, subtree: Subtree) -> Metadata | None:
    """Provenance from the kexec-metadata blob. Source: include/linux/kho/abi/kexec_metadata.h."""
    layout, blob = subtree.layout, subtree.blob
    if layout is None or blob is None or layout.version is None:
        return None
    if len(blob) < layout.struct().size:
        return None
    record = follow.decoded(layout, layout.struct().name, blob, subtree.pa, subtree.path)
    if record is None or record.version != layout.version[1]:
        return None
    return Metadata(record.version, c_string(record.previous_release)[0], record.kexec_count, subtree.pa or 0, layout.name)


def open_memblock(follow: Follow, subtree: Subtree) -> list[Region]:
    """The reserve_mem regions of a memblock subtree. Source: include/linux/kho/abi/memblock.h."""
    layout = subtree.layout
    if layout is None or subtree.fdt is None or not isinstance(layout.root, NodeLayout) or not layout.root.children:
        return []
    regions = []
    for node in subtree.fdt.root.children:
        path = f"{subtree.path}/{node.name}"
        (start, pa), (size, _) = (
            number(follow, node, field, subtree.pa, path, "memblock-property") for field in layout.root.children[0].properties
        )
        if start is not None and size is not None:
            regions.append(Region(node.name, start, size, pa, path))
            follow.claim(start, size, path, "region", pa)
    return regions
