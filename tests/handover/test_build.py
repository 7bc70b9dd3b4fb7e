# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""build beyond what test_versions asks: places and pins, entries, own clients, limits of areas, and what is refused."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from devstate.codec.decode import decode
from devstate.errors import EncodeError, LocatedError, UsageError
from devstate.fdt.reader import read
from devstate.frozen import replace
from devstate.handover import spec_parse, spec_text
from devstate.handover.build import Built, build
from devstate.handover.build_rules import ORDER_MAX
from devstate.handover.carrier import read_carrier
from devstate.handover.content import file_runs, folio_records
from devstate.handover.open import open_handover
from devstate.handover.rebuild import rebuild
from devstate.handover.spec import ENTRIES, FileSpec, FlbSpec, FolioColumns, Forms, RegionSpec, SessionSpec, Spec, SubtreeSpec, forms_of
from devstate.handover.spec_lines import line_of, path_of
from devstate.layout.registry import Registry
from devstate.memory.arena import Arena
from devstate.memory.open import open_input
from devstate.pagetable.radix import Run
from tests.handover.builders import KERNELS
from tests.handover.test_versions import FULL, SCRATCH, able, opened

REGISTRY = Registry.shipped()
NEWEST = KERNELS[-1]


def entry(built: Built) -> bytes:
    assert built.entry_pa is not None
    return bytes(built.arena.view().read(built.entry_pa, built.arena.page_size))


@pytest.mark.parametrize("renamed", [False, True])
@pytest.mark.parametrize("byte_order", ["little", "big"])
def test_setup_data(byte_order: str, renamed: bool) -> None:
    """The node that x86's boot loader protocol has: next, type, length, then struct kho_data."""
    spec = Spec(NEWEST, byte_order=byte_order, scratch=SCRATCH, entry="setup_data", renamed=renamed)  # type: ignore[arg-type]  # one of the two
    built = build(spec)
    data = entry(built)
    assert data[:8] == bytes(8)  # next: the last of the list
    assert data[8:12] == (10).to_bytes(4, byte_order)  # type: ignore[arg-type]  # SETUP_KEXEC_KHO
    assert data[12:16] == (32).to_bytes(4, byte_order)  # type: ignore[arg-type]  # len
    layout = REGISTRY.layout("kho-data@7.4" if renamed else "kho-data", opened(built).environment)
    assert (built.fdt_pa, 4096, *built.scratch) == tuple(decode(layout, data[16:48]))
    assert not any(data[48:])


@pytest.mark.parametrize(("renamed", "name"), [(False, "linux,kho-scratch"), (True, "linux,kho-bootmem")])
def test_devicetree(tmp_path: Path, renamed: bool, name: str) -> None:
    """The tree that a devicetree machine boots with, as the running kernel shows it to read_carrier()."""
    built = build(Spec(NEWEST, scratch=SCRATCH, entry="devicetree", renamed=renamed))
    tree = read(entry(built)[: int.from_bytes(entry(built)[4:8], "big")])
    base = tmp_path / "sys" / "firmware" / "devicetree" / "base"
    for path, node in tree.walk():
        (base / path.strip("/")).mkdir(parents=True)
        for key, value in node.properties.items():
            (base / path.strip("/") / key).write_bytes(value)
    carrier = read_carrier(str(tmp_path / "sys"), str(tmp_path / "proc"), REGISTRY, "little")
    assert carrier is not None and name in (tree.node("/chosen") or tree.root).properties
    assert (built.fdt_pa, 4096, *built.scratch) == (carrier.fdt_pa, carrier.fdt_size, carrier.scratch_pa, carrier.scratch_size)


def test_no_entry() -> None:
    """It is built only when it is asked for, and is preserved by nobody."""
    assert build(Spec(NEWEST)).entry_pa is None
    for kind in ENTRIES:
        built = build(Spec(NEWEST, entry=kind))
        preserved = opened(built).preserved
        assert preserved is not None and built.entry_pa is not None and not preserved.covers(built.entry_pa)


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_every_place_can_be_pinned(kernel: Forms) -> None:
    """The same handover 1 GiB higher: each thing is where its pin says, and all else is as before."""
    spec = able(replace(FULL, forms=kernel, entry="setup_data"))
    first = build(spec)
    moved = {place: pa + (1 << 30) for place, pa in first.placed.items()}
    second = build(replace(spec, pins=moved))
    assert moved == dict(second.placed)
    assert [replace(run, pa=run.pa + (1 << 30)) for run in first.preserved] == list(second.preserved)
    assert [] == opened(second).problems


def test_pins_that_do_not_fit() -> None:
    """Taken memory, no page boundary, nothing of that name: an error with the place."""
    for pins, path, message in (
        ({"kho": 0x5000_0000, "subtree/LUO": 0x5000_0000}, "subtree/LUO", "memory is already taken"),
        ({"kho": 0x5000_0008}, "kho", "pinned address"),
        ({"luo/session/none/0": 0x5000_0000}, "pins.luo/session/none/0", "a pin of something that is not built"),
        ({"kho": -4096}, "kho", "pinned address"),
    ):
        with pytest.raises(EncodeError, match=message) as caught:
            build(Spec(NEWEST, pins=pins))
        assert path == caught.value.path


def test_own_clients() -> None:
    """Blobs as they are, in blocks of the order that was asked for, in the order that was asked for; newest first otherwise."""
    clients = (SubtreeSpec("one", b"1" * 5000), SubtreeSpec("two", b"22", 3))
    handover = opened(build(Spec(NEWEST, subtrees=clients)))
    assert ["one", "two", "LUO", "kexec-metadata"] == [each.name for each in handover.subtrees]
    assert [b"1" * 5000, b"22"] == [bytes(each.blob or b"") for each in handover.subtrees[:2]]
    assert handover.preserved is not None and 3 == handover.preserved.order_at(handover.subtrees[1].pa or 0)
    ordered = opened(build(Spec(NEWEST, subtrees=clients, subtree_order=("LUO", "two", "absent"))))
    assert ["LUO", "two", "one", "kexec-metadata"] == [each.name for each in ordered.subtrees]
    with pytest.raises(EncodeError, match="more than the block holds; expected at most 4096 bytes; found 4097"):
        build(Spec(NEWEST, subtrees=(SubtreeSpec("big", bytes(4097), 0),)))


def test_more_preserved_than_built() -> None:
    """Blocks beside what is built are in the map, once, whatever is named twice."""
    extra = (Run(0x5000_0000, 3, 0), Run(0x5000_1000, 4, 0), Run(0x6000_0000, 1, 9))
    preserved, alone = opened(build(Spec(NEWEST, preserved=extra))).preserved, opened(build(Spec(NEWEST))).preserved
    assert preserved is not None and alone is not None
    assert {9: 1, 0: 5} == {order: count - alone.map.orders.get(order, 0) for order, count in preserved.map.orders.items()}


LIMITS = {
    "sessions": ("luo-v1", lambda n: Spec(KERNELS[3], sessions=tuple(SessionSpec(str(i)) for i in range(n))), (16 * 4096 - 8) // 80),
    "files": ("luo-v1", lambda n: Spec(KERNELS[3], sessions=(SessionSpec("s", tuple(FileSpec(i) for i in range(n))),)), 2 * 4096 // 64),
    "flbs": ("luo-v5", lambda n: Spec(NEWEST, flbs=tuple(FlbSpec(str(i), 0, 1) for i in range(n))), (4096 - 16) // 64),
    "session name": ("luo-v5", lambda n: Spec(NEWEST, sessions=(SessionSpec("n" * n),)), 63),
    "flb name": ("luo-v5", lambda n: Spec(NEWEST, flbs=(FlbSpec("n" * n, 0, 1),)), 47),
    "handler": ("luo-v5", lambda n: Spec(NEWEST, sessions=(SessionSpec("s", (FileSpec(1, handler="n" * n),)),)), 47),
    "release": ("", lambda n: Spec(replace(NEWEST, release="n" * n)), 64),
    "clients": ("", lambda n: Spec(NEWEST, subtrees=tuple(SubtreeSpec(f"client-{i:02}", b"x") for i in range(n))), 63),
    "order": ("", lambda n: Spec(NEWEST, list_order=n), ORDER_MAX),
    "token": ("", lambda n: Spec(NEWEST, sessions=(SessionSpec("s", (FileSpec(n),)),)), (1 << 64) - 1),
    "seals": ("", lambda n: Spec(NEWEST, sessions=(SessionSpec("s", (FileSpec(1, seals=n),)),)), (1 << 32) - 1),
}  # fmt: skip


@pytest.mark.parametrize("name", LIMITS)
def test_limits(name: str) -> None:
    """At the limit of a format it is built and read again; one above is an error with a path."""
    _, make, limit = LIMITS[name]
    if name != "order":
        assert [] == opened(build(make(limit))).problems
    with pytest.raises(LocatedError) as caught:
        build(make(limit + 1))
    assert caught.value.path


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (Spec(Forms("kho-v4"), sessions=(SessionSpec("s"),)), "this kernel has no LUO"),
        (Spec(Forms("kho-v4", "luo-v5"), sessions=(SessionSpec("s", (FileSpec(1),)),)), "no handler for memfds"),
        (Spec(KERNELS[2], flbs=(FlbSpec("f", 0, 1),)), "no place for them"),
        (Spec(KERNELS[2], sessions=(SessionSpec("s", (FileSpec(1, seals=1),)),)), "no place for seals"),
        (Spec(NEWEST, sessions=(SessionSpec("s", (FileSpec(1, size=1 << 40),)),)), "the file is larger than the arena"),
        (Spec(NEWEST, regions=(RegionSpec("r", 4096, bytes(4097)),)), "the content is longer than the region"),
        (Spec(NEWEST, subtrees=(SubtreeSpec("LUO", b""),)), "two clients have this name"),
    ],
)  # fmt: skip
def test_what_is_refused(spec: Spec, message: str) -> None:
    """With the rule and a path."""
    with pytest.raises(EncodeError, match=message) as caught:
        build(spec)
    assert caught.value.path


def test_forms_that_are_not_there() -> None:
    """Unknown schemas and releases without KHO are usage errors."""
    for forms in (Forms("kho-v99"), Forms("memfd-v2"), Forms("chosen")):
        with pytest.raises(UsageError):
            build(Spec(forms))
    for release in ("6.15", "kernel", ""):
        with pytest.raises(UsageError):
            forms_of(REGISTRY, release)
    assert Forms("kho-v3", "luo-v1", "memfd-v2", "7.1") == forms_of(REGISTRY, "7.1")
    assert Forms("kho-v1@6.16") == forms_of(REGISTRY, "6.16")


def test_limits_of_text() -> None:
    """A spec and an arena at their limits, and one above."""
    text = b'kernel = "7.3"\n'
    assert NEWEST.kho == spec_text.read_spec(text.ljust(spec_parse.SPEC_MAX), "spec", REGISTRY).spec.forms.kho
    with pytest.raises(LocatedError, match="the spec is too large"):
        spec_text.read_spec(text.ljust(spec_parse.SPEC_MAX + 1), "spec", REGISTRY)
    for size, fits in ((spec_text.ARENA_MAX, True), (spec_text.ARENA_MAX + 1, False)):
        if fits:
            assert size == spec_text.read_spec(text + f"arena.size = {size}".encode(), "spec", REGISTRY).arena[1]
        else:
            with pytest.raises(EncodeError, match="the arena is too large"):
                spec_text.read_spec(text + f"arena.size = {size}".encode(), "spec", REGISTRY)


def test_lines() -> None:
    """Lines are those of keys, else of tables; arrays inside arrays begin again."""
    text = "a = 1\n[[s]]\nn = 1\n[[s.f]]\nt = 1\n[[s.f]]\nt = 2\n[[s]]\n[[s.f]]\nt = 3\n[pins]\n'x/y' = 5\n"
    wanted = {"a": 1, "s[0]": 2, "s[0].n": 3, "s[0].f[1].t": 7, "s[1].f[0].t": 10, "s[1].f[0].u": 9, "s[1].f[7]": 8, "pins.x/y": 12}
    assert wanted == {path: line_of(text, path) for path in wanted}
    assert line_of(text, "b") is None
    assert "sessions[2].files[0]" == path_of(FULL, "luo/session/vm-beta/1/folios")
    assert "regions[1]" == path_of(FULL, "memblock/odd")


def test_time_of_building(captures: Path) -> None:
    """120 sessions and 326 files are built in less than ten times the time of reading them."""
    source = str(captures / "many-7.3.core.zst")
    handover = open_handover(open_input(source))
    reading, building = [], []
    for _ in range(5):
        started = time.process_time()
        handover = open_handover(open_input(source))
        reading.append(time.process_time() - started)
        started = time.process_time()
        rebuild(handover)
        building.append(time.process_time() - started)
    assert min(building) < 10 * min(reading)


def test_an_arena_of_ones_own() -> None:
    """It is built where the arena gives out memory."""
    arena = Arena(0x4000_0000, 1 << 20)
    built = build(Spec(NEWEST), arena)
    assert built.arena is arena and 0x4000_0000 == built.fdt_pa


def test_small_blocks_and_lists() -> None:
    """Two records a block, one entry a page of a page list, blocks of order 1 with the flag that the kernel wants for them."""
    files = tuple(FileSpec(token, b"x", 4096 * 600) for token in range(3))
    sessions = (SessionSpec("s", files), SessionSpec("t"), SessionSpec("u"))
    built = build(Spec(NEWEST, sessions=sessions, per_block=2, per_list=1, list_order=1))
    handover = opened(built)
    assert {"luo/session/0", "luo/session/1", "luo/session/s/files/0", "luo/session/s/files/1"} <= set(built.placed)
    file = handover.files[0]
    assert file.pages is not None and file.body is not None
    assert (2, 2, 1) == (len(file.pages.lists), len(file.pages.blocks), file.pages.order)
    assert (3, 1, 4) == (file.body.folios.flags, file.body.folios.order, file.body.folios.total_pages)
    records = folio_records(handover, file)
    assert records is not None
    flags = [int.from_bytes(records[at : at + 8], "little") >> 52 for at in range(0, 64, 16)]
    assert [2, 3, 2, 3] == flags  # UPTODATE; odd pages DIRTY too


def test_folios_at_addresses() -> None:
    """Folios may be anywhere, of any order; they are preserved, and the content is cut to where they are."""
    pages = FolioColumns([0, 1, 4], [0x50000, 0x60001, 0x70000], [2, 3, 2], [0, 0, 2])
    content = bytes(range(1, 9)) * 4096
    built = build(Spec(NEWEST, sessions=(SessionSpec("s", (FileSpec(1, content, 8 * 4096, folios=pages),)),)))
    handover = opened(built)
    assert [(0, 0x5000_0000, 1), (1, 0x6000_1000, 1), (4, 0x7000_0000, 4)] == list(file_runs(handover, handover.files[0]))
    assert handover.preserved is not None and 2 == handover.preserved.order_at(0x7000_0000)
    assert {Run(0x5000_0000, 1, 0), Run(0x6000_1000, 1, 0), Run(0x7000_0000, 1, 2)} <= set(built.preserved)
    assert content[4 * 4096 :] == bytes(built.arena.view().read(0x7000_0000, 4 * 4096))
