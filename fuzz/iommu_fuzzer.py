# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Any bytes as the tables of an IOMMU unit: reading ends in a unit whose findings have places, in time that goes by the bytes there are.

An input begins with a byte for the kind of unit, one for the page of the root table and two registers; what follows is memory from address
0 on. So a few bits of a word are enough to lead from one table to another, to itself, or out of memory.
"""

from __future__ import annotations

import io

from devstate.cli.iommu_document import document
from devstate.cli.iommu_text import lines
from devstate.errors import UsageError
from devstate.handover.iommu.read import read_unit
from devstate.handover.iommu.registers import KINDS, ROOT
from devstate.handover.iommu.tables import EXTRA, FINDING_LIMIT, ROW
from devstate.handover.iommu.verify import LIMIT, verify_unit
from devstate.memory.physmem import MemoryRegion, PhysMemory
from devstate.report import json, text

HEAD = 18
SECOND = {"vtd": "IRTA", "amd": "CONTROL", "smmuv3": "STRTAB_BASE_CFG"}


def one_input(data: bytes) -> None:
    """Read, judge and show the unit, with its registers and without."""
    if len(data) <= HEAD:
        return
    kind = KINDS[data[0] % len(KINDS)]
    root, first, second = data[1] % 16 << 12, int.from_bytes(data[2:10], "little"), int.from_bytes(data[10:HEAD], "little")
    memory = PhysMemory([MemoryRegion(0, len(data) - HEAD, memoryview(data)[HEAD:])])
    for registers in ({}, {SECOND[kind]: second}, {ROOT[kind]: first, SECOND[kind]: second}):
        try:
            unit = read_unit(memory, kind, None if ROOT[kind] in registers else root, registers)
        except UsageError:
            assert ROOT[kind] in registers  # an address that is no root's
            continue
        found = verify_unit(unit, tables=True)
        assert len(unit.findings) <= FINDING_LIMIT and len(found) <= FINDING_LIMIT + 4 * LIMIT + 2000 * len(unit.domains)
        assert all(finding.rule.startswith(("iommu-", "pt-")) and finding.location.source for finding in found)
        assert len(unit.devices) <= 1 + (memory.size + EXTRA) // ROW
        out = io.StringIO()
        if ROOT[kind] in registers:  # once is enough
            json.write(document(unit, found), out)
        out.writelines(lines(unit))
        text.findings(found, out)


def word(value: int) -> bytes:
    """A 64-bit word of an entry."""
    return value.to_bytes(8, "little")


class Image:
    """Pages from address 0 on, to be filled word by word."""

    def __init__(self, pages: int = 8) -> None:
        self.data = bytearray(pages * 4096)

    def put(self, pa: int, *words: int) -> Image:
        """Write words at ``pa``."""
        self.data[pa : pa + 8 * len(words)] = b"".join(map(word, words))
        return self

    def input(self, kind: str, root: int, first: int, second: int) -> bytes:
        """The bytes that one_input() takes for this."""
        return bytes([KINDS.index(kind), root >> 12]) + word(first) + word(second) + self.data


def seeds() -> list[bytes]:
    """A small unit of each form."""
    leaf = 0x7000 | 3
    legacy = Image().put(0x1000, 0x2001).put(0x2000, 0x3001, 0x201, 9, 0x102).put(0x3000, 0x4003).put(0x4000, 0x5003).put(0x5000, leaf)
    legacy.put(0x6000, 0x30000D, 0x40008, 0x51_8001, 0x40010)
    scalable = Image().put(0x1000, 0x2001, 0x2001).put(0x2000, 0x3009).put(0x3000, 0x4001)
    scalable.put(0x4000, 0x49, 2, 0x5000).put(0x4040, 0x5089, 3).put(0x4080, 0x50C9, 4, 0x5000).put(0x40C0, 0x101, 5).put(0x5000, 0x6003)
    opened = 3 << 61 | 3
    amd = Image().put(0x1000, opened | 0x3000 | 3 << 9, 2, 0x6000 | 2 << 60 | 9 << 1 | 1, 0, 3, 0, 0, 0)
    amd.put(0x1040, opened | 3 << 54 | 4 << 58, 2, 0, 0).put(0x4000, 0x5001).put(0x3000, 0x5001 | 2 << 9 | 3 << 61)
    amd.put(0x6000, 0x101, 0x41, 0x81, 0x51)
    both = opened | 1 << 55 | 4 << 58 | 0x3000 | 3 << 9
    amd.put(0x1060, both, 2, 0, 0)
    linear = Image().put(0x1000, 0x300B, 2).put(0x1040, 13, 0, 25 << 32 | 1 << 38 | 1 << 51, 0x4000).put(0x1080, 9).put(0x10C0, 1)
    linear.put(0x1100, 0x300F, 2, 25 << 32 | 1 << 38 | 1 << 51, 0x4000).put(0x1140, 0x300B | 2 << 4 | 12 << 59, 1)
    linear.put(0x3000, 25 | 1 << 31 | 1 << 30 | 1 << 41, 0x4000).put(0x4000, 0x5003).put(0x5000, 0x6003).put(0x6000, 0x7000 | 0x743)
    split = Image().put(0x1000, 0x2009).put(0x2000, 0x300B, 2).put(0x3000, 16 | 1 << 31 | 25 << 16 | 2 << 22, 0x4000, 0x5000)
    return [
        legacy.input("vtd", 0x1000, 0x1000, 0x6007),
        scalable.input("vtd", 0x1000, 0x1400, 0x6800),
        amd.input("amd", 0x1000, 0x1000, 1 << 17),
        amd.input("amd", 0x1000, 0x1001, 1),
        linear.input("smmuv3", 0x1000, 0x1000, 8),
        split.input("smmuv3", 0x1000, 0x1000, 1 << 16 | 8 << 6 | 16),
    ]


def main() -> None:
    from driver import run

    run(one_input, seeds())


if __name__ == "__main__":
    main()
