# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The folio records of a preserved memfd (include/linux/kho/abi/memfd.h, ``memfd_luo_folio_ser``), in plain Python: slow, obvious,
and held equal to the C core by the tests.

::

    0   u64   page frame number, bits 0-51; flags, bits 52-63
    8   u64   index: page offset in the file, ascending

Number and flags are C bit-fields: compilers for big-endian machines begin them with the highest bit, so that there the number is in bits
12-63 and the flags are below it.
"""

from __future__ import annotations

import struct

from devstate.errors import TruncatedError
from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from _typeshed import ReadableBuffer

RECORD_SIZE = 16
_PFN_BITS = 52

FAULTS = ("pfn-zero", "pfn-limit", "flags", "index-limit", "index-order")
"""The ways in which a record can be wrong, in the order of the DS_FOLIO_ numbers in csrc/devstate_core.h."""


@frozen
class FolioRules:
    """What records are held against: page frame numbers are 1 to ``pfn_limit`` - 1, indices below ``index_limit`` (the size of the file
    in pages), and flags have no bit outside of ``known_flags``. Indices ascend, always.
    """

    pfn_limit: int = 1 << _PFN_BITS
    index_limit: int = (1 << 64) - 1
    known_flags: int = 0xFFF


ANY_FOLIO = FolioRules()
"""Rules that ask for no more than a page and an order."""


@frozen
class Folios:
    """Records as columns: memoryviews of u64, u16 and u64, of the same length."""

    pfn: memoryview
    flags: memoryview
    index: memoryview


@frozen
class FolioFaults:
    """For each of FAULTS, how many records are wrong in that way, and the number of the first one (None when there is none)."""

    counts: tuple[int, ...]
    firsts: tuple[int | None, ...]

    def __bool__(self) -> bool:
        return any(self.counts)

    def items(self) -> list[tuple[str, int, int]]:
        """(fault, count, first record) of each fault that there is."""
        return [(name, count, first) for name, count, first in zip(FAULTS, self.counts, self.firsts, strict=True) if first is not None]


def whole_records(records: ReadableBuffer) -> memoryview:
    """The records as plain bytes. TruncatedError when the last one is cut."""
    view = memoryview(records).cast("B")
    if view.nbytes % RECORD_SIZE:
        whole = view.nbytes // RECORD_SIZE * RECORD_SIZE
        raise TruncatedError("a folio record is cut", offset=whole, expected=f"{RECORD_SIZE} bytes", found=f"{view.nbytes - whole}")
    return view


def decode(records: memoryview, byteorder: Literal["little", "big"]) -> Folios:
    """The columns of whole records."""
    from array import array

    pfn, flags, index = array("Q"), array("H"), array("Q")
    little = byteorder == "little"
    pfn_shift, flags_shift = (0, _PFN_BITS) if little else (64 - _PFN_BITS, 0)
    for word, offset in struct.iter_unpack("<QQ" if little else ">QQ", records):
        pfn.append(word >> pfn_shift & (1 << _PFN_BITS) - 1)
        flags.append(word >> flags_shift & (1 << 64 - _PFN_BITS) - 1)
        index.append(offset)
    return Folios(memoryview(pfn), memoryview(flags), memoryview(index))


def check(folios: Folios, rules: FolioRules) -> FolioFaults:
    """Hold every record against the rules."""
    counts = [0] * len(FAULTS)
    firsts: list[int | None] = [None] * len(FAULTS)
    for number in range(len(folios.pfn)):
        pfn, flags, index = folios.pfn[number], folios.flags[number], folios.index[number]
        wrong = (
            pfn == 0,
            pfn >= rules.pfn_limit,
            bool(flags & ~rules.known_flags),
            index >= rules.index_limit,
            number > 0 and index <= folios.index[number - 1],
        )
        for fault, is_wrong in enumerate(wrong):
            if is_wrong:
                counts[fault] += 1
                if firsts[fault] is None:
                    firsts[fault] = number
    return FolioFaults(tuple(counts), tuple(firsts))
