# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a new kernel looks at before it uses anything, and the memory that it takes for itself when it has."""

from __future__ import annotations

import io

from devstate.check.run import check
from devstate.finding import Severity
from devstate.handover.content import write_content
from devstate.layout.registry import Registry
from devstate.layout.release import parse_release, writes
from devstate.rehearsal.guest import GUEST
from devstate.rehearsal.machine import BASE
from devstate.rehearsal.state import holds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.handover.model import Handover
    from devstate.rehearsal.guest import GuestMemory
    from devstate.rehearsal.machine import Machine
    from devstate.rehearsal.scenario import Scenario

SESSION, TOKEN = GUEST, 1
"""The session with the guest's memory, and its token there."""

OWN = "devstate-v1"
"""The subtree of the participants: no kernel's, and understood by all that are rehearsed."""

POISON = 0xA5
"""What a new kernel fills with whatever is not preserved: nothing may have relied on it."""


def judge(handover: Handover, release: str) -> None:
    """What check says of it must be no error, and its formats those that this release reads. LiveUpdateError when not."""
    errors = [each for each in check(handover, release).findings if each.severity is Severity.ERROR]
    holds(not errors, f"{errors[0].rule}: {errors[0].message}" if errors else "")
    known = {*forms_names(release)}
    formats = [each.format for each in handover.subtrees] + [each.format for each in handover.files]
    met = {name for name in formats if name is not None and name != OWN}
    met |= {handover.layout.name} if handover.layout is not None else set()
    holds(met <= known, f"kernel {release} does not read {', '.join(sorted(met - known))}")


def forms_names(release: str) -> list[str]:
    """The schemas of all that a kernel of this release reads."""
    registry, parsed = Registry.shipped(), parse_release(release)
    return [name for name, summary in registry.summaries.items() if parsed is not None and writes(summary, parsed)]


def check_sessions(handover: Handover, guest: GuestMemory, scenario: Scenario) -> None:
    """Every session is there, with its file as it was. LiveUpdateError when not."""
    assert handover.luo is not None  # the caller asked
    sizes = {SESSION: guest.size} | {name: len(name) for name in others(scenario)}
    holds({each.name for each in handover.luo.sessions} == {*sizes}, "the sessions are not those that were handed over")
    for session in handover.luo.sessions:
        said = [(each.token, each.size, each.pos, each.seals) for each in session.files]
        wanted = [(TOKEN, sizes[session.name], 0, 0)]
        holds(said == wanted, f"{session.name}: (token, size, position, seals) are {said}, not {wanted}")
        if session.name != SESSION:
            content = io.BytesIO()
            write_content(handover, session.files[0], content)
            holds(content.getvalue() == session.name.encode(), f"{session.name}: the content is not what it was")


def others(scenario: Scenario) -> list[str]:
    """Names of the sessions beside the guest's; each has one file, with its name."""
    return [f"session-{number}" for number in range(scenario.sessions)]


def poison(machine: Machine, handover: Handover) -> None:
    """Use all memory that is not preserved, as a kernel does that runs: whatever relied on it will show."""
    assert handover.preserved is not None  # check() saw to it
    at = BASE
    for start, size in [*handover.preserved.map.ranges(), (machine.end, 0)]:
        machine.span(at, start - at)[:] = bytes([POISON]) * (start - at)
        at = start + size
