# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The property of fuzz/handover_fuzzer.py on random changes, on hostile numbers in each field, and where few pages claim to be many."""

from __future__ import annotations

import random
import struct
import sys
import time
from pathlib import Path

import pytest

FUZZ = Path(__file__).resolve().parents[2] / "fuzz"
sys.path.insert(0, str(FUZZ))
import driver  # noqa: E402
from handover_fuzzer import ODD, Base, bases, everything, one_input, seeds  # noqa: E402

from devstate.check.run import check  # noqa: E402
from devstate.errors import DevstateError  # noqa: E402
from devstate.handover.build import Built, build  # noqa: E402
from devstate.handover.model import Handover  # noqa: E402
from devstate.handover.open import open_memory  # noqa: E402
from devstate.handover.spec import FileSpec, FlbSpec, SessionSpec, Spec  # noqa: E402
from devstate.memory.physmem import MemoryRegion, PhysMemory  # noqa: E402
from tests.handover.builders import KERNELS  # noqa: E402

LINEAR = 8.0
"""Seconds of processor time that the hostile handovers below may take: they take one or two, and took minutes where a link was followed
as often as somebody asked."""


def test_changed_seeds() -> None:
    """Some hundred rounds of the fuzzing loop, always the same ones, over every form."""
    rng, known = random.Random(1), seeds()
    for _ in range(500):
        one_input(driver.changed(rng, known))


def test_seeds_are_sound() -> None:
    """Fuzzing starts from handovers in which nothing is wrong."""
    assert len(KERNELS) + 3 == len(bases())
    assert all(base.opened.problems == [] for base in bases())


def written(base: Base, pa: int, data: bytes) -> PhysMemory:
    """The memory of a base with ``data`` at ``pa``."""
    regions = []
    for start, content in base.regions:
        if start <= pa < start + len(content):
            at = pa - start
            content = content[:at] + data[: len(content) - at] + content[at + len(data) :]
        regions.append(MemoryRegion(start, len(content), memoryview(content)))
    return PhysMemory(regions, source="written", byteorder=base.byteorder, page_size=base.page_size)


def survives(base: Base, memory: PhysMemory) -> Handover | None:
    """The handover, if it is one, after all has been asked of it."""
    try:
        handover = open_memory(memory, fdt=base.fdt_pa, page_size=base.page_size, scratch=base.scratch)
        everything(handover, base.opened)
    except DevstateError as error:
        assert str(error)
        return None
    return handover


def fields(base: Base) -> list[tuple[int, int]]:
    """(address, bytes) of a field of each kind: all of LUO's struct, of a session, two files, their records, an FLB and a folio record."""
    luo, handover = base.opened.luo, base.opened
    assert luo is not None and luo.pa is not None and luo.record is not None
    file = max(handover.files, key=lambda each: each.nr_folios or 0)
    assert file.body is not None and file.pages is not None
    records = [(luo.pa, luo.record), (luo.sessions[0].pa, luo.sessions[0].record), (file.pa, file.record), (file.data_pa, file.body)]
    records += [(file.pages.pa, file.pages.record), *((flb.pa, flb.record) for flb in luo.flbs[:1])]
    found = [(pa + field.offset, min(field.size, 8)) for pa, record in records for field in record.layout.fields]
    found += [(pa + at, 8) for pa in (file.pages.lists[0], file.pages.blocks[0], luo.record.sessions_pa) for at in (0, 8, 16)]
    return found + [(each, 8) for subtree in handover.subtrees for each in (subtree.data_pa, subtree.size_pa) if each is not None]


@pytest.mark.parametrize("number", [0, 11])
def test_hostile_numbers(number: int) -> None:
    """Each field of the real handover, and of a built one with chains, takes numbers that could end badly, and its own address."""
    base = bases()[number]
    for pa, size in fields(base):
        for value in (*ODD[-30::2], pa - pa % 4096, pa - pa % 4096 + 4089, base.fdt_pa):
            survives(base, written(base, pa, (value % (1 << 8 * size)).to_bytes(size, base.byteorder)))


def test_totalsize() -> None:
    """The root and memblock's tree claim sizes that they do not have."""
    base = bases()[11]
    for pa in (base.fdt_pa, *(each.pa or 0 for each in base.opened.subtrees if each.fdt is not None)):
        for offset in range(4, 40, 4):
            for value in (0, 1, 39, 40, 1 << 31, (1 << 32) - 1, (1 << 32) - 4):
                survives(base, written(base, pa + offset, value.to_bytes(4, "big")))


@pytest.mark.parametrize("number", range(15))
def test_prefixes_of_memory(number: int) -> None:
    """Memory that ends after any of its pages, or in the middle of one."""
    base = bases()[number]
    step = max(1, len(base.regions) // 12)
    for count in range(1, len(base.regions), step):
        for cut in (base.page_size, 100):
            pages = [*base.regions[: count - 1], (base.regions[count - 1][0], base.regions[count - 1][1][:cut])]
            regions = [MemoryRegion(start, len(content), memoryview(content)) for start, content in pages]
            survives(base, PhysMemory(regions, source="cut", byteorder=base.byteorder, page_size=base.page_size))


def test_a_block_that_begins_at_the_end_of_a_page() -> None:
    """A chain that leads into the last bytes of a page has no entries there."""
    base = bases()[11]
    luo = base.opened.luo
    assert luo is not None and luo.pa is not None and luo.record is not None
    link = luo.pa + luo.record.layout.field("sessions_pa").offset
    handover = survives(base, written(base, link, (luo.record.sessions_pa + 4092).to_bytes(8, "little")))
    assert handover is not None and handover.luo is not None and [] == handover.luo.sessions
    assert {"pointer-misaligned", "chain-count"} <= {problem.code for problem in handover.problems}


# ---- few pages that claim to be many ----


def u64(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}Q", *values)


def judged(built: Built) -> Handover:
    """The handover, opened and checked within the time that linear work takes."""
    start = time.process_time()
    handover = open_memory(built.arena.view(), fdt=built.fdt_pa, scratch=built.scratch)
    check(handover)
    assert time.process_time() - start < LINEAR
    return handover


def test_many_sessions_with_one_chain() -> None:
    """A thousand sessions lead to the thousand files of one: they are shown twice, not a million times."""
    crowd = SessionSpec("crowd", tuple(FileSpec(token) for token in range(1000)))
    built = build(Spec(KERNELS[-1], sessions=(crowd, *(SessionSpec(f"s{each}", (FileSpec(1),)) for each in range(1000)))))
    opened = open_memory(built.arena.view(), fdt=built.fdt_pa)
    assert opened.luo is not None
    for session in opened.luo.sessions:
        built.arena.write(session.file_set_pa, u64(built.placed["luo/session/crowd/files/0"]))
    handover = judged(built)
    assert 2000 == len(handover.files)
    assert "read-too-long" in {problem.code for problem in handover.problems}


def test_many_files_with_one_list() -> None:
    """Files whose folio arrays all are the same hundred list pages, which all name one block."""
    built = build(Spec(KERNELS[-1], sessions=(SessionSpec("a", tuple(FileSpec(token, b"x", 1) for token in range(300))),)))
    opened = open_memory(built.arena.view(), fdt=built.fdt_pa)
    lists = [int(built.arena.alloc()) for _ in range(100)]
    for number, pa in enumerate(lists):
        following = lists[number + 1] if number + 1 < len(lists) else 0
        built.arena.write(pa, u64(following, *[opened.files[0].pages.blocks[0] if opened.files[0].pages else 0] * 511))
    for file in opened.files:
        built.arena.write(file.data_pa + 24, u64(511 * 100 * 256, lists[0]) + (1 << 31).to_bytes(4, "little"))
    handover = judged(built)
    assert 3 * 511 * 100 > sum(len(file.pages.blocks) for file in handover.files if file.pages is not None)


def test_many_chunks_with_one_bitmap() -> None:
    """A map of kho-v1 whose rows all name one bitmap of every other page has no more ranges than that bitmap."""
    built = build(Spec(KERNELS[3]))
    chunks = [int(built.arena.alloc()) for _ in range(200)]
    bitmap = int(built.arena.alloc())
    built.arena.write(bitmap, b"\x55" * 4096)
    for number, pa in enumerate(chunks):
        rows = [each for row in range(255) for each in ((1 << 40) + ((number * 255 + row) << 27), bitmap)]
        built.arena.write(pa, u64(chunks[number + 1] if number + 1 < len(chunks) else 0) + struct.pack("<II", 0, 255) + u64(*rows))
    assert built.fdt_pa
    built.arena.write(built.placed["kho/map/0"], u64(chunks[0]))
    handover = judged(built)
    assert handover.preserved is not None and 16384 + 100 > len(handover.preserved.map)


def test_many_claims_of_one_record() -> None:
    """Files of one token that lead to one record, sessions of one name that lead to one block, and as many handlers as files."""
    files = tuple(FileSpec(token, b"x", 1) for token in range(2000))
    others = tuple(FileSpec(token, handler=f"h{token}", data=1) for token in range(5000))
    many = tuple(SessionSpec(f"s{each}") for each in range(2000))
    built = build(Spec(KERNELS[-1], sessions=(SessionSpec("a", files), SessionSpec("b", others), *many), flbs=(FlbSpec("x", 1, 1),)))
    opened = open_memory(built.arena.view(), fdt=built.fdt_pa)
    assert opened.luo is not None
    for file in opened.files[:2000]:
        built.arena.write(file.pa + 48, u64(opened.files[0].data_pa, 5))
    for session in opened.luo.sessions[2:]:
        built.arena.write(session.pa, b"same".ljust(64, b"\0") + u64(built.placed["luo/session/0"], 1))
    assert judged(built).luo is not None
