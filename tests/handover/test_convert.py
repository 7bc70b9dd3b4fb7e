# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Handovers for other kernels: what is carried reads back equal, what is lost is said, and check takes the result for that kernel's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from devstate.check.run import check
from devstate.codec.encode import encode
from devstate.errors import DevstateError, EncodeError, UsageError
from devstate.fdt.model import Fdt
from devstate.fdt.model import Node as Tree
from devstate.fdt.writer import write
from devstate.finding import Reaction, Severity
from devstate.frozen import replace
from devstate.handover.build import Built, build
from devstate.handover.convert import carry_out, convert
from devstate.handover.convert_room import window
from devstate.handover.model import Handover
from devstate.handover.mutate import damaged, mutate
from devstate.handover.open import open_handover, open_memory
from devstate.handover.rebuild import rebuild, spec_of
from devstate.handover.spec import FileSpec, FlbSpec, Forms, RegionSpec, SessionSpec, Spec, SubtreeSpec, forms_of
from devstate.layout.compiling import compile_schemas
from devstate.layout.model import Environment
from devstate.layout.registry import Registry
from devstate.memory.arena import Arena
from devstate.memory.open import open_input
from devstate.memory.physmem import PhysMemory
from devstate.pagetable.radix import Run
from devstate.schema import U8, U16, Converter, Node, Schema, Struct
from tests.handover.builders import KERNELS, POSTED
from tests.handover.test_versions import FULL, SCRATCH, able, opened, seen, told_of, wanted

REGISTRY = Registry.shipped()
NEWEST = KERNELS[-1]
CAPTURES = ("base-7.3", "empty-7.3", "flb-7.2", "iommu-machine-7.3", "many-7.3", "reserve-7.3", "small-7.3")
RELEASES = ("7.4", "7.2", "7.1", "7.1-rc1", "7.0", "6.19", "6.18", "6.16")


def real(name: str, shipped: Path, request: pytest.FixtureRequest) -> Handover:
    core = shipped / f"{name}.core.zst"
    return open_handover(open_input(str(core if core.exists() else request.getfixturevalue("captures") / core.name)))


def built_for(handover: Handover, forms: Forms) -> tuple[Handover, list[str]]:
    """The converted handover, read again, and what was lost."""
    conversion = convert(handover, forms)
    return opened(carry_out(conversion)), [each.what for each in conversion.dropped]


def content(handover: Handover) -> Spec:
    """What it carries, whoever reads it: without forms and without the writer's release."""
    return replace(seen(handover), forms=Forms(""), sessions=seen(handover).sessions)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", CAPTURES)
def test_real_handovers(name: str, release: str, shipped: Path, request: pytest.FixtureRequest) -> None:
    """Every capture for every kernel, and back: equal where nothing is lost, else equal in all that is not. many-7.3 has a session of 130
    files, which no kernel before 7.2 has room for: that is said.
    """
    handover, forms = real(name, shipped, request), forms_of(REGISTRY, release)
    if name == "many-7.3" and forms.luo not in (None, "luo-v5"):
        with pytest.raises(EncodeError, match="more than the area holds; expected at most 8192 bytes; found 8320 bytes") as caught:
            built_for(handover, forms)
        assert "luo/session/vm-007/files" == caught.value.path
        return
    other, lost = built_for(handover, forms)
    assert [] == other.problems
    assert (forms.kho, handover.luo and forms.luo) == (other.layout and other.layout.name, other.luo and other.luo.format)
    back, _ = built_for(other, forms_of(REGISTRY, "7.3"))
    findings = [each.rule for each in check(handover).findings]
    dropped = {"flb-name"} if "flbs" in lost else set()
    for made in (other, back):
        report = check(made)
        assert [rule for rule in findings if rule not in dropped] == [each.rule for each in report.findings]
        assert report.predicted is check(handover).predicted
    if not lost:
        assert content(handover) == content(other) == content(back)
    assert [region.start for region in handover.regions] == [region.start for region in back.regions]
    folios = [file.pages and file.pages.blocks for file in handover.files]
    assert folios == [file.pages and file.pages.blocks for file in back.files] or forms.luo is None


def test_what_is_lost(shipped: Path, request: pytest.FixtureRequest) -> None:
    """By path, with the value and the reason; a seal that every memfd of the old kernel has is no loss."""
    conversion = convert(real("small-7.3", shipped, request), forms_of(REGISTRY, "7.0"))
    assert [
        ("kexec-metadata", "previous_release", "'7.3.4'", "no kexec-metadata beside kho-v1"),
        ("kexec-metadata", "kexec_count", "1", "no kexec-metadata beside kho-v1"),
        ("luo/session/vm-beta/77", "seals", "0x6", "memfd-v1 does not keep it"),
    ] == [(each.path, each.what, each.value, each.why) for each in conversion.dropped]
    older = convert(real("flb-7.2", shipped, request), forms_of(REGISTRY, "6.19"))
    assert 3 == sum(each.what == "flbs" for each in older.dropped)
    none = convert(real("flb-7.2", shipped, request), forms_of(REGISTRY, "6.18"))
    assert {"sessions", "flbs", "liveupdate_num", "previous_release", "kexec_count"} == {each.what for each in none.dropped}


@given(wanted(KERNELS + POSTED[3:]), st.sampled_from(KERNELS + POSTED[3:]))
@settings(max_examples=60, deadline=None)
@example(FULL, KERNELS[2])
@example(FULL, KERNELS[0])
@example(replace(FULL, page_size=65536, byte_order="big"), KERNELS[3])
def test_any_handover_for_any_kernel(want: Spec, kernel: Forms) -> None:
    """Everything but what is said to be lost reads back as it was, check is silent, and no page is preserved for nobody."""
    assume(want.page_size != 16384 or not {"kho-v2", "kho-v3@7.1-rc1"} & {kernel.kho, want.forms.kho})  # no keys for single pages
    handover = opened(build(able(want)))
    conversion = convert(handover, kernel)
    other = opened(carry_out(conversion))
    assert [] == other.problems
    lost = {each.what for each in conversion.dropped}
    was, now = seen(handover), seen(other)
    assert was.regions == now.regions and was.scratch == now.scratch
    assert "flbs" in lost or was.flbs == now.flbs
    if "sessions" not in lost:
        assert [each.name for each in was.sessions] == [each.name for each in now.sessions]
        for one, two in zip(was.sessions, now.sessions, strict=True):
            assert [replace(each, seals=0) for each in one.files] == [replace(each, seals=0) for each in two.files]
    if "seals" not in lost and kernel.memfd != "memfd-v1" and was.forms.memfd not in ("memfd-v1", None) and "sessions" not in lost:
        assert was.sessions == now.sessions
    told = [each for each in told_of(check(other)) if each.rule not in ("flb-name", "metadata-release")]
    assert [] == [each.rule for each in told]


def test_nothing_moves_that_somebody_knows(shipped: Path, request: pytest.FixtureRequest) -> None:
    """Root, scratch array, records of files and the clients that stay are where they were; new metadata is in nobody's memory."""
    handover = real("base-7.3", shipped, request)
    conversion = convert(handover, forms_of(REGISTRY, "7.1"))
    built = carry_out(conversion)
    other = opened(built)
    assert (handover.fdt_pa, handover.scratch_pa) == (other.fdt_pa, other.scratch_pa)
    assert [file.data_pa for file in handover.files] == [file.data_pa for file in other.files]
    new = built.placed["luo/session/0"]
    assert handover.preserved is not None and not handover.preserved.covers(new)
    assert all(not start <= new < start + size for start, size in handover.scratch or ())
    same = carry_out(convert(handover, forms_of(REGISTRY, "7.2")))
    assert {file.path: file.pa for file in handover.files} == {file.path: file.pa for file in opened(same).files}


STRANGE = Spec(
    NEWEST,
    sessions=(SessionSpec("s", (FileSpec(1, handler="unknown-v9", data=0x5000_0000), FileSpec(2, b"x", 5000))),),
    flbs=(FlbSpec("pci", 0x5000_1000, 2),),
    subtrees=(SubtreeSpec("own", b"no devicetree"),),
    preserved=(Run(0x5000_0000, 4, 0),),
    scratch=SCRATCH,
)


def strange() -> Handover:
    """A handover with a file of an unknown format, whose memory is preserved beside what is built."""
    arena = Arena()
    for page in range(4):
        arena.alloc(at=0x5000_0000 + 4096 * page)
        arena.write(0x5000_0000 + 4096 * page, bytes([page + 1]) * 4096)
    return opened(build(STRANGE, arena))


def test_what_nobody_knows_is_kept() -> None:
    """Memory behind handles of unknown formats stays preserved, with its content."""
    other, lost = built_for(strange(), KERNELS[6])
    assert [] == lost and other.memory is not None and other.preserved is not None
    assert other.preserved.covers(0x5000_0000, 4 * 4096)
    assert bytes([3]) * 4096 == bytes(other.memory.read(0x5000_2000, 4096))
    assert [("unknown-v9", 0x5000_0000), ("memfd-v2", other.files[1].data_pa)] == [(each.compatible, each.data_pa) for each in other.files]


def test_clients_of_roots_without_sizes() -> None:
    """kho-v2 does not say how long a blob is, and one of kho-v1 is a devicetree: what is neither is lost, and said to be."""
    for kernel, why in ((KERNELS[4], "kho-v2 does not say how long a blob is"), (KERNELS[3], "a blob of kho-v1 is a devicetree")):
        conversion = convert(strange(), kernel)
        assert [("own", "13 bytes", why)] == [(each.path, each.value, each.why) for each in conversion.dropped if each.what == "subtrees"]
        assert None is opened(carry_out(conversion)).subtree("own")


def own_formats() -> Registry:
    """Two versions of a handler's and of a client's format."""
    common = {"doc": "d", "source": "s", "status": "project"}
    file = common | {"found_by": "luo_file_ser.data", "carrier": "string"}
    client = common | {"found_by": "KHO subtree own", "carrier": "field:number"}
    schemas = [
        Schema(compatible="drv-v1", root=Struct("drv", "a" / U8), **file),  # type: ignore[arg-type]
        Schema(compatible="drv-v2", replaces="drv-v1", root=Struct("drv", "b" / U16, "a" / U8), **file),  # type: ignore[arg-type]
        Schema(name="own-1", version=("number", 1), root=Struct("own", "number" / U8, "a" / U8), **client),  # type: ignore[arg-type]
        Schema(name="own-2", version=("number", 2), root=Struct("own", "number" / U8, "a" / U16), **client),  # type: ignore[arg-type]
    ]
    registry = REGISTRY.copy()
    converters = [
        Converter("drv-v1", "drv-v2", up={"b": 258}, loses=("b",)),
        Converter("own-1", "own-2", up={"number": 2}, down={"number": 1}),
    ]
    registry.add_compiled(compile_schemas(schemas, converters), "test")
    return registry


def test_formats_of_ones_own() -> None:
    """A file's record is made anew and its handler named anew; the old record's page is no longer preserved."""
    registry = own_formats()
    layout = registry.layout("drv-v1", Environment())
    record = encode(layout, {"a": 7})
    session = SessionSpec("s", (FileSpec(1, handler="drv-v1", record=record),))
    built = build(replace(STRANGE, sessions=(session,), flbs=(), subtrees=(), preserved=()), registry=registry)
    handover = open_memory(built.arena.view(), fdt=built.fdt_pa, scratch=built.scratch, registry=registry)
    old = handover.files[0].data_pa
    conversion = convert(handover, NEWEST, {"drv-v1": "drv-v2"})
    made = carry_out(conversion)
    other = open_memory(made.arena.view(), fdt=made.fdt_pa, scratch=made.scratch, registry=registry)
    (file,) = other.files
    assert ("drv-v2", 258, 7) == (file.compatible, file.body and file.body.b, file.body and file.body.a)
    assert other.preserved is not None and not other.preserved.covers(old) and other.preserved.covers(file.data_pa)
    back = carry_out(convert(other, NEWEST, {"drv-v2": "drv-v1"}))
    again = open_memory(back.arena.view(), fdt=back.fdt_pa, registry=registry).files[0]
    assert ("drv-v1", 7) == (again.compatible, again.body and again.body.a)


def test_a_client_of_ones_own() -> None:
    """Its blob is made anew, in the form that is asked for."""
    registry = own_formats()
    built = build(replace(STRANGE, sessions=(), flbs=(), subtrees=(SubtreeSpec("own", bytes([1, 9])),)), registry=registry)
    handover = open_memory(built.arena.view(), fdt=built.fdt_pa, scratch=built.scratch, registry=registry)
    subtree = handover.subtree("own")
    assert subtree is not None and subtree.format is not None
    target = "own-2" if subtree.format == "own-1" else "own-1"
    made: Built = carry_out(convert(handover, NEWEST, {subtree.format: target}))
    other = open_memory(made.arena.view(), fdt=made.fdt_pa, registry=registry).subtree("own")
    assert other is not None and other.blob is not None and registry.summaries[target].size == other.size
    assert (registry.layout(target, Environment()).version or ("", 0))[1] == other.blob[0]


def test_room_for_new_metadata() -> None:
    """Between what is preserved, never in scratch; behind all of it where no gap is large enough."""
    spec = Spec(NEWEST, sessions=(SessionSpec("s", (FileSpec(1, b"x", 4096),)),), preserved=(Run(0x3000_0000, 1, 0),))
    for scratch in ((), ((0x1100_0000, 0x1000_0000),), ((0x1100_0000, 0x1F00_0000), (0x3800_0000, 0x800_0000))):
        handover = opened(build(replace(spec, scratch=scratch)))
        base, size = window(handover)
        assert all(base + size <= start or start + length <= base for start, length in scratch)
        assert handover.preserved is not None
        assert all(base + size <= start or start + length <= base for start, length in handover.preserved.map.ranges())


def test_lists_are_cut_as_they_were() -> None:
    """By the lists themselves: how many bitmaps a chunk of kho-v1 had says nothing of page lists."""
    spec = Spec(KERNELS[3], sessions=(SessionSpec("s", (FileSpec(1, b"x", 4096),)),), per_list=1, preserved=(Run(0x3000_0000, 1, 0),))
    handover = opened(build(spec))
    assert 1 == spec_of(handover).per_list
    assert None is convert(handover, KERNELS[-1]).spec.per_list


def test_a_client_whose_struct_is_known() -> None:
    """It needs no recorded size, below kho-v2 as below kho-v3."""
    layout = REGISTRY.layout("pstore-kho", Environment())
    blob = (1).to_bytes(4, "little") + bytes(layout.struct().size - 4)
    handover = opened(build(Spec(NEWEST, subtrees=(SubtreeSpec("pstore-kho", blob),))))
    conversion = convert(handover, KERNELS[4])
    assert () == conversion.dropped
    made = opened(carry_out(conversion)).subtree("pstore-kho")
    assert made is not None and blob == bytes(made.blob or b"")[: len(blob)]


def test_sizes_that_are_only_claimed() -> None:
    """A region of a PiB, of which a few pages are there, takes no PiB: what a capture lacks gets no bytes."""
    built = build(Spec(NEWEST, regions=(RegionSpec("trace", 1 << 16, b"trace"),), pins={"memblock/trace": 1 << 40}))
    subtree = opened(built).subtree("memblock")
    assert subtree is not None and subtree.pa is not None and subtree.fdt is not None
    size = subtree.fdt.root.children[0].property("size")
    assert size is not None and size.offset is not None
    built.arena.write(subtree.pa + size.offset, (1 << 50).to_bytes(8, "little"))
    handover = opened(built)
    assert 1 << 50 == handover.regions[0].size
    made = carry_out(convert(handover, KERNELS[3]))
    other = opened(made)
    assert 1 << 50 == other.regions[0].size and other.memory is not None
    assert b"trace" == bytes(other.memory.read(other.regions[0].start, 5)) and other.memory.size < 1 << 25


def test_damaged_in_any_way() -> None:
    """A handover with any one field changed is converted, or refused with an error of ours."""
    built = build(replace(able(FULL), scratch=SCRATCH))
    whole = opened(built)
    done = 0
    for seed in range(150):
        memory = PhysMemory(damaged(whole, mutate(whole, seed, 1)), source="damaged", byteorder="little", page_size=4096)
        try:
            handover = open_memory(memory, fdt=built.fdt_pa, scratch=built.scratch)
            for kernel in (KERNELS[6], KERNELS[2]):
                carry_out(convert(handover, kernel))
            done += 1
        except DevstateError:
            continue
    assert 10 < done < 140


def test_posted_forms_of_files() -> None:
    """Feature words are written, read, rebuilt, and lost on the way down, which is said."""
    handover = opened(build(able(FULL)))
    conversion = convert(handover, replace(NEWEST, memfd="memfd"))
    assert () == conversion.dropped
    other = opened(carry_out(conversion))
    assert [] == other.problems and {"memfd"} == {file.format for file in other.files}
    assert [2, 3] == sorted({file.body.features.active for file in other.files if file.body is not None})
    again = opened(rebuild(other))
    assert [file.body for file in other.files] == [file.body for file in again.files]
    back = convert(again, NEWEST)
    assert () == back.dropped  # what the way up would give is no loss
    assert content(handover) == content(opened(carry_out(back)))


def test_a_devicetree_of_ones_own() -> None:
    """It is not converted in silence."""
    common = {"doc": "d", "source": "s", "status": "project", "found_by": "KHO subtree own", "carrier": "fdt"}
    schemas = [Schema(compatible=name, root=Node("", compatible=name), **common) for name in ("own-v1", "own-v2")]  # type: ignore[arg-type]
    registry = REGISTRY.copy()
    registry.add_compiled(compile_schemas(schemas, [Converter("own-v1", "own-v2")]), "test")
    blob = write(Fdt(Tree("", {"compatible": b"own-v1\0"})))
    built = build(replace(STRANGE, sessions=(), flbs=(), subtrees=(SubtreeSpec("own", blob),)), registry=registry)
    handover = open_memory(built.arena.view(), fdt=built.fdt_pa, registry=registry)
    with pytest.raises(EncodeError, match="own-v1 is a devicetree of a client's own"):
        convert(handover, NEWEST, {"own-v1": "own-v2"})


def test_no_way() -> None:
    """No converters, a damaged handover: nothing is built."""
    handover = opened(build(able(FULL)))
    with pytest.raises(UsageError, match="no converter leads from luo-v5 to memfd-v1"):
        convert(handover, replace(NEWEST, luo="memfd-v1"))
    built = build(able(FULL))
    built.arena.write(built.placed["luo/session/0"], (1).to_bytes(8, "little"))
    with pytest.raises(EncodeError, match="a damaged handover cannot be built again"):
        convert(opened(built), KERNELS[6])


def test_the_writers_release() -> None:
    """It is kept where such a kernel writes these forms, else it becomes that of the kernel that does, and this is said."""
    handover = opened(build(able(FULL)))
    assert "7.3.4" == convert(handover, forms_of(REGISTRY, "7.2")).spec.forms.release
    conversion = convert(handover, forms_of(REGISTRY, "7.1"))
    assert ("7.1", 1) == (conversion.spec.forms.release, len(conversion.notes))
    report = check(opened(carry_out(conversion)))
    assert Reaction.ACCEPTED is report.predicted and all(each.severity is Severity.INFO for each in report.findings)
