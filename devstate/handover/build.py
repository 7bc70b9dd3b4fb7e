# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""build: from a Spec to a whole handover in an Arena, in the form of any kernel that ever had one; the twin of ``open``.

::

    root FDT -- map ----> chunks of bitmaps | radix tree              entry --> root FDT, scratch array
        |-- LUO --------> tree or struct --> sessions --> files --> record --> page lists --> folio records --> folios
        |                                `-> FLBs
        |-- memblock ---> tree --> regions
        |-- own clients
        `-- kexec-metadata

``open(build(x)) == x``. Formats are asked from the registry, by the names in the spec's forms and by where they are found.
"""

from __future__ import annotations

from devstate.codec.encode import encode
from devstate.errors import EncodeError, UsageError
from devstate.fdt.model import Fdt, Node
from devstate.fdt.writer import IN_PLACE, SEQUENTIAL, write
from devstate.frozen import frozen
from devstate.handover.build_entry import build_entry
from devstate.handover.build_links import Links, text
from devstate.handover.build_luo import build_luo
from devstate.handover.build_map import build_map, lowest_order
from devstate.handover.build_room import Room
from devstate.handover.build_rules import RELEASE_SIZE, check_spec
from devstate.layout.model import Environment, NodeLayout
from devstate.layout.registry import Registry
from devstate.memory.arena import Arena

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from devstate.handover.spec import Spec
    from devstate.layout.model import Layout, TargetLayout
    from devstate.memory.notes import HandoverNote
    from devstate.pagetable.radix import Run

MEMBLOCK, LUO, METADATA = "memblock", "LUO", "kexec-metadata"
"""Mainline's clients, newest first, as a kernel has them."""

STATE = "devstate"
"""devstate's own client."""

LEGACY = "kho-v1"
"""The root that was written in one go; later ones are edited in place when a client comes."""


@frozen
class Built:
    """Where things came to be. ``scratch`` is (address, bytes) of the array, ``entry_pa`` what leads to the root, ``placed`` addresses by
    place, ``preserved`` the blocks that hold what was built.
    """

    arena: Arena
    fdt_pa: int
    scratch: tuple[int, int]
    entry_pa: int | None
    placed: Mapping[str, int]
    preserved: tuple[Run, ...]

    def note(self, release: str | None = None) -> HandoverNote:
        """What a core with this handover says about it."""
        from devstate.memory.notes import HandoverNote

        pa, size = self.scratch if self.scratch[1] else (None, None)
        return HandoverNote(self.fdt_pa, pa, size, self.arena.page_size, release)


def build(spec: Spec, arena: Arena | None = None, registry: Registry | None = None) -> Built:
    """The handover that ``spec`` describes, in ``arena`` (a fresh one by default).

    EncodeError, with the place in the spec, for what cannot be built: a broken rule, a full arena, a pin on memory that is taken.
    UsageError for a form that is not known, or that is of something else.
    """
    registry = registry or Registry.shipped()
    environment = Environment(spec.page_size, spec.byte_order)
    layout = registry.layout(spec.forms.kho, environment)
    root, target = _root(layout)
    check_spec(spec)
    arena = arena or Arena(page_size=spec.page_size, byteorder=spec.byte_order)
    room = Room(arena, spec.page_size, lowest_order(target, environment), spec.pins, hollow=spec.hollow)
    links = Links(spec, room, registry, environment)
    fdt_pa = room.take("kho", spec.page_size)
    nodes = _clients(links, root.children[0])
    array = b"".join(links.number(number) for area in spec.scratch for number in area)
    scratch = room.aside("scratch", array), len(array)
    entry_pa = build_entry(links, fdt_pa, scratch) if spec.entry is not None else None
    map_pa = build_map(links, layout, target)
    properties = {"compatible": text(layout.compatible), root.properties[0].name: links.number(map_pa)}
    blob = write(Fdt(Node("", properties, nodes)), SEQUENTIAL if layout.compatible == LEGACY else IN_PLACE)
    links.fits(len(blob), spec.page_size, "kho")
    arena.write(fdt_pa, blob)
    unused = room.unused()
    if unused is not None:
        raise EncodeError("a pin of something that is not built", path=f"pins.{unused}")
    return Built(arena, fdt_pa, scratch, entry_pa, room.placed, tuple(room.preserved))


def _root(layout: Layout) -> tuple[NodeLayout, TargetLayout]:
    """The root's node and what its map is."""
    root = layout.root
    target = root.properties[0].target if isinstance(root, NodeLayout) and root.properties and root.children else None
    if not isinstance(root, NodeLayout) or target is None or target.kind not in ("radix", "chunks"):
        raise UsageError(f"{layout.name} is no form of KHO's root that can be built")
    return root, target


def _clients(links: Links, shape: NodeLayout) -> list[Node]:
    """The nodes of the clients, their blobs in memory."""
    nodes, orders = [], {each.name: each.order for each in links.spec.subtrees}
    for name, blob in _blobs(links).items():
        pa = links.room.put(f"subtree/{name}", blob, order=orders.get(name))
        values = {prop.name: len(blob) if prop.name == "blob-size" else pa for prop in reversed(shape.properties)}
        nodes.append(Node(name, {prop: links.number(value) for prop, value in values.items()}))
    return nodes


def _blobs(links: Links) -> dict[str, bytes]:
    """The blobs by client, in the order of the root."""
    spec = links.spec
    blobs = {each.name: each.blob for each in spec.subtrees}
    if spec.regions:
        blobs[MEMBLOCK] = _memblock(links)
    if spec.forms.luo is not None:
        blobs[LUO] = build_luo(links, spec.forms.luo)
    if spec.forms.release is not None:
        release = text(spec.forms.release, RELEASE_SIZE, METADATA)
        layout = links.registry.layout(links.registry.found_by(f"KHO subtree {METADATA}")[0], links.environment)
        version = layout.version[1] if layout.version is not None else 1
        blobs[METADATA] = encode(layout, {"version": version, "previous_release": release, "kexec_count": spec.kexec_count})
    if spec.parts or spec.guests or spec.devices:
        blobs[STATE] = _state(links)
    return {name: blobs[name] for name in dict.fromkeys([*(each for each in spec.subtree_order if each in blobs), *blobs])}


def _state(links: Links) -> bytes:
    from devstate.handover.build_devices import device_parts
    from devstate.handover.build_guests import guest_parts
    from devstate.handover.build_state import build_state

    guests = [part for guest in links.spec.guests for part in guest_parts(links, guest)]
    return build_state(links, (*links.spec.parts, *guests, *device_parts(links, links.spec.devices)))


def _memblock(links: Links) -> bytes:
    layout = links.registry.layout(links.registry.found_by(f"KHO subtree {MEMBLOCK}")[0], links.environment)
    assert isinstance(layout.root, NodeLayout)  # as its only schema is
    shape = layout.root.children[0]
    nodes = []
    for each in links.spec.regions:
        pa = links.room.apart(f"memblock/{each.name}", each.size)
        links.room.arena.write(pa, memoryview(each.content)[: each.size])
        values = {"start": pa, "size": each.size}
        properties = {prop.name: links.number(values[prop.name], prop.size) for prop in shape.properties}
        nodes.append(Node(each.name, {"compatible": text(shape.compatible)} | properties))
    return write(Fdt(Node("", {"compatible": text(layout.compatible)}, nodes)), SEQUENTIAL)
