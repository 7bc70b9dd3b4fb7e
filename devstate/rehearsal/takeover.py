# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a new kernel looks at before it uses anything, and the memory that it takes for itself when it has."""

from __future__ import annotations

from devstate.check.run import check
from devstate.finding import Severity
from devstate.layout.registry import Registry
from devstate.layout.release import parse_release, writes
from devstate.rehearsal.machine import BASE
from devstate.rehearsal.state import holds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.handover.model import Handover
    from devstate.rehearsal.machine import Machine

OWN = "devstate-v1"
"""The subtree of the participants: no kernel's, and understood by all that are rehearsed."""

POISON = 0xA5
"""What a new kernel fills with whatever is not preserved: nothing may have relied on it."""


def judge(handover: Handover, release: str) -> None:
    """What check says of it must be no error, and its formats those that this release reads; files of drivers, whose formats no release
    has, are for their handlers to judge. LiveUpdateError when not."""
    errors = [each for each in check(handover, release).findings if each.severity is Severity.ERROR]
    holds(not errors, f"{errors[0].rule}: {errors[0].message}" if errors else "")
    known = {*forms_names(release)}
    formats = [each.format for each in handover.subtrees]
    formats += [each.format for each in handover.files if each.layout is not None and each.layout.status == "mainline"]
    met = {name for name in formats if name is not None and name != OWN}
    met |= {handover.layout.name} if handover.layout is not None else set()
    holds(met <= known, f"kernel {release} does not read {', '.join(sorted(met - known))}")


def forms_names(release: str) -> list[str]:
    """The schemas of all that a kernel of this release reads."""
    registry, parsed = Registry.shipped(), parse_release(release)
    return [name for name, summary in registry.summaries.items() if parsed is not None and writes(summary, parsed)]


def poison(machine: Machine, handover: Handover) -> None:
    """Use all memory that is not preserved, as a kernel does that runs: whatever relied on it will show."""
    assert handover.preserved is not None  # check() saw to it
    at = BASE
    for start, size in [*handover.preserved.map.ranges(), (machine.end, 0)]:
        machine.span(at, start - at)[:] = bytes([POISON]) * (start - at)
        at = start + size
