# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Every record of every mainline format that real handovers hold decodes and encodes to the same bytes, the trees and the map too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstate.codec.columns import columns
from devstate.codec.decode import decode, decode_array
from devstate.codec.encode import encode, encode_array
from devstate.codec.text import from_json, to_json
from devstate.errors import DecodeError, NotInMemoryError
from devstate.fdt.writer import IN_PLACE, PRESERVE, SEQUENTIAL, write
from devstate.handover.content import file_sha256, folio_records
from devstate.handover.model import Handover
from devstate.handover.open import open_handover
from devstate.layout.model import Layout, StructType
from devstate.memory.open import open_input
from devstate.memory.physmem import PhysMemory
from devstate.pagetable import radix
from devstate.pagetable.native import radix_build
from devstate.pagetable.radix import Run, radix_shape

TAMPERED = sorted((Path(__file__).resolve().parent.parent / "captures" / "tampered").glob("*.core.zst"))
NAMES = ("empty-7.3", "small-7.3", "base-7.3", "flb-7.2", "iommu-machine-7.3", "many-7.3", "reserve-7.3")
Found = tuple[Layout, str, bytes, int]
"""A layout, the struct in it, the bytes where it stands (with its area, for one that ends in an array), how many there are."""


def opened(name: str, shipped: Path, request: pytest.FixtureRequest) -> Handover:
    core = shipped / f"{name}.core.zst"
    folder = shipped if core.exists() else request.getfixturevalue("captures")
    return open_handover(open_input(str(folder / f"{name}.core.zst")))


def records(handover: Handover) -> Iterator[Found]:
    """Everything of a declared layout that the handover leads to."""
    memory, page, registry = handover.memory, handover.environment.page_size, handover.registry
    assert memory is not None and handover.layout is not None
    for subtree in handover.subtrees:
        if subtree.layout is not None and subtree.fdt is None and subtree.blob is not None:
            struct = subtree.layout.struct()
            if len(subtree.blob) >= struct.size:
                yield subtree.layout, struct.name, bytes(subtree.blob[: struct.size]), 1
    for start, _ in [(handover.scratch_pa, 0)] if handover.scratch_pa is not None else []:
        count = len(handover.scratch or ())
        yield handover.layout, "kho_scratch", bytes(memory.read(start, 16 * count)), count
    yield from of_luo(handover)
    block = registry.layout("kho-block", handover.environment)
    for claim in handover.claims.items:
        if claim.what == "block" and claim.path.startswith("luo/session") and memory.contains(claim.start, page):
            yield block, "kho_block_header_ser", bytes(memory.read(claim.start, 16)), 1
    for file in handover.files:
        if file.layout is None or file.body is None or file.pages is None:
            continue
        yield file.layout, file.layout.struct().name, bytes(memory.read(file.data_pa, file.layout.struct().size)), 1
        for pa in file.pages.lists:
            yield file.layout, "kho_vmalloc_chunk", bytes(memory.read(pa, page)), 1
        folios = folio_records(handover, file)
        if folios and isinstance(file.folio_layout, StructType):
            yield file.layout, file.folio_layout.struct, bytes(folios), len(folios) // 16


def of_luo(handover: Handover) -> Iterator[Found]:
    """Blocks of sessions and files, entries behind their headers, and the area of FLBs."""
    luo, memory, page = handover.luo, handover.memory, handover.environment.page_size
    if luo is None or memory is None:
        return
    layout = handover.registry.layout(luo.format, handover.environment)
    for claim in handover.claims.items:
        if claim.what != "block" or not memory.contains(claim.start, page):
            continue
        data = bytes(memory.read(claim.start, page))
        if claim.path == "luo/flb":
            yield layout, "luo_flb_header_ser", data, 0
            continue
        struct = "luo_session_ser" if claim.path == "luo/session" else "luo_file_ser"
        size = layout.struct(struct).size
        count = min(int.from_bytes(data[8:16], "little"), (page - 16) // size)
        yield layout, struct, data[16 : 16 + count * size], count


def same(found: Found) -> str:
    """Decode, encode and compare, as records, as columns and through JSON; returns the struct's name."""
    layout, struct, data, count = found
    if not count:
        record = decode(layout, data, struct)
        assert data.startswith(encode(layout, record, struct))
        return struct
    made = decode_array(layout, struct, data, count)
    assert data == encode_array(layout, struct, made)
    assert data == columns(layout, struct, data).array.tobytes()
    for record in made[:20]:
        again = from_json(layout, to_json(layout, record), struct)
        assert encode(layout, record, struct) == encode(layout, again, struct)
    return struct


@pytest.mark.parametrize("name", NAMES)
def test_records(name: str, shipped: Path, request: pytest.FixtureRequest) -> None:
    """All records of a real handover; that each kind was met is asked too."""
    handover = opened(name, shipped, request)
    met = Counter(same(found) for found in records(handover))
    luo = {"luo_ser", "luo_session_ser", "luo_file_ser", "luo_flb_header_ser", "kho_block_header_ser"}
    memfd = {"memfd_luo_ser", "memfd_luo_folio_ser", "kho_vmalloc_chunk"}
    both = {"kho_kexec_metadata", "kho_scratch"}
    assert (both if name == "empty-7.3" else both | luo | memfd) == set(met)
    assert len(handover.files) == met["memfd_luo_ser"]


@pytest.mark.parametrize("core", TAMPERED, ids=lambda path: path.name.removesuffix(".core.zst"))
def test_edited_records(core: Path) -> None:
    """What was edited is still the bytes that it is: nothing unknown is dropped."""
    assert [same(found) for found in records(open_handover(open_input(str(core))))]


@pytest.mark.parametrize("name", NAMES)
def test_trees(name: str, shipped: Path, request: pytest.FixtureRequest) -> None:
    """The root is what the kernel's in-place editing leaves, memblock's tree what its sequential writer leaves."""
    handover = opened(name, shipped, request)
    assert handover.fdt is not None and handover.memory is not None and handover.fdt_pa is not None
    blob = bytes(handover.memory.read(handover.fdt_pa, len(handover.fdt.blob or b"")))
    assert blob == write(handover.fdt, IN_PLACE) == write(handover.fdt, PRESERVE)
    for subtree in handover.subtrees:
        if subtree.fdt is not None and subtree.blob is not None:
            assert bytes(subtree.blob) == write(subtree.fdt, SEQUENTIAL) == write(subtree.fdt, PRESERVE)


@pytest.mark.parametrize("name", NAMES)
def test_memory_map(name: str, shipped: Path, request: pytest.FixtureRequest) -> None:
    """The blocks that a map stands for, built anew at the addresses of its nodes: the same pages, bit for bit.

    The kernel leaves nodes behind when it unpreserves: those that lead to no bit are 0 in what is built, as are the links to them.
    """
    handover = opened(name, shipped, request)
    memory, preserved = handover.memory, handover.preserved
    assert memory is not None and preserved is not None and handover.layout is not None
    shape = radix_shape(4096)
    walked = radix.walk(memory, preserved.root_pa, shape, "little")
    runs = [
        Run(bitmap.pa + (first << 12 + bitmap.order), end - first, bitmap.order)
        for bitmap in walked.bitmaps
        for first, end in bitmap.runs("little")
    ]
    used = used_nodes(memory, preserved.root_pa, shape.depth)
    needed, pages = radix_build(runs, shape, [pa for pa, _ in used], "little")
    assert len(used) == needed
    known = {pa for pa, _ in used}
    for number, (pa, is_table) in enumerate(used):
        words = memoryview(bytes(memory.read(pa, 4096))).cast("Q")
        kept = [word if not is_table or word in known else 0 for word in words]
        assert kept == memoryview(pages)[number * 4096 : (number + 1) * 4096].cast("Q").tolist()


def used_nodes(memory: PhysMemory, pa: int, depth: int) -> list[tuple[int, bool]]:
    """(address, whether it is a table) of the nodes that lead to some bit, in the order of the keys, parents first."""
    words = memoryview(bytes(memory.read(pa, 4096))).cast("Q")
    if depth == 1:
        return [(pa, False)] if any(words) else []
    below = [node for child in words if child for node in used_nodes(memory, child, depth - 1)]
    return [(pa, True), *below] if below else []


@pytest.mark.parametrize("name", NAMES)
def test_nodes(name: str, shipped: Path, request: pytest.FixtureRequest) -> None:
    """Each page of the map as the record that its level is."""
    handover = opened(name, shipped, request)
    assert handover.memory is not None and handover.preserved is not None and handover.layout is not None
    for pa in handover.preserved.map.node_pages:
        for struct in ("kho_radix_node", "kho_radix_leaf"):
            assert struct == same((handover.layout, struct, bytes(handover.memory.read(pa, 4096)), 1))


@pytest.mark.parametrize("name", ["small-7.3"])
def test_prefixes_of_records(name: str, shipped: Path, request: pytest.FixtureRequest) -> None:
    """Every prefix of every record fails with a place."""
    for layout, struct, data, count in records(opened(name, shipped, request)):
        size = layout.struct(struct).size
        for length in range(size):
            with pytest.raises(DecodeError) as caught:
                decode(layout, data[:length], struct, pa=0x1000)
            assert (0x1000, True) == (caught.value.pa, struct in (caught.value.path or "")), count


def test_memory_that_is_not_there(shipped: Path) -> None:
    """Contents that a filtered capture left out are told from damage: a NotInMemoryError with the address of the page."""
    handover = open_handover(open_input(str(TAMPERED[0])))
    with pytest.raises(NotInMemoryError) as caught:
        file_sha256(handover, next(file for file in handover.files if file.body is not None))
    assert caught.value.pa is not None
    assert handover.preserved is not None and handover.preserved.covers(caught.value.pa)
