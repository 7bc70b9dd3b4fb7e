# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The subtree devstate: what is built is opened equal by its embedded layouts alone, damage is said part by part, guests are judged."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.check.run import check
from devstate.codec.convert import values_of
from devstate.codec.decode import decode
from devstate.errors import DevstateError, EncodeError
from devstate.fdt.model import Fdt, Node
from devstate.fdt.reader import read
from devstate.fdt.writer import write
from devstate.finding import Finding, Reaction
from devstate.frozen import replace
from devstate.handover import state
from devstate.handover.build import Built, build
from devstate.handover.build_state import INLINE_MAX
from devstate.handover.claims import Claims
from devstate.handover.convert import carry_out, convert
from devstate.handover.follow import Follow
from devstate.handover.guests import guests_of
from devstate.handover.model import Handover, Subtree
from devstate.handover.open import open_memory
from devstate.handover.ownership import find_owners
from devstate.handover.rebuild import rebuild
from devstate.handover.spec import FileSpec, GuestRange, GuestSpec, PartSpec, RegionSpec, SessionSpec, Spec
from devstate.handover.state import open_state
from devstate.layout.compiling import compile_schemas
from devstate.layout.model import PAGE_SIZES, Environment
from devstate.layout.plain import to_plain
from devstate.layout.registry import Registry
from devstate.schema import U8, U64, Schema, Struct
from tests.codec.strategies import records
from tests.handover.builders import KERNELS
from tests.handover.test_versions import SCRATCH, opened

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "fuzz"))
import driver
from state_fuzzer import one_input, seeds

REGISTRY = Registry.shipped()
NEWEST = KERNELS[-1]
SMALL = 512
"""Bytes of the structs that are drawn: pages full of words cost much and show nothing else."""

STRUCTS = [
    (name, struct.name)
    for name in REGISTRY.summaries
    for layout in (REGISTRY.layout(name, Environment()),)
    for struct in layout.structs
    if isinstance(layout.root, str) and 0 < struct.size <= SMALL
]
MIB = 1 << 20

GUEST = GuestSpec(
    "vm0",
    (
        GuestRange(0, MIB, "vm", 1, flags=("shared",)),
        GuestRange(1 << 30, 2 * MIB, "vm", 2, node=1, flags=("private", "pinned")),
        GuestRange(1 << 32, 3 << 16, region="trace", offset=1 << 16),
    ),
)
FULL = Spec(
    NEWEST,
    sessions=(SessionSpec("vm", (FileSpec(1, b"ram", MIB), FileSpec(2, b"x", 2 * MIB, order=9))),),
    regions=(RegionSpec("trace", 1 << 18),),
    scratch=SCRATCH,
    guests=(GUEST,),
)


def found(built: Built, registry: Registry = REGISTRY) -> Handover:
    return open_memory(built.arena.view(), fdt=built.fdt_pa, scratch=built.scratch if built.scratch[1] else None, registry=registry)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_open_gives_what_was_built(data: st.DataObject) -> None:
    """Parts of any shipped format, one record or many, in node, section or memory, on any page size, in any byte order, below any root;
    decoded by the layouts that are embedded, which are those that the registry has.
    """
    environment = data.draw(st.builds(Environment, st.sampled_from(PAGE_SIZES), st.sampled_from(("little", "big"))))
    kernel = data.draw(st.sampled_from(KERNELS))
    parts, wanted = [], {}
    for at in range(data.draw(st.integers(1, 5))):
        name, struct = data.draw(st.sampled_from(STRUCTS))
        layout = REGISTRY.layout(name, environment)
        many = not layout.struct(struct).flexible and data.draw(st.booleans())
        count = data.draw(st.integers(0, 4)) if many else 1
        drawn = [decode(layout, data.draw(records(layout, struct)), struct, exact=True) for _ in range(count)]
        path = f"{data.draw(st.sampled_from(('iommu', 'kvm')))}/object{at}"
        place = data.draw(st.sampled_from((None, "state", "section", "memory")))
        parts.append(PartSpec(path, name, tuple(values_of(each) for each in drawn), struct, many, place))
        wanted[f"devstate/{path}"] = (layout, drawn)
    if environment.page_size == 16384 and kernel.kho in ("kho-v2", "kho-v3@7.1-rc1"):
        kernel = NEWEST
    spec = Spec(kernel, environment.page_size, environment.byte_order, parts=tuple(parts))
    handover = found(build(spec))
    # noise leads anywhere
    assert {"state-link", "state-memory"} >= {each.code for each in handover.problems} and handover.state is not None
    assert sorted(wanted) == sorted(part.path for part in handover.state.parts)
    for part in handover.state.parts:
        layout, drawn = wanted[part.path]
        assert layout == part.layout
        assert [values_of(each) for each in drawn] == [values_of(each) for each in part.records()]
    assert len(handover.state.layouts) <= len({part.format for part in parts})


def test_without_the_source() -> None:
    """A reader that knows no format but KHO's and the subtree itself decodes every part."""
    common = {"doc": "d", "source": "s", "status": "project"}
    schema = Schema(compatible="secret-v1", root=Struct("secret", "a" / U8, "b" / U64, packed=True), **common)  # type: ignore[arg-type]
    writing = REGISTRY.copy()
    writing.add_compiled(compile_schemas([schema]), "test")
    parts = PartSpec("x/y", "secret-v1", ({"a": 1, "b": 2},)), PartSpec("x/y/z", "secret-v1", ({"a": 3, "b": 4},) * 2, many=True)
    handover = found(build(Spec(NEWEST, parts=parts), registry=writing))
    assert handover.state is not None
    one, many = handover.state.parts
    assert [(1, 2)] == [tuple(each) for each in one.records()]
    assert [(3, 4), (3, 4)] == [tuple(each) for each in many.records()]
    assert handover.state.part("x/y") is one and handover.state.part("devstate/x/y/z") is many and handover.state.part("x") is None


@pytest.mark.parametrize(("count", "place"), [(INLINE_MAX // 32, "state"), (INLINE_MAX // 32 + 1, "section")])
def test_where_parts_stand(count: int, place: str) -> None:
    """Small ones in their node, larger ones behind the tree, at a multiple of 8, one behind the other, all inside of totalsize."""
    rows = (extent(),) * count
    part = PartSpec("x/a", "guest-memory-v1", rows, "ds_guest_extent", many=True)
    handover = found(build(Spec(NEWEST, parts=(part, replace(part, path="x/b", place="section")))))
    assert handover.state is not None
    one, other = handover.state.parts
    assert (place, "section") == (one.place, other.place)
    subtree = handover.subtree("devstate")
    assert subtree is not None and subtree.pa is not None and other.pa is not None and (other.pa - subtree.pa) % 8 == 0
    assert subtree.size == int.from_bytes(bytes(subtree.blob or b"")[4:8], "big")


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (PartSpec("x", "memfd-v1", ({},)), "SUBSYSTEM/OBJECT"),
        (PartSpec("x/a/b/c/d", "memfd-v1", ({},)), "SUBSYSTEM/OBJECT"),
        (PartSpec("layouts/a", "memfd-v1", ({},)), "SUBSYSTEM/OBJECT"),
        (PartSpec("x//a", "memfd-v1", ({},)), "SUBSYSTEM/OBJECT"),
        (PartSpec("x/a", "memfd-v1", ({},)), "this field is missing"),
        (PartSpec("x/a", "guest-memory-v1", (), "ds_guest_extent", many=True, place="attic"), "state, section or memory"),
    ],
)
def test_parts_that_cannot_be_written(part: PartSpec, message: str) -> None:
    """With their path."""
    with pytest.raises(EncodeError, match=message) as caught:
        build(Spec(NEWEST, parts=(part,)))
    assert (caught.value.path or "").startswith(part.path)


def test_one_path_twice() -> None:
    """Refused, like a client of the same name."""
    part = PartSpec("x/a", "guest-memory-v1", (), "ds_guest_extent", many=True)
    with pytest.raises(EncodeError, match="two parts have this path"):
        build(Spec(NEWEST, parts=(part, part)))


# ---- damage ----


def reopened(edit: Any, spec: Spec = FULL) -> Handover:
    """The subtree with ``edit`` done to its tree or bytes, alone."""
    handover = found(build(spec))
    subtree = handover.subtree("devstate")
    assert subtree is not None and subtree.blob is not None
    made = Handover("edited", None, Environment(), REGISTRY, Claims())
    alone = Subtree("devstate", 0x1000, None)
    alone.fdt = read(edit(bytes(subtree.blob)))
    made.state = open_state(Follow(made), alone)
    return made


def on_tree(change: Any) -> Any:
    """An edit of the tree, written again."""

    def edit(blob: bytes) -> bytes:
        def copied(node: Node) -> Node:
            return Node(node.name, dict(node.properties), [copied(child) for child in node.children])

        fdt = read(blob)
        root = copied(fdt.root)
        change(Fdt(root))
        return write(Fdt(root)) + blob[len(blob) :]

    return edit


def test_sums_and_places() -> None:
    """A flipped bit of a section, a section outside or in another one, memory that is not there: said of that part alone."""
    rows = tuple(extent(gpa=at << 12) for at in range(20))
    part = PartSpec("x/a", "guest-memory-v1", rows, "ds_guest_extent", many=True)
    spec = Spec(NEWEST, parts=(part, replace(part, path="x/b"), replace(part, path="x/c", place="memory")))

    def bad(edit: Any) -> list[tuple[str, str | None]]:
        handover = reopened(edit, spec)
        return [(each.code, each.path) for each in handover.problems if each.path != "devstate/x/c"]

    assert [] == bad(lambda blob: blob)
    assert [("state-section", "devstate/x/b")] == bad(lambda blob: blob[:-1] + bytes([blob[-1] ^ 1]))
    blob = bytes((found(build(spec)).subtree("devstate") or Subtree("", None, None)).blob or b"")
    size = 20 * 32

    def placed(at: int) -> bytes:
        return at.to_bytes(8, "little") + size.to_bytes(8, "little")

    outside, twice = "a section outside of its room", "a section that is another one's too"
    places = {len(blob) - 2 * size: twice, len(blob) - size + 8: outside, len(blob) - size - 4: outside, 0: outside, 1 << 63: outside}
    for other, message in (places | {len(blob): outside, len(blob) - size - 8: twice}).items():
        moved = blob.replace(placed(len(blob) - size), placed(other))
        assert moved != blob
        told = [each.message for each in reopened(lambda _, moved=moved: moved, spec).problems if each.path == "devstate/x/b"]  # type: ignore[misc]
        assert [message] == told


def embed(fdt: Fdt, name: str, environment: Environment) -> None:
    """Put another layout under the first one's name."""
    data = msgpack.packb(to_plain(REGISTRY.layout(name, environment)))
    fdt.root.children[0].children[0].properties.update(data=data)  # type: ignore[attr-defined]  # a dict, as copied


CHANGES = {
    "no such layout": lambda fdt: node(fdt, "/memory/vm0").properties.update(layout=b"0" * 16 + b"\0"),
    "no such struct": lambda fdt: node(fdt, "/memory/vm0").properties.update(struct=b"ds_other\0"),
    "a text without end": lambda fdt: node(fdt, "/memory/vm0").properties.update(layout=b"abc"),
    "two places": lambda fdt: node(fdt, "/memory/vm0").properties.update(section=bytes(20)),
    "no place": lambda fdt: node(fdt, "/memory/vm0").properties.pop("state"),
    "short section": lambda fdt: node(fdt, "/memory/vm0").properties.update(section=node(fdt, "/memory/vm0").properties.pop("state")),
    "too many": lambda fdt: node(fdt, "/memory/vm0/extents").properties.update(count=(4).to_bytes(8, "little")),
    "short count": lambda fdt: node(fdt, "/memory/vm0/extents").properties.update(count=b"\1"),
    "one, not many": lambda fdt: node(fdt, "/memory/vm0/extents").properties.pop("count"),
    "cut state": lambda fdt: node(fdt, "/memory/vm0").properties.update(state=b"vm"),
    "another layout": lambda fdt: embed(fdt, "memfd-v1", Environment()),
    "no data": lambda fdt: fdt.root.children[0].children[0].properties.pop("data"),
    "another machine": lambda fdt: embed(fdt, "guest-memory-v1", Environment(4096, "big")),
    "nested": lambda fdt: node(fdt, "/memory/vm0/extents").children.append(Node("a", {}, [Node("b", {"state": b""})])),
}  # fmt: skip


def node(fdt: Fdt, path: str) -> Any:
    found_ = fdt.node(path)
    assert found_ is not None
    return found_


@pytest.mark.parametrize("name", CHANGES)
def test_damaged_trees(name: str) -> None:
    """Each is a problem with a rule of its own, at a place; the other parts stay readable unless they have the same layout."""
    handover = reopened(on_tree(CHANGES[name]))
    codes = {each.code for each in handover.problems}
    assert codes and codes <= {"state-part", "state-layout", "state-section"}
    assert all(each.path and each.path.startswith("devstate/") and each.pa is not None for each in handover.problems)
    assert handover.state is not None
    readable = [part for part in handover.state.parts if part.layout is not None and part.data is not None]
    assert readable or "layout" in str(codes)
    for part in readable:
        part.records()
    assert codes <= {each.rule for each in check(handover).findings}


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many parts, layouts and levels as the limit says; one more is said and left out."""
    for limit, value in (("PARTS_MAX", 3), ("LAYOUTS_MAX", 1), ("DEPTH_MAX", 3)):
        monkeypatch.setattr(state, limit, value)
        assert [] == reopened(lambda blob: blob).problems
        monkeypatch.setattr(state, limit, value - 1)
        assert reopened(lambda blob: blob).problems
        monkeypatch.undo()


def test_every_flip() -> None:
    """A flipped bit anywhere in the blob: opened, or not, without any other error; a flip in bytes of parts is in the records or told."""
    rng = random.Random(4)
    handover = found(build(FULL))
    blob = bytes((handover.subtree("devstate") or Subtree("", None, None)).blob or b"")
    for bit in rng.sample(range(len(blob) * 8), 1500):
        flipped = bytearray(blob)
        flipped[bit // 8] ^= 1 << bit % 8
        one_input_of_blob(bytes(flipped))


def one_input_of_blob(blob: bytes) -> None:
    from state_fuzzer import _blob

    _blob(blob)


def test_fuzzed() -> None:
    """Some hundred rounds of the fuzzing loop, always the same ones."""
    rng, known = random.Random(2), seeds()
    for _ in range(400):
        one_input(driver.changed(rng, known))


# ---- guests ----


def rules(handover: Handover) -> list[tuple[str, str]]:
    return [(each.rule, each.location.path or "") for each in check(handover).findings]


def test_a_guest_from_ranges() -> None:
    """Extents are where the pages of its files and regions are, cut at what goes on, with the page size that they have; check is silent."""
    built = build(FULL)
    handover = found(built)
    (guest,) = guests_of(handover)
    place = built.placed
    assert ("vm0", 3, 3, MIB + 2 * MIB + (3 << 16)) == (guest.name, guest.head.extents, guest.head.owners, guest.head.bytes)
    rows = [(int(guest.extents["gpa"][at]), int(guest.extents["pa"][at]), int(guest.extents["size"][at])) for at in range(3)]
    folios = [place[f"luo/session/vm/{token}/folios"] for token in (1, 2)]
    assert [(0, folios[0], MIB), (1 << 30, folios[1], 2 * MIB), (1 << 32, place["memblock/trace"] + (1 << 16), 3 << 16)] == rows
    assert [12, 21, 12] == guest.extents["page_shift"].tolist()
    assert [1, 6, 0] == guest.extents["flags"].tolist()
    assert [] == rules(handover)
    assert Reaction.ACCEPTED is check(handover).predicted


def test_ranges_in_any_order() -> None:
    """Extents ascend by guest address, whatever the order of the ranges."""
    handover = found(build(replace(FULL, guests=(replace(GUEST, ranges=GUEST.ranges[::-1]),))))
    (guest,) = guests_of(handover)
    assert [0, 1 << 30, 1 << 32] == guest.extents["gpa"].tolist() and [] == rules(handover)


def extent(**changes: Any) -> dict[str, Any]:
    return {"gpa": 0, "pa": 0x5000_0000, "size": 4096, "node": 0, "owner": 0xFFFF, "page_shift": 12, "flags": 0} | changes


def guest(*extents: dict[str, Any], name: str = "g", owners: tuple[dict[str, Any], ...] = (), **head: Any) -> tuple[PartSpec, ...]:
    top = {"name": name.encode().ljust(64, b"\0"), "bytes": sum(each["size"] for each in extents), "extents": len(extents)}
    top |= {"owners": len(owners), "flags": 0} | head
    return (
        PartSpec(f"memory/{name}", "guest-memory-v1", (top,)),
        PartSpec(f"memory/{name}/owners", "guest-memory-v1", owners, "ds_memory_owner", many=True),
        PartSpec(f"memory/{name}/extents", "guest-memory-v1", extents, "ds_guest_extent", many=True),
    )


def owner(kind: int, name: str, token: int = 0) -> dict[str, Any]:
    return {"kind": kind, "padding": 0, "name": name.encode().ljust(64, b"\0"), "token": token}


def judged(*parts: PartSpec, **more: Any) -> list[Finding]:
    """The findings about guests, with 16 pages preserved from 0x5000_0000 on."""
    from devstate.pagetable.radix import Run

    spec = replace(FULL, guests=(), parts=parts, preserved=(Run(0x5000_0000, 16, 0),), **more)
    return [each for each in check(found(build(spec))).findings if each.rule.startswith(("guest", "state"))]


CASES: dict[str, tuple[tuple[PartSpec, ...], list[str]]] = {
    "fine": (guest(extent(), extent(gpa=4096, pa=0x5000_1000, flags=8)), []),
    "not preserved": (guest(extent(pa=0x5001_0000)), ["guest-memory-preserved"]),
    "half preserved": (guest(extent(pa=0x5000_F000, size=8192)), ["guest-memory-preserved"]),
    "no page": (guest(extent(size=0)), ["guest-memory-extents"]),
    "beyond memory": (guest(extent(pa=(1 << 64) - 4096)), ["guest-memory-extents", "guest-memory-preserved"]),
    "odd": (guest(extent(gpa=100)), ["guest-memory-extents"]),
    "odd for its page size": (guest(extent(pa=0x5000_1000, page_shift=13, size=8192)), ["guest-memory-extents"]),
    "page size of no machine": (guest(extent(page_shift=63)), ["guest-memory-extents", "state-value"]),
    "overlap": (guest(extent(size=8192), extent(gpa=4096, pa=0x5000_4000)), ["guest-memory-extents"]),
    "descending": (guest(extent(gpa=8192), extent(pa=0x5000_4000)), ["guest-memory-extents"]),
    "both": (guest(extent(flags=3)), ["guest-memory-extents"]),
    "wrong sum": (guest(extent(), bytes=1), ["guest-memory-extents"]),
    "wrong count": (guest(extent(), extents=7), ["guest-memory-extents"]),
    "no such owner": (guest(extent(owner=3)), ["guest-memory-owner"]),
    "pinned by nobody": (guest(extent(flags=4)), ["guest-memory-owner"]),
    "pinned by a device": (guest(extent(flags=4, owner=0), owners=(owner(3, "0000:3a:00.0"),)), []),
    "no such file": (guest(extent(owner=0), owners=(owner(1, "vm", 9),)), ["guest-memory-owner"]),
    "not of the file": (guest(extent(owner=0), owners=(owner(1, "vm", 1),)), ["guest-memory-owner"]),
    "no such region": (guest(extent(owner=0), owners=(owner(2, "lost"),)), ["guest-memory-owner"]),
    "not of the region": (guest(extent(owner=0), owners=(owner(2, "trace"),)), ["guest-memory-owner"]),
    "unknown kind": (guest(extent(owner=0), owners=(owner(9, "x"),)), ["guest-memory-owner", "state-value"]),
    "shared twice": (guest(extent(flags=1), extent(gpa=4096, flags=1)), []),
    "private twice": (guest(extent(flags=2), extent(gpa=4096, flags=2)), ["guest-memory-twice"]),
    "private here, shared there": (guest(extent(flags=1)) + guest(extent(flags=2), name="h"), ["guest-memory-twice"]),
    "nothing at all": (guest(), []),
}


@pytest.mark.parametrize("name", CASES)
def test_guests_are_judged(name: str) -> None:
    """Each rule fires on its case, at the extent that is wrong, and on nothing else."""
    parts, wanted = CASES[name]
    findings = judged(*parts)
    assert wanted == sorted({each.rule for each in findings})
    assert all(each.location.pa is not None and (each.location.path or "").startswith("devstate/memory/") for each in findings)


def test_memory_that_guests_have_is_somebody_s() -> None:
    """What no file and no region keeps, but an extent describes, is not told to be nobody's."""
    from devstate.pagetable.radix import Run

    lost = guest(extent(size=16 * 4096, owner=0), owners=(owner(1, "vm", 9),))  # whoever should keep it does not
    for parts, unowned in ((guest(extent(size=16 * 4096)), 0), (guest(extent(size=12 * 4096)), 4), ((), 16), (lost, 16)):
        handover = found(build(replace(FULL, guests=(), parts=parts, preserved=(Run(0x5000_0000, 16, 0),))))
        assert unowned * 4096 == find_owners(handover).unowned_bytes


def test_large_parts() -> None:
    """They stand in memory of their own; a blob of more than a devicetree may have is refused."""
    part = PartSpec("x/a", "guest-memory-v1", (extent(),) * 2049, "ds_guest_extent", many=True)
    handover = found(build(Spec(NEWEST, parts=(replace(part, records=part.records[1:]), replace(part, path="x/b")))))
    assert handover.state is not None and ["section", "memory"] == [each.place for each in handover.state.parts] and not handover.problems
    with pytest.raises(EncodeError, match="the subtree is too large") as caught:
        build(Spec(NEWEST, parts=(replace(part, records=(extent(),) * 66000, place="section"),)))
    assert "x/a" == caught.value.path


def test_many_extents_are_counted() -> None:
    """A guest of which nothing is preserved gives a few findings, not one a page."""
    findings = judged(*guest(*(extent(gpa=at << 12, pa=0x7000_0000 + (at << 12)) for at in range(500))))
    assert 16 == len(findings) and "(500 extents are not)" in findings[0].message


def test_a_published_compatible_with_another_layout() -> None:
    """It is decoded by what it embeds, judged as changed without a new string, and not taken for guest memory."""
    common = {"doc": "d", "source": "s", "status": "project", "found_by": "devstate memory", "carrier": "string"}
    other = Schema(compatible="guest-memory-v1", variant="mine", root=Struct("ds_guest_memory", "a" / U8), **common)  # type: ignore[arg-type]
    writing = REGISTRY.copy()
    writing.add_compiled(compile_schemas([other]), "test")
    handover = found(build(Spec(NEWEST, parts=(PartSpec("memory/x", "guest-memory-v1@mine", ({"a": 5},)),)), registry=writing))
    assert [("state-format", "devstate/memory/x")] == rules(handover)
    assert handover.state is not None and 5 == handover.state.parts[0].records()[0].a
    assert [] == list(guests_of(handover))


# ---- elsewhere ----


def test_it_is_rebuilt_and_converted() -> None:
    """The blob stays, and so does memory that parts stand in; below an older root as well."""
    rows = tuple(extent(gpa=at << 12) for at in range(300))
    part = PartSpec("x/a", "guest-memory-v1", rows, "ds_guest_extent", many=True, place="memory")
    handover = found(build(replace(FULL, parts=(part,))))
    assert handover.state is not None

    def seen(each: Handover) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
        assert [] == each.problems and each.state is not None
        return ((part.path, [tuple(record) for record in part.records()]) for part in each.state.parts)

    for made in (rebuild(handover), *(carry_out(convert(handover, kernel)) for kernel in (KERNELS[-1], KERNELS[6], KERNELS[3]))):
        assert dict(seen(handover)) == dict(seen(found(made)))


def test_a_handover_without_one() -> None:
    """state is None; the name alone makes none."""
    assert opened(build(Spec(NEWEST))).state is None
    from devstate.handover.spec import SubtreeSpec

    handover = opened(build(Spec(NEWEST, subtrees=(SubtreeSpec("devstate", b"no tree"),))))
    assert None is handover.state
    with pytest.raises(DevstateError):
        build(Spec(NEWEST, guests=(GuestSpec("g"),), subtrees=(SubtreeSpec("devstate", b""),)))


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (GuestRange(0, 4096, "vm", 9), "there is no such file"),
        (GuestRange(0, 4096, "no", 1), "there is no such file"),
        (GuestRange(0, 4096, region="no"), "there is no such region"),
        (GuestRange(0, 4 * MIB, "vm", 1), "not all of the range is in memory"),
        (GuestRange(0, 4096, "vm", 1, offset=MIB), "not all of the range is in memory"),
        (GuestRange(0, 4096, "vm", 1, flags=("fast",)), "an unknown flag"),
    ],
)
def test_ranges_that_are_not_there(wanted: GuestRange, message: str) -> None:
    """With their place in the spec."""
    with pytest.raises(EncodeError, match=message) as caught:
        build(replace(FULL, guests=(GuestSpec("g", (wanted,)),)))
    assert "guests/g/0" == caught.value.path
