# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Where in the radix tree the way to a problem goes along: the wrong word may be any of them, and what is met behind it just garbage."""

from __future__ import annotations

LEVELS = 5
"""Tables above a leaf on 4K pages."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.check.context import Context
    from devstate.handover.model import Problem


def related(context: Context, problem: Problem) -> tuple[tuple[int, str], ...]:
    """The slots that lead from the root table to the place of the problem."""
    path = path_of(context, problem)
    return tuple((pa, f"slot {index} of the table of level {level}") for level, (pa, index) in enumerate(_slots(context, path)))


def path_of(context: Context, problem: Problem) -> tuple[int, ...]:
    """The indices from the root table on; empty when they are not known."""
    preserved = context.handover.preserved
    found = preserved.map.problems if preserved is not None else ()
    return next((each.path for each in found if each.pa == problem.pa and each.message == problem.message), ())


def _slots(context: Context, path: tuple[int, ...]) -> list[tuple[int, int]]:
    handover = context.handover
    memory, table = handover.memory, handover.memory_map_pa
    slots: list[tuple[int, int]] = []
    for index in path:
        if memory is None or table is None or not memory.contains(table + 8 * index, 8):
            break
        slots.append((table + 8 * index, index))
        table = memory.u64(table + 8 * index)
    return slots


def leaf_is_beyond(context: Context, problem: Problem) -> bool | None:
    """Whether the highest page of the leaf at fault is above all memory that is known; None when it is no leaf of single pages."""
    handover, path = context.handover, path_of(context, problem)
    memory, page = handover.memory, handover.environment.page_size
    slots = _slots(context, path)
    shift = page.bit_length() - 1
    if memory is None or page != 4096 or len(path) != LEVELS or len(slots) != LEVELS or path[0] >> 1 != 1:
        return None
    leaf = memory.u64(slots[-1][0])
    if not memory.contains(leaf, page):
        return None
    bits = int.from_bytes(memory.read(leaf, page), "little")
    key = bits.bit_length() - 1
    for level, index in enumerate(reversed(path)):
        key |= index << (shift + 3 + (shift - 3) * level)
    return context.is_above((key & (1 << 64 - shift) - 1) << shift)
