# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""One tree of page tables in a memory: :class:`PageTable`.

::

    top_table ─> table of level ``levels - 1``, ``top_entries`` entries: less than a page, or up to 16 pages that follow each other
                   └─> tables of lower levels, a granule each ... ─> level 0: leaves of a granule
                                                  └─> larger leaves
"""

from __future__ import annotations

from devstate.errors import UsageError
from devstate.pagetable.format import PageTableFormat
from devstate.pagetable.formats import find_format, with_encryption
from devstate.pagetable.mapping import ACCESS, ALL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.memory import PhysMemory
    from devstate.pagetable.mapping import Mapping, Mappings, Walk

MAX_PA_BITS = 64


class PageTable:
    """The tree of tables whose top table is at ``top_table``.

    ``format``: a PageTableFormat, or the name of one at ``granule`` bytes. ``levels`` counts the top. ``top_entries``: a power of two; by
    default a whole table, or as many as the widest iova of the format needs. ``sign_extended``: iovas of the upper half of the top table
    continue with ones up to bit 63, as canonical addresses do; ``upper``: all do, as behind Arm's TTBR1. ``pa_bits``: how many bits an
    address of this machine has, where known. ``encryption_bit``: of AMD's formats, the bit of addresses that says "encrypted" (the C-bit of
    SME); a page-table stream does not keep it.

    Making one reads nothing. UsageError for what the format does not have.
    """

    __slots__ = ("format", "levels", "memory", "pa_bits", "sign_extended", "top_entries", "top_table", "upper")

    def __init__(
        self,
        memory: PhysMemory,
        format: PageTableFormat | str,
        top_table: int,
        levels: int,
        *,
        granule: int = 4096,
        top_entries: int | None = None,
        sign_extended: bool = False,
        upper: bool = False,
        pa_bits: int | None = None,
        encryption_bit: int | None = None,
    ) -> None:
        self.memory = memory
        self.format = format if isinstance(format, PageTableFormat) else find_format(format, granule)
        if encryption_bit is not None:
            self.format = with_encryption(self.format, encryption_bit)
        self.top_table = top_table
        self.levels = levels
        self.sign_extended = sign_extended
        self.upper = upper
        self.pa_bits = pa_bits
        least, most = self.format.levels
        if not least <= levels <= most:
            raise UsageError(f"{self.format.label} has {least} to {most} levels, not {levels}")
        self.top_entries = self._default_entries() if top_entries is None else top_entries
        bits = self.top_entries.bit_length() - 1
        widest = min(self.format.index_bits + self.format.concatenated, 64 - self.format.shift(levels - 1))
        if self.top_entries <= 0 or self.top_entries & (self.top_entries - 1) or bits > widest:
            most = 1 << widest
            raise UsageError(f"the top table of {levels} levels has a power of two of entries up to {most}, not {self.top_entries}")
        if sign_extended and not bits:
            raise UsageError("a top table of one entry has no upper half, in which iovas are sign-extended")
        if sign_extended and upper:
            raise UsageError("iovas are sign-extended, or those of the upper half, not both")
        if not 0 <= top_table < 1 << 64 or top_table % 8:
            raise UsageError(f"a top table is at a multiple of 8 bytes, not at {top_table:#x}")
        if pa_bits is not None and not 1 <= pa_bits <= MAX_PA_BITS:
            raise UsageError(f"an address has 1 to {MAX_PA_BITS} bits, not {pa_bits}")

    def __repr__(self) -> str:
        return f"PageTable({self.format.label}, {self.levels} levels, top table {self.top_table:#x})"

    def _default_entries(self) -> int:
        room = max(self.format.iova_bits - self.format.shift(self.levels - 1), 1)
        return 1 << min(self.format.index_bits, room)

    @property
    def top_level(self) -> int:
        """The level of the top table."""
        return self.levels - 1

    @property
    def iova_bits(self) -> int:
        """How many low bits of an iova the tables look at."""
        return self.format.shift(self.top_level) + self.top_entries.bit_length() - 1

    def entries(self, level: int) -> int:
        """How many entries a table of this level has."""
        return self.top_entries if level == self.top_level else 1 << self.format.index_bits

    def entry_iova(self, base: int, level: int, index: int) -> int:
        """The first iova of an entry of a table whose first one is ``base``."""
        iova = base + (index << self.format.shift(level))
        if level == self.top_level and (self.upper or (self.sign_extended and index >= self.top_entries // 2)):
            iova |= (1 << 64) - (1 << self.iova_bits)
        return iova

    def walk(self, *, merge: bool = True, attributes: int = ACCESS) -> Walk:
        """All that is mapped, and all that is wrong. Damage never raises: the rest is read on, in bounded time.

        ``merge``: extents, adjacent in iova and target with the same attributes, in place of single leaves. ``attributes``: those to
        report, and to tell extents apart by.
        """
        from devstate.pagetable.walk import walk

        return walk(self, merge=merge, attributes=attributes)

    def mappings(self, attributes: int = ALL) -> Mappings:
        """Every leaf with its attributes, in the order of iovas. A leaf that is repeated over a run of entries is one."""
        return self.walk(merge=False, attributes=attributes).mappings

    def extents(self, attributes: int = ACCESS) -> Mappings:
        """What is mapped, as few extents as possible, in the order of iovas."""
        return self.walk(attributes=attributes).mappings

    def translate(self, iova: int) -> Mapping | None:
        """Where ``iova`` goes: from there to the end of its leaf. None when it is not mapped, or a table on the way is not there."""
        from devstate.pagetable.oracle import translate

        return translate(self, iova)

    def table_pages(self) -> dict[int, tuple[int, ...]]:
        """The addresses of all tables, by level, each once, in the order of a walk."""
        from devstate.pagetable.walk import table_pages

        return table_pages(self)
