# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Entries that lead to no page tables, as runs: most of a device table or stream table is one and the same word, thousands of times."""

from __future__ import annotations

from devstate.handover.iommu.model import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy import bool_
    from numpy.typing import NDArray

    from devstate.codec.record import Record
    from devstate.handover.iommu.tables import Entries


def runs_of(
    entries: Entries, chosen: NDArray[bool_], meaning: Callable[[Record], tuple[str, str, int]], first: int = 0, words: int | None = None
) -> list[Run]:
    """The chosen entries, neighbours with equal words together. ``first`` is the source id of the table's start, ``meaning`` gives
    (translation, format, domain id), ``words`` is how many of an entry's words are kept.
    """
    import numpy as np

    numbers = np.flatnonzero(chosen)
    if not len(numbers):
        return []
    rows, places = entries.words[numbers], entries.index[numbers]
    begins = np.ones(len(numbers), dtype=bool)
    begins[1:] = (places[1:] != places[:-1] + 1) | (rows[1:] != rows[:-1]).any(axis=1)
    starts = np.flatnonzero(begins)
    lengths = np.diff(np.append(starts, len(numbers)))
    mask = np.zeros(len(entries), dtype=bool)
    mask[numbers[starts]] = True
    found = []
    for row, length in zip(entries.rows(mask), lengths.tolist(), strict=True):
        translation, format, domain_id = meaning(row.record)
        found.append(Run(first + row.index, length, translation, format, domain_id, row.pa, entries.size, row.words[:words]))
    return found
