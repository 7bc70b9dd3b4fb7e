# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Handovers with anything changed in them: opened, checked, shown, compared and hashed, they end in an answer or in an error of ours.

Whatever the numbers in it claim, an answer takes time and memory as the bytes that are there do. An input says which handover is
taken and what is changed in it::

    | base u8 | place u16 | word u8 | what u8 | value u16 | place ...      7 bytes for each change, up to CHANGES_MAX

    place   a struct, block, page of a list or of the memory map, folio array, devicetree; word counts the 8 bytes in it
    what    an odd number, the address of another place, a flipped bit, a few bytes of another place, a page that is not there, ...
"""

from __future__ import annotations

import io
import struct
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from devstate.check.run import check
from devstate.cli.document import Depth, Hashes, document
from devstate.cli.place import select
from devstate.cli.tree import tree_lines
from devstate.errors import DevstateError
from devstate.handover.build import build
from devstate.handover.content import file_pieces
from devstate.handover.difference import differences
from devstate.handover.model import Handover
from devstate.handover.open import open_handover, open_memory
from devstate.handover.owners import name_owners
from devstate.handover.spec import FileSpec, FlbSpec, Forms, RegionSpec, SessionSpec, Spec
from devstate.memory.open import open_input
from devstate.memory.physmem import MemoryRegion, PhysMemory
from devstate.report.json import write
from tests.handover.builders import KERNELS

ROOT = Path(__file__).resolve().parent.parent
CHANGE = struct.Struct("<HBBH")
CHANGES_MAX = 12
SECONDS_MAX = 5.0
"""Processor time for one input. Bases have up to some hundred KiB, and take milliseconds."""

HASHED_MAX = 1 << 24
"""Bytes that are hashed for one input."""

WORDS = 32
"""Words of a place that a change can reach besides those that are not zero."""

ODD = (
    *range(8), 0x33, 0x34, 0x3F, 0x40, 0xFF, 0x100, 0x1FF, 0x200, 0xFFF, 0x1000, 0x1001, 0x1008, 0xFFFF, 1 << 20, 1 << 28,
    *((1 << bits) + more for bits in (31, 32, 40, 44, 51, 52, 53, 56, 60, 63, 64) for more in (-4096, -1, 0, 1)),
)  # fmt: skip


@dataclass(frozen=True)
class Base:
    """A handover to change: its memory, what opens it, and its places as (address, offsets of the words that a change can reach)."""

    regions: tuple[tuple[int, bytes], ...]
    fdt_pa: int
    page_size: int
    byteorder: Literal["little", "big"]
    scratch: tuple[int, int] | None
    places: tuple[tuple[int, tuple[int, ...]], ...]
    opened: Handover


def _base(memory: PhysMemory, fdt_pa: int, page_size: int, scratch: tuple[int, int] | None) -> Base:
    handover = open_memory(memory, fdt=fdt_pa, page_size=page_size, scratch=scratch)
    assert handover.preserved is not None and not handover.problems
    starts = [claim.start for claim in handover.claims.items if claim.what != "region"]
    starts += [*handover.preserved.map.node_pages]
    starts += [pa for file in handover.files if file.pages is not None for pa in file.pages.blocks]
    places = []
    for pa in dict.fromkeys(starts):
        page = bytes(next(memory.read_present(pa, page_size))[1])
        words = [at for at in range(0, len(page) - 7, 8) if at < 8 * WORDS or any(page[at : at + 8])]
        places.append((pa, tuple(words[: 8 * WORDS])))
    regions = tuple((pa, bytes(memory.read(pa, page_size))) for each in memory.regions for pa in range(each.start, each.end, page_size))
    return Base(regions, fdt_pa, page_size, memory.byteorder, scratch, tuple(places), handover)


def _reduced() -> Base:
    """A real handover without the contents of its files: all of it is structure."""
    handover = open_handover(open_input(str(ROOT / "tests" / "captures" / "small-7.3.core.zst")))
    memory = handover.memory
    assert memory is not None and handover.preserved is not None and handover.fdt_pa is not None
    kept = {claim.start // 4096 for claim in handover.claims.items} | {pa // 4096 for pa in handover.preserved.map.node_pages}
    kept |= {pa // 4096 for file in handover.files if file.pages is not None for pa in file.pages.blocks}
    kept.add((handover.scratch_pa or 0) // 4096)
    pages = [MemoryRegion(page * 4096, 4096, memory.read(page * 4096, 4096)) for page in sorted(kept)]
    return _base(PhysMemory(pages, source="reduced"), handover.fdt_pa, 4096, (handover.scratch_pa or 0, 48))


def _small(forms: Forms, page_size: int = 4096, byte_order: Literal["little", "big"] = "little") -> Spec:
    """Something of everything that these forms have, and chains of blocks that hold one entry each."""
    alpha = (FileSpec(1, b"a" * 50, 5000), FileSpec(2, b"b", 40_000, 17, 6 if forms.memfd != "memfd-v1" else 0, 1), FileSpec(3))
    sessions = (
        SessionSpec("alpha", alpha),
        SessionSpec("empty"),
        SessionSpec("beta", (FileSpec(1, b"c", 8000),)),
        SessionSpec("gamma", (FileSpec(9, b"", 1),)),
    )
    return Spec(
        forms,
        page_size,
        byte_order,
        sessions if forms.luo is not None else (),
        (FlbSpec("flb-a", 0xFEED, 5),) if forms.luo not in (None, "luo-v1@6.19") else (),
        (RegionSpec("trace", page_size * 2, b"trace"),),
        scratch=((0x8000_0000, 1 << 26), (0x9000_0000, 0), (0xA000_0000, 1 << 26)),
        per_block=1,
        per_list=1,
    )


@cache
def bases() -> tuple[Base, ...]:
    """The real one, then one of each form that mainline ever wrote, and two of other machines."""
    found = [_reduced()]
    for each in (*map(_small, KERNELS), _small(KERNELS[3], 16384, "big"), _small(KERNELS[-1], 16384)):
        built = build(each)
        found.append(_base(built.arena.view(), built.fdt_pa, each.page_size, built.scratch))
    return tuple(found)


def changed_memory(base: Base, data: bytes) -> PhysMemory:
    """The memory of a base with the changes that ``data`` asks for."""
    buffers = [(start, bytearray(content)) for start, content in base.regions]
    gone: set[int] = set()
    for at in range(0, min(len(data) // CHANGE.size, CHANGES_MAX) * CHANGE.size, CHANGE.size):
        place, word, what, value = CHANGE.unpack_from(data, at)
        pa, words = base.places[place % len(base.places)]
        _change(base, buffers, gone, pa + words[word % len(words)], what, value)
    regions = [MemoryRegion(start, len(content), memoryview(content)) for start, content in buffers if start not in gone]
    return PhysMemory(regions, source="changed", byteorder=base.byteorder, page_size=base.page_size)


def _change(base: Base, buffers: list[tuple[int, bytearray]], gone: set[int], pa: int, what: int, value: int) -> None:
    start, content = next((start, content) for start, content in buffers if start <= pa < start + len(content))
    at = pa - start
    old = int.from_bytes(content[at : at + 8], base.byteorder)
    other, _ = base.places[value % len(base.places)]
    match what % 10:
        case 0:
            new = ODD[value % len(ODD)].to_bytes(9, "little")[:8]
        case 1:
            new = (old ^ 1 << value % 64).to_bytes(8, base.byteorder)
        case 2:
            new = other.to_bytes(8, base.byteorder)
        case 3:
            new = ((old + value % 512 - 256) % (1 << 64)).to_bytes(8, base.byteorder)
        case 4:
            new = (ODD[value % len(ODD)] % (1 << 32)).to_bytes(4, base.byteorder)
        case 5:
            new = (ODD[value % len(ODD)] % (1 << 32)).to_bytes(4, "big")
        case 6:
            new = bytes([value % 256]) * (1 + value // 256 % 64)
        case 7:
            from_, source = next((start, content) for start, content in buffers if start <= other < start + len(content))
            new = bytes(source[other - from_ :][: 8 << value % 7])
        case 8:
            gone.add(start)
            return
        case _:
            new = (ODD[value % len(ODD)] % (1 << 64)).to_bytes(8, base.byteorder)
    content[at : at + len(new)] = new[: len(content) - at]


def everything(handover: Handover, against: Handover) -> None:
    """All that can be asked of a handover, in the forms in which people and programs see it."""
    report = check(handover)
    for finding in report.findings:
        assert finding.location.source == handover.source and str(finding)
    handover.problems += name_owners(handover)
    chosen = select(handover)
    problems = list(chosen.problems())
    hashes = Hashes(handover)
    hashes.left = HASHED_MAX
    depth = Depth(pages=True, raw=True, hash=hashes)
    text = io.StringIO()
    write(document(chosen, problems, depth), text)
    assert text.getvalue().endswith("}\n")
    for line in tree_lines(chosen, problems, Depth(pages=True, raw=True)):
        assert line.isprintable()
    differences(against, handover)
    for file in handover.files:
        try:
            for offset, piece in file_pieces(handover, file):
                assert offset + len(piece) <= (file.size or 0)
        except DevstateError:
            continue


def one_input(data: bytes) -> None:
    """The property. Whatever else than DevstateError is raised, or takes too long, is a bug."""
    base = bases()[(data[0] if data else 0) % len(bases())]
    memory = changed_memory(base, data[1:])
    start = time.process_time()
    try:
        everything(open_memory(memory, fdt=base.fdt_pa, page_size=base.page_size, scratch=base.scratch), base.opened)
    except DevstateError as error:
        assert str(error)
    taken = time.process_time() - start
    assert taken < SECONDS_MAX, f"{taken:.1f} s"


def seeds() -> list[bytes]:
    """Each base as it is; each kind of change at some places of each base."""
    found = [bytes([base]) for base in range(len(bases()))]
    for base in range(len(bases())):
        for number in range(40):
            found.append(bytes([base]) + CHANGE.pack(number * 7, number % 16, number % 10, number * 31 % 65536))
    return found


def main() -> None:
    from driver import run

    run(one_input, seeds())


if __name__ == "__main__":
    main()
