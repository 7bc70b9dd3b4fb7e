# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""User space of a rehearsed machine: the sessions that agents ask for, and the memfds in them. That of the guest's agent has the guest's
memory; each of the others has one small file, with the session's name in it.
"""

from __future__ import annotations

import io

from devstate.frozen import frozen
from devstate.handover.content import write_content
from devstate.handover.spec import FileSpec, FolioColumns
from devstate.rehearsal.guest import GUEST
from devstate.rehearsal.machine import PAGE
from devstate.rehearsal.state import holds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.handover.model import Handover, PreservedFile
    from devstate.rehearsal.guest import GuestMemory
    from devstate.rehearsal.scenario import Scenario

SESSION, TOKEN = GUEST, 1
"""The session with the guest's memory, and its token there; the file of each other session has the same token."""

ORDER = 9
"""The guest's memory is in folios of 2 MiB."""


@frozen
class SmallFile:
    """The file of a session beside the guest's."""

    name: str


def others(scenario: Scenario) -> list[str]:
    """Names of the sessions beside the guest's."""
    return [f"session-{number}" for number in range(scenario.sessions)]


def memory_file(guest: GuestMemory) -> FileSpec:
    """The guest's memory, folios where it is."""
    index = range(0, guest.size // PAGE, 1 << ORDER)
    pfn = [guest.pa // PAGE + each for each in index]
    folios = FolioColumns(index, pfn, [3] * len(index), [ORDER] * len(index))
    return FileSpec(TOKEN, size=guest.size, folios=folios)


def small_file(name: str) -> FileSpec:
    """The file of another session."""
    return FileSpec(TOKEN, name.encode(), len(name))


def check_file(handover: Handover, file: PreservedFile, session: str, guest: GuestMemory) -> None:
    """A memfd of a session is as it was: the guest's by its size, any other by its content. LiveUpdateError when not."""
    wanted = (TOKEN, guest.size if session == SESSION else len(session), 0, 0)
    said = file.token, file.size, file.pos, file.seals or 0  # older forms have no seals
    holds(said == wanted, f"{session}: (token, size, position, seals) are {said}, not {wanted}")
    if session != SESSION:
        content = io.BytesIO()
        write_content(handover, file, content)
        holds(content.getvalue() == session.encode(), f"{session}: the content is not what it was")


def check_names(handover: Handover, scenario: Scenario) -> None:
    """The sessions are those that agents had asked for. LiveUpdateError when not."""
    found = [each.name for each in handover.luo.sessions] if handover.luo is not None else []
    holds(sorted(found) == sorted([SESSION, *others(scenario)]), "the sessions are not those that were handed over")
