# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Tables of units that lie: they end in a unit with findings, in time that goes by the bytes that are there."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from units import Tables, rules

from devstate.handover.iommu import domains, tables
from devstate.handover.iommu.model import Unit
from devstate.handover.iommu.read import read_unit
from devstate.handover.iommu.tables import ROW
from devstate.memory.physmem import MemoryRegion, PhysMemory

FUZZ = Path(__file__).resolve().parents[2] / "fuzz"
sys.path.insert(0, str(FUZZ))
import driver  # noqa: E402
from iommu_fuzzer import HEAD, one_input, seeds  # noqa: E402

SECONDS = 20.0
"""What any of these may take on a slow machine; each takes a few seconds at most, and would take hours without limits."""


def lots(value: int, count: int) -> bytes:
    """The same word many times."""
    return value.to_bytes(8, "little") * count


def shared_gcr3() -> Unit:
    """All functions of a segment share a table of 512 PASIDs: 33 million address spaces."""
    made = Tables()
    root, gcr3, top = made.page(512), made.page(), made.page()
    low = 3 << 61 | 3 << 54 | 3 | (gcr3 >> 12 & 7) << 58
    entry = b"".join(word.to_bytes(8, "little") for word in (low, (gcr3 >> 15 & 0xFFFF) << 16, 0, 0))
    made.arena.write(root, entry * 65536)
    made.arena.write(gcr3, lots(top | 1, 512))
    return made.unit("amd", root, DEVTAB=root | 511)


def shared_pasids() -> Unit:
    """One page is lower and upper table of all buses, directory and PASID table of all functions."""
    made = Tables()
    root, context, directory, table = (made.page() for _ in range(4))
    made.arena.write(root, lots(context | 1, 512))
    made.arena.write(context, b"".join(word.to_bytes(8, "little") for word in (directory | 9, 0, 0, 0)) * 128)
    made.arena.write(directory, lots(table | 1, 128))
    made.arena.write(table, (lots(0x101, 1) + lots(1, 1) + lots(0, 6)) * 64)
    return made.unit("vtd", root, RTADDR=root | 1 << 10)


def shared_streams() -> Unit:
    """All second levels of 16 million buses are one, all contexts are one."""
    made = Tables()
    root, level2, contexts = made.page(2048, align=1 << 23), made.page(4), made.page(16)
    made.arena.write(root, lots(level2 | 9, 1 << 20))
    made.arena.write(level2, (lots(contexts | 11 | 10 << 59, 1) + lots(2, 1) + lots(0, 6)) * 256)
    made.arena.write(contexts, (lots(25 | 3 << 30 | 1 << 41, 1) + lots(contexts, 1) + lots(0, 6)) * 1024)
    return made.unit("smmuv3", root, STRTAB_BASE_CFG=1 << 16 | 8 << 6 | 32)


def many_domains() -> Unit:
    """All functions have the same tables of 1000 pages under tags of their own."""
    made = Tables()
    root, level1 = made.page(512), made.page(1000)
    top = made.page()
    made.arena.write(top, b"".join((level1 + n * 4096 | 1 << 9 | 3 << 61 | 1).to_bytes(8, "little") for n in range(500)))
    for number in range(500):
        made.arena.write(level1 + number * 4096, lots(0x5000 | 3 << 61 | 1, 512))
    entries = (word.to_bytes(8, "little") for n in range(65536) for word in (top | 2 << 9 | 3 << 61 | 3, n, 0, 0))
    made.arena.write(root, b"".join(entries))
    return made.unit("amd", root, DEVTAB=root | 511)


def shared_interrupts() -> Unit:
    """All functions have interrupt tables that overlap, each at another address."""
    made = Tables()
    root, irt = made.page(512), made.page(1040, align=1 << 17)
    made.arena.write(irt, lots(0x41_0001_0041_0001, 1040 * 512))
    entries = (word.to_bytes(8, "little") for n in range(65536) for word in (3, 0, 1 | 11 << 1 | 2 << 60 | irt + 64 * n, 0))
    made.arena.write(root, b"".join(entries))
    return made.unit("amd", root, DEVTAB=root | 511, CONTROL=0)


@pytest.mark.parametrize("build", [shared_gcr3, shared_pasids, shared_streams, many_domains, shared_interrupts])
def test_what_is_shared_is_not_multiplied(build: object) -> None:
    """The reading ends, and says that it did not read all."""
    start = time.process_time()
    unit = build()  # type: ignore[operator]
    found = set(rules(unit))
    assert time.process_time() - start < SECONDS
    assert found & {"iommu-budget", "iommu-domain-budget"}
    entries = sum(len(table.entries) for table in unit.interrupts or ())
    assert (len(unit.devices) + entries) * ROW <= 64 << 20


@pytest.mark.parametrize(("spare", "expected"), [(0, []), (-1, ["iommu-budget"])])
def test_the_budget_at_its_limit(monkeypatch: pytest.MonkeyPatch, spare: int, expected: list[str]) -> None:
    """Just enough for two tables and a device; and one byte less than what the device counts for."""
    made = Tables()
    root, context = made.page(), made.page()
    made.words(root, context | 1)
    made.words(context, 9, 1 | 1 << 8)
    monkeypatch.setattr(tables, "EXTRA", 1 + spare)
    assert expected == rules(made.unit("vtd", root, RTADDR=root))


def test_the_budget_of_walks_at_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A domain is walked while anything is left, the next one is not."""
    made = Tables()
    root, context = made.page(), made.page()
    made.words(root, context | 1)
    for number in range(2):
        made.words(context + 16 * number, made.top("vtd-second-stage", 3) | 1, 1 | number + 1 << 8)
    for walks, extra, expected in ((0, 0, [True, True]), (0, 1, [False, True]), (0, 3 * 4096, [False, True]), (4, 1 << 26, [False, False])):
        monkeypatch.setattr(domains, "WALKS", walks)
        monkeypatch.setattr(domains, "EXTRA", extra)
        unit = made.unit("vtd", root, RTADDR=root)
        assert expected == [domain.walk is None for domain in unit.domains]
        assert sum(expected) == rules(unit).count("iommu-domain-budget")


def test_the_largest_table_at_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is beyond is said, and not read; a register may claim all 32 bits of a stream id, in a memory of any size."""
    made = Tables()
    root = made.page(4)
    made.words(root + 64 * 127, 9)
    made.words(root + 64 * 128, 9)
    for limit, seen in ((128 * 64, [127]), (129 * 64, [127, 128]), (1 << 28, [127, 128])):
        monkeypatch.setattr(tables, "TABLE_MAX", limit)
        for bits in (8, 32):
            unit = made.unit("smmuv3", root, STRTAB_BASE_CFG=bits)
            assert seen == [device.source_id for device in unit.devices]
            partial = limit < 1 << 14 or bits == 32
            assert (["iommu-table-partial"] if partial else []) == rules(unit)


def test_registers_that_claim_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than any read may have, of a memory that has more than that."""
    monkeypatch.setattr(tables, "TABLE_MAX", 1 << 22)
    huge = PhysMemory([MemoryRegion(0, 1 << 40, Zeros())])
    for kind, registers in (("smmuv3", {"STRTAB_BASE_CFG": 32}), ("smmuv3", {"STRTAB_BASE_CFG": 1 << 16 | 32}), ("amd", {"DEVTAB": 511})):
        unit = read_unit(huge, kind, 0, registers)
        assert () == unit.devices


class Zeros:
    """Any number of zeros, made when they are read."""

    def __getitem__(self, part: slice) -> memoryview:
        return memoryview(bytes(part.stop - part.start))


def test_tables_that_lead_to_themselves() -> None:
    """One page as root, context, directory and PASID table: said, and read once as each."""
    made = Tables()
    root = made.page()
    made.arena.write(root, lots(root | 0x4B, 512))
    unit = made.unit("vtd", root, RTADDR=root | 1 << 10)
    assert {"iommu-table-conflict", "iommu-reserved-bits"} <= set(rules(unit))


def test_tables_outside_of_memory() -> None:
    """No table is anywhere: one finding, and an empty unit."""
    for kind, registers in (("vtd", {"IRTA": 0x7000000F}), ("amd", {}), ("smmuv3", {"STRTAB_BASE_CFG": 0x10210})):
        unit = Tables().unit(kind, 0x7F0000000000, **registers)
        assert {"iommu-table-not-in-memory"} == set(rules(unit))
        assert ((), ()) == (unit.devices, unit.domains)
        top = Tables().unit(kind, (1 << 52) - 4096, **registers)
        assert {"iommu-table-not-in-memory"} == set(rules(top))


def test_prefixes() -> None:
    """Every seed cut at many places."""
    for data in seeds():
        for end in [*range(HEAD, HEAD + 40), *range(HEAD + 40, len(data), 4999)]:
            one_input(data[:end])


def test_flipped_bits() -> None:
    """Bits of what is not zero, in every seed."""
    rng = random.Random(7)
    for data in seeds():
        used = [at for at in range(len(data)) if data[at]]
        for at in rng.sample(used, 12):
            changed = bytearray(data)
            changed[at] ^= 1 << rng.randrange(8)
            one_input(bytes(changed))


@given(st.binary(min_size=HEAD, max_size=600))
@settings(deadline=None, max_examples=60)
def test_random_bytes(data: bytes) -> None:
    """Anything at all."""
    one_input(data)


def test_changed_seeds() -> None:
    """Some rounds of the fuzzing loop, always the same ones."""
    rng = random.Random(1)
    known = seeds()
    for _ in range(60):
        one_input(driver.changed(rng, known))
