# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Hold the records of interrupts against the tables of the units. Every vector leads to a live entry, no entry is claimed twice:

``irq-unit``             a record names a unit that there is not
``irq-entry-missing``    it leads to an entry that is not in the table, or is all zeros
``irq-entry-dead``       it leads to an entry that is not present
``irq-entry-source``     it leads to an entry that another requester alone may use
``irq-entry-claimed``    two vectors or pins lead to one entry
``irq-entry-unclaimed``  a live entry that nothing leads to: nobody would ever free it
``irq-message``          the message, or the redirection entry, leads elsewhere than the record says
``irq-no-entry``         an enabled vector of a device behind a unit that remaps, and no entry: the unit refuses it
``irq-affinity``         an interrupt does not go where the record says, or goes where it may not go
``irq-posted``           a posted record does not say what the entry says
``irq-route``            an irqfd raises a GSI that has no route; a resample irqfd one that is no pin; two routes of one GSI to one chip
"""

from __future__ import annotations

from devstate.finding import Finding, Location, Severity
from devstate.frozen import frozen
from devstate.handover.interrupts.messages import amd_index, is_message, vtd_index, vtd_pin_index
from devstate.handover.interrupts.model import NONE
from devstate.handover.iommu.model import bdf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from devstate.codec.record import Record
    from devstate.handover.interrupts.model import Interrupts
    from devstate.handover.iommu.model import InterruptEntry, InterruptTable, Unit

ENABLED = 1
RESAMPLE = 1
IRQCHIP, MSI = 1, 2
QUALIFIERS = (0xFFFF, 0xFFFB, 0xFFF9, 0xFFF8)
"""The bits of a source id that count, by source qualifier."""


@frozen
class Claim:
    """A record that leads to an entry: ``unit`` by place, ``source_id`` of the requester, ``index`` of the entry. ``what`` names it."""

    what: str
    unit: int
    source_id: int
    index: int


class Tables:
    """The interrupt entries of all units, to be found by the claim on them."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self.units = units
        self._entries: dict[tuple[int, int], dict[int, InterruptEntry]] = {}
        self._tables: dict[tuple[int, int | None], InterruptTable] = {}
        for number, unit in enumerate(units):
            for table in unit.interrupts or ():
                for source_id in table.source_ids if table.source_ids is not None else (None,):
                    self._tables[number, source_id] = table
                self._entries[number, table.pa] = {entry.index: entry for entry in table.entries}

    def table(self, claim: Claim) -> InterruptTable | None:
        """The table that the claim is about."""
        found = self._tables.get((claim.unit, None))
        return found if found is not None else self._tables.get((claim.unit, claim.source_id))

    def entry(self, claim: Claim) -> InterruptEntry | None:
        """The entry, when it is not all zeros."""
        table = self.table(claim)
        return None if table is None else self._entries[claim.unit, table.pa].get(claim.index)

    def key(self, claim: Claim) -> tuple[int, int, int] | None:
        """What makes an entry one and the same."""
        table = self.table(claim)
        return None if table is None else (claim.unit, table.pa, claim.index)

    def live(self) -> Iterator[tuple[tuple[int, int, int], InterruptEntry]]:
        """Every entry that is present."""
        for (number, pa), entries in self._entries.items():
            for index, entry in entries.items():
                if entry.present:
                    yield (number, pa, index), entry


class _Judge:
    def __init__(self, units: Sequence[Unit]) -> None:
        self.tables = Tables(units)
        self.owners: dict[tuple[int, int, int], str] = {}
        self.findings: list[Finding] = []

    def find(self, rule: str, what: str, message: str, entry: InterruptEntry | None = None, *, severity: Severity = Severity.ERROR,
             expected: object = None, found: object = None) -> None:  # fmt: skip
        place = Location(pa=None if entry is None else entry.pa, path=what)
        wanted, seen = (None if value is None else str(value) for value in (expected, found))
        self.findings.append(Finding(rule, severity, message, place, expected=wanted, found=seen))

    def claim(self, claim: Claim) -> InterruptEntry | None:
        """Judge one claim; the entry, when it is there and nobody else's."""
        if claim.unit >= len(self.tables.units):
            self.find(
                "irq-unit", claim.what, "it names a unit that there is not", expected=f"0..{len(self.tables.units) - 1}", found=claim.unit
            )
            return None
        entry = self.tables.entry(claim)
        if entry is None:
            self.find("irq-entry-missing", claim.what, "it leads to an entry that is not there", found=f"entry {claim.index}")
            return None
        if not entry.present:
            self.find("irq-entry-dead", claim.what, "it leads to an entry that is not present", entry, found=f"entry {claim.index}")
        details = dict(entry.details)
        source, validation = details.get("source_id"), details.get("source_validation")
        mask = QUALIFIERS[int(str(details.get("source_qualifier", 0)), 0) & 3]
        if validation == 1 and isinstance(source, int) and (source ^ claim.source_id) & mask:
            message = "it leads to an entry that another requester alone may use"
            self.find("irq-entry-source", claim.what, message, entry, expected=bdf(claim.source_id), found=bdf(source))
        key = self.tables.key(claim)
        assert key is not None  # there is an entry
        owner = self.owners.setdefault(key, claim.what)
        if owner != claim.what:
            self.find("irq-entry-claimed", claim.what, f"it leads to entry {claim.index}, and so does another", entry, found=owner)
        return entry


def verify_interrupts(interrupts: Iterable[Interrupts], units: Sequence[Unit], *, complete: bool = True) -> tuple[Finding, ...]:
    """All that is wrong with these, which are judged together. ``units``: in the order that the records number them.

    ``complete``: they are all interrupts of the machine, so a live entry that none of them leads to belongs to nobody.
    """
    judge = _Judge(units)
    for each in interrupts:
        for vector in each.vectors:
            _vector(judge, each, vector)
        for pin in each.pins:
            _pin(judge, each, pin)
        for affinity in each.affinities:
            _affinity(judge, each, affinity)
        for posted in each.posted:
            _posted(judge, each, posted)
        _routes(judge, each)
    if complete:
        for key, entry in judge.tables.live():
            if key not in judge.owners:
                what = f"unit {key[0]}, entry {key[2]}"
                judge.find("irq-entry-unclaimed", what, "a live entry that nothing leads to", entry, severity=Severity.WARNING)
    return tuple(judge.findings)


def _named(interrupts: Interrupts, what: str) -> str:
    return f"{interrupts.name}: {what}" if interrupts.name else what


def _vector(judge: _Judge, interrupts: Interrupts, vector: Record) -> None:
    what = _named(interrupts, f"vector {vector.index} of {bdf(vector.source_id, vector.segment)}")
    if vector.entry == NONE:
        units = judge.tables.units
        if vector.unit < len(units) and units[vector.unit].interrupts is not None and vector.flags & ENABLED:
            judge.find("irq-no-entry", what, "it is enabled, and leads to no entry of a unit that remaps interrupts")
        return
    claim = Claim(what, vector.unit, vector.source_id, vector.entry)
    entry = judge.claim(claim)
    if entry is None or not (vector.flags & ENABLED or vector.address):
        return
    index = amd_index(vector.data) if judge.tables.units[vector.unit].kind == "amd" else vtd_index(vector.address, vector.data)
    if index != vector.entry or not is_message(vector.address):
        found = f"address {vector.address:#x}, data {vector.data:#x}: entry {'none' if index is None else index}"
        judge.find(
            "irq-message", what, "the message leads elsewhere than the record says", entry, expected=f"entry {vector.entry}", found=found
        )


def _pin(judge: _Judge, interrupts: Interrupts, pin: Record) -> None:
    what = _named(interrupts, f"pin {pin.pin} of IO-APIC {pin.ioapic}")
    if pin.entry == NONE:
        return
    entry = judge.claim(Claim(what, pin.unit, pin.source_id, pin.entry))
    if entry is None:
        return
    amd = judge.tables.units[pin.unit].kind == "amd"
    index = amd_index(pin.redirection) if amd else vtd_pin_index(pin.redirection)
    if index != pin.entry:
        found = f"{pin.redirection:#x}: entry {'none' if index is None else index}"
        judge.find(
            "irq-message",
            what,
            "the redirection entry leads elsewhere than the record says",
            entry,
            expected=f"entry {pin.entry}",
            found=found,
        )


def _affinity(judge: _Judge, interrupts: Interrupts, affinity: Record) -> None:
    what = _named(interrupts, f"affinity of entry {affinity.entry} of {bdf(affinity.source_id, affinity.segment)}")
    entry = judge.tables.entry(Claim(what, affinity.unit, affinity.source_id, affinity.entry))
    if entry is None:
        judge.find("irq-entry-missing", what, "it is about an entry that is not there")
        return
    unit = judge.tables.units[affinity.unit]
    table = judge.tables.table(Claim(what, affinity.unit, affinity.source_id, affinity.entry))
    narrow = unit.kind == "vtd" and table is not None and not table.extended
    target = entry.destination >> 8 & 0xFF if narrow else entry.destination
    if entry.kind == "remapped" and not dict(entry.details).get("logical") and target != affinity.apic_id:
        judge.find(
            "irq-affinity", what, "the interrupt goes elsewhere", entry, expected=f"APIC id {affinity.apic_id:#x}", found=f"{target:#x}"
        )
    first, count = affinity.mask_first, affinity.mask_words
    if first + count > len(interrupts.masks):
        judge.find("irq-affinity", what, "its mask is not there", entry, expected=f"{first + count} words", found=len(interrupts.masks))
    elif count and not (affinity.cpu >> 6 < count and interrupts.masks[first + (affinity.cpu >> 6)].bits >> (affinity.cpu & 63) & 1):
        judge.find("irq-affinity", what, "it goes to a processor that its mask does not allow", entry, found=f"processor {affinity.cpu}")


def _posted(judge: _Judge, interrupts: Interrupts, posted: Record) -> None:
    what = _named(interrupts, f"posted vector {posted.vector:#x} of vCPU {posted.vcpu}")
    entry = judge.tables.entry(Claim(what, posted.unit, posted.source_id, posted.entry))
    if entry is None:
        judge.find("irq-entry-missing", what, "it is about an entry that is not there", found=f"entry {posted.entry}")
        return
    details = dict(entry.details)
    target = details.get("descriptor_pa", details.get("apic_page_pa"))
    said, there = (posted.descriptor, posted.vector), (target, entry.vector)
    if entry.kind == "remapped":
        judge.find("irq-posted", what, "the entry goes to a processor, not to a guest", entry)
    elif said != there:
        expected, found = (f"{pa:#x}, vector {number:#x}" for pa, number in (there, said) if isinstance(pa, int))
        judge.find("irq-posted", what, "the entry leads to another descriptor or vector", entry, expected=expected, found=found)


def _routes(judge: _Judge, interrupts: Interrupts) -> None:
    kinds: dict[int, set[int]] = {}
    chips: set[tuple[int, int]] = set()
    for route in interrupts.routes:
        what = _named(interrupts, f"route of GSI {route.gsi}")
        place = (route.gsi, route.chip if route.kind == IRQCHIP else -1)
        if place in chips:
            judge.find("irq-route", what, "a second route of the GSI to the same chip")
        chips.add(place)
        kinds.setdefault(route.gsi, set()).add(route.kind)
    for link in interrupts.irqfds:
        what = _named(interrupts, f"irqfd of GSI {link.gsi}")
        if link.gsi not in kinds:
            judge.find("irq-route", what, "it raises a GSI that has no route")
        elif link.flags & RESAMPLE and IRQCHIP not in kinds[link.gsi]:
            judge.find("irq-route", what, "it is to be resampled, and its GSI is no pin of a chip")
