# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The edits of a campaign: for each kind of record, field and value, some places of a real handover where it can be made."""

from __future__ import annotations

import re
from collections.abc import Iterator

from devstate.frozen import frozen
from devstate.handover.model import PreservedFile
from tests.check.edits import Edited

WILD = 0x7FF000000000
"""Where no machine has memory."""


UNKNOWABLE = (
    r" token ",
    r"session \S+ name (changed|shorter|longer|upper|first byte 0)",
    r" pos ",
    r" seals ",
    r" size (\+1|-1|1|/2)$",
    r"compatible (pci|iommufd)-v1",
    r" to ",
    r"next page$|page before$",
    r"size_strings -4",
    r"tag 2 as 1",
    r"memblock\S+ node ",
)
"""Edits whose result is a handover that some user may have made, or garbage of which only its bytes tell what it does:
another token, name, position or seal, a size within the last page; a format that kernels with posted patches read; a pointer to
another struct or to the page beside; the name of a region, which only the command line knows.
"""


@frozen
class Kind:
    """One edit: ``data`` at ``pa``."""

    name: str
    pa: int
    data: bytes


def is_knowable(kind: Kind) -> bool:
    """Whether check is held to the class of this edit."""
    return not any(re.search(pattern, kind.name) for pattern in UNKNOWABLE)


def kinds(e: Edited) -> Iterator[Kind]:
    """Every edit of this capture, without those that change nothing."""
    seen: set[tuple[int, bytes]] = set()
    for make in (root, tree, luo, flbs, metadata, sessions, files, memfds, lists, folios, regions):
        for kind in make(e):
            if bytes(e.memory.read(kind.pa, len(kind.data))) != kind.data and (kind.pa, kind.data) not in seen:
                seen.add((kind.pa, kind.data))
                yield kind


def ints(e: Edited, name: str, pa: int, size: int, *more: int) -> Iterator[Kind]:
    """An integer field: 0, neighbours, ends, the high bit, the neighbouring field's value."""
    value = int.from_bytes(e.memory.read(pa, size), "little")
    last = (1 << 8 * size) - 1
    neighbour = int.from_bytes(e.memory.read(pa + size, size), "little") if e.memory.contains(pa + size, size) else 0
    values = {"0": 0, "1": 1, "+1": value + 1, "-1": value - 1, "*2": value * 2, "/2": value // 2, "max": last, "half": last >> 1,
              "high bit": value ^ (last >> 1) + 1, "neighbour": neighbour}  # fmt: skip
    values |= {hex(number): number for number in more}
    for text, number in values.items():
        yield Kind(f"{name} {text}", pa, (number & last).to_bytes(size, "little"))


def pointers(e: Edited, name: str, pa: int) -> Iterator[Kind]:
    """An address: nowhere, beyond, beside, or that of something else."""
    value = e.memory.u64(pa)
    values = {"0": 0, "wild": WILD, "just beyond": 1 << 40, "+8": value + 8, "+1": value + 1, "+16": value + 16, "next page": value + 4096,
              "page before": value - 4096, "high bit": value | 1 << 63}  # fmt: skip
    values |= {f"to {what}": where for what, where in structs(e).items()}
    for text, number in values.items():
        yield Kind(f"{name} {text}", pa, (number & (1 << 64) - 1).to_bytes(8, "little"))


def structs(e: Edited) -> dict[str, int]:
    """One of each kind of page."""
    handover, found = e.opened, {}
    found["root"] = handover.fdt_pa or 0
    found["map"] = handover.memory_map_pa or 0
    found |= {f"subtree {subtree.name}": subtree.pa or 0 for subtree in handover.subtrees}
    if handover.luo is not None and handover.luo.record is not None:
        found["sessions"], found["flbs"] = handover.luo.record.sessions_pa, handover.luo.record.flbs_pa
    for session in [session for session in handover.luo.sessions if session.files][-2:] if handover.luo is not None else ():
        found[f"files {session.name}"] = session.record.file_set_ser.files
    for file in [file for file in handover.files if file.nr_folios][-1:]:
        found["memfd"] = file.data_pa
        assert file.pages is not None
        found["list"], found["array"] = file.pages.lists[0], file.pages.blocks[0]
        found["data"] = (e.memory.u64(file.pages.blocks[0]) & (1 << 52) - 1) * 4096
    return found


def texts(e: Edited, name: str, pa: int, size: int, *known: bytes) -> Iterator[Kind]:
    """A string field: empty, unterminated, tails, other strings."""
    now = bytes(e.memory.read(pa, size))
    text = now.partition(b"\0")[0]
    for what, value in {"empty": b"", "first byte 0": b"\0" + now[1:], "tail": text + b"\0x", "changed": text[:-1] + b"9",
                        "shorter": text[:-1], "longer": text + b"x", "upper": text.upper(), "full": text.ljust(size, b"x"),
                        "last byte": now[:-1] + b"x", "binary": b"\xff" * size}.items():  # fmt: skip
        yield Kind(f"{name} {what}", pa, value.ljust(size, b"\0")[:size])
    for other in known:
        yield Kind(f"{name} {other.decode()}", pa, other.ljust(size, b"\0")[:size])


def root(e: Edited) -> Iterator[Kind]:
    """The root devicetree: header, then each property, name and token."""
    fdt = e.opened.fdt_pa or 0
    for index, field in enumerate(
        ("magic", "totalsize", "off_struct", "off_strings", "off_rsv", "version", "last_comp", "cpu", "size_strings", "size_struct")
    ):
        value = int.from_bytes(e.memory.read(fdt + 4 * index, 4), "big")
        for text, number in {"0": 0, "+4": value + 4, "-4": value - 4, "max": 0xFFFFFFFF, "+1": value + 1}.items():
            yield Kind(f"fdt {field} {text}", fdt + 4 * index, (number & 0xFFFFFFFF).to_bytes(4, "big"))
    yield from devicetree(e, "root", fdt)
    yield from pointers(e, "map", payload(e, "preserved-memory-map"))
    for subtree in e.opened.subtrees:
        if subtree.data_pa is not None and subtree.size_pa is not None:
            yield from pointers(e, f"{subtree.name} address", subtree.data_pa)
            yield from ints(e, f"{subtree.name} size", subtree.size_pa, 8, 3, 4, 24, 31, 32, 33, 72, 73, 74, 4096, 1 << 40)


def payload(e: Edited, name: str) -> int:
    """Where a property of the root has its value."""
    assert e.opened.fdt is not None and e.opened.fdt_pa is not None
    prop = e.opened.fdt.root.property(name)
    assert prop is not None and prop.offset is not None
    return e.opened.fdt_pa + prop.offset


def devicetree(e: Edited, name: str, pa: int) -> Iterator[Kind]:
    """Each token of a tree: NOPs over a property, lengths, names of properties and of nodes, strings."""
    blob = bytes(e.memory.read(pa, 4096))
    word = lambda at: int.from_bytes(blob[at : at + 4], "big")  # noqa: E731
    at, strings, end = word(8), word(12), word(8) + word(36)
    while at < end:
        tag, here = word(at), f"{name}[{at:#x}]"
        for other in (0, 1, 2, 3, 4, 9):
            yield Kind(f"{here} tag {tag} as {other}", pa + at, other.to_bytes(4, "big"))
        if tag == 1:
            stop = blob.index(0, at + 4)
            text = blob[at + 4 : stop]
            for index in {0, len(text) - 1} if text else ():
                yield Kind(f"{here} node {text.decode()} char {index}", pa + at + 4 + index, b"p")
            if text:
                yield Kind(f"{here} node {text.decode()} ends with @", pa + at + 4 + len(text) - 1, b"@")
                yield Kind(f"{here} node {text.decode()} char /", pa + at + 4, b"/")
                yield Kind(f"{here} node {text.decode()} shorter", pa + at + 4 + len(text) - 1, b"\0")
            at = stop + 4 & ~3
        elif tag == 3:
            length, text_at = word(at + 4), word(at + 8)
            text = blob[strings + text_at : blob.index(0, strings + text_at)]
            size = 12 + (length + 3 & ~3)
            yield Kind(f"{here} {text.decode()} is NOPs", pa + at, b"\0\0\0\4" * (size // 4))
            for number in (0, 4, 7, 9, 16, length + 1, length - 1, 0xFFFFFFFF, 1 << 20):
                yield Kind(f"{here} {text.decode()} length {number}", pa + at + 4, (number & 0xFFFFFFFF).to_bytes(4, "big"))
            for number in (0, 11, text_at + 1, 0xFFFF, 0xFFFFFFFF):
                yield Kind(f"{here} {text.decode()} name offset {number}", pa + at + 8, number.to_bytes(4, "big"))
            if text == b"compatible":
                yield from texts(e, f"{here} compatible", pa + at + 12, length, b"kho-v3", b"kho-v9", b"\0kho-v4", b"memblock-v2")
            at += size
        else:
            at += 4
    at, end = strings, strings + word(32)
    while at < end:
        stop = blob.index(0, at)
        yield Kind(f"{name} string {blob[at:stop].decode()} changed", pa + at, b"q")
        yield Kind(f"{name} string {blob[at:stop].decode()} runs on", pa + stop, b"q")
        at = stop + 1


def tree(e: Edited) -> Iterator[Kind]:
    """The radix tree: words of tables, bits of each kind of page in the bitmaps."""
    preserved = e.opened.preserved
    assert preserved is not None
    nodes = preserved.map.node_pages
    tables = [pa for pa in nodes if any(e.memory.u64(pa + 8 * i) in nodes for i in range(512))]
    for pa in tables:
        used = [i for i in range(512) if e.memory.u64(pa + 8 * i)]
        for index in used[:3]:
            yield from pointers(e, f"table {pa:#x}[{index}]", pa + 8 * index)
            for other in nodes[:8]:
                yield Kind(f"table {pa:#x}[{index}] to node {other:#x}", pa + 8 * index, other.to_bytes(8, "little"))
        for index in (0, 1, used[0] + 1, 100, 511):
            for other in (nodes[-1], tables[-1], WILD, 1):
                yield Kind(f"table {pa:#x}[{index}] becomes {other:#x}", pa + 8 * index, other.to_bytes(8, "little"))
    yield from bits(e)


def bits(e: Edited) -> Iterator[Kind]:
    """Bits of the map: lost ones of each kind of page, further ones near and far, in other orders."""
    preserved = e.opened.preserved
    assert preserved is not None
    pages = {what: pa for what, pa in structs(e).items() if what not in ("map",)}
    for file in e.opened.files[:6]:
        for number in (0, 1, (file.nr_folios or 0) - 1):
            at = file.pages.where(number * 16) if file.pages is not None and 0 <= number < (file.nr_folios or 0) else None
            if at is not None:
                pages[f"folio {file.path}[{number}]"] = (e.memory.u64(at) & (1 << 52) - 1) * 4096
    for region in e.opened.regions:
        pages[f"region {region.name}"] = region.start
    for what, pa in pages.items():
        order = preserved.order_at(pa)
        if order is not None:
            yield from bit(e, f"lost {what} order {order}", pa, order, False)
            for other in range(order):
                yield from bit(e, f"also order {other} {what}", pa, other, True)
        for other in range((order or 0) + 1, 11):
            yield from bit(e, f"also order {other} {what}", pa & ~((4096 << other) - 1), other, True)
    for start, end in zip(preserved.map.edges[0::2], preserved.map.edges[1::2], strict=True):
        yield from bit(e, f"extra after {start:#x}", end, 0, True)
    for pa in (0, 0x1000, 0x100000, 0x8000000 - 4096, 0x10000000 - 4096, 0x10000000, 0x20000000, 0x40000000, 0x100000000):
        yield from bit(e, f"extra at {pa:#x}", pa, 0, True)
    for start, size in e.opened.scratch or ():
        if size:
            yield from bit(e, f"extra in scratch {start:#x}", start + 0x5000, 0, True)


def bit(e: Edited, name: str, pa: int, order: int, value: bool) -> Iterator[Kind]:
    """Set or clear one bit, where its bitmap exists."""
    assert e.opened.preserved is not None
    place = e.opened.preserved.word(pa, order)
    if place is not None:
        at, mask = place[0] + place[1] // 8, 1 << place[1] % 8
        byte = e.memory.read(at, 1)[0]
        yield Kind(f"bit {name} ({pa:#x})", at, bytes([byte | mask if value else byte & ~mask]))


def luo(e: Edited) -> Iterator[Kind]:
    """luo_ser."""
    state = e.opened.luo
    if state is None or state.pa is None:
        return
    yield from texts(e, "luo compatible", state.pa, 8, b"luo-v1", b"luo-v4", b"luo-v6", b"luo-v5\0\1")
    yield from ints(e, "luo number", state.pa + 8, 8)
    yield from pointers(e, "sessions_pa", state.pa + 16)
    yield from pointers(e, "flbs_pa", state.pa + 24)


def flbs(e: Edited) -> Iterator[Kind]:
    """The FLB area."""
    state = e.opened.luo
    if state is None or state.flb_header is None:
        return
    pa = state.flb_header[0]
    yield from ints(e, "flb pgcnt", pa, 8)
    yield from ints(e, "flb count", pa + 8, 8, 63, 64)
    for flb in state.flbs:
        yield from texts(e, f"flb {flb.name}", flb.pa, 48, b"liveupdate-test-flb-v0", b"no-such-flb")
        yield from ints(e, f"flb {flb.name} data", flb.pa + 48, 8)
        yield from ints(e, f"flb {flb.name} references", flb.pa + 56, 8)


def metadata(e: Edited) -> Iterator[Kind]:
    """kexec-metadata."""
    if e.opened.metadata is not None:
        pa = e.opened.metadata.pa
        yield from ints(e, "metadata version", pa, 4)
        yield from texts(e, "metadata release", pa + 4, 65, b"7.2.13", b"6.19.1", b"rubbish")
        yield from ints(e, "metadata count", pa + 69, 4)


def sessions(e: Edited) -> Iterator[Kind]:
    """Session blocks and their entries."""
    state = e.opened.luo
    if state is None or state.record is None:
        return
    at = state.record.sessions_pa
    while at:
        yield from pointers(e, f"session block {at:#x} next", at)
        yield from ints(e, f"session block {at:#x} count", at + 8, 8, 51, 52, 63, 64)
        at = e.memory.u64(at)
    some = [*state.sessions[:2], *state.sessions[-1:]]
    for session in some:
        others = [other.name.encode() for other in state.sessions[:2]]
        yield from texts(e, f"session {session.name} name", session.pa, 64, *others)
        yield from pointers(e, f"session {session.name} files", session.pa + 64)
        yield from ints(e, f"session {session.name} count", session.pa + 72, 8)


def files(e: Edited) -> Iterator[Kind]:
    """File blocks and their entries."""
    chosen = [session for session in e.opened.luo.sessions if session.files][:2] if e.opened.luo is not None else []
    for session in chosen:
        at = session.record.file_set_ser.files
        while at:
            yield from pointers(e, f"file block {at:#x} next", at)
            yield from ints(e, f"file block {at:#x} count", at + 8, 8, 51, 52, 63, 64)
            at = e.memory.u64(at)
        for file in [*session.files[:3], *session.files[-1:]]:
            yield from texts(e, f"{file.path} compatible", file.pa, 48, b"memfd-v1", b"pci-v1", b"iommufd-v1")
            yield from pointers(e, f"{file.path} data", file.pa + 48)
            yield from ints(e, f"{file.path} token", file.pa + 56, 8, *(other.token for other in session.files[:3]))


def chosen_files(e: Edited) -> list[PreservedFile]:
    """A few files, those with folios of other orders first."""
    assert e.opened.preserved is not None
    return [*e.opened.files[:4], *e.opened.files[-2:]]


def memfds(e: Edited) -> Iterator[Kind]:
    """memfd_luo_ser."""
    for file in chosen_files(e):
        pa = file.data_pa
        yield from ints(e, f"{file.path} pos", pa, 8)
        yield from ints(e, f"{file.path} size", pa + 8, 8, 4096, 4097, 1 << 40)
        yield from ints(e, f"{file.path} seals", pa + 16, 4, 0x20, 0x21, 0x3F, 0x40, 0x41)
        yield from ints(e, f"{file.path} flags", pa + 20, 4)
        yield from ints(e, f"{file.path} nr_folios", pa + 24, 8, 255, 256, 257, 1 << 40)
        yield from pointers(e, f"{file.path} first", pa + 32)
        yield from ints(e, f"{file.path} total_pages", pa + 40, 4, 2, 3)
        yield from ints(e, f"{file.path} vmalloc flags", pa + 44, 2)
        yield from ints(e, f"{file.path} vmalloc order", pa + 46, 2, 2, 9, 31, 32)


def lists(e: Edited) -> Iterator[Kind]:
    """Pages of a page list."""
    for file in chosen_files(e):
        for at in list(file.pages.lists)[:2] if file.pages is not None else ():
            yield from pointers(e, f"{file.path} list next", at)
            for number in range(min(len(file.pages.blocks), 2) + 1 if file.pages is not None else 0):
                yield from pointers(e, f"{file.path} list[{number}]", at + 8 + 8 * number)


def folios(e: Edited) -> Iterator[Kind]:
    """Records of folio arrays: page, flags, index."""
    other = next((file for file in reversed(e.opened.files) if file.nr_folios), None)
    for file in chosen_files(e):
        count = file.nr_folios or 0
        for number in sorted({0, 1, count // 2, count - 2, count - 1}) if file.pages is not None else ():
            at = file.pages.where(number * 16) if 0 <= number < count and file.pages is not None else None
            if at is None:
                continue
            word = e.memory.u64(at)
            pfn, name = word & (1 << 52) - 1, f"{file.path} folio {number}"
            there = [where for where in (file.pages.where((number + step) * 16) for step in (-1, 1) if 0 <= number + step < count) if where]
            values = {"0": 0, "1": 1, "+1": pfn + 1, "-1": pfn - 1, "wild": 1 << 40, "max": (1 << 52) - 1, "just beyond": 1 << 28}
            values |= {f"that of {where:#x}": e.memory.u64(where) & (1 << 52) - 1 for where in there}
            values |= {f"of {what}": pa // 4096 for what, pa in structs(e).items()}
            if other is not None and other is not file and other.pages is not None and other.pages.where(16) is not None:
                values["of another file"] = e.memory.u64(other.pages.where(16) or 0) & (1 << 52) - 1
            for text, number_ in values.items():
                yield Kind(f"{name} pfn {text}", at, (word >> 52 << 52 | number_ & (1 << 52) - 1).to_bytes(8, "little"))
            for flags in (0, 1, 2, 3, 7, 0xFFF, 4):
                yield Kind(f"{name} flags {flags:#x}", at, (pfn | flags << 52).to_bytes(8, "little"))
            yield Kind(f"{name} all 0", at, bytes(16))
            yield from ints(e, f"{name} index", at + 8, 8, 100000, 0xFFFFFFFF, *(e.memory.u64(where + 8) for where in there))


def regions(e: Edited) -> Iterator[Kind]:
    """memblock's tree: tokens, then start and size of each region."""
    subtree = e.opened.subtree("memblock")
    if subtree is None or subtree.pa is None:
        return
    yield from devicetree(e, "memblock", subtree.pa)
    for index in range(10):
        value = int.from_bytes(e.memory.read(subtree.pa + 4 * index, 4), "big")
        for number in (0, value + 4, 0xFFFFFFFF):
            yield Kind(f"memblock header {index} {number:#x}", subtree.pa + 4 * index, (number & 0xFFFFFFFF).to_bytes(4, "big"))
    for region in e.opened.regions:
        assert region.pa is not None and subtree.fdt is not None
        yield from pointers(e, f"region {region.name} start", region.pa)
        yield from ints(e, f"region {region.name} start", region.pa, 8, region.start + 0x10000, region.start - 0x10000)
        node = subtree.fdt.root.child(region.name)
        size = node.property("size") if node is not None else None
        if size is not None and size.offset is not None:
            yield from ints(e, f"region {region.name} size", subtree.pa + size.offset, 8, region.size + 4096, region.size - 4096)
