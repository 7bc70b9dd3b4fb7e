# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""How two codecs differ, in one line: the struct, what was done to the record, which field that is, both verdicts, the record.

::

    memfd-v2 memfd_luo_ser: bit 6 of byte 46 turned over (folios.order): Python says range at 46, C says fine; record 00a4...
"""

from __future__ import annotations

from devstate.testing.leaves import name_of_bit, name_of_flat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.layout.model import Layout
    from devstate.testing.prover import Prover, Verdict

SHOWN_MAX = 64
"""Bytes of a record in the line; longer ones are found in a file."""


class Difference(AssertionError):
    """The generated C and Python do not mean the same. The message is one line; the record is left in ``difference.bin``."""


def said(verdict: Verdict) -> str:
    """A verdict in words."""
    return verdict[0] if verdict[0] == "fine" else f"{verdict[0]} at {verdict[1]}"


class Case:
    """One record of a struct on its way through both."""

    def __init__(self, prover: Prover, layout: Layout, shape: str, data: bytes, count: int = 0) -> None:
        self.prover = prover
        self.layout = layout
        self.shape = shape
        self.data = data
        self.count = count

    def differ(self, what: str, python: str, c: str) -> Difference:
        """The error to raise."""
        path = self.prover.where / "difference.bin"
        path.write_bytes(self.data)
        record = self.data[:SHOWN_MAX].hex() + ("" if len(self.data) <= SHOWN_MAX else f"... ({len(self.data)} bytes)")
        where = f"{self.layout.name} {self.shape}"
        return Difference(f"{where}: {what}: Python says {python}, C says {c}; record {record or 'of no bytes'} ({path})")

    def verdict(self, what: str, python: Verdict, c: Verdict) -> None:
        """Difference unless both say the same."""
        if python != c:
            raise self.differ(what, said(python), said(c))

    def values(self, python: bytes, c: bytes) -> None:
        """Difference unless both read the same values, given in the flat form."""
        if python != c:
            at, mine, theirs = _apart(python, c)
            name = name_of_flat(self.layout, self.shape, self.count, at)
            raise self.differ(f"the value of {name}", mine, theirs)

    def bytes(self, what: str, python: bytes, c: bytes) -> None:
        """Difference unless both write the same bytes."""
        if python != c:
            at, mine, theirs = _apart(python, c)
            raise self.differ(f"{what}, byte {at} ({self.name_of(8 * at)})", mine, theirs)

    def name_of(self, bit: int) -> str:
        """The field that a bit belongs to."""
        return name_of_bit(self.layout, self.shape, self.count, bit)


def _apart(python: bytes, c: bytes) -> tuple[int, str, str]:
    """The first byte that differs, and the eight from there on in both."""
    at = next((at for at, pair in enumerate(zip(python, c, strict=False)) if pair[0] != pair[1]), min(len(python), len(c)))
    return at, *(each[at : at + 8].hex() or "nothing" for each in (python, c))  # type: ignore[return-value]  # of two
