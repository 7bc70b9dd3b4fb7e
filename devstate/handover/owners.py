# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Ask the conventions above the kernel who owns the sessions of a handover, and note the answer on sessions and files.

Reads the first bytes of a few small files, without numpy: most handovers have a file that might be a convention's mapping, and
looking at it must not cost more than all the rest.
"""

from __future__ import annotations

from devstate.handover.content import folio_form
from devstate.handover.conventions import CONTENT_LIMIT, labels
from devstate.handover.cprluo import MAGIC as CPR_MAGIC
from devstate.handover.cprluo import TOKEN as CPR_TOKEN
from devstate.handover.model import Problem
from devstate.pagetable.folios import RECORD_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.handover.labels import Labels
    from devstate.handover.model import Handover, PreservedFile, Session

READ_MAX = 1 << 26
"""Bytes of content that are read for all sessions together: a real handover has one or two mappings of a few KiB."""


def name_owners(handover: Handover) -> list[Problem]:
    """Set ``owner`` of sessions and ``label`` of files where a convention says them; what is wrong with a mapping is returned."""
    problems: list[Problem] = []
    sessions = handover.luo.sessions if handover.luo is not None else []
    elsewhere: dict[str, str] = {}
    left = READ_MAX
    for session in sessions:
        said, left = _labels(handover, session, left)
        session.owner = said.owner
        elsewhere |= said.sessions
        for file in session.files:
            file.label = said.tokens.get(file.token)
        problems += [Problem("session-owner", text, None, session.path) for text in said.problems]
    for session in sessions:
        session.owner = session.owner or elsewhere.get(session.name)
    return problems


def _labels(handover: Handover, session: Session, allowed: int) -> tuple[Labels, int]:
    """The answer for one session, and how many of the ``allowed`` bytes are left. A mapping beyond these counts as not there."""
    files = {file.token: file for file in session.files}
    left = allowed

    def read_content(token: int) -> bytes | None:
        nonlocal left
        file = files[token]
        if token == CPR_TOKEN:  # most files with this token are nobody's mapping: one look at their first bytes tells
            head = read_start(handover, file, len(CPR_MAGIC))
            if head != CPR_MAGIC:
                return head
        content = read_start(handover, file, CONTENT_LIMIT) if left else None
        left = max(0, left - len(content or b""))
        return content

    return labels(session.name, read_content, list(files)), left


def read_start(handover: Handover, file: PreservedFile, limit: int) -> bytes | None:
    """The first ``limit`` bytes of a file, holes as zeros; fewer when it is shorter. None when any of them is not in the capture."""
    memory, pages, form = handover.memory, file.pages, folio_form(file)
    if memory is None or pages is None or form is None or file.size is None or file.nr_folios is None:
        return None
    wanted = min(file.size, limit)
    page_size = handover.environment.page_size
    content = bytearray(wanted)
    for position in range(min(file.nr_folios, -(-wanted // page_size))):
        at = pages.where(position * RECORD_SIZE)
        if at is None or not memory.contains(at, RECORD_SIZE):
            return None
        record = memory.read(at, RECORD_SIZE)
        pa = form.split(int.from_bytes(record[:8], memory.byteorder))[0] * page_size
        offset = int.from_bytes(record[8:], memory.byteorder) * page_size
        if offset >= wanted:
            break
        order = handover.preserved.order_at(pa) if handover.preserved is not None else None
        length = min(page_size << (order or 0), wanted - offset)
        if pa and not memory.contains(pa, length):
            return None
        if pa:
            content[offset : offset + length] = memory.read(pa, length)
    return bytes(content)
