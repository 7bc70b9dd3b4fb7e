# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The formats of IOMMU page tables, as data: the one source of what Python and C know about them.

``tools/gen.py`` writes csrc/pt_formats.gen.h from this file, in the order of FORMATS.

Sources: drivers/iommu/generic_pt/fmt/{vtdss,x86_64,amdv1,riscv}.h and drivers/iommu/io-pgtable-arm.c of Linux 7.3; Intel VT-d
specification 9.7 and 9.8; AMD I/O Virtualization Technology specification (48882) 2.2.3 and 2.2.6, AMD64 manual volume 2, 5.3; Arm
architecture reference manual D8.3 (descriptor formats, also of LPA2) and D8.6 (contiguous bit); RISC-V privileged specification
12.4 to 12.6 with Svnapot and Svpbmt.
"""

from __future__ import annotations

from devstate.errors import UsageError
from devstate.frozen import replace
from devstate.pagetable.format import (
    ACCESSED,
    COHERENT,
    CONTIGUOUS,
    DIRTY,
    ENCRYPTED,
    EXECUTE,
    GLOBAL,
    LEAF_RULE_AT_0,
    LEVELS,
    NAPOT,
    NEXT_LEVEL,
    NO_WRITE_ONLY,
    READ,
    USER,
    WRITE,
    PageTableFormat,
    Test,
)


def _bits(high: int, low: int) -> int:
    return (1 << (high + 1)) - (1 << low)


def _bit(number: int) -> int:
    return 1 << number


def _on(number: int, attribute: int) -> Test:
    return Test(_bit(number), 0, attribute)


def _off(number: int, attribute: int) -> Test:
    return Test(_bit(number), _bit(number), attribute)


_NONE = (0,) * LEVELS

_VTD_SECOND = PageTableFormat(
    name="vtd-second-stage",
    granule_shift=12,
    index_bits=9,
    levels=(2, 5),
    iova_bits=57,
    concatenated=0,
    leaf_levels=0b111,
    flags=0,
    present=_bits(1, 0),  # there is no present bit: what can be neither read nor written is absent
    leaf_any=_bit(7),
    leaf_flip=0,
    page=0,
    address=_bits(51, 12),
    table=_bits(51, 12),
    address_shift=0,
    high=0,
    high_shift=0,
    type=_bits(6, 3),
    type_shift=3,
    type_high=(0, 0),
    software=_bit(10) | _bits(61, 52) | _bit(63),
    contiguous=0,
    contiguous_bits=_NONE,
    reserved_leaf=_NONE,
    reserved_table=(_bit(11),) * LEVELS,
    attributes=(_on(0, READ), _on(1, WRITE), _on(8, ACCESSED), _on(9, DIRTY), _on(11, COHERENT)),  # bit 2, execute, is of no use any more
    limits=(_off(0, READ), _off(1, WRITE)),
    leaf_set=0,
    table_set=_bits(1, 0),
)

_X86 = PageTableFormat(
    name="vtd-first-stage",
    granule_shift=12,
    index_bits=9,
    levels=(3, 5),
    iova_bits=57,
    concatenated=0,
    leaf_levels=0b111,
    flags=0,
    present=_bit(0),
    leaf_any=_bit(7),
    leaf_flip=0,
    page=0,
    address=_bits(51, 12),
    table=_bits(51, 12),
    address_shift=0,
    high=0,
    high_shift=0,
    type=_bits(4, 3),
    type_shift=3,
    type_high=(_bit(7), _bit(12)),
    software=_bit(9) | _bit(11) | _bits(62, 52),
    contiguous=0,
    contiguous_bits=_NONE,
    reserved_leaf=_NONE,
    reserved_table=_NONE,
    attributes=(_on(0, READ), _on(1, WRITE), _off(63, EXECUTE), _on(2, USER), _on(5, ACCESSED), _on(6, DIRTY), _on(8, GLOBAL)),
    limits=(_off(1, WRITE), _off(2, USER), _on(63, EXECUTE)),
    leaf_set=_bit(0),
    table_set=_bits(2, 0) | _bit(5),
)

_AMD_V2 = replace(_X86, name="amd-v2", reserved_table=(0, 0, 0, _bit(8), _bit(8), 0))

_AMD_V1 = PageTableFormat(
    name="amd-v1",
    granule_shift=12,
    index_bits=9,
    levels=(1, 6),
    iova_bits=64,
    concatenated=0,
    leaf_levels=0b11111,  # the table of level 6 cannot hold leaves
    flags=NEXT_LEVEL,
    present=_bit(0),
    leaf_any=0,
    leaf_flip=0,
    page=0,
    address=_bits(51, 12),
    table=_bits(51, 12),
    address_shift=0,
    high=0,
    high_shift=0,
    type=0,
    type_shift=0,
    type_high=(0, 0),
    software=_bits(4, 1) | _bits(8, 7) | _bit(63),
    contiguous=0,
    contiguous_bits=_NONE,
    reserved_leaf=(_bits(58, 52),) * LEVELS,
    reserved_table=(_bits(60, 52),) * LEVELS,
    attributes=(_on(61, READ), _on(62, WRITE), _on(59, USER), _on(5, ACCESSED), _on(6, DIRTY), _on(60, COHERENT)),
    limits=(_off(61, READ), _off(62, WRITE)),
    leaf_set=_bit(0),
    table_set=_bit(0) | _bits(62, 61),
)

_RISCV = PageTableFormat(
    name="riscv-64",
    granule_shift=12,
    index_bits=9,
    levels=(3, 5),
    iova_bits=57,
    concatenated=2,  # a guest's tables (Sv39x4 to Sv57x4) have a top of four pages
    leaf_levels=0b11111,
    flags=NAPOT | LEAF_RULE_AT_0 | NO_WRITE_ONLY,
    present=_bit(0),
    leaf_any=_bits(3, 1),
    leaf_flip=0,
    page=0,
    address=_bits(53, 10),
    table=_bits(53, 10),
    address_shift=2,
    high=0,
    high_shift=0,
    type=_bits(62, 61),
    type_shift=61,
    type_high=(0, 0),
    software=_bits(9, 8),
    contiguous=0,
    contiguous_bits=_NONE,
    reserved_leaf=(_bits(60, 54), *(_bits(60, 54) | _bit(63),) * (LEVELS - 1)),
    reserved_table=(_bits(63, 54) | _bits(7, 6) | _bit(4),) * LEVELS,
    attributes=(_on(1, READ), _on(2, WRITE), _on(3, EXECUTE), _on(4, USER), _on(6, ACCESSED), _on(7, DIRTY), _on(5, GLOBAL)),
    limits=(),
    leaf_set=_bit(0),
    table_set=_bit(0),
)

_LPAE_S1 = PageTableFormat(
    name="arm-lpae-s1",
    granule_shift=12,
    index_bits=9,
    levels=(1, 4),
    iova_bits=48,
    concatenated=0,
    leaf_levels=0b111,
    flags=0,
    present=_bit(0),
    leaf_any=_bit(1),
    leaf_flip=_bit(1),
    page=_bit(1),
    address=_bits(47, 12),
    table=_bits(47, 12),
    address_shift=0,
    high=0,
    high_shift=0,
    type=_bits(4, 2),
    type_shift=2,
    type_high=(0, 0),
    software=_bits(58, 55),
    contiguous=_bit(52),
    contiguous_bits=(4, 4, 4, 0, 0, 0),
    reserved_leaf=(_bits(49, 48),) * LEVELS,
    reserved_table=(_bits(50, 48),) * LEVELS,
    attributes=(
        _on(0, READ),
        _off(7, WRITE),
        _on(51, WRITE),  # the dirty bit modifier makes read-only mean: writable, and clean
        _off(54, EXECUTE),
        _on(6, USER),
        _on(10, ACCESSED),
        Test(_bit(51) | _bit(7), _bit(7), DIRTY),
        _off(11, GLOBAL),
        _on(52, CONTIGUOUS),
    ),
    limits=(_on(62, WRITE), _on(61, USER), _on(60, EXECUTE)),
    leaf_set=_bit(0) | _bits(9, 8),
    table_set=_bits(1, 0),
)

_LPAE_S2 = replace(
    _LPAE_S1,
    name="arm-lpae-s2",
    concatenated=4,
    type=_bits(5, 2),
    reserved_leaf=(_bits(50, 48),) * LEVELS,
    reserved_table=(_bits(63, 59) | _bits(50, 48),) * LEVELS,
    attributes=(
        _on(6, READ),
        _on(7, WRITE),
        _on(51, WRITE),
        _off(54, EXECUTE),
        _on(10, ACCESSED),
        Test(_bit(51) | _bit(7), 0, DIRTY),
        _on(52, CONTIGUOUS),
    ),
    limits=(),
)


def _granules(lpae: PageTableFormat) -> tuple[PageTableFormat, ...]:
    """A format of Arm at its three granules. Of 64K, bits 12 to 15 hold address bits 48 to 51; where there are none, they are zero."""
    middle = replace(
        lpae, granule_shift=14, index_bits=11, leaf_levels=0b11, contiguous_bits=(7, 5, 0, 0, 0, 0),
        address=_bits(47, 14), table=_bits(47, 14),
    )  # fmt: skip
    large = replace(
        lpae, granule_shift=16, index_bits=13, levels=(1, 3), iova_bits=52, leaf_levels=0b111, contiguous_bits=(5, 5, 0, 0, 0, 0),
        address=_bits(47, 16), table=_bits(47, 16), high=_bits(15, 12), high_shift=36,
    )  # fmt: skip
    return lpae, middle, large


def _lpa2(lpae: PageTableFormat) -> PageTableFormat:
    """A format of Arm as FEAT_LPA2 has it (TCR.DS, VTCR.DS): 52 bits at 4K and 16K. Bits 8 and 9, else the shareability, hold address bits
    50 and 51; one more level, and larger blocks."""
    small, address = lpae.granule_shift == 12, _bits(49, lpae.granule_shift)
    return replace(
        lpae, name=f"{lpae.name}-lpa2", levels=(1, 5 if small else 4), iova_bits=52, leaf_levels=0b1111 if small else 0b111,
        address=address, table=address, high=_bits(9, 8), high_shift=42, leaf_set=_bit(0),
        reserved_leaf=(lpae.reserved_leaf[0] & ~address,) * LEVELS, reserved_table=(lpae.reserved_table[0] & ~address,) * LEVELS,
    )  # fmt: skip


FORMATS: tuple[PageTableFormat, ...] = (
    _VTD_SECOND, _X86, _AMD_V1, _AMD_V2, *_granules(_LPAE_S1), *_granules(_LPAE_S2), _RISCV,
    *map(_lpa2, _granules(_LPAE_S1)[:2]), *map(_lpa2, _granules(_LPAE_S2)[:2]),
)  # fmt: skip
"""Every format at every granule; the place in here is the number of the format in C."""

NAMES = tuple(dict.fromkeys(each.name for each in FORMATS))


def find_format(name: str, granule: int = 4096) -> PageTableFormat:
    """The format of this name and granule (bytes). UsageError when there is none."""
    for each in FORMATS:
        if each.name == name and each.granule == granule:
            return each
    if name not in NAMES:
        raise UsageError(f"no page-table format is called {name!r}; there are {', '.join(NAMES)}")
    granules = ", ".join(f"{each.granule:#x}" for each in FORMATS if each.name == name)
    raise UsageError(f"{name} has no granule of {granule:#x} bytes, but {granules}")


ENCRYPTION_BITS = (32, 51)
"""Where the C-bit can be: CPUID 0x8000001f says which it is, 47 on the first machines that have it and 51 on later ones."""


def with_encryption(format: PageTableFormat, bit: int) -> PageTableFormat:
    """AMD's format on a machine with active memory encryption (SME): ``bit`` of each address says that what is there is encrypted.

    Source: PT_FEAT_AMDV1_ENCRYPT_TABLES and PT_FEAT_X86_64_AMD_ENCRYPT_TABLES in drivers/iommu/generic_pt/fmt of Linux 7.3.
    UsageError for another format, and for a bit that cannot be it.
    """
    low, high = ENCRYPTION_BITS
    if not format.name.startswith("amd") or format.encryption:
        raise UsageError(f"{format.label} has no encryption bit")
    if not low <= bit <= high:
        raise UsageError(f"the encryption bit is one of {low} to {high}, not {bit}")
    mask = _bit(bit)
    tests = (*format.attributes, _on(bit, ENCRYPTED))
    return replace(format, encryption=mask, address=format.address & ~mask, table=format.table & ~mask, attributes=tests)
