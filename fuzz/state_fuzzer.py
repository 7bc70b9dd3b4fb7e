# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Any bytes as the subtree devstate: opening, decoding every part and judging it end in values or errors of ours.

The bytes are the blob itself; and, so that fuzzing gets past devicetree, fingerprint and checksum, two bytes of length, an embedded layout
of that length, to which the fingerprint is made fit, and the bytes of a part of it.
"""

from __future__ import annotations

import msgpack

from devstate.check.run import check
from devstate.codec.decode import decode
from devstate.codec.encode import encode
from devstate.codec.text import from_json, to_json
from devstate.errors import DecodeError, DevstateError, EncodeError
from devstate.fdt.model import Fdt, Node
from devstate.fdt.reader import read_partial
from devstate.fdt.writer import write
from devstate.handover.build import build
from devstate.handover.claims import Claims
from devstate.handover.follow import Follow
from devstate.handover.model import Handover, Subtree
from devstate.handover.open import open_memory
from devstate.handover.spec import Forms, GuestSpec, PartSpec, Spec
from devstate.handover.state import open_state
from devstate.layout.baseline import fingerprint
from devstate.layout.model import Environment
from devstate.layout.plain import to_plain
from devstate.layout.registry import Registry
from devstate.layout.sound import layout_from_input
from devstate.pagetable.native import crc32c


def one_input(data: bytes) -> None:
    """The property. Whatever else than an error of ours is raised is a bug."""
    _blob(data)
    end = 2 + int.from_bytes(data[:2], "big")
    layout, content = data[2:end], data[end:]
    _layout(layout, content)
    _blob(framed(layout, content))


def seeds() -> list[bytes]:
    """A whole subtree, and every shipped layout whose root is a struct, with zeros to read."""
    registry = Registry.shipped()
    extents = tuple({"gpa": at << 12, "pa": 0, "size": 4096, "node": 0, "owner": 0, "page_shift": 12, "flags": 0} for at in range(20))
    parts = (PartSpec("x/many", "guest-memory-v1", extents, "ds_guest_extent", many=True),)
    spec = Spec(Forms("kho-v4"), parts=parts, guests=(GuestSpec("vm", ()),))
    built = build(spec)
    found = [bytes(open_memory(built.arena.view(), fdt=built.fdt_pa).subtrees[0].blob or b"")]
    for name in registry.summaries:
        layout = registry.layout(name, Environment())
        if isinstance(layout.root, str):
            packed = msgpack.packb(to_plain(layout))
            found.append(len(packed).to_bytes(2, "big") + packed + bytes(min(layout.struct().size, 4096)))
    return found


def framed(layout: bytes, content: bytes) -> bytes:
    """A subtree with one layout, one part that stands in its node and one in a section, all sums right."""
    name = named(layout)
    properties = {"layout": name.encode() + b"\0"}
    section = (0).to_bytes(8, "little") + len(content).to_bytes(8, "little") + crc32c(content).to_bytes(4, "little")
    parts = [Node("one", properties | {"state": content}), Node("two", properties | {"count": bytes(8), "section": section})]
    root = Node("", {"compatible": b"devstate-v1\0"}, [Node("layouts", {}, [Node(name, {"data": layout})]), Node("x", {}, parts)])
    return write(Fdt(root))


def named(layout: bytes) -> str:
    """The fingerprint that fits, where the bytes are anything that has one."""
    try:
        return fingerprint(msgpack.unpackb(layout, strict_map_key=True))
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException):
        return "0" * 16


def _blob(data: bytes) -> None:
    try:
        fdt, _ = read_partial(data)
    except DecodeError:
        return
    handover = Handover("fuzz", None, Environment(), Registry.shipped(), Claims())
    subtree = Subtree("devstate", 0x1000, None)
    subtree.fdt = fdt
    handover.state = open_state(Follow(handover), subtree)
    check(handover)
    for part in handover.state.parts if handover.state is not None else ():
        if part.layout is not None and part.data is not None:
            try:
                rows = part.records()
            except DevstateError:
                continue
            for record in rows[:4]:
                to_json(part.layout, record)


def _layout(data: bytes, content: bytes) -> None:
    """A layout that is taken decodes, or refuses, any bytes; what it decodes encodes to the same, and so does its JSON."""
    try:
        layout = layout_from_input(data, named(data))
    except DecodeError:
        return
    for struct in layout.structs:
        try:
            record = decode(layout, content, struct.name, exact=True)
        except (DecodeError, DevstateError):
            continue
        assert encode(layout, record, struct.name) == bytes(content)
        try:
            assert from_json(layout, to_json(layout, record), struct.name) == record
        except EncodeError as error:
            raise AssertionError(f"its JSON is not taken back: {error}") from error


def main() -> None:
    from driver import run

    run(one_input, seeds())


if __name__ == "__main__":
    main()
