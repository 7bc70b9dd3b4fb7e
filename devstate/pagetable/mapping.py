# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a page table maps, and what is wrong with it: :class:`Mapping`, :class:`Mappings`, :class:`TableProblem`, :class:`Walk`.

iovas, addresses and sizes are in bytes; attributes are the bits of ``format.py``.
"""

from __future__ import annotations

from devstate.frozen import frozen
from devstate.pagetable.format import READ, WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    import numpy
    import numpy.typing

ACCESS = READ | WRITE
"""The attributes that decide what a device can do: extents are told apart by these unless asked for more."""

ALL = (1 << 64) - 1
"""Every attribute."""

CODES = {
    1: "table-not-in-memory",
    8: "table-cycle",
    9: "table-shared",
    10: "table-budget",
    11: "leaf-level",
    12: "table-level",
    13: "leaf-misaligned",
    14: "reserved-bits",
    15: "address-width",
    16: "run-broken",
    17: "run-overlap",
}
"""What can be wrong with a table, by the numbers in csrc/devstate_core.h."""

PROBLEM_LIMIT = 1000
"""Problems that are kept of one walk: whoever has read a thousand knows. ``problem_count`` goes on counting."""


@frozen
class Mapping:
    """``size`` bytes from ``iova`` on are the memory at ``pa``, with these attributes."""

    iova: int
    pa: int
    size: int
    attributes: int

    @property
    def access(self) -> str:
        """What a device may do: ``rw``, ``r``, ``w``, or ``-`` for nothing."""
        return access_text(self.attributes)


def access_text(attributes: int) -> str:
    """``rw``, ``r``, ``w``, or ``-``."""
    return "r" * bool(attributes & READ) + "w" * bool(attributes & WRITE) or "-"


class Mappings:
    """Many mappings, in the order of iovas, as columns. ``rows`` is an array of shape (n, 4) of u64: iova, pa, size, attributes."""

    __slots__ = ("rows",)

    def __init__(self, rows: numpy.typing.NDArray[numpy.uint64]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Mapping]:
        for row in self.rows:
            yield Mapping(*row.tolist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mappings) and self.rows.shape == other.rows.shape and bool((self.rows == other.rows).all())

    __hash__ = None  # type: ignore[assignment]  # an array has no hash

    def __repr__(self) -> str:
        return f"Mappings({len(self)}, {self.bytes} bytes)"

    def _column(self, number: int) -> numpy.typing.NDArray[numpy.uint64]:
        column: numpy.typing.NDArray[numpy.uint64] = self.rows[:, number]
        return column

    @property
    def iova(self) -> numpy.typing.NDArray[numpy.uint64]:
        """The first iova of each."""
        return self._column(0)

    @property
    def pa(self) -> numpy.typing.NDArray[numpy.uint64]:
        """The physical address that it is at."""
        return self._column(1)

    @property
    def size(self) -> numpy.typing.NDArray[numpy.uint64]:
        """Its bytes."""
        return self._column(2)

    @property
    def attributes(self) -> numpy.typing.NDArray[numpy.uint64]:
        """Its attributes."""
        return self._column(3)

    @property
    def bytes(self) -> int:
        """All bytes that are mapped, exactly: the sum may be 2^64."""
        import numpy as np

        return sum((int(value) * int(count) for value, count in zip(*np.unique(self.size, return_counts=True), strict=True)), 0)


@frozen
class TableProblem:
    """One thing that is wrong with a tree of tables. ``code`` is one of the values of CODES.

    ``pa`` is the address of the entry at fault and ``entry`` what it says (None and the address of the table where that is the top table
    itself), ``level`` the level of the table that holds it, ``iova`` the first one that it stands for.
    """

    code: str
    pa: int | None
    entry: int
    iova: int
    level: int


@frozen
class Walk:
    """What one walk over a tree of tables found.

    ``leaves`` counts leaves by their size in bytes, ``tables`` the pages or top tables by level, each once. ``problems`` keeps the first
    PROBLEM_LIMIT of ``problem_count``.
    """

    mappings: Mappings
    leaves: dict[int, int]
    tables: dict[int, int]
    problems: tuple[TableProblem, ...]
    problem_count: int

    @property
    def bytes(self) -> int:
        """All bytes that are mapped."""
        return sum(size * count for size, count in self.leaves.items())


def columns(rows: Any) -> Mappings:
    """Mappings of (iova, pa, size, attributes) tuples."""
    import numpy as np

    return Mappings(np.array(list(rows), dtype=np.uint64).reshape(-1, 4))
