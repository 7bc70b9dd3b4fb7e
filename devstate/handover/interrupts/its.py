# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""An ITS: read the tables that KVM saves of one, and judge LPIs, whether read or from the records of ``its-v1``.

``its-lpi-claimed``        two events are mapped to one LPI
``its-event-twice``        one event of one device has two records
``its-lpi-range``          a number that is no LPI, or beyond the tables of LPIs
``its-collection``         an LPI goes to a collection that is not mapped
``its-next``               ``next`` of an entry does not lead to the next one: who follows it misses interrupts
``its-pending-unmapped``   an LPI is pending that no event is mapped to
``its-table-...``          as ``iommu-table-...`` of devstate.handover.iommu.tables
"""

from __future__ import annotations

from devstate.finding import Finding, Location, Severity
from devstate.frozen import frozen, replace
from devstate.handover.iommu.tables import TableReader
from devstate.layout.registry import Registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    import numpy

    from devstate.handover.iommu.tables import Entries
    from devstate.memory import PhysMemory

FIRST_LPI = 8192
ENABLED, PENDING = 1, 2
LEVEL2 = 8192
"""Devices of one second level: 64K of entries."""

PENDING_MAX = 1 << 21
"""Bytes of a pending table: an interrupt id has 24 bits at most."""

UNMAPPED_MAX = 1000
"""Findings of pending LPIs without an event: whoever has read a thousand knows."""

NEXT_MAX = {"gic-its-device": (1 << 14) - 1, "gic-its-translation": (1 << 16) - 1}
"""The largest ``next``: what is further away has this, and the reader goes on from there."""


@frozen
class Areas:
    """Where the tables are, as (address, bytes). ``pending``: by redistributor. ``indirect``: the device table has two levels."""

    devices: tuple[int, int]
    collections: tuple[int, int]
    config: tuple[int, int]
    pending: Mapping[int, tuple[int, int]]
    indirect: bool = False


@frozen
class Lpi:
    """One event of one device, in the fields of ds_lpi."""

    device: int
    event: int
    lpi: int
    collection: int
    priority: int
    flags: int


@frozen
class Its:
    """What the tables say: ``collections`` are redistributors by collection id."""

    lpis: tuple[Lpi, ...]
    collections: dict[int, int]
    findings: tuple[Finding, ...]


def read_its(memory: PhysMemory, areas: Areas, registry: Registry | None = None) -> Its:
    """The mapped events of an ITS whose tables KVM saved. What is wrong is in ``findings``; nothing raises."""
    import numpy as np

    reader = TableReader(memory, registry or Registry.shipped())
    found = reader.entries("gic-its-collection", areas.collections[0], areas.collections[1] // 8, "collection table")
    valid = np.logical_and.accumulate(found.columns["valid"] != 0)  # the first that is not ends the table
    reader.check(found, valid, "collection table")
    rows = reader.rows(found, valid, "collection table")
    collections = {row.record.collection: row.record.redistributor for row in rows}
    mapped = list(reader.metered(_events(reader, areas), "events"))
    mapped = [replace(each, **_config(reader, areas, each, collections)) for each in mapped]
    findings = [_renamed(finding) for finding in reader.findings]
    findings += verify_its(mapped, collections, source=memory.source)
    findings += _unmapped(memory, areas, mapped)
    return Its(tuple(mapped), collections, tuple(findings))


def _events(reader: TableReader, areas: Areas) -> Iterator[Lpi]:
    """Every event that is mapped, its priority and flags not yet known."""
    for base, pa, count in _device_tables(reader, areas):
        devices = reader.entries("gic-its-device", pa, count, "device table")
        valid = devices.columns["valid"] != 0
        if not areas.indirect:  # of two levels, the last one of a table names one of the next table
            _check_next(reader, devices, valid, "device table")
        for device in reader.rows(devices, valid, "device table"):
            path = f"translations of device {base + device.index:#x}"
            events = reader.entries("gic-its-translation", device.record.translations << 8, 2 << device.record.size, path)
            mapped = events.columns["lpi"] != 0
            _check_next(reader, events, mapped, path)
            for event in reader.rows(events, mapped, path):
                yield Lpi(base + device.index, event.index, event.record.lpi, event.record.collection, 0, 0)


def _device_tables(reader: TableReader, areas: Areas) -> Iterator[tuple[int, int, int]]:
    """(first device id, address, entries) of each table of devices."""
    pa, count = areas.devices[0], areas.devices[1] // 8
    if not areas.indirect:
        yield 0, pa, count
        return
    first = reader.entries("gic-its-level1", pa, count, "first level of the device table")
    valid = first.columns["valid"] != 0
    reader.check(first, valid, "first level of the device table")
    for row in reader.rows(first, valid, "first level of the device table"):
        yield row.index * LEVEL2, row.record.table << 16, LEVEL2


def _check_next(reader: TableReader, entries: Entries, chosen: numpy.typing.NDArray[Any], path: str) -> None:
    """``next`` of each is the distance to the next one, or as far as it can say; 0 for the last one."""
    import numpy as np

    numbers = np.flatnonzero(chosen)
    if not len(numbers):
        return
    name = entries.layout.name
    places = entries.index[numbers]
    wanted = np.append(np.minimum(np.diff(places), NEXT_MAX[name]), 0)
    said = entries.columns["next"][numbers].astype(np.int64)
    for number in np.flatnonzero(said != wanted).tolist():
        pa = entries.address(int(numbers[number]))
        reader.find("its-next", "next does not lead to the next entry", pa, path, expected=str(wanted[number]), found=str(said[number]))


def _config(reader: TableReader, areas: Areas, event: Lpi, collections: Mapping[int, int]) -> dict[str, int]:
    """Priority and flags of an LPI, as far as its tables are there."""
    memory = reader.memory
    priority = flags = 0
    pa, size = areas.config
    place = event.lpi - FIRST_LPI
    if 0 <= place < size and memory.contains(pa + place):
        byte = memory.read(pa + place, 1)[0]
        priority, flags = byte & 0xFC, byte & ENABLED
    pa, size = areas.pending.get(collections.get(event.collection, -1), (0, 0))
    if event.lpi >> 3 < size and memory.contains(pa + (event.lpi >> 3)):
        flags |= PENDING * (memory.read(pa + (event.lpi >> 3), 1)[0] >> (event.lpi & 7) & 1)
    return {"priority": priority, "flags": flags}


def verify_its(lpis: Iterable[Any], collections: Iterable[int], *, limit: int | None = None, source: str | None = None) -> list[Finding]:
    """Judge LPIs: the objects of read_its(), or records of ds_lpi.

    ``collections``: ids that are mapped. ``limit``: the first id that is no LPI any more.
    """
    found: list[Finding] = []
    owners: dict[int, str] = {}
    events: set[tuple[int, int]] = set()
    known = set(collections)

    def find(rule: str, what: str, message: str, detail: str) -> None:
        found.append(Finding(rule, Severity.ERROR, message, Location(source=source, path=what), found=detail))

    for each in lpis:
        what = f"event {each.event:#x} of device {each.device:#x}"
        if (each.device, each.event) in events:
            find("its-event-twice", what, "the event has two records", f"LPI {each.lpi}")
        events.add((each.device, each.event))
        if each.lpi < FIRST_LPI or (limit is not None and each.lpi >= limit):
            find("its-lpi-range", what, "a number that is no LPI here", str(each.lpi))
        owner = owners.setdefault(each.lpi, what)
        if owner != what:
            find("its-lpi-claimed", what, f"LPI {each.lpi} is mapped a second time", owner)
        if each.collection not in known:
            find("its-collection", what, "it goes to a collection that is not mapped", f"collection {each.collection}")
    return found


def _unmapped(memory: PhysMemory, areas: Areas, mapped: Iterable[Lpi]) -> list[Finding]:
    """LPIs that wait at some redistributor and belong to no event. The first KiB of a pending table is the implementation's."""
    import numpy as np

    known = np.array(sorted({each.lpi for each in mapped}), dtype=np.int64)
    found = []
    for redistributor, (pa, size) in areas.pending.items():
        for offset, view in memory.read_present(pa, min(size, PENDING_MAX)):
            bits = np.flatnonzero(np.unpackbits(np.frombuffer(view, dtype=np.uint8), bitorder="little")) + 8 * offset
            bits = bits[bits >= FIRST_LPI]
            for lpi in bits[~np.isin(bits, known)][:UNMAPPED_MAX].tolist():
                place = Location(source=memory.source, pa=pa + lpi // 8, path=f"pending table of redistributor {redistributor}")
                found.append(
                    Finding("its-pending-unmapped", Severity.WARNING, f"LPI {lpi} is pending, and no event is mapped to it", place)
                )
    return found


def _renamed(finding: Finding) -> Finding:
    return replace(finding, rule=finding.rule.replace("iommu-", "its-", 1))
