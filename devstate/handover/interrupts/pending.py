# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Pending bits survive: the records before the jump against those that the new kernel makes before anything runs again.

``irq-pending-lost``  a vector, a pin, a vCPU's posted vector, an eventfd's count or an LPI was pending, and is not any more
``irq-descriptor``    a posted descriptor that is not where one can be, is not in memory, or says something else than its record
"""

from __future__ import annotations

from devstate.codec.decode import decode
from devstate.finding import Finding, Location, Severity
from devstate.handover.iommu.model import bdf
from devstate.layout.model import Environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from devstate.codec.record import Record
    from devstate.handover.interrupts.model import Interrupts
    from devstate.layout.registry import Registry
    from devstate.memory import PhysMemory

DESCRIPTOR = "vtd-posted-descriptor"

VECTOR_PENDING, PIN_PENDING, REMOTE_IRR, ASSERTED, LPI_PENDING = 4, 1, 2, 2, 2


def verify_pending(before: Interrupts, after: Interrupts) -> tuple[Finding, ...]:
    """What was pending before and is not after. What is pending in addition is no loss."""
    return _lost(dict(_pending(before)), dict(_pending(after)))


def verify_lpis(before: Iterable[Record], after: Iterable[Record]) -> tuple[Finding, ...]:
    """The same for the records of LPIs (``its-v1``). Where they are mapped does not count, only that they come."""

    def pending(lpis: Iterable[Record]) -> dict[str, int]:
        return {f"LPI {each.lpi}": 1 for each in lpis if each.flags & LPI_PENDING}

    return _lost(pending(before), pending(after))


def verify_descriptors(interrupts: Interrupts, memory: PhysMemory, registry: Registry) -> tuple[Finding, ...]:
    """VT-d's posted descriptors in ``memory`` against their records: nothing may be pending in memory that no record says."""
    layout = registry.layout(DESCRIPTOR, Environment())
    size = layout.struct().size
    found = []

    def find(what: str, pa: int, message: str, expected: object = None, seen: object = None) -> None:
        wanted, there = (None if value is None else str(value) for value in (expected, seen))
        place = Location(source=memory.source, pa=pa, path=what)
        found.append(Finding("irq-descriptor", Severity.ERROR, message, place, expected=wanted, found=there))

    for posted in interrupts.posted:
        what, pa = f"posted vector {posted.vector:#x} of vCPU {posted.vcpu}", posted.descriptor
        if pa % size:
            find(what, pa, "a descriptor that does not stand at a multiple of its size", f"a multiple of {size}")
        elif not memory.contains(pa, size):
            find(what, pa, "the descriptor is not in the capture")
        else:
            data = memory.read(pa, size)
            requests, control = decode(layout, data).requests, int.from_bytes(data[32:40], "little")
            if any(word & ~said for word, said in zip(requests, posted.pending, strict=True)):
                find(what, pa, "something is pending in the descriptor that the record does not say", list(posted.pending), list(requests))
            if control != posted.control:
                find(what, pa, "the descriptor notifies otherwise than the record says", f"{posted.control:#x}", f"{control:#x}")
    return tuple(found)


def _pending(interrupts: Interrupts) -> Iterator[tuple[str, int]]:
    """(what, bits or count) of all that waits."""
    for vector in interrupts.vectors:
        yield f"vector {vector.index} of {bdf(vector.source_id, vector.segment)}", int(bool(vector.flags & VECTOR_PENDING))
    for pin in interrupts.pins:
        yield f"pin {pin.pin} of IO-APIC {pin.ioapic}", pin.flags & (PIN_PENDING | REMOTE_IRR)
    for link in interrupts.irqfds:
        what = f"irqfd of GSI {link.gsi} for {bdf(link.source_id, link.segment)}, {link.index:#x}"
        yield what, int(bool(link.counter)) | (link.flags & ASSERTED)
    vcpus: dict[int, int] = {}
    for posted in interrupts.posted:
        bits = sum(word << 64 * number for number, word in enumerate(posted.pending))
        vcpus[posted.vcpu] = vcpus.get(posted.vcpu, 0) | bits
    yield from ((f"posted vectors of vCPU {vcpu}", bits) for vcpu, bits in vcpus.items())


def _lost(before: dict[str, int], after: dict[str, int]) -> tuple[Finding, ...]:
    found = []
    for what, bits in before.items():
        lost = bits & ~after.get(what, 0)
        if lost:
            message = "it was pending before, and is not any more"
            seen = f"{after[what]:#x}" if what in after else "no record"
            found.append(Finding("irq-pending-lost", Severity.ERROR, message, Location(path=what), expected=f"{bits:#x}", found=seen))
    return tuple(found)
