# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Damage a handover on purpose, and say what was changed: for tests, fuzzing and training.

A change is one edit of one spot (``spots``): the class of field is drawn first, so that rare ones come as often as common ones. What edits
there are for a class is what was seen to go wrong, or could: a count one off, a link to nowhere or to itself, a text without its end.
What stands inside of sums (``Spot.seals``) is changed with all of them left as they were, or some, from the outside in, made to fit again:
each such sum is a change of its own.
"""

from __future__ import annotations

from devstate.errors import DecodeError, EncodeError
from devstate.frozen import frozen
from devstate.handover.reach import part
from devstate.handover.spots import CLASSES, spots
from devstate.memory.physmem import MemoryRegion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from random import Random
    from typing import Literal

    from devstate.handover.model import Handover
    from devstate.handover.spots import Spot
    from devstate.handover.spots_state import Seal

SAMPLE = 4
"""Entries of a long array that are looked at, its first and last among them."""

TRIES = 200
"""Draws for one change: an edit may leave a spot as it is, or not fit it."""

COUNT_MAX = 100
"""Changes of one image."""

NOP = b"\0\0\0\4"
"""FDT_NOP: what libfdt puts where a property was."""

REPAIRED = "repaired"
"""The edit of a sum that was made to fit: no draw by itself."""

BEYOND = 1 << 50
"""Added to an address: nobody's memory, and still an address."""


@frozen
class Change:
    """``old`` bytes at ``pa`` became ``new``. ``path`` is the field, ``what`` its class, ``how`` the edit."""

    pa: int
    old: bytes
    new: bytes
    path: str
    what: str
    how: str


def mutate(handover: Handover, seed: int, count: int = 1, below: str = "") -> list[Change]:
    """``count`` changes that do not overlap, of fields whose path begins with ``below``, and sums that were made to fit them: always the
    same for a seed. EncodeError when the handover has no room for so many.
    """
    from random import Random

    draw = Random(seed)
    if not 1 <= count <= COUNT_MAX:
        raise EncodeError("a number of changes", expected=f"1..{COUNT_MAX}", found=count)

    def pick(length: int) -> Sequence[int]:
        if length <= SAMPLE:
            return range(length)
        return sorted({0, length - 1, draw.randrange(length), draw.randrange(length)})

    places = _by_class(handover, (each for each in spots(handover, pick) if each.path.startswith(below)))
    changes: list[Change] = []
    seals: list[Seal] = []
    for _ in range(TRIES * count if places else 0):
        spot = draw.choice(draw.choice(places))
        how = draw.choice(EDITS[spot.what])
        change = edited(handover, spot, how, draw)
        if change is not None and not any(_overlap(change, each) for each in changes):
            changes.append(change)
            seals += spot.seals[draw.randrange(len(spot.seals) + 1) :]
            if len(changes) == count:
                return changes + repairs(handover, changes, seals)
    raise EncodeError("the handover has no room for so many changes", source=handover.source, expected=count, found=len(changes))


def _by_class(handover: Handover, found: Iterator[Spot]) -> list[list[Spot]]:
    assert handover.memory is not None or not found  # spots() gives none without
    classes: dict[str, list[Spot]] = {what: [] for what in CLASSES}
    for spot in found:
        if handover.memory is not None and handover.memory.contains(spot.pa, spot.size):
            classes[spot.what].append(spot)
    return [each for each in classes.values() if each]


def repairs(handover: Handover, changes: list[Change], seals: list[Seal]) -> list[Change]:
    """The sums over what was changed, made to fit again in the order of ``seals``; none that was itself changed on purpose."""
    made: list[Change] = []
    for seal in [*dict.fromkeys(reversed(seals))][::-1]:  # the outermost last
        data = b"".join(_now(handover, pa, size, [*changes, *made]) for pa, size in seal.pieces)
        new = _sum(seal, data)
        for place in seal.places if new is not None else ():
            assert handover.memory is not None and new is not None  # there is a change
            change = Change(place, bytes(handover.memory.read(place, len(new))), new, seal.path, "sum", REPAIRED)
            if change.old != new and not any(_overlap(change, each) for each in (*changes, *made)):
                made.append(change)
    return made


def _now(handover: Handover, pa: int, size: int, changes: list[Change]) -> bytes:
    """What stands in memory after the changes."""
    assert handover.memory is not None  # there is a change
    data = bytearray(handover.memory.read(pa, size))
    for each in changes:
        first, last = max(each.pa, pa), min(each.pa + len(each.new), pa + size)
        if first < last:
            data[first - pa : last - pa] = each.new[first - each.pa : last - each.pa]
    return bytes(data)


def _sum(seal: Seal, data: bytes) -> bytes | None:
    """The sum over bytes; None for a layout that has no fingerprint any more."""
    if seal.kind == "crc32c":
        from devstate.pagetable.native import crc32c

        return crc32c(data).to_bytes(4, "big" if seal.order == "big" else "little")
    import msgpack

    from devstate.layout.baseline import fingerprint

    try:
        return fingerprint(msgpack.unpackb(data, raw=False, strict_map_key=True)).encode()
    except (DecodeError, ValueError, TypeError, KeyError, AttributeError, msgpack.UnpackException, RecursionError):
        return None


def edited(handover: Handover, spot: Spot, how: str, draw: Random) -> Change | None:
    """The change that an edit makes; None when it does not apply, or changes nothing."""
    assert handover.memory is not None  # there is a spot
    old = bytes(handover.memory.read(spot.pa, spot.size))
    if how == "same-as-neighbour":
        peers = [peer for peer in spot.peers if handover.memory.contains(peer, spot.size)]
        new: bytes | None = bytes(handover.memory.read(draw.choice(peers), spot.size)) if peers else None
    elif how in _BYTES:
        new = _BYTES[how](old, draw)
    else:
        new = _number(handover, spot, how, old, draw)
    return None if new is None or new == old else Change(spot.pa, old, new, spot.path, spot.what, how)


def _number(handover: Handover, spot: Spot, how: str, old: bytes, draw: Random) -> bytes | None:
    order: Literal["little", "big"] = "big" if spot.order == "big" else "little"
    whole = int.from_bytes(old, order)
    mask = (1 << (spot.width or spot.size * 8)) - 1
    value = _NUMBERS[how](whole >> spot.shift & mask, spot, handover, draw)
    if value is None:
        return None
    return (whole & ~(mask << spot.shift) | (value & mask) << spot.shift).to_bytes(spot.size, order)


def _elsewhere(spot: Spot, handover: Handover, draw: Random) -> int | None:
    """A page that is not preserved: behind a preserved range."""
    edges = handover.preserved.map.edges if handover.preserved is not None else ()
    if not len(edges):
        return None
    pa = int(edges[draw.randrange(len(edges) // 2) * 2 + 1])
    return pa // handover.environment.page_size if spot.what == "pfn" else pa


def _other(spot: Spot, handover: Handover, draw: Random) -> int | None:
    """The address of something else that was reached."""
    claims = handover.claims.items
    return draw.choice(claims).start if claims else None


def _page(handover: Handover) -> int:
    return handover.environment.page_size


_NUMBERS: dict[str, Callable[[int, Spot, Handover, Random], int | None]] = {
    "zero": lambda value, spot, handover, draw: 0,
    "one-more": lambda value, spot, handover, draw: value + 1,
    "one-less": lambda value, spot, handover, draw: value - 1,
    "eight-less": lambda value, spot, handover, draw: value - 8,
    "page-less": lambda value, spot, handover, draw: value - _page(handover),
    "all-ones": lambda value, spot, handover, draw: -1,
    "small": lambda value, spot, handover, draw: draw.randrange(1, 2 << draw.randrange(11)),
    "any": lambda value, spot, handover, draw: draw.getrandbits(64),
    "flip": lambda value, spot, handover, draw: value ^ 1 << draw.randrange(spot.width or spot.size * 8),
    "swapped": lambda value, spot, handover, draw: int.from_bytes(value.to_bytes(spot.size, "big"), "little"),
    "unaligned": lambda value, spot, handover, draw: value + draw.choice((1, 8, 512)),
    "beyond": lambda value, spot, handover, draw: value | BEYOND,
    "next-page": lambda value, spot, handover, draw: value + _page(handover),
    "itself": lambda value, spot, handover, draw: spot.pa - spot.pa % _page(handover),
    "elsewhere": lambda value, spot, handover, draw: _elsewhere(spot, handover, draw),
    "other": lambda value, spot, handover, draw: _other(spot, handover, draw),
    "unknown-bit": lambda value, spot, handover, draw: value | _unknown(spot, draw),
    "known-bit": lambda value, spot, handover, draw: value ^ _known(spot, draw),
    "toggle": lambda value, spot, handover, draw: value ^ 1,
}
"""Edits of numbers: what becomes of a value."""


def _unknown(spot: Spot, draw: Random) -> int:
    bits = [1 << bit for bit in range(spot.width or spot.size * 8) if not spot.known >> bit & 1]
    return draw.choice(bits) if bits else 0


def _known(spot: Spot, draw: Random) -> int:
    bits = [1 << bit for bit in range(64) if spot.known >> bit & 1]
    return draw.choice(bits) if bits else 0


def _text(old: bytes) -> tuple[bytes, int]:
    """A string without its end, and the bytes behind it."""
    head = old.split(b"\0", 1)[0]
    return head, len(old) - len(head)


def _other_version(old: bytes, draw: Random) -> bytes | None:
    """Another last character: a digit becomes another digit."""
    head, _ = _text(old)
    if not head:
        return None
    last = draw.choice(b"0123456789") if head[-1:].isdigit() else draw.randrange(1, 128)
    return head[:-1] + bytes([last]) + old[len(head) :]


def _letter(old: bytes, draw: Random) -> bytes | None:
    head, _ = _text(old)
    at = draw.randrange(len(head)) if head else 0
    return head[:at] + bytes([head[at] ^ 0x20 or 1]) + head[at + 1 :] + old[len(head) :] if head else None


def _tail(old: bytes, draw: Random) -> bytes | None:
    head, rest = _text(old)
    return head + b"\0" + draw.randbytes(rest - 1) if rest > 1 else None


def _unterminated(old: bytes, draw: Random) -> bytes:
    head, rest = _text(old)
    return head + b"x" * rest


_BYTES: dict[str, Callable[[bytes, Random], bytes | None]] = {
    "empty": lambda old, draw: bytes(len(old)),
    "other-version": _other_version,
    "letter": _letter,
    "tail": _tail,
    "unterminated": _unterminated,
    "noise": lambda old, draw: draw.randbytes(len(old)),
    "dropped": lambda old, draw: NOP * (len(old) // 4),
}
"""Edits of bytes."""

EDITS = {
    "header": ("zero", "one-more", "one-less", "eight-less", "all-ones", "flip", "any", "swapped"),
    "property": ("dropped",),
    "link": (
        "zero", "unaligned", "beyond", "itself", "other", "elsewhere", "next-page", "flip", "all-ones", "swapped", "same-as-neighbour",
    ),
    "pfn": ("zero", "one-more", "elsewhere", "same-as-neighbour", "all-ones", "flip"),
    "count": ("zero", "one-more", "one-less", "small", "all-ones", "flip"),
    "number": (
        "zero", "one-more", "one-less", "eight-less", "page-less", "small", "all-ones", "flip", "any", "swapped", "unaligned",
        "same-as-neighbour",
    ),
    "flags": ("zero", "unknown-bit", "known-bit", "all-ones"),
    "text": ("empty", "other-version", "letter", "tail", "unterminated", "noise", "same-as-neighbour"),
    "reserved": ("noise", "one-more", "all-ones", "flip"),
    "raw": ("empty", "noise"),
    "sum": ("zero", "one-more", "all-ones", "flip", "swapped"),
    "bit": ("toggle",),
}  # fmt: skip
"""What can become of a spot, by its class."""


def _overlap(one: Change, other: Change) -> bool:
    return one.pa < other.pa + len(other.new) and other.pa < one.pa + len(one.new)


def damaged(handover: Handover, changes: Sequence[Change]) -> list[MemoryRegion]:
    """The regions of the handover's memory with the changes made: pages that are changed are copied, the rest is the same memory."""
    assert handover.memory is not None  # it has changes
    page = handover.environment.page_size
    regions: list[MemoryRegion] = []
    for region in handover.memory.regions:
        at = region.start
        for start in sorted({pa for each in changes for pa in _pages(each, page) if region.start <= pa < region.end}):
            end = min(start + page, region.end)
            data = bytearray(handover.memory.read(start, end - start))
            for each in changes:
                first, last = max(each.pa, start), min(each.pa + len(each.new), end)
                if first < last:
                    data[first - start : last - start] = each.new[first - each.pa : last - each.pa]
            regions += [part(region, at, start)] if at < start else []
            regions.append(MemoryRegion(start, end - start, memoryview(data)))
            at = end
        if at < region.end:
            regions.append(part(region, at, region.end))
    return regions


def _pages(change: Change, page: int) -> range:
    return range(change.pa - change.pa % page, change.pa + len(change.new), page)
