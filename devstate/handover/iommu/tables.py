# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Read the tables of a unit: arrays of entries that a schema describes, as much of them as the memory has.

Bounded: all tables together may be as large as the memory, and EXTRA more; a table that two entries lead to counts twice, and so does
what was found in it (ROW).
So hostile tables that share what is below them cost no more than the memory that is really there. What is wrong becomes a finding:

``iommu-table-not-in-memory``  a table that the capture does not hold
``iommu-table-partial``        a table of which the capture holds a part
``iommu-table-conflict``       one address that is used as two kinds of tables
``iommu-reserved-bits``        reserved bits are set in an entry that counts
``iommu-entry-value``          a field of such an entry has a value that it cannot have
``iommu-geometry``             page tables that the format does not have: levels, sizes, alignment
``iommu-top-table-not-in-memory``  the top page table of a device
``iommu-budget``               tables lead to others so often that the rest was not read
"""

from __future__ import annotations

from devstate.codec.columns import columns
from devstate.codec.decode import decode
from devstate.errors import UsageError
from devstate.finding import Finding, Location, Severity
from devstate.frozen import frozen
from devstate.handover.iommu.model import UnitTable
from devstate.layout.model import Environment
from devstate.pagetable.table import PageTable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, TypeVar

    import numpy
    from numpy.typing import NDArray

    from devstate.codec.columns import Columns
    from devstate.codec.record import Record
    from devstate.layout.model import FieldLayout, Layout
    from devstate.layout.registry import Registry
    from devstate.memory import PhysMemory

    Found = TypeVar("Found")

EXTRA = 1 << 23
"""Bytes that count beyond as many as the memory has: 32768 functions may share what is in one small table."""

TABLE_MAX = 1 << 28
"""Bytes of one table that are read: four million streams, sixty times as many as a PCI segment has. Registers may claim 2^38."""

ROW = 256
"""What one device or interrupt entry counts for, in bytes read: its place among the results is larger than the 4 to 64 bytes of it."""

FINDING_LIMIT = 1000
"""Findings that are kept: whoever has read a thousand knows. The count goes on."""

ADDRESS_BITS = 52
"""Bits of a physical address in every entry; what a frame of 52 bits has above is outside of any memory."""


@frozen
class Row:
    """One entry: its place in the table, its address, its words and fields."""

    index: int
    pa: int
    words: tuple[int, ...]
    record: Record


class Entries:
    """The entries of one table that are in memory. ``index``: their places in it; ``columns``: their fields."""

    __slots__ = ("columns", "data", "index", "layout", "pa", "size", "source")

    def __init__(self, layout: Layout, source: str, pa: int, index: NDArray[numpy.int64], data: bytes | memoryview) -> None:
        self.layout = layout
        self.source = source
        self.pa = pa
        self.index = index
        self.data = data
        self.size = layout.struct().size
        self.columns: Columns = columns(layout, None, data)

    def __len__(self) -> int:
        return len(self.index)

    @property
    def words(self) -> NDArray[Any]:
        """The entries as rows of words of 64 bits, or of 32 where one has no more."""
        import numpy as np

        width = 8 if self.size % 8 == 0 else 4
        if not len(self):
            return np.empty((0, self.size // width), dtype=f"<u{width}")
        return np.frombuffer(self.data, dtype=f"<u{width}").reshape(len(self), self.size // width)

    def address(self, number: int) -> int:
        """The physical address of the ``number``-th of these."""
        return self.pa + int(self.index[number]) * self.size

    def rows(self, chosen: NDArray[numpy.bool_]) -> Iterator[Row]:
        """The chosen entries, one by one."""
        words = self.words
        for number in chosen.nonzero()[0].tolist():
            record = decode(self.layout, self.data, offset=number * self.size)
            yield Row(int(self.index[number]), self.address(number), tuple(words[number].tolist()), record)


class Budget:
    """Bytes that reading tables of ``memory`` may still cost. ``over``: whether it was said that there is nothing left."""

    def __init__(self, memory: PhysMemory) -> None:
        self.left = memory.size + EXTRA
        self.over = False


class TableReader:
    """Reads tables of one unit from ``memory``, and collects what is wrong with them.

    ``encryption_bit``: the bit of AMD's addresses that says "encrypted" and is none of the address.
    """

    def __init__(self, memory: PhysMemory, registry: Registry, encryption_bit: int | None = None, budget: Budget | None = None) -> None:
        self.memory = memory
        self.encryption_bit = encryption_bit
        self.registry = registry
        self.findings: list[Finding] = []
        self.count = 0
        self.budget = budget or Budget(memory)
        self.tables: dict[int, UnitTable] = {}
        self._kinds: dict[int, str] = {}
        self._layouts: dict[str, Layout] = {}

    def find(
        self, rule: str, message: str, pa: int | None, path: str | None = None, *, severity: Severity = Severity.ERROR,
        expected: str | None = None, found: str | None = None,
    ) -> None:  # fmt: skip
        """Note one thing that is wrong."""
        self.count += 1
        if len(self.findings) < FINDING_LIMIT:
            place = Location(source=self.memory.source, pa=pa, path=path)
            self.findings.append(Finding(rule, severity, message, place, expected=expected, found=found))

    def entries(self, name: str, pa: int, count: int, path: str, memory: PhysMemory | None = None) -> Entries:
        """``count`` entries of the schema ``name`` at ``pa``, as far as they are there. ``path`` says whose table it is."""
        import numpy as np

        layout = self._layout(name)
        size = layout.struct().size
        total = count * size
        pieces, index = [], []
        if self._may_read(name, pa, path):
            for offset, piece in (memory or self.memory).read_present(pa, min(total, TABLE_MAX, self.budget.left + size)):
                first, last = -(-offset // size), (offset + len(piece)) // size
                if first < last:
                    pieces.append(piece[first * size - offset : last * size - offset])
                    index.append(np.arange(first, last, dtype=np.int64))
            found = sum(map(len, pieces))
            self.budget.left -= found
            if memory is None:  # a guest's tables are not the unit's
                self.tables.setdefault(pa, UnitTable(name, pa, size, total))
            self._note(name, pa, total, found, path)
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return Entries(layout, self.memory.source, pa, np.concatenate(index) if index else np.empty(0, dtype=np.int64), data)

    def _may_read(self, name: str, pa: int, path: str) -> bool:
        kind = self._kinds.setdefault(pa, name)
        if kind != name:
            self.find("iommu-table-conflict", "one address is used as two kinds of tables", pa, path, expected=kind, found=name)
        return self.may_go_on(pa, path)

    def may_go_on(self, pa: int | None, path: str) -> bool:
        """Whether there is something left of the budget. A finding the first time that there is not."""
        if self.budget.left <= 0 and not self.budget.over:
            self.budget.over = True
            self.find("iommu-budget", "tables lead to others so often that the rest was not read", pa, path)
        return self.budget.left > 0

    def rows(self, entries: Entries, chosen: NDArray[numpy.bool_], path: str) -> Iterator[Row]:
        """The chosen entries, one by one, as long as there is something left of the budget."""
        for row in entries.rows(chosen):
            if not self.may_go_on(row.pa, path):
                return
            yield row

    def metered(self, found: Iterable[Found], path: str) -> Iterator[Found]:
        """These results, as long as there is something left of the budget."""
        for each in found:
            if not self.may_go_on(None, path):
                return
            self.budget.left -= ROW
            yield each

    def _note(self, name: str, pa: int, total: int, found: int, path: str) -> None:
        if found == 0:
            self.find("iommu-table-not-in-memory", "the table is not in the capture", pa, path, found=name)
        elif found < total:
            rest = f"{found} of {total} bytes"
            self.find("iommu-table-partial", "the capture holds a part of the table", pa, path, severity=Severity.INFO, found=rest)

    def check(self, entries: Entries, chosen: NDArray[numpy.bool_], path: str) -> None:
        """Hold the chosen entries to the ranges of their fields; a reserved field has the range 0."""
        import numpy as np

        for field in entries.layout.struct().fields:
            low, high = field.minimum, 0 if field.must == 0 else field.maximum
            if low is None and high is None:
                continue
            values = entries.columns[field.name]
            wrong = chosen & ((values < (low or 0)) | (values > ((1 << 64) - 1 if high is None else high)))
            for number in np.flatnonzero(wrong).tolist():
                self._out_of_range(entries, field, int(values[number]), number, path)

    def _out_of_range(self, entries: Entries, field: FieldLayout, value: int, number: int, path: str) -> None:
        struct, pa = entries.layout.struct().name, entries.address(number)
        place = f"{path}: {struct}.{field.name}"
        if field.maximum == 0 or field.must == 0:
            self.find("iommu-reserved-bits", "reserved bits are set", pa, place, expected="0", found=f"{value:#x}")
        else:
            expected = f"{field.minimum or 0}..{field.maximum if field.maximum is not None else ''}"
            self.find("iommu-entry-value", "a value that the field cannot have", pa, place, expected=expected, found=str(value))

    def page_table(
        self, format: str, top: int, levels: int, path: str, at: int, *, granule: int = 4096, top_entries: int | None = None,
        sign_extended: bool = False, upper: bool = False, memory: PhysMemory | None = None,
    ) -> PageTable | None:  # fmt: skip
        """The tree of tables that an entry at ``at`` leads to; None, and a finding, for what its format does not have."""
        source = memory or self.memory
        try:
            table = PageTable(
                source, format, self.plain(top), levels, granule=granule, top_entries=top_entries, sign_extended=sign_extended,
                upper=upper, encryption_bit=self.encryption_bit,
            )  # fmt: skip
        except UsageError as error:
            self.find("iommu-geometry", f"page tables that there cannot be: {error}", at, path)
            return None
        if not source.contains(table.top_table, 8 * table.top_entries):
            self.find("iommu-top-table-not-in-memory", "the top page table is not in the capture", at, path, found=f"{top:#x}")
        return table

    def _layout(self, name: str) -> Layout:
        found = self._layouts.get(name)
        if found is None:
            found = self._layouts[name] = self.registry.layout(name, Environment())
        return found

    def plain(self, address: int) -> int:
        """An address without the bit that says that what is there is encrypted."""
        return address if self.encryption_bit is None else address & ~(1 << self.encryption_bit)

    def as_other(self, entries: Entries, name: str) -> Entries:
        """The same entries by another schema of the same size: of tables whose entries have several forms."""
        return Entries(self._layout(name), entries.source, entries.pa, entries.index, entries.data)
