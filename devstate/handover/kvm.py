# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Judge the virtual machines of the subtree ``devstate``: what the head says against the parts, and memory slots against files.

::

    kvm/alpha            vcpus 2, memslots 2, xsave_size 4096
    kvm/alpha/memslots   slot 0: 0..2M  of file 1 from 0 on   <->  a preserved file with this token that is long enough
    kvm/alpha/vcpu0, vcpu1 ...
"""

from __future__ import annotations

from itertools import pairwise

from devstate.errors import DevstateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from devstate.codec.record import Record
    from devstate.handover.model import Handover
    from devstate.handover.state import Part

    Fault: TypeAlias = tuple[str, int | None, str, object, object]

PREFIX = "devstate/kvm/"
VCPU = "vcpu"
GUEST_MEMFD = 4
"""Flag of a memory slot."""


def verify_machines(handover: Handover) -> Iterator[Fault]:
    """(path, address, message, expected, found) of everything that does not hold together."""
    parts = {part.path: part for part in handover.state.parts} if handover.state is not None else {}
    for path, part in parts.items():
        head = _only(part) if path.startswith(PREFIX) and path.count("/") == 2 else None
        if head is None or not hasattr(head, "vcpus"):
            continue
        below = [each for each in parts if each.startswith(f"{path}/")]
        names = {each[len(path) + 1 :].split("/")[0] for each in below}
        vcpus = sum(name.startswith(VCPU) for name in names)
        if head.vcpus != vcpus:
            yield f"{path}.vcpus", part.pa, "not as many vCPUs as were said", head.vcpus, vcpus
        slots = _many(parts.get(f"{path}/memslots"))
        if getattr(head, "memslots", len(slots)) != len(slots):
            yield f"{path}.memslots", part.pa, "not as many memory slots as were said", head.memslots, len(slots)
        yield from _slots(handover, f"{path}/memslots", slots)
        yield from _sizes(head, [parts[each] for each in below], {slot.slot: slot for slot in slots if hasattr(slot, "slot")})


def _only(part: Part | None) -> Record | None:
    records = _many(part)
    return records[0] if part is not None and part.count is None and len(records) == 1 else None


def _many(part: Part | None) -> list[Record]:
    if part is None or part.is_tagged:
        return []
    try:
        return part.records()
    except DevstateError:
        return []  # a problem already


def _slots(handover: Handover, path: str, slots: list[Record]) -> Iterator[Fault]:
    slots = [slot for slot in slots if hasattr(slot, "guest_phys_addr")]
    files: dict[int, list[int]] = {}
    for file in handover.files:
        files.setdefault(file.token, []).append(file.size or 0)
    seen: set[int] = set()
    for at, slot in enumerate(slots):
        where = f"{path}[{at}]"
        if slot.slot in seen:
            yield f"{where}.slot", None, "a slot that is there twice", "a number of its own", slot.slot
        seen.add(slot.slot)
        kinds = [("token", slot.token, slot.offset)]
        kinds += [("guest_memfd_token", slot.guest_memfd_token, slot.guest_memfd_offset)] if slot.flags & GUEST_MEMFD else []
        for name, token, offset in kinds:
            longest = max(files.get(token, [-1]))
            if longest < 0 or (longest and offset + slot.memory_size > longest):
                found = "no such file" if longest < 0 else f"a file of {longest} bytes"
                yield f"{where}.{name}", None, "no preserved file holds this slot", f"{slot.memory_size} bytes from {offset:#x} on", found
    order = sorted(range(len(slots)), key=lambda at: (slots[at].slot >> 16, slots[at].guest_phys_addr))
    for one, other in pairwise(order):
        a, b = slots[one], slots[other]
        if a.slot >> 16 == b.slot >> 16 and a.guest_phys_addr + a.memory_size > b.guest_phys_addr:
            expected = f"at least {a.guest_phys_addr + a.memory_size:#x}"
            yield f"{path}[{other}].guest_phys_addr", None, "it overlaps another slot", expected, f"{b.guest_phys_addr:#x}"


def _sizes(head: Record, parts: list[Part], slots: dict[int, Record]) -> Iterator[Fault]:
    """Parts whose length another one says: XSAVE areas, dirty bitmaps."""
    for part in parts:
        name = part.path.rpartition("/")[2]
        if name == "xsave" and part.data is not None and len(part.data) != getattr(head, "xsave_size", len(part.data)):
            yield part.path, part.pa, "not of the size that was negotiated", f"{head.xsave_size} bytes", f"{len(part.data)} bytes"
        record = _only(part) if name.startswith("dirty") else None
        if record is None or not hasattr(record, "page_shift"):
            continue
        slot, shift = slots.get(record.slot), min(record.page_shift, 64)
        if slot is None:
            yield f"{part.path}.slot", part.pa, "it is about a slot that is not there", sorted(slots), record.slot
        elif record.pages != -(-slot.memory_size >> shift):
            yield f"{part.path}.pages", part.pa, "not as many pages as its slot", -(-slot.memory_size >> shift), record.pages
        elif record.words * 64 < record.pages:
            yield f"{part.path}.words", part.pa, "fewer bits than pages", -(-record.pages // 64), record.words
