# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The tables that KVM saves of an ITS, written as Documentation/virt/kvm/devices/arm-vgic-its.rst has them."""

from __future__ import annotations

import random
from typing import Any

import pytest
from test_interrupts import records
from units import Tables

from devstate.handover.interrupts.its import Areas, Its, Lpi, read_its, verify_its
from devstate.memory.physmem import MemoryRegion, PhysMemory


class Saved:
    """An ITS with devices 8 and 20, events on two collections, and pending bits."""

    def __init__(self) -> None:
        self.tables = Tables()
        self.devices, self.collections, self.config, self.first, self.second = (self.tables.page(2) for _ in range(5))
        self.pending = [self.tables.page(16, align=1 << 16) for _ in range(2)]
        self.tables.words(self.collections, 1 << 63 | 0 << 16 | 0, 1 << 63 | 1 << 16 | 1, 0, 1 << 63 | 5)
        self.tables.words(self.devices + 8 * 8, 1 << 63 | 12 << 49 | self.first >> 8 << 5 | 4)
        self.tables.words(self.devices + 8 * 20, 1 << 63 | 0 << 49 | self.second >> 8 << 5 | 1)
        self.tables.words(self.first, 3 << 48 | 8192 << 16 | 0)
        self.tables.words(self.first + 8 * 3, 0 << 48 | 8200 << 16 | 1)
        self.tables.words(self.second + 8 * 3, 0 << 48 | 8201 << 16 | 1)
        self.tables.arena.write(self.config, bytes([0xA3, *(0 for _ in range(7)), 0xA2, 0x43]))
        self.tables.arena.write(self.pending[1] + 8200 // 8, bytes([1 << 0 | 1 << 1]))

    def read(self) -> Its:
        pending = {number: (pa, 65536) for number, pa in enumerate(self.pending)}
        areas = Areas((self.devices, 8192), (self.collections, 8192), (self.config, 8192), pending)
        return read_its(self.tables.arena.view(), areas)


def test_saved_tables() -> None:
    """Devices, events, collections, priorities, and what is pending at which redistributor."""
    found = Saved().read()
    assert (
        Lpi(8, 0, 8192, 0, 0xA0, 1),
        Lpi(8, 3, 8200, 1, 0xA0, 2),
        Lpi(20, 3, 8201, 1, 0x40, 3),
    ) == found.lpis
    assert ({0: 0, 1: 1}, ()) == (found.collections, found.findings)


@pytest.mark.parametrize(
    ("place", "word", "expected"),
    [
        (("first", 3), 8192 << 16 | 1, ["its-lpi-claimed", "its-pending-unmapped"]),
        (("first", 3), 8200 << 16 | 7, ["its-collection"]),
        (("first", 3), 100 << 16 | 1, ["its-lpi-range", "its-pending-unmapped"]),
        (("first", 0), 2 << 48 | 8192 << 16, ["its-next"]),
        (("first", 3), 1 << 48 | 8200 << 16 | 1, ["its-next"]),
        (("devices", 8), 0, ["its-pending-unmapped"]),
        (("devices", 20), 1 << 63 | 0x7000000 >> 8 << 5, ["its-table-not-in-memory", "its-pending-unmapped"]),
        (("collections", 1), 0, ["its-collection", "its-collection"]),
    ],
)
def test_tables_that_are_wrong(place: tuple[str, int], word: int, expected: list[str]) -> None:
    """Each change of one word is named."""
    made = Saved()
    made.tables.words(getattr(made, place[0]) + 8 * place[1], word)
    assert expected == [finding.rule for finding in made.read().findings]


def test_two_levels_of_devices() -> None:
    """A first level of which each entry stands for 8192 devices."""
    made = Saved()
    level1, level2 = made.tables.page(), made.tables.page(16, align=1 << 16)
    made.tables.words(level1 + 8, 1 << 63 | level2)
    made.tables.words(level2 + 8 * 5, 1 << 63 | made.second >> 8 << 5 | 1)
    pending = {number: (pa, 65536) for number, pa in enumerate(made.pending)}
    areas = Areas((level1, 4096), (made.collections, 8192), (made.config, 8192), pending, indirect=True)
    found = read_its(made.tables.arena.view(), areas)
    assert (Lpi(8192 + 5, 3, 8201, 1, 0x40, 3),) == found.lpis
    assert ["its-pending-unmapped"] == [finding.rule for finding in found.findings]


def test_records() -> None:
    """The records of its-v1 are judged by the same rules; an event has one record; ids have an end."""
    rows: list[dict[str, Any]] = [
        {"device": 8, "event": 0, "lpi": 8192, "collection": 1},
        {"device": 8, "event": 0, "lpi": 8193, "collection": 1},
        {"device": 9, "event": 0, "lpi": 8192, "collection": 2},
    ]
    found = verify_its(records("ds_lpi", rows, "its-v1"), [1], limit=8193)
    assert ["its-event-twice", "its-lpi-range", "its-lpi-claimed", "its-collection"] == [finding.rule for finding in found]


def test_any_bytes() -> None:
    """Tables of random words, and of words that lead into themselves, end in findings."""
    rng = random.Random(3)
    for round_ in range(30):
        words = [rng.getrandbits(64) if round_ % 2 else 1 << 63 | rng.randrange(32) << 4 + 5 | rng.randrange(20) for _ in range(4096)]
        data = b"".join(word.to_bytes(8, "little") for word in words)
        memory = PhysMemory([MemoryRegion(0, len(data), memoryview(data))])
        areas = Areas((0, 8192), (8192, 4096), (12288, 4096), dict.fromkeys(range(3), (16384, 1 << 40)))
        found = read_its(memory, areas)
        assert all(finding.rule.startswith("its-") for finding in found.findings)
