# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Builds the handover that a description asks for, in the form of any kernel that ever had one, into an Arena.

What the builder knows of bytes it takes from layouts, through ``codec.encode``: it shares the schemas with the reader and nothing else. How
links are followed (chains, areas, page lists, maps of preserved pages) it does by itself::

    root FDT -- map ----> chunks of bitmaps | radix tree              scratch array (preserved by nobody)
        |-- LUO --------> tree or struct --> sessions --> files --> record --> page lists --> folio records --> folios
        |                                `-> FLBs
        |-- memblock ---> tree --> regions
        `-- kexec-metadata
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from devstate.codec.encode import encode, encode_array
from devstate.fdt.model import Fdt, Node
from devstate.fdt.writer import IN_PLACE, SEQUENTIAL, write
from devstate.layout.model import Environment, Layout, NodeLayout, StructType, TargetLayout
from devstate.layout.registry import Registry
from devstate.memory.arena import Arena
from devstate.pagetable.native import radix_build
from devstate.pagetable.radix import Run, cut, radix_shape

UPTODATE = 2


@dataclass(frozen=True)
class File:
    """A memfd: ``content`` is its first bytes, the rest of ``size`` is zeros in memory; ``order`` that of its folios."""

    token: int
    content: bytes = b""
    size: int = 0
    pos: int = 0
    seals: int = 0
    order: int = 0


@dataclass(frozen=True)
class Session:
    name: str
    files: tuple[File, ...] = ()


@dataclass(frozen=True)
class Flb:
    name: str
    data: int
    count: int


@dataclass(frozen=True)
class Region:
    name: str
    size: int
    content: bytes = b""


@dataclass(frozen=True)
class Kernel:
    """The forms that one kernel writes, by schema name; None for what it does not have. ``release`` is what its metadata says."""

    kho: str
    luo: str | None = None
    memfd: str | None = None
    release: str | None = None


KERNELS = (
    Kernel("kho-v1@6.16"),
    Kernel("kho-v1"),
    Kernel("kho-v1", "luo-v1@6.19", "memfd-v1"),
    Kernel("kho-v1", "luo-v1", "memfd-v1"),
    Kernel("kho-v2", "luo-v1", "memfd-v2", "7.1.0-rc1"),
    Kernel("kho-v3@7.1-rc1", "luo-v1", "memfd-v2", "7.1.0-rc1"),
    Kernel("kho-v3", "luo-v1", "memfd-v2", "7.1.9"),
    Kernel("kho-v3", "luo-v2", "memfd-v2", "d376e4b55c9a"),
    Kernel("kho-v3", "luo-v3", "memfd-v2", "cf071b3536df"),
    Kernel("kho-v4", "luo-v4", "memfd-v2", "7.2.0-rc1"),
    Kernel("kho-v4", "luo-v5", "memfd-v2", "7.2.13"),
    Kernel("kho-v4", "luo-v5", "memfd-v2", "7.3.4"),
)
"""Every combination that mainline ever wrote, from 6.16 on (version map of the kernel's history). Where two commits of one series are
apart, no release has the combination, and the metadata names the commit."""

POSTED = (
    Kernel("kho-v1@radix", "luo-v1@head", "memfd-v1"),
    Kernel("kho-v2@radix", "luo-v1@head-flb", "memfd-v1"),
    Kernel("kho-v1", "luo-v1@session-v1"),
    Kernel("kho-v4;radix-v1;vmalloc-v1", "luo-v5;block-v1", "memfd-v2;vmalloc-v1", "7.2.0"),
)
"""Combinations that were posted, under strings that mainline has too."""


@dataclass(frozen=True)
class Wanted:
    """A whole handover. ``kexec_count`` is written by kernels with metadata only; ``scratch`` are (start, size) pairs.

    ``per_block`` and ``per_list`` are the most entries in a block of a chain and in a page of a page list (None: what fits), ``list_order``
    is the order of the blocks of folio arrays.
    """

    kernel: Kernel = KERNELS[-1]
    page_size: int = 4096
    byte_order: Literal["little", "big"] = "little"
    sessions: tuple[Session, ...] = ()
    flbs: tuple[Flb, ...] = ()
    regions: tuple[Region, ...] = ()
    liveupdate_num: int = 1
    kexec_count: int = 1
    scratch: tuple[tuple[int, int], ...] = ()
    per_block: int | None = None
    per_list: int | None = None
    list_order: int = 0


@dataclass
class Built:
    """Where things came to be. ``preserved`` are the blocks (address, order)."""

    arena: Arena
    fdt_pa: int = 0
    scratch: tuple[int, int] = (0, 0)
    preserved: list[Run] = field(default_factory=list)
    regions: dict[str, int] = field(default_factory=dict)


class Builder:
    """One handover in the making. ``page`` is the bytes of a page; everything is little by little put into ``arena``."""

    def __init__(self, wanted: Wanted, arena: Arena) -> None:
        self.wanted = wanted
        self.page = wanted.page_size
        self.environment = Environment(wanted.page_size, wanted.byte_order)
        self.registry = Registry.shipped()
        self.built = Built(arena)
        self.root = self.layout(wanted.kernel.kho)
        self.slab = 0

    def layout(self, name: str) -> Layout:
        return self.registry.layout(name, self.environment)

    def number(self, value: int, size: int = 8) -> bytes:
        return value.to_bytes(size, self.wanted.byte_order)

    # ---- memory ----

    @property
    def lowest_order(self) -> int:
        """The smallest block that the map can hold: the short tree of 16K pages has no keys for single pages."""
        target = _map_of(self.root)
        if target.kind != "radix":
            return 0
        shape = radix_shape(self.page, target.depth)
        return max(0, shape.key_bits - shape.leaf_bits - (shape.depth - 1) * shape.table_bits)

    def room(self, size: int, order: int | None = None) -> int:
        """Preserved memory for ``size`` bytes: a block of ``order``, or as many pages as it takes."""
        lowest = self.lowest_order
        if order is None:
            size = -(-max(size, 1) // (self.page << lowest)) * (self.page << lowest)
            pa = self.built.arena.alloc(size, align=self.page << lowest)
            self.built.preserved += cut([(int(pa), size)], self.page)
        else:
            order = max(order, lowest)
            pa = self.built.arena.alloc(order=order)
            self.built.preserved.append(Run(int(pa), 1, order))
        return int(pa)

    def put(self, data: bytes, size: int | None = None) -> int:
        """Preserved memory with ``data`` at its start."""
        pa = self.room(len(data) if size is None else size)
        self.built.arena.write(pa, data)
        return pa

    # ---- links ----

    def link(self, layout: Layout, target: TargetLayout, records: Sequence[Mapping[str, Any]]) -> int:
        """The address of ``records``, laid out as the target says; 0 for none in a chain or a plain area."""
        assert isinstance(target.element, StructType)
        struct = target.element.struct
        if target.kind == "blocks":
            return self.chain(layout, struct, records)
        if target.kind == "contiguous":
            return self.put(encode_array(layout, struct, records), target.size) if records else 0
        if target.kind == "counted":
            header = layout.struct(struct)
            given = {each.name: 1 for each in header.fields[:-1]} | {"count": len(records), header.fields[-1].name: list(records)}
            return self.put(encode(layout, given, struct), target.size)
        assert target.kind == "one" and len(records) == 1
        return self.put(encode(layout, records[0], struct))

    def chain(self, layout: Layout, struct: str, records: Sequence[Mapping[str, Any]]) -> int:
        """A chain of blocks, the last one laid out first, so that each knows the next."""
        head = self.layout("kho-block")
        step = min(self.wanted.per_block or len(records) or 1, (self.page - head.struct().size) // layout.struct(struct).size)
        pa = 0
        for first in reversed(range(0, len(records), step)):
            entries = records[first : first + step]
            pa = self.put(encode(head, {"next": pa, "count": len(entries)}) + encode_array(layout, struct, entries), self.page)
        return pa

    def page_list(self, layout: Layout, data: bytes) -> Mapping[str, Any]:
        """The kho_vmalloc of an area that holds ``data``."""
        order = max(self.wanted.list_order, self.lowest_order)
        block = self.page << order
        blocks = [self.room(block, order) for _ in range(-(-len(data) // block))]
        for number, pa in enumerate(blocks):
            self.built.arena.write(pa, data[number * block : (number + 1) * block])
        room = (self.page - 8) // 8
        step = min(self.wanted.per_list or room, room)
        first = 0
        for at in reversed(range(0, len(blocks), step)):
            entries = blocks[at : at + step]
            chunk = {"next": first, "phys": entries + [0] * (room - len(entries))}
            first = self.put(encode(layout, chunk, "kho_vmalloc_chunk"))
        return {"first": first, "total_pages": len(blocks) << order, "flags": 1 if order == 0 else 3, "order": order}

    # ---- files, sessions, FLBs ----

    def file(self, file: File) -> Mapping[str, Any]:
        """A luo_file_ser, and all that it leads to."""
        layout = self.layout(self.wanted.kernel.memfd or "")
        order = max(file.order, self.lowest_order)
        folios = []
        for index in range(0, -(-file.size // self.page), 1 << order):
            pa = self.room(self.page << order, order)
            piece = file.content[index * self.page : (index + (1 << order)) * self.page]
            self.built.arena.write(pa, piece)
            folios.append({"pfn": pa // self.page, "flags": UPTODATE | index & 1, "index": index})
        records = encode_array(layout, "memfd_luo_folio_ser", folios)
        area = self.page_list(layout, records) if folios else {"first": 0, "total_pages": 0, "flags": 0, "order": 0}
        body = {"pos": file.pos, "size": file.size, "nr_folios": len(folios), "folios": area}
        if any(each.name == "seals" for each in layout.struct().fields):
            body |= {"seals": file.seals, "flags": 0}
        data = self.put(encode(layout, body))
        return {"compatible": string(layout.compatible, 48), "data": data, "token": file.token}

    def session(self, layout: Layout, session: Session) -> Mapping[str, Any]:
        """A luo_session_ser: its files in a struct of their own, in itself, or not at all."""
        name = {"name": string(session.name, 64)}
        for struct, inside in (("luo_file_set_ser", True), ("luo_session_ser", False)):
            fields = next((each.fields for each in layout.structs if each.name == struct), ())
            links = [each.target for each in fields if each.name == "files"]
            if links and links[0] is not None:
                files = self.link(layout, links[0], [self.file(file) for file in session.files])
                counted = {"files": files, "count": len(session.files)}
                return name | ({"file_set_ser": counted} if inside else {"pgcnt": 1 if files else 0} | counted)
        return name

    def luo(self) -> bytes:
        """LUO's own blob, in the form of the kernel."""
        wanted = self.wanted
        layout = self.layout(wanted.kernel.luo or "")
        entries = {
            "session": [self.session(layout, session) for session in wanted.sessions],
            "flb": [{"name": string(flb.name, 48), "data": flb.data, "count": flb.count} for flb in wanted.flbs],
        }
        if not isinstance(layout.root, NodeLayout):
            return self.luo_struct(layout, layout.root, entries)
        properties = {"compatible": string(layout.compatible)}
        for prop in layout.root.properties:
            value = wanted.liveupdate_num
            if prop.target is not None and isinstance(prop.target.element, StructType):
                value = self.put(self.luo_struct(layout, prop.target.element.struct, entries))
            properties[prop.name] = self.number(value)
        nodes = []
        for child in layout.root.children:
            (prop,) = child.properties
            assert prop.target is not None
            pa = self.link(layout, prop.target, entries[child.name.removeprefix("luo-")])
            nodes.append(Node(child.name, {"compatible": string(child.compatible), prop.name: self.number(pa)}))
        return write(Fdt(Node("", properties, nodes)), SEQUENTIAL)

    def luo_struct(self, layout: Layout, name: str, entries: Mapping[str, Sequence[Mapping[str, Any]]]) -> bytes:
        struct = layout.struct(name)
        value: dict[str, Any] = {"liveupdate_num": self.wanted.liveupdate_num}
        for each in struct.fields:
            if each.name == "compatible":
                value["compatible"] = string(layout.compatible, each.size)
            elif each.target is not None:
                value[each.name] = self.link(layout, each.target, entries["session" if each.name == "sessions_pa" else "flb"])
        return encode(layout, value, name)

    # ---- KHO ----

    def memblock(self) -> bytes:
        layout = self.layout("memblock-v1")
        assert isinstance(layout.root, NodeLayout)
        region = layout.root.children[0]
        nodes = []
        self.built.arena.alloc()
        for each in self.wanted.regions:
            pa = self.built.regions[each.name] = self.put(each.content, each.size)
            self.built.arena.alloc()  # regions come from early boot, and so do their neighbours
            values = {"start": pa, "size": each.size}
            properties = {prop.name: self.number(values[prop.name], prop.size) for prop in region.properties}
            nodes.append(Node(each.name, {"compatible": string(region.compatible)} | properties))
        return write(Fdt(Node("", {"compatible": string(layout.compatible)}, nodes)), SEQUENTIAL)

    def subtrees(self) -> dict[str, bytes]:
        """The blobs by client, newest first, as a kernel has them."""
        wanted, blobs = self.wanted, {}
        if wanted.regions:
            blobs["memblock"] = self.memblock()
        if wanted.kernel.luo is not None:
            blobs["LUO"] = self.luo()
        if wanted.kernel.release is not None:
            value = {"version": 1, "previous_release": string(wanted.kernel.release, 65), "kexec_count": wanted.kexec_count}
            blobs["kexec-metadata"] = encode(self.layout("kexec-metadata"), value)
        return blobs

    def build(self) -> Built:
        """All of it; the memory map last, when all that is preserved is known, and the root when its address is."""
        assert isinstance(self.root.root, NodeLayout)
        built, shape = self.built, self.root.root
        built.fdt_pa = self.room(self.page, self.lowest_order)
        nodes = []
        for name, blob in self.subtrees().items():
            pa = self.put(blob)
            values = {prop.name: len(blob) if prop.name == "blob-size" else pa for prop in reversed(shape.children[0].properties)}
            nodes.append(Node(name, {prop: self.number(value) for prop, value in values.items()}))
        scratch = b"".join(self.number(number) for area in self.wanted.scratch for number in area)
        pa = int(built.arena.alloc(max(len(scratch), 1)))
        built.arena.write(pa, scratch)
        built.scratch = (pa, len(scratch))
        properties = {"compatible": string(self.root.compatible), shape.properties[0].name: self.number(self.map())}
        style = SEQUENTIAL if self.root.compatible == "kho-v1" else IN_PLACE
        built.arena.write(built.fdt_pa, write(Fdt(Node("", properties, nodes)), style))
        return built

    # ---- the memory map ----

    def map(self) -> int:
        """The map of what is preserved by now; its own pages are preserved by nobody."""
        target = _map_of(self.root)
        return self.radix(target.depth or 0) if target.kind == "radix" else self.chunks(target.size or 0)

    def radix(self, depth: int) -> int:
        runs = sorted(self.built.preserved, key=lambda run: (-run.order, run.pa))
        shape = radix_shape(self.page, depth)
        needed, _ = radix_build(runs, shape, [], self.wanted.byte_order)
        places = [int(self.built.arena.alloc()) for _ in range(needed)]
        _, pages = radix_build(runs, shape, places, self.wanted.byte_order)
        for number, pa in enumerate(places):
            self.built.arena.write(pa, pages[number * self.page : (number + 1) * self.page])
        return places[0]

    def chunks(self, size: int) -> int:
        """Chunks of bitmaps of ``size`` bytes, one chain for all orders."""
        bitmaps: dict[tuple[int, int], bytearray] = {}
        for run in self.built.preserved:
            block = self.page << run.order
            start, bit = divmod(run.pa // block, size * 8)
            word = bitmaps.setdefault((run.order, start * size * 8 * block), bytearray(size))
            at = bit // 64 * 8
            word[at : at + 8] = self.number(int.from_bytes(word[at : at + 8], self.wanted.byte_order) | 1 << bit % 64)
        rows: dict[int, list[Mapping[str, int]]] = {}
        for (order, start), bits in sorted(bitmaps.items()):
            pa = self.bitmap_room(size)
            self.built.arena.write(pa, bytes(bits))
            rows.setdefault(order, []).append({"phys_start": start, "bitmap": pa})
        room = (self.page - 16) // 16
        step = min(self.wanted.per_list or room, room)
        pa = 0
        for order, entries in sorted(rows.items()):
            for at in range(0, len(entries), step):
                some = entries[at : at + step]
                empty = [{"phys_start": 0, "bitmap": 0}] * (room - len(some))
                chunk = {"next": pa, "order": order, "num_elms": len(some), "bitmaps": [*some, *empty]}
                pa = int(self.built.arena.alloc())
                self.built.arena.write(pa, encode(self.root, chunk, "khoser_mem_chunk"))
        return pa

    def bitmap_room(self, size: int) -> int:
        """Memory for one bitmap. Those smaller than a page share pages, as in a slab, whose first slot somebody else has."""
        if size == self.page:
            return int(self.built.arena.alloc())
        if self.slab % self.page == 0:
            self.slab = int(self.built.arena.alloc()) + size
        self.slab += size
        return self.slab - size


def string(text: str | None, size: int = 0) -> bytes:
    """Text as the kernel stores it: NUL-terminated, and padded with zeros up to ``size``."""
    return ((text or "").encode() + b"\0").ljust(size, b"\0")


def _map_of(layout: Layout) -> TargetLayout:
    assert isinstance(layout.root, NodeLayout)
    target = layout.root.properties[0].target
    assert target is not None
    return target


def build(wanted: Wanted, arena: Arena | None = None) -> Built:
    """The handover in memory. EncodeError when the arena is full or a value does not fit its field."""
    arena = arena or Arena(page_size=wanted.page_size, byteorder=wanted.byte_order)
    return Builder(wanted, arena).build()
