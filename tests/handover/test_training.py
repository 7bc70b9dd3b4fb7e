# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""examples/training/everything.toml: what a test author gets. It is sound, it can be damaged anywhere, damage is told, diff names it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.check.run import check
from devstate.errors import EncodeError
from devstate.handover.build import Built, build
from devstate.handover.difference import differences
from devstate.handover.iommu.read import read_unit
from devstate.handover.model import Handover
from devstate.handover.mutate import REPAIRED, Change, damaged, mutate, repairs
from devstate.handover.open import open_memory
from devstate.handover.rebuild import rebuild
from devstate.handover.spec import DeviceSpec, PartSpec, Spec
from devstate.handover.spec_state import payload
from devstate.handover.spec_text import read_spec
from devstate.handover.spots import CLASSES, Spot, record_spots, spots
from devstate.handover.spots_state import Seal
from devstate.handover.text import c_string
from devstate.layout.compiling import add_user_schemas
from devstate.layout.model import PAGE_SIZES, Environment
from devstate.layout.registry import Registry
from devstate.memory.arena import Arena
from devstate.memory.physmem import PhysMemory
from tests.handover.builders import KERNELS

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SPEC = EXAMPLES / "training" / "everything.toml"


def made(text: str = SPEC.read_text()) -> tuple[Built, Handover]:
    """The spec built and opened, its schemas known."""
    given = read_spec(text.encode(), "spec", Registry.shipped(), folder=str(SPEC.parent))
    arena = Arena(*given.arena, page_size=given.spec.page_size, byteorder=given.spec.byte_order)
    built = build(given.spec, arena, given.registry)
    return built, open_memory(built.arena.view(), fdt=built.fdt_pa, scratch=built.scratch, registry=given.registry)


@pytest.fixture(scope="module")
def everything() -> Handover:
    return made()[1]


def reopened(handover: Handover, changes: list[Change]) -> Handover:
    memory = handover.memory
    assert memory is not None
    other = PhysMemory(damaged(handover, changes), source="damaged", byteorder=memory.byteorder, page_size=memory.page_size)
    return open_memory(other, fdt=handover.fdt_pa, registry=handover.registry, scratch=(handover.scratch_pa or 0, 16))


def test_nothing_is_wrong_with_it(everything: Handover) -> None:
    """check is content; every subsystem is there, tables of the unit lead to its device, links lead to what was declared."""
    assert [] == everything.problems and () == check(everything).findings
    assert everything.state is not None and everything.memory is not None
    assert {"iommu", "interrupts", "its", "kvm", "memory", "devices"} == {part.path.split("/")[1] for part in everything.state.parts}
    unit = read_unit(everything.memory, "vtd", 0x5000_0000, {"RTADDR": 0x5000_0000, "IRTA": 0x5000_4007})
    assert [(0x10, 6)] == [(device.source_id, device.stages[0].domain_id) for device in unit.devices]
    linked = {
        each.path.removeprefix("devstate/devices/machine/"): len(each.rows) for part in everything.state.parts for each in part.linked
    }
    wanted = {"driver-1.queues": 2, "driver-1.commands": 1, "driver-2.queues": 2, "driver-2.filters": 1, "driver-4.vectors": 1}
    assert wanted == linked
    (settings,) = (part for part in everything.state.parts if part.is_tagged)
    assert 9000 == settings.tagged()["mtu"]


def test_built_again() -> None:
    """rebuild gives the same bytes everywhere, those behind links too."""
    built, handover = made()
    again = rebuild(handover).arena.view()
    for region in built.arena.view().regions:
        for at in range(0, region.size, 4096):
            if handover.preserved is not None and handover.preserved.covers(region.start + at):
                assert bytes(built.arena.view().read(region.start + at, 4096)) == bytes(again.read(region.start + at, 4096))


def places(handover: Handover) -> list[Spot]:
    return [spot for spot in spots(handover, range) if spot.path.startswith("devstate/")]


def test_every_place_is_known(everything: Handover) -> None:
    """Layouts, frames, records, tagged maps, areas and chains behind links: each with a path of its own kind, in every class."""
    found = places(everything)
    paths = {spot.path for spot in found}
    for path in (
        "devstate/iommu/dmar0.root", "devstate/iommu/dmar0.features[1]", "devstate/iommu/dmar0/domains[0].top_table",
        "devstate/kvm/alpha/vcpu0/sregs.section.offset", "devstate/kvm/alpha/vcpu0/sregs.section.crc",
        "devstate/kvm/alpha/vcpu0/sregs.cs.base",
        "devstate/kvm/alpha/vcpu0/msrs.entries[0].data", "devstate/devices/machine/driver-1.queues[1].head",
        "devstate/devices/machine/driver-1.commands@block.count", "devstate/devices/machine/driver-3.3",
        "devstate/devices/machine/driver-3.6[0].1",
        "devstate/its/its0.layout", "devstate/its/its0/lpis.struct",
    ):  # fmt: skip
        assert path in paths
    assert any(path.startswith("devstate/layouts/") and path.endswith(".structs[0].fields[1].offset") for path in paths)
    assert set(CLASSES) - {"pfn", "header", "bit"} <= {spot.what for spot in found}
    assert all(spot.size and everything.memory is not None and everything.memory.contains(spot.pa, spot.size) for spot in found)


@pytest.mark.parametrize("name", [name for name, each in Registry.shipped().summaries.items() if each.size])
def test_every_field_of_every_schema(name: str) -> None:
    """The places of a struct are all of its bytes, but for unions' arms and the flexible end."""
    layout = Registry.shipped().layout(name, Environment())
    for struct in layout.structs:
        held = {at for spot in record_spots(layout, struct.name, 0, "x", pick=range) for at in range(spot.pa, spot.pa + spot.size)}
        assert set(range(struct.size)) >= held
        missing = set(range(struct.size)) - held
        assert all(field.offset + field.size <= at or at < field.offset for at in missing for field in struct.fields if field.size)


def test_damage_is_survived_and_told(everything: Handover) -> None:
    """Whatever is damaged, it opens and check judges it; most damage is found; diff names what is no address."""
    met: Counter[bool] = Counter()
    for seed in range(120):
        changes = mutate(everything, seed, 1 + seed % 3, "devstate")
        assert all(change.path.startswith("devstate") for change in changes)
        twin = reopened(everything, changes)
        met[bool(check(twin).findings)] += 1
        differences(everything, twin)
    assert met[True] > 10 * met[False]


def test_sums_are_repaired(everything: Handover) -> None:
    """With its sum made to fit, a damaged section is what its bytes say; without, it is not trusted. Layouts are named anew."""
    assert everything.memory is not None and everything.state is not None
    spot = next(each for each in places(everything) if each.path == "devstate/kvm/alpha/vcpu0/sregs.cr0")
    change = Change(spot.pa, bytes(everything.memory.read(spot.pa, 8)), bytes(8), spot.path, spot.what, "zero")
    assert {"state-section"} == {each.code for each in reopened(everything, [change]).problems}
    made_good = repairs(everything, [change], [*spot.seals])
    assert ["devstate/kvm/alpha/vcpu0/sregs.section.crc"] == [each.path for each in made_good] and REPAIRED == made_good[0].how
    twin = reopened(everything, [change, *made_good])
    assert [] == twin.problems and twin.state is not None
    part = twin.state.part("kvm/alpha/vcpu0/sregs")
    assert part is not None and 0 == part.records()[0].cr0
    assert [("devstate/kvm/alpha/vcpu0/sregs", "cr0")] == [(each.path, each.field) for each in differences(everything, twin)]
    name = next(each for each in places(everything) if each.path.endswith(".structs[0].fields[0].name") and each.what == "text")
    old = bytes(everything.memory.read(name.pa, name.size))
    renamed = Change(name.pa, old, old[:-1] + b"z", name.path, "text", "letter")
    assert {"state-layout", "state-part"} == {each.code for each in reopened(everything, [renamed]).problems}
    fitting = repairs(everything, [renamed], [*name.seals])
    assert len(fitting) >= 2 and [] == [each for each in reopened(everything, [renamed, *fitting]).problems if each.code == "state-layout"]


def test_the_outermost_sum_is_made_last(everything: Handover) -> None:
    """Of two sums around each other the outer one is over the inner one as it became."""
    assert everything.memory is not None and everything.fdt_pa is not None
    base = everything.regions[1].start
    inner, outer = Seal("inner", ((base, 8),), (base + 8,)), Seal("outer", ((base, 12),), (base + 12,))
    change = Change(base, bytes(8), b"\1" * 8, "x", "number", "any")
    first, second = repairs(everything, [change], [outer, inner, outer])
    assert ("inner", "outer") == (first.path, second.path)
    from devstate.pagetable.native import crc32c

    assert crc32c(b"\1" * 8 + first.new).to_bytes(4, "little") == second.new


CASES: dict[str, tuple[Callable[[str], str], set[tuple[str, str]]]] = {
    "a queue without room": (
        lambda text: text.replace("entries = 64, number = 0", "entries = 1, number = 0"),
        {("state-value", "driver-1.queues[0].entries")},
    ),
    "a ring of nobody": (
        lambda text: text.replace('submissions = { at = "memblock/rings" }', 'submissions = "0x123456000"'),
        {("state-memory", "driver-1.queues[0].submissions")},
    ),
    "an area that is not there": (
        lambda text: text.replace("vectors = [{ address = \"0xfee00070\", gsi = 24 }]", 'nr_vectors = 3\nvectors = "0x7654321000"'),
        {("state-link", "driver-4.vectors")},
    ),
}  # fmt: skip
"""What becomes of the spec, and (rule, end of the path) of what check says."""


VM = """
[[parts]]
path = "kvm/alpha/memslots"
format = "kvm-x86-memslots-v1"
zeros = true
records = [SLOTS]
"""


@pytest.mark.parametrize(
    ("slots", "said", "wanted"),
    [
        ("{ slot = 0, memory_size = 0x200000, token = 1 }, { slot = 1, guest_phys_addr = 0x200000, memory_size = 4096, token = 1 }", 2, []),
        ("{ slot = 0, memory_size = 0x200000, token = 1 }", 2, ["kvm/alpha.memslots"]),
        ("{ slot = 0, memory_size = 0x200000, token = 9 }", 1, ["kvm/alpha/memslots[0].token"]),
        ("{ slot = 0, memory_size = 0x200000, token = 1, offset = 0x300000 }", 1, ["kvm/alpha/memslots[0].token"]),
        (
            "{ memory_size = 4096, token = 1, flags = ['GUEST_MEMFD'], guest_memfd_token = 5 }", 1,
            ["kvm/alpha/memslots[0].guest_memfd_token"],
        ),
        ("{ memory_size = 4096, token = 1 }, { guest_phys_addr = 8192, memory_size = 1, token = 1 }", 2, ["kvm/alpha/memslots[1].slot"]),
        (
            "{ memory_size = 8192, token = 1 }, { slot = 1, guest_phys_addr = 4096, memory_size = 1, token = 1 }", 2,
            ["kvm/alpha/memslots[1].guest_phys_addr"],
        ),
    ],
)  # fmt: skip
def test_machines_are_judged(slots: str, said: int, wanted: list[str]) -> None:
    """Memory slots against files and each other, counts against parts."""
    text = SPEC.read_text().replace("vcpus = 1, xsave", f"vcpus = 1, memslots = {said}, xsave") + VM.replace("SLOTS", slots)
    found = check(made(text)[1]).findings
    assert [("kvm-state", f"devstate/{path}") for path in wanted] == [(each.rule, each.location.path) for each in found]


def test_dirty_maps_and_xsave_are_judged() -> None:
    """A bitmap of another slot, of too many pages, of too few words; an XSAVE area of another size."""
    dirty = "{ slot = SLOT, page_shift = 12, pages = PAGES, words = WORDS, bitmap = [BITS] }"
    head = SPEC.read_text().replace("vcpus = 1, xsave", "vcpus = 1, memslots = 1, xsave")
    head += VM.replace("SLOTS", "{ slot = 3, memory_size = 0x101000, token = 1 }")
    for slot, pages, words, field in ((3, 257, 5, ""), (4, 257, 5, ".slot"), (3, 256, 4, ".pages"), (3, 257, 4, ".words")):
        row = dirty.replace("SLOT", str(slot)).replace("PAGES", str(pages)).replace("WORDS", str(words))
        row = row.replace("BITS", ", ".join(["0"] * words))
        text = f'{head}[[parts]]\npath = "kvm/alpha/dirty0"\nformat = "kvm-x86-dirty-v1"\nrecord = {row}\n'
        found = [each.location.path for each in check(made(text)[1]).findings]
        assert ([f"devstate/kvm/alpha/dirty0{field}"] if field else []) == found
    text = f'{head}[[parts]]\npath = "kvm/alpha/vcpu0/xsave"\nformat = "kvm-x86-xsave-v1"\nzeros = true\nrecord = {{ extra = [1] }}\n'
    assert ["devstate/kvm/alpha/vcpu0/xsave"] == [each.location.path for each in check(made(text)[1]).findings]


@pytest.mark.parametrize("name", ["iommu/dmar0.windows", "interrupts/alpha.irqfds", "its/its0.lpis"])
def test_counts_are_judged(name: str) -> None:
    """A head that says one more than there are."""
    path, _, field = name.partition(".")
    start = SPEC.read_text().index(f'path = "{path}"')
    head, rest = SPEC.read_text()[:start], SPEC.read_text()[start:]
    found = check(made(head + rest.replace(f"{field} = ", f"{field} = 1", 1))[1]).findings
    assert [("state-counts", f"devstate/{name}")] == [(each.rule, each.location.path) for each in found]


def test_a_layout_that_is_missing(everything: Handover) -> None:
    """A part of a published format that has lost its layout is no part without one."""
    spot = next(each for each in spots(everything, range) if each.path == "devstate/its/its0/lpis.layout" and each.what == "property")
    assert everything.memory is not None
    old = bytes(everything.memory.read(spot.pa, spot.size))
    found = check(reopened(everything, [Change(spot.pa, old, b"\0\0\0\4" * (len(old) // 4), spot.path, "property", "dropped")])).findings
    assert ("state-format", "devstate/its/its0/lpis") in {(each.rule, each.location.path) for each in found}


@pytest.mark.parametrize("name", CASES)
def test_links_and_values_are_judged(name: str) -> None:
    """Each rule fires on its case, at the field."""
    change, wanted = CASES[name]
    text = change(SPEC.read_text())
    assert text != SPEC.read_text()
    findings = check(made(text)[1]).findings
    assert wanted == {(each.rule, (each.location.path or "").removeprefix("devstate/devices/machine/")) for each in findings}


def device(path: str, parent: int, depth: int, **more: Any) -> dict[str, Any]:
    return {"path": path, "parent": parent, "depth": depth, "bus": "pci", "driver": "", "flags": 2, "phase": 2} | more


NONE = 0xFFFFFFFF
TREES: dict[str, tuple[list[dict[str, Any]], str]] = {
    "sound": ([device("a", NONE, 0), device("a/b", 0, 1)], ""),
    "twice": ([device("a", NONE, 0), device("a", NONE, 0)], "[1].path"),
    "no name": ([device("", NONE, 0)], "[0].path"),
    "behind its child": ([device("a/b", 1, 1), device("a", NONE, 0)], "[0].parent"),
    "of another parent": ([device("a", NONE, 0), device("b", NONE, 0), device("a/c", 1, 1)], "[2].parent"),
    "too deep": ([device("a", NONE, 0), device("a/b", 0, 2)], "[1].depth"),
    "reclaimed only": ([device("a", NONE, 0, flags=4)], "[0].flags"),
    "nothing left": ([device("a", NONE, 0, driver="x-v1")], "[0].driver"),
}


@pytest.mark.parametrize("name", TREES)
def test_device_trees_are_judged(name: str) -> None:
    """One finding of the rule, at the field; none where nothing is wrong."""
    rows, field = TREES[name]
    shown = ", ".join("{ " + ", ".join(f"{key} = {value!r}" for key, value in row.items()) + " }" for row in rows)
    shown = shown.replace("'", '"').replace("flags = 4", 'flags = ["RECLAIMED"]')
    text = f"""kernel = "7.3"
[[parts]]
path = "devices/m"
format = "devices-v1"
record = {{ devices = {len(rows)}, flags = 0 }}
[[parts]]
path = "devices/m/devices"
format = "devices-v1"
struct = "ds_device"
records = [{shown}]
"""
    found = [(each.rule, each.location.path) for each in check(made(text)[1]).findings]
    assert ([("device-tree", f"devstate/devices/m/devices{field}")] if field else []) == found


def test_devices_that_cannot_be_built() -> None:
    """A child before its parent, by the line of its device."""
    with pytest.raises(EncodeError, match="does not stand before it"):
        made('kernel = "7.3"\n[[devices]]\npath = "a/b"\n[[devices]]\npath = "a"\n')


def told(text: str, other: str) -> list[tuple[str, str, Any, Any]]:
    """What differs in parts between two specs, without the size of the blob."""
    found = differences(made(text)[1], made(other)[1])
    return [(each.path, each.field, each.old, each.new) for each in found if each.path.startswith("devstate/")]


FEW = 'kernel = "7.3"\n[[parts]]\npath = "its/x/lpis"\nformat = "its-v1"\nstruct = "ds_lpi"\nzeros = true\nrecords = [{}]'


def lpis(*numbers: int) -> str:
    return FEW.format(", ".join(f"{{ lpi = {number} }}" for number in numbers))


def test_differences_of_parts() -> None:
    """Nothing where nothing differs; by field, record and link; a record more or fewer is told apart from those around it."""
    text = SPEC.read_text()
    assert [] == told(text, text)
    assert [] == told(text, text.replace('[pins]\n"memblock/dmar0"', '[pins]\n"subtree/devstate" = "0x20000000"\n"memblock/dmar0"'))
    changed = text.replace("head = 3, tail", "head = 4, tail").replace("mtu = 9000", "mtu = 1400").replace('rip = "0xfff0"', 'rip = "0x7"')
    assert [
        ("devstate/kvm/alpha/vcpu0/regs", "rip", "0xfff0", "0x7"),
        ("devstate/devices/machine/driver-1.queues[0]", "head", 3, 4),
        ("devstate/devices/machine/driver-3", "mtu", 9000, 1400),
    ] == told(text, changed)
    path = "devstate/its/x/lpis"
    assert [(path, "count", 3, 2), (f"{path}[1]", "present", True, False)] == told(lpis(8192, 8193, 8194), lpis(8192, 8194))
    assert [(path, "count", 2, 3), (f"{path}[2]", "present", False, True)] == told(lpis(8192, 8193), lpis(8192, 8193, 8194))
    assert [(f"{path}[1]", "lpi", 8193, 9000)] == told(lpis(8192, 8193, 8194), lpis(8192, 9000, 8194))
    assert [("devstate/its/x/lpis", "present", True, False)] == told(lpis(8192), 'kernel = "7.3"')
    many = told(lpis(*range(8192, 8300)), lpis(*range(9192, 9300)))
    assert (65, (path, "records that differ", 0, 108)) == (len(many), many[-1])


EXAMPLES_ONLY = Registry.shipped().copy()
for _name in ("controller", "network", "passthrough"):
    add_user_schemas(EXAMPLES_ONLY, str(EXAMPLES / "drivers" / f"{_name}.py"))

NAMES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="/"), min_size=1, max_size=12)


@st.composite
def payloads(draw: st.DrawFn, environment: Environment) -> tuple[str, PartSpec]:
    """What a driver left: rows behind its links in either kind, or a tagged map."""
    number = st.integers(0, 0xFFFF)
    if draw(st.booleans()):
        vlans = [{"vlan": 7, "name": draw(NAMES)} for _ in range(draw(st.integers(0, 2)))]
        left = {"name": draw(NAMES), "features": draw(number), "vlans": vlans}
        form = "example-network-settings-v1"
    else:
        queues = [{"entries": 2 + draw(number), "head": draw(number)} for _ in range(draw(st.integers(0, 5)))]
        commands = [{"first": draw(number)} for _ in range(draw(st.integers(0, 300)))]
        left = {"queues": queues, "commands": commands, "doorbells": [draw(number)], "keep_alive": draw(number)}
        form = draw(st.sampled_from(("example-controller-v1", "example-controller-v2")))
    row = {"record": left, "zeros": True} if "queues" in left else {"record": left}
    place = draw(st.sampled_from((None, "state", "section", "memory")))
    made_ = payload(row | ({} if place is None else {"place": place}), "x", form, EXAMPLES_ONLY, environment, lambda row, path: b"")
    return form, made_


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_devices_are_opened_as_they_were_built(data: st.DataObject) -> None:
    """Any tree of devices with what drivers left, on any kernel, page size and byte order: the same devices, records, rows and maps."""
    environment = data.draw(st.builds(Environment, st.sampled_from(PAGE_SIZES), st.sampled_from(("little", "big"))))
    devices: list[DeviceSpec] = []
    for name in data.draw(st.lists(NAMES, unique=True, max_size=4)):
        above = data.draw(st.sampled_from(["", *(each.path + "/" for each in devices if len(each.path) < 60)]))
        form, left = data.draw(payloads(environment)) if data.draw(st.booleans()) else ("", None)
        flags = tuple(data.draw(st.lists(st.sampled_from(("requested", "preserved")), unique=True)))
        devices.append(DeviceSpec(above + name, "pci", form, left, flags))
    per_block = data.draw(st.sampled_from((None, 1, 7)))
    spec = Spec(KERNELS[-1], environment.page_size, environment.byte_order, devices=tuple(devices), per_block=per_block)
    built = build(spec, registry=EXAMPLES_ONLY)
    handover = open_memory(built.arena.view(), fdt=built.fdt_pa, registry=EXAMPLES_ONLY)
    assert [] == handover.problems
    if not devices:
        return
    assert handover.state is not None
    rows = handover.state.part("devices/machine/devices")
    assert rows is not None
    assert [(each.path, each.driver) for each in devices] == [(c_string(row.path)[0], c_string(row.driver)[0]) for row in rows.records()]
    for at, device in enumerate(devices):
        part = handover.state.part(f"devices/machine/driver-{at}")
        assert (part is None) == (device.left is None)
        if part is None or device.left is None:
            continue
        if part.is_tagged:
            assert device.left.records[0] == part.tagged()
            continue
        wanted = {".".join(map(str, link.field)): link.records for link in device.left.links if link.records}
        found = {each.path.rpartition(".")[2]: tuple(record for _, record in each.rows) for each in part.linked if each.rows}
        assert {name: rows for name, rows in wanted.items() if name != "doorbells"} == found
