# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Build the tables of given mappings into an Arena, as a kernel would: the largest leaves that fit, tables as they are needed.

Entries are written by the tables of bits in ``formats.py`` and read back by ``entries.py``: what a format cannot say is an EncodeError, not
another mapping. Work is by table and run, never by entry: numpy fills these.
"""

from __future__ import annotations

from bisect import bisect_left

from devstate.errors import EncodeError
from devstate.frozen import frozen
from devstate.pagetable.entries import Leaf, read_entry
from devstate.pagetable.format import CONTIGUOUS, NAPOT, NEXT_LEVEL, NO_WRITE_ONLY, READ, TYPE, TYPE_SHIFT, WRITE
from devstate.pagetable.table import PageTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from devstate.memory.arena import Arena
    from devstate.pagetable.format import PageTableFormat
    from devstate.pagetable.mapping import Mapping

AMD_512G = 1 << 39
"""Never one leaf of AMD v1: hardware has a bug there, and so the kernel leaves it out (generic_pt/fmt/amdv1.h, possible_sizes)."""


@frozen
class LeafSize:
    """A size that a leaf can have: at ``level``, in ``1 << run`` entries, which repeat it or, of LPAE, carry a hint."""

    size: int
    level: int
    run: int


def leaf_sizes(format: PageTableFormat, levels: int, *, largest: int | None = None, runs: bool = True) -> list[LeafSize]:
    """The sizes of leaves that tables of so many levels can have, largest first; ``runs``: those of several entries too."""
    found = []
    for level in range(levels):
        item = 1 << format.shift(level)
        if not format.leaf_levels >> level & 1:
            continue
        run_bits = [0]
        if format.flags & NEXT_LEVEL:
            run_bits = [bits for bits in range(format.index_bits) if (item << bits) <= 1 << 51]
        elif format.flags & NAPOT and level == 0:
            run_bits = [0, 4]
        elif format.contiguous_bits[level]:
            run_bits = [0, format.contiguous_bits[level]]
        found += [LeafSize(item << bits, level, bits) for bits in run_bits if runs or not bits]
    if format.flags & NEXT_LEVEL:
        found = [each for each in found if each.size != AMD_512G]
    return sorted((each for each in found if largest is None or each.size <= largest), key=lambda each: -each.size)


def build(
    arena: Arena,
    format: PageTableFormat | str,
    mappings: Iterable[Mapping],
    levels: int,
    *,
    granule: int = 4096,
    top_entries: int | None = None,
    sign_extended: bool = False,
    upper: bool = False,
    largest: int | None = None,
    runs: bool = True,
    skip: bool = False,
    at: Iterable[int] = (),
) -> PageTable:
    """The tree of tables that maps just these, which may come in any order.

    ``largest`` bounds the bytes of a leaf. ``runs``: leaves of several entries (AMD level 7, NAPOT, the contiguous hint). ``skip``: leave
    out tables of which only the first entry would be used, as AMD v1 can. ``at``: addresses for the tables, in the order in which they are
    needed; what is beyond these the arena chooses. Where a format has no write-only leaves, reading is allowed too, as in the kernel.

    UsageError for a geometry that the format does not have. EncodeError for mappings that overlap, are not of whole pages, are beyond what
    iovas or addresses can be, or have attributes that the format cannot say; and when the arena is full.
    """
    memory = arena.view()
    plan = PageTable(memory, format, 0, levels, granule=granule, top_entries=top_entries, sign_extended=sign_extended, upper=upper)
    if skip and not plan.format.flags & NEXT_LEVEL:
        raise EncodeError(f"{plan.format.label} has no tables that skip levels")
    builder = _Builder(arena, plan, sorted(mappings, key=lambda each: each.iova), skip=skip, at=at)
    sizes = leaf_sizes(plan.format, levels, largest=largest, runs=runs)
    sizes = [each for each in sizes if each.level < plan.top_level or 1 << each.run <= plan.top_entries]
    for mapping in builder.mappings:
        builder.map(mapping, sizes)
    return PageTable(
        arena.view(), plan.format, builder.top, levels, top_entries=plan.top_entries, sign_extended=sign_extended, upper=upper
    )  # fmt: skip


class _Builder:
    def __init__(self, arena: Arena, plan: PageTable, mappings: list[Mapping], *, skip: bool, at: Iterable[int]) -> None:
        self.arena = arena
        self.plan = plan
        self.format = plan.format
        self.mappings = mappings
        self.starts = [each.iova for each in mappings]
        self.skip = skip
        self.places = iter(at)
        self.words: dict[int, Any] = {}  # the entries of each table, by its address
        self.below: dict[tuple[int, int], tuple[int, int]] = {}  # (table, index): the table that this entry points to, and its level
        self.top = self._new_table(plan.top_level)

    def _new_table(self, level: int) -> int:
        import numpy as np

        size = 8 * self.plan.entries(level)
        align = max(size, self.arena.page_size)
        pa = self.arena.alloc(size, align=align, at=next(self.places, None))
        self.words[pa] = np.frombuffer(self.arena.span(pa, size), dtype="<u8")
        return pa

    def map(self, mapping: Mapping, sizes: list[LeafSize]) -> None:
        """Write one mapping, in pieces of leaves of one size that are in one table."""
        iova, pa, end = mapping.iova, mapping.pa, mapping.iova + mapping.size
        self._check(mapping)
        while iova < end:
            place = next((n for n, each in enumerate(sizes) if not (iova | pa) % each.size and each.size <= end - iova), None)
            if place is None:
                raise self._error(mapping, "no leaf is as small, or as little aligned")
            chosen = sizes[place]
            reach = self.plan.entries(chosen.level) << self.format.shift(chosen.level)
            # On to the end, that of the table, or where a larger leaf would fit.
            larger = [each.size for each in sizes[:place] if not (iova - pa) % each.size]
            stop = min([end, *(iova - iova % step + step for step in (reach, *larger))])
            count = (stop - iova) // chosen.size
            self._fill(mapping, iova, pa, chosen, count)
            iova, pa = iova + count * chosen.size, pa + count * chosen.size

    def _check(self, mapping: Mapping) -> None:
        last = mapping.iova + mapping.size - 1
        bits = self.plan.iova_bits
        half = 1 << (bits - 1)
        reachable = 0 <= mapping.iova <= last < 1 << bits
        if self.plan.sign_extended:
            reachable = 0 <= mapping.iova <= last < half or (1 << 64) - half <= mapping.iova <= last < 1 << 64
        if self.plan.upper:
            reachable = (1 << 64) - (1 << bits) <= mapping.iova <= last < 1 << 64
        if not reachable:
            raise self._error(mapping, f"iovas that tables of {bits} bits cannot reach")
        if mapping.attributes & CONTIGUOUS:
            raise self._error(mapping, "the contiguous hint is set where it fits, not where one asks for it")

    def _fill(self, mapping: Mapping, iova: int, pa: int, leaf: LeafSize, count: int) -> None:
        """Write ``count`` leaves that follow each other in one table."""
        import numpy as np

        entries, first = self._find(mapping, iova, leaf.level)
        many = count << leaf.run
        if entries[first : first + many].any():
            raise self._error(mapping, f"{iova:#x} is mapped already")
        bits = self._leaf_bits(mapping.attributes, leaf)
        hint = self.format.contiguous if leaf.run else 0
        step = leaf.size >> leaf.run if hint else leaf.size
        pas = np.uint64(pa) + np.arange(many if hint else count, dtype=np.uint64) * np.uint64(step)
        low = pas >> np.uint64(self.format.address_shift) & np.uint64(self.format.address)
        made = low | (pas >> np.uint64(self.format.high_shift) & np.uint64(self.format.high)) | np.uint64(bits)
        entries[first : first + many] = made if hint else np.repeat(made, 1 << leaf.run)
        self._read_back(mapping, int(entries[first]), pa, leaf)
        self._read_back(mapping, int(entries[first + many - 1]), int(pas[-1]), leaf)

    def _leaf_bits(self, attributes: int, leaf: LeafSize) -> int:
        """All of a leaf but its address."""
        format = self.format
        memory_type = (attributes & TYPE) >> TYPE_SHIFT
        bits = format.leaf_set | memory_type << format.type_shift & format.type
        if memory_type & 4:
            bits |= format.type_high[leaf.level > 0]
        if leaf.level and not format.leaf_flip and format.leaf_any.bit_count() == 1:
            bits |= format.leaf_any
        if leaf.level == 0:
            bits |= format.page
        if format.flags & NO_WRITE_ONLY and attributes & WRITE:
            attributes |= READ
        said = 0
        for test in format.attributes:
            if test.attribute & said:
                continue  # another way to say the same
            said |= test.attribute
            if attributes & test.attribute:
                bits = bits & ~(test.all & test.flip) | (test.all & ~test.flip)
            elif test.all.bit_count() == 1:
                bits |= test.all & test.flip
        if leaf.run and format.contiguous:
            bits |= format.contiguous
        elif leaf.run and format.flags & NAPOT:
            bits |= 1 << 63 | 1 << 13
        elif leaf.run:
            bits |= 7 << 9 | (leaf.size // 8192 - 1) << 12
        return bits

    def _read_back(self, mapping: Mapping, entry: int, pa: int, leaf: LeafSize) -> None:
        """What was written must say what was asked for."""
        said = read_entry(self.format, entry, leaf.level)
        if not isinstance(said, Leaf):
            raise self._error(mapping, "a leaf with these attributes would be none")
        if said.pa != pa or said.misaligned:
            raise self._error(mapping, f"an address that an entry cannot hold: {pa:#x}")
        if said.attributes & ~CONTIGUOUS not in (mapping.attributes, mapping.attributes | READ) or said.reserved:
            raise self._error(mapping, f"attributes {mapping.attributes:#x}, of which an entry can say {said.attributes & ~CONTIGUOUS:#x}")

    def _find(self, mapping: Mapping, iova: int, level: int) -> tuple[Any, int]:
        """The entries of the table of ``level`` that is for ``iova``, and which of them; the tables on the way are made."""
        pa, at = self.top, self.plan.top_level
        while True:
            index = iova >> self.format.shift(at) & (self.plan.entries(at) - 1)
            if at == level:
                return self.words[pa], index
            if (pa, index) not in self.below:
                if self.words[pa][index]:
                    raise self._error(mapping, f"{iova:#x} is mapped already")
                self.below[pa, index] = self._point(pa, index, at, iova)
            pa, at = self.below[pa, index]
            if at < level:
                raise self._error(mapping, f"{iova:#x} is mapped already")

    def _point(self, pa: int, index: int, level: int, iova: int) -> tuple[int, int]:
        """Make a table below this entry."""
        lower = self._lower(level, iova)
        table = self._new_table(lower)
        format = self.format
        bits = format.table_set | (table >> format.address_shift & format.table) | (table >> format.high_shift & format.high)
        if format.flags & NEXT_LEVEL:
            bits |= (lower + 1) << 9
        self.words[pa][index] = bits
        return table, lower

    def _lower(self, level: int, iova: int) -> int:
        """The level of the table below an entry of ``level``: the next, or the lowest that reaches all that is mapped there."""
        if not self.skip:
            return level - 1
        start = iova >> self.format.shift(level) << self.format.shift(level)
        span = 1 << self.format.shift(level)
        last = self.mappings[bisect_left(self.starts, start + span) - 1]
        used = min(last.iova + last.size, start + span) - start
        # A mapping of all that a lower table reaches may be one leaf: that needs an entry for the whole.
        return next(lower for lower in range(level) if lower == level - 1 or used < 1 << self.format.shift(lower + 1))

    def _error(self, mapping: Mapping, message: str) -> EncodeError:
        place = f"{mapping.iova:#x} -> {mapping.pa:#x}, {mapping.size:#x} bytes"
        return EncodeError(f"mapping {place}: {message}", source=self.arena.source)
