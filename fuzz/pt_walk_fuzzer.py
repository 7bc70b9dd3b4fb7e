# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Any entries as page tables: the C core and plain Python find and prove the same, nothing raises, and what is mapped can be built and
compared.

The input: format, levels, log2 of the entries of the top table, flags (1 sign-extended, 2 addresses of 40 bits, 4 the upper half, 8 bit 47
says encrypted, from 16 on: how much is preserved); then records of ``table u8, first entry u16, how many u8, entry u64, step u16``, steps
in pages.
"""

from __future__ import annotations

from struct import iter_unpack

from devstate.errors import EncodeError, UsageError
from devstate.memory import MemoryRegion, PhysMemory
from devstate.memory.arena import Arena
from devstate.pagetable import oracle, walk
from devstate.pagetable.build import build
from devstate.pagetable.compare import compare
from devstate.pagetable.coverage import Coverage
from devstate.pagetable.format import CONTIGUOUS, NEXT_LEVEL
from devstate.pagetable.formats import FORMATS
from devstate.pagetable.gaps import join
from devstate.pagetable.mapping import ACCESS, ALL
from devstate.pagetable.prove import prove
from devstate.pagetable.prove_slowly import prove_slowly
from devstate.pagetable.table import PageTable
from devstate.pagetable.verify import verify

TABLES = 5
BASE = 0x100000
ROOM = 0x10000
RECORD = "<BHBQH"
RECORDS = 64
BUILT = 200
"""Mappings up to which building is tried: a fuzzer wants small and fast."""


def table_of(data: bytes) -> PageTable | None:
    """The tables that an input stands for; None where its format has no such tables."""
    number, levels, bits, flags = data[:4].ljust(4, b"\0")
    format = FORMATS[number % len(FORMATS)]
    pages = [bytearray(8 << format.index_bits) for _ in range(TABLES)]
    records = data[4 : 4 + RECORDS * 14]
    for page, first, many, entry, step in iter_unpack(RECORD, records[: len(records) // 14 * 14]):
        words = memoryview(pages[page % TABLES]).cast("Q")
        for n in range(min(many, 64) + 1):
            words[(first + n) % len(words)] = (entry + n * step * 4096) % (1 << 64)
    regions = [MemoryRegion(BASE + ROOM * n, len(page), memoryview(page)) for n, page in enumerate(pages)]
    try:
        return PageTable(
            PhysMemory(regions), format, BASE, levels % 7, top_entries=1 << bits % 14, sign_extended=bool(flags & 1),
            upper=flags & 5 == 4, pa_bits=40 if flags & 2 else None,
            encryption_bit=47 if flags & 8 and format.name.startswith("amd") else None,
        )  # fmt: skip
    except UsageError:
        return None


def one_input(data: bytes) -> None:
    """The property."""
    table = table_of(data)
    if table is None:
        return
    for merge, attributes in ((True, ACCESS), (False, ALL)):
        fast = table.walk(merge=merge, attributes=attributes)
        slow = oracle.walk(table, merge=merge, attributes=attributes, budget=walk.budget(table))
        assert fast.mappings == slow.mappings
        assert (fast.leaves, fast.tables) == (slow.leaves, slow.tables)
        assert (fast.problems, fast.problem_count) == (slow.problems, slow.problem_count)
    assert oracle.table_pages(table) == table.table_pages()
    verdict = verify(table)
    assert len(verdict.findings) <= verdict.count and verdict.count >= fast.problem_count
    assert len(compare(table, table)) == 0
    preserved = data[3] >> 4 if len(data) > 3 else 0
    edges = join([(0, 0x1000 << preserved), (BASE, ROOM * (preserved % (TABLES + 1))), (1 << 40, 1 << 40)])
    coverage = Coverage(edges, [(0x4000, 0x2000)])
    assert prove(table, coverage, 5) == prove_slowly(table, coverage, 5)
    for each in list(fast.mappings)[:8]:
        table.translate(each.iova)
    if not verdict.count and len(fast.mappings) <= BUILT:
        _builds(table)


def _builds(table: PageTable) -> None:
    """What sound tables map can be built again, unless a leaf may do nothing, which the builder refuses to write."""
    wanted = [each for each in table.extents(ALL & ~CONTIGUOUS) if each.size < 1 << 40]
    try:
        built = build(
            Arena(base=1 << 45, size=1 << 28), table.format, wanted, table.levels, top_entries=table.top_entries,
            sign_extended=table.sign_extended, upper=table.upper,
        )  # fmt: skip
    except EncodeError:
        return
    found = list(built.extents(ALL & ~CONTIGUOUS))
    assert sum(each.size for each in wanted) == sum(each.size for each in found)
    assert all(built.translate(each.iova) is not None for each in wanted)


def seeds() -> list[bytes]:
    """A way down in each format, with leaves of all levels on it."""
    found = []
    for number, format in enumerate(FORMATS):
        levels = min(format.levels[1], 4)
        data = bytes([number, levels, format.index_bits, 0])
        for page, level in enumerate(range(levels - 1, -1, -1)):
            entry = format.table_set | (BASE + ROOM * (page + 1)) >> format.address_shift & format.table
            entry |= level << 9 if format.flags & NEXT_LEVEL else 0
            records = [(page, 0, 0, entry, 0)] if level else []
            leaf = format.leaf_set | format.present | (format.leaf_any & ~format.leaf_flip if level else format.page)
            if format.leaf_levels >> level & 1:
                records.append((page, 1, 2, leaf | 0b1110 * (format.name == "riscv-64"), (1 << format.shift(level) - 12) % 65536))
            for record in records:
                data += _packed(record)
        found += [data, data[:3] + b"\xfc" + data[4:]]
    return found


def _packed(record: tuple[int, int, int, int, int]) -> bytes:
    from struct import pack

    return pack(RECORD, *record)


def main() -> None:
    from driver import run

    run(one_input, seeds())


if __name__ == "__main__":
    main()
