# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Values in the subtree ``devstate`` that the embedded layout of their part does not allow: ranges, constants, names, ends of texts.

The verdicts are those of ``devstate.codec.validate``, and so those of the C that is generated from the same layout. Arrays are judged by
columns; the layout is input, and trusted only as far as it was found sound.
"""

from __future__ import annotations

from devstate.codec.validate import first_fault, first_faults, judge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.codec.validate import Fault
    from devstate.handover.model import Handover
    from devstate.handover.state import Part

LISTED = 8
"""Records of one array that are named."""


def state_faults(handover: Handover) -> Iterator[tuple[str, int | None, Fault]]:
    """(path of the field, its address, what is wrong) in the records of every sound part, and in those that they lead to."""
    for part in handover.state.parts if handover.state is not None else ():
        if part.layout is not None and part.data is not None and not part.is_tagged:
            yield from _own(part)
            yield from _linked(part)


def _own(part: Part) -> Iterator[tuple[str, int | None, Fault]]:
    assert part.layout is not None and part.data is not None  # state_faults() asked
    struct = part.layout.struct(part.struct)
    single = part.count is None
    found = [first_fault(part.layout, part.data, struct.name)] if single else first_faults(part.layout, struct.name, part.data)
    wrong = [(at, fault) for at, fault in enumerate(found) if fault is not None]
    for at, fault in wrong[:LISTED]:
        pa = None if part.pa is None else part.pa + at * struct.size + fault.offset
        yield f"{part.path}{'' if single else f'[{at}]'}.{fault.path}", pa, fault


def _linked(part: Part) -> Iterator[tuple[str, int | None, Fault]]:
    assert part.layout is not None  # state_faults() asked
    for linked in part.linked:
        wrong = 0
        for at, (pa, record) in enumerate(linked.rows):
            fault = judge(part.layout, record, linked.struct)
            if fault is not None:
                yield f"{linked.path}[{at}].{fault.path}", pa + fault.offset, fault
                wrong += 1
            if wrong == LISTED:
                break
