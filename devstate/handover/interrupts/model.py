# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The interrupts of one guest, or of the host: the records of one object of ``interrupts-v1`` (schemas/project/interrupt.py)."""

from __future__ import annotations

from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from devstate.codec.record import Record

NONE = 0xFFFFFFFF
"""No unit, no entry."""

INTX = 0xFFFF
"""Index of a device's pin in place of a message vector."""

PARTS = ("vectors", "pins", "affinities", "masks", "routes", "irqfds", "posted")
"""The parts of an object, each an array of one struct."""


@frozen
class Interrupts:
    """``name`` is the guest's; each part is a tuple of records."""

    name: str
    vectors: tuple[Record, ...] = ()
    pins: tuple[Record, ...] = ()
    affinities: tuple[Record, ...] = ()
    masks: tuple[Record, ...] = ()
    routes: tuple[Record, ...] = ()
    irqfds: tuple[Record, ...] = ()
    posted: tuple[Record, ...] = ()

    @classmethod
    def of(cls, name: str, parts: Mapping[str, Sequence[Record]]) -> Interrupts:
        """From the parts of an object; what is not there is empty."""
        return cls(name, *(tuple(parts.get(part, ())) for part in PARTS))
