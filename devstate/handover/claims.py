# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Who owns which preserved memory: every struct, list, array and content that the walk reached, as claims.

A claim is what must be preserved for the next kernel to find it, and what nobody else may use. Content of files is claimed by
whole page lists (one claim a file, the addresses in an array), never by an object a page.
"""

from __future__ import annotations

from devstate.frozen import frozen


@frozen
class Claim:
    """``size`` bytes at ``start`` are needed by ``path``. ``what`` is ``fdt``, ``blob``, ``block``, ``record``, ``page-list``,
    ``array`` or ``region``.

    ``pa`` is the address of the field that leads there, None when something else (a register, a boot parameter) does.
    """

    start: int
    size: int
    path: str
    what: str
    pa: int | None = None


class Claims:
    """The claims of one handover, in the order of the walk."""

    __slots__ = ("_starts", "items")

    def __init__(self) -> None:
        self.items: list[Claim] = []
        self._starts: set[tuple[int, str]] = set()

    def add(self, start: int, size: int, path: str, what: str, pa: int | None = None) -> bool:
        """Note a claim. False when the same kind of thing at the same address was claimed before (it is noted all the same)."""
        self.items.append(Claim(start, size, path, what, pa))
        if (start, what) in self._starts:
            return False
        self._starts.add((start, what))
        return True
