# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What there is to say about the format of a page table, and the attributes that all formats translate to. The formats: ``formats.py``.

An entry is a little-endian u64. Level 0 is that of the smallest pages; the top table has level ``levels - 1``. What a format says about an
entry is bits, so one walker reads them all::

    present     any of these bits                        leaf, table    by the leaf rule, or by the next-level field (AMD v1)
    address     entry & address << address_shift, and, of 64K granules, entry & high << high_shift
    attributes  tests of bits; limits take away from all that is below a table entry
"""

from __future__ import annotations

from devstate.frozen import frozen

LEVELS = 6
"""The most levels of any format: AMD v1 over all 64 bits. DS_PT_LEVELS in C."""

READ, WRITE, EXECUTE, USER = 1, 2, 4, 8
ACCESSED, DIRTY = 0x10, 0x20
COHERENT = 0x40
"""The device must snoop the caches: SNP of VT-d, FC of AMD."""
GLOBAL = 0x80
CONTIGUOUS = 0x100
"""The entry is one of an aligned run that a TLB may hold as one: the hint of LPAE. Its size stays that of the entry."""
ENCRYPTED = 0x200
"""The memory is encrypted: the C-bit of AMD's SME, where the tables are said to have one."""
TYPE_SHIFT = 12
TYPE = 0xF << TYPE_SHIFT
"""The memory type, as the format numbers it: EMT and IPAT, PAT index, AttrIndx, MemAttr, PBMT."""

TOUCHED = ACCESSED | DIRTY
"""What the hardware sets while it runs."""

NEXT_LEVEL = 1
"""A three-bit field in bits 9 to 11 says the level of the next table, counted from 1; 0 is a leaf, 7 a leaf whose size is in its address:
as many ones from bit 12 on as the size has powers of two above 8K. Its entry is repeated over all slots of the size."""
NAPOT = 2
"""Bit 63 of a leaf at level 0: 64K, with 0b1000 in the low bits of the page number. Its entry is repeated over the 16 slots."""
LEAF_RULE_AT_0 = 4
"""The leaf rule also holds at level 0: what does not meet it is a pointer to a table where none can be."""
NO_WRITE_ONLY = 8
"""A leaf that may be written but not read is reserved."""


@frozen
class Test:
    """An entry has the attribute when ``(entry ^ flip) & all == all``; where there are several tests for one, when any of them holds."""

    all: int
    flip: int
    attribute: int


@frozen
class PageTableFormat:
    """What the entries of one format at one granule mean. All masks are of bits in an entry unless said otherwise.

    ``levels``: least and most number of them. ``iova_bits``: of the widest iova. ``concatenated``: index bits that the top table may have
    beyond ``index_bits``. ``leaf_levels``: bit n is set where level n may hold leaves. ``flags``: NEXT_LEVEL, NAPOT, LEAF_RULE_AT_0,
    NO_WRITE_ONLY. ``leaf_any``, ``leaf_flip``: above level 0, an entry is a leaf when ``(entry ^ leaf_flip) & leaf_any`` is not 0.
    ``page``: bits that are set in every leaf of level 0. ``address``, ``high``: of a leaf; ``table``: of an entry that points to a table.
    ``type``: the memory type; ``type_high`` is its highest bit where that stands apart, at level 0 and above. ``contiguous``: the bit of
    the hint; ``contiguous_bits`` is log2 of the entries that it spans, by level. ``reserved_leaf``, ``reserved_table``: bits that must be
    0, by level. ``limits``: attributes that a table entry takes away. ``leaf_set``, ``table_set``: what a built entry has anyway.
    ``encryption``: the bit of an address that is none of it, but says that the memory is encrypted; 0 but for ``with_encryption()``.
    """

    name: str
    granule_shift: int
    index_bits: int
    levels: tuple[int, int]
    iova_bits: int
    concatenated: int
    leaf_levels: int
    flags: int
    present: int
    leaf_any: int
    leaf_flip: int
    page: int
    address: int
    table: int
    address_shift: int
    high: int
    high_shift: int
    type: int
    type_shift: int
    type_high: tuple[int, int]
    software: int
    contiguous: int
    contiguous_bits: tuple[int, ...]
    reserved_leaf: tuple[int, ...]
    reserved_table: tuple[int, ...]
    attributes: tuple[Test, ...]
    limits: tuple[Test, ...]
    leaf_set: int
    table_set: int
    encryption: int = 0

    @property
    def granule(self) -> int:
        """Bytes of the smallest page."""
        return 1 << self.granule_shift

    def shift(self, level: int) -> int:
        """log2 of the bytes that one entry of ``level`` stands for."""
        return self.granule_shift + level * self.index_bits

    @property
    def touched(self) -> int:
        """The bits that mean nothing but accessed and dirty: the entries of one run may differ in them."""
        return sum(test.all for test in self.attributes if test.attribute & TOUCHED and test.all.bit_count() == 1)

    @property
    def label(self) -> str:
        """The name, with the granule where there is more than one."""
        return f"{self.name}, {self.granule >> 10}K granule" if self.name.startswith("arm") else self.name
