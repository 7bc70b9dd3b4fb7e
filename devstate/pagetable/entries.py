# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What one entry of a page table says, format by format, written out from the specifications: slow, obvious, not from tables of bits.

The oracle reads with these; the tests hold what C makes of ``formats.py`` equal to it. Sources: see ``formats.py``.
"""

from __future__ import annotations

from devstate.frozen import frozen, replace
from devstate.pagetable.format import (
    ACCESSED,
    COHERENT,
    CONTIGUOUS,
    DIRTY,
    ENCRYPTED,
    EXECUTE,
    GLOBAL,
    READ,
    TYPE_SHIFT,
    USER,
    WRITE,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from devstate.pagetable.format import PageTableFormat


@frozen
class Leaf:
    """``run`` is log2 of the entries that repeat this one, ``hint`` log2 of those that a contiguous hint spans."""

    pa: int
    attributes: int
    run: int = 0
    hint: int = 0
    reserved: bool = False
    misaligned: bool = False


@frozen
class Next:
    """A table of a lower level. ``lost`` are the attributes that nothing below has."""

    pa: int
    level: int
    lost: int = 0
    reserved: bool = False


BAD_LEAF = "leaf-level"
BAD_TABLE = "table-level"


def read_entry(format: PageTableFormat, entry: int, level: int) -> Leaf | Next | str | None:
    """What it is; None for nothing, a code of a problem for what cannot be at this level."""
    said = _READERS[format.name](format, entry & ~format.encryption, level)
    if isinstance(said, Leaf) and entry & format.encryption:
        return replace(said, attributes=said.attributes | ENCRYPTED)
    return said


def _field(entry: int, high: int, low: int) -> int:
    return entry >> low & ((1 << (high - low + 1)) - 1)


def _flags(entry: int, **bits: int) -> int:
    """The attributes whose bit is set: ``_flags(entry, read=0)``."""
    names = {"read": READ, "write": WRITE, "execute": EXECUTE, "user": USER, "accessed": ACCESSED, "dirty": DIRTY, "coherent": COHERENT,
             "is_global": GLOBAL, "contiguous": CONTIGUOUS}  # fmt: skip
    return sum(names[name] for name, bit in bits.items() if _field(entry, bit, bit))


def _plain(format: PageTableFormat, level: int, pa: int, attributes: int, *, reserved: int = 0, hint: int = 0) -> Leaf:
    size = 1 << format.shift(level)
    return Leaf(pa - pa % size, attributes, hint=hint, reserved=bool(reserved), misaligned=pa % size != 0)


def _vtd_second_stage(format: PageTableFormat, entry: int, level: int) -> Leaf | Next | str | None:
    if not entry & 0b11:
        return None
    pa = _field(entry, 51, 12) << 12
    granted = _flags(entry, read=0, write=1)
    if level > 0 and not _field(entry, 7, 7):
        return Next(pa, level - 1, (READ | WRITE) & ~granted, bool(_field(entry, 11, 11)))
    if level > 2:
        return BAD_LEAF
    return _plain(format, level, pa, granted | _flags(entry, accessed=8, dirty=9, coherent=11) | _field(entry, 6, 3) << TYPE_SHIFT)


def _x86(format: PageTableFormat, entry: int, level: int) -> Leaf | Next | str | None:
    if not entry & 1:
        return None
    pa = _field(entry, 51, 12) << 12
    execute = 0 if _field(entry, 63, 63) else EXECUTE
    granted = _flags(entry, write=1, user=2) | execute
    if level > 0 and not _field(entry, 7, 7):
        reserved = format.name == "amd-v2" and level >= 3 and bool(_field(entry, 8, 8))
        return Next(pa, level - 1, (WRITE | USER | EXECUTE) & ~granted, reserved)
    if level > 2:
        return BAD_LEAF
    pat = 7 if level == 0 else 12
    memory_type = _field(entry, 4, 3) | _field(entry, pat, pat) << 2
    if level > 0:
        pa &= ~(1 << 12)
    attributes = granted | READ | _flags(entry, accessed=5, dirty=6, is_global=8) | memory_type << TYPE_SHIFT
    return _plain(format, level, pa, attributes)


def _amd_v1(format: PageTableFormat, entry: int, level: int) -> Leaf | Next | str | None:
    if not entry & 1:
        return None
    pa = _field(entry, 51, 12) << 12
    next_level = _field(entry, 11, 9)
    granted = _flags(entry, read=61, write=62)
    if 1 <= next_level <= 6:
        if next_level - 1 >= level:
            return BAD_TABLE
        return Next(pa, next_level - 1, (READ | WRITE) & ~granted, bool(_field(entry, 60, 52)))
    if level == 5:
        return BAD_LEAF
    attributes = granted | _flags(entry, user=59, accessed=5, dirty=6, coherent=60)
    reserved = _field(entry, 58, 52)
    if next_level == 0:
        return _plain(format, level, pa, attributes, reserved=reserved)
    size = 8192
    while pa & size // 2:
        size *= 2
    item = 1 << format.shift(level)
    if not item <= size < item * 512:
        return BAD_LEAF
    return Leaf(pa - pa % size, attributes, run=(size // item).bit_length() - 1, reserved=bool(reserved))


def _lpae(format: PageTableFormat, entry: int, level: int) -> Leaf | Next | str | None:
    if not entry & 1:
        return None
    stage_1, lpa2 = format.name.startswith("arm-lpae-s1"), format.name.endswith("lpa2")
    if lpa2:
        pa = _field(entry, 9, 8) << 50 | _field(entry, 49, format.granule_shift) << format.granule_shift
    else:
        pa = _field(entry, 47, format.granule_shift) << format.granule_shift
    if format.granule == 0x10000:
        pa |= _field(entry, 15, 12) << 48
    lowest_reserved = 50 if lpa2 else 48
    if entry & 0b10 and level > 0:
        lost = 0
        if stage_1:
            lost = WRITE * _field(entry, 62, 62) | USER * _field(entry, 61, 61) | EXECUTE * _field(entry, 60, 60)
        return Next(pa, level - 1, lost, bool(_field(entry, 50, lowest_reserved) or (not stage_1 and _field(entry, 63, 59))))
    block_levels = {0x1000: 2, 0x4000: 1, 0x10000: 2}
    if level > block_levels[format.granule] + lpa2 or (level == 0 and not entry & 0b10):
        return BAD_LEAF
    run = {0x1000: (4, 4, 4, 0), 0x4000: (7, 5, 0), 0x10000: (5, 5, 0)}[format.granule][level]
    modifier = _field(entry, 51, 51)
    attributes = _flags(entry, accessed=10, contiguous=52) | (0 if _field(entry, 54, 54) else EXECUTE)
    if stage_1:
        may_write = not _field(entry, 7, 7)
        attributes |= READ | _flags(entry, user=6) | (0 if _field(entry, 11, 11) else GLOBAL) | _field(entry, 4, 2) << TYPE_SHIFT
    else:
        may_write = bool(_field(entry, 7, 7))
        attributes |= _flags(entry, read=6) | _field(entry, 5, 2) << TYPE_SHIFT
    attributes |= WRITE if may_write or modifier else 0
    attributes |= DIRTY if may_write and modifier else 0
    reserved = 0 if lpa2 and stage_1 else _field(entry, 49 if stage_1 else 50, lowest_reserved)
    return _plain(format, level, pa, attributes, reserved=reserved, hint=run if attributes & CONTIGUOUS else 0)


def _riscv(format: PageTableFormat, entry: int, level: int) -> Leaf | Next | str | None:
    if not entry & 1:
        return None
    pa = _field(entry, 53, 10) << 12
    if not entry & 0b1110:
        if level == 0:
            return BAD_TABLE
        return Next(pa, level - 1, 0, bool(_field(entry, 63, 54) or _field(entry, 7, 6) or _field(entry, 4, 4)))
    attributes = _flags(entry, read=1, write=2, execute=3, user=4, is_global=5, accessed=6, dirty=7) | _field(entry, 62, 61) << TYPE_SHIFT
    reserved = _field(entry, 60, 54) or attributes & (READ | WRITE) == WRITE
    napot = _field(entry, 63, 63)
    if napot and level == 0:
        if _field(entry, 13, 10) != 0b1000:
            return BAD_LEAF
        return Leaf(pa - pa % 0x10000, attributes, run=4, reserved=bool(reserved))
    return _plain(format, level, pa, attributes, reserved=reserved or napot)


_READERS: dict[str, Callable[[PageTableFormat, int, int], Leaf | Next | str | None]] = {
    "vtd-second-stage": _vtd_second_stage,
    "vtd-first-stage": _x86,
    "amd-v1": _amd_v1,
    "amd-v2": _x86,
    "arm-lpae-s1": _lpae,
    "arm-lpae-s1-lpa2": _lpae,
    "arm-lpae-s2": _lpae,
    "arm-lpae-s2-lpa2": _lpae,
    "riscv-64": _riscv,
}
