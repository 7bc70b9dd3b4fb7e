# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Where a stream is put, and the threads that take turns to do it: in order, and what fails first is raised."""

from __future__ import annotations

import io
import random

import pytest

from devstate.errors import EncodeError, NotInMemoryError
from devstate.memory import MemoryRegion, PhysMemory
from devstate.pagetable.listing import GROUP
from devstate.pagetable.pack import Pages, pack
from devstate.pagetable.stream import PAGE
from devstate.pagetable.unpack import unpack

START = 1 << 32
JOBS = [1, 2, 3, 7]


class _Full(io.BytesIO):
    """A disk that is full after some groups."""

    def write(self, data: bytes) -> int:  # type: ignore[override]  # memory is bytes here
        if self.tell() > 5 * GROUP * PAGE:
            raise OSError("full")
        return super().write(data)


def _scattered(groups: int, missing: tuple[int, ...] = ()) -> Pages:
    """Pages of chance, every other one of a memory, some more than so many groups; groups whose first page is not in the memory."""
    data = memoryview(random.Random(5).randbytes(1 << 20) * (2 * groups * GROUP // 256 + 1))
    ends = [*(2 * GROUP * group * PAGE for group in missing), len(data)]
    starts = [0, *(end + PAGE for end in ends[:-1])]
    regions = [MemoryRegion(START + start, end - start, data[start:end]) for start, end in zip(starts, ends, strict=True)]
    return Pages(PhysMemory(regions), range(START, START + len(data), 2 * PAGE))


@pytest.mark.parametrize("jobs", JOBS)
def test_memory_takes_what_a_file_does(core: str, jobs: int) -> None:
    """With groups enough for every thread; and it comes back, with as many."""
    pages = _scattered(9)
    file = io.BytesIO()
    totals = pack(pages, file)
    stream = file.getvalue()
    room = bytearray(len(stream) + 100)
    assert totals == pack(pages, room, jobs=jobs)
    assert stream == room[:-100]
    assert len(stream) == totals.size
    target = PhysMemory([MemoryRegion(START, region.size, memoryview(bytearray(region.size))) for region in pages.memory.regions])
    for fresh in (False, True):
        assert totals.pages == unpack(stream, target, jobs=jobs, fresh=fresh).pages
        for pa in pages.addresses:
            assert pages.memory.read(pa, PAGE) == target.read(pa, PAGE)
            target.read(pa, PAGE)[:] = bytes(PAGE)  # type: ignore[index]  # memory that can be written


@pytest.mark.parametrize("jobs", JOBS)
def test_memory_that_is_too_small_or_constant(core: str, jobs: int) -> None:
    """Refused when the last byte is missing, in the middle, and from the start."""
    pages = _scattered(3)
    file = io.BytesIO()
    size = pack(pages, file).size
    for room in (size - 1, size // 2, 5000, 0):
        with pytest.raises(EncodeError, match="too small"):
            pack(pages, bytearray(room), jobs=jobs)
    with pytest.raises(EncodeError, match="cannot be written"):
        pack(pages, bytes(size), jobs=jobs)


@pytest.mark.parametrize("jobs", JOBS)
def test_what_fails_first_is_raised(core: str, jobs: int) -> None:
    """A file that takes no more after some groups; pages that are not there, of which the first one is named."""
    with pytest.raises(OSError, match="full"):
        pack(_scattered(9), _Full(), jobs=jobs)
    with pytest.raises(OSError, match="full"):
        pack(_scattered(9, missing=(8,)), _Full(), jobs=jobs)
    with pytest.raises(NotInMemoryError) as raised:
        pack(_scattered(9, missing=(3, 4)), _Full(), jobs=jobs)
    assert START + 2 * GROUP * 3 * PAGE == raised.value.pa
