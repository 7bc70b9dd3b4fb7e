# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What rules are given: the handover, the reading kernel's release, and what several rules need, worked out once."""

from __future__ import annotations

from devstate.check.reader import reading_release
from devstate.finding import Reaction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.handover.model import Handover, PreservedFile, Problem
    from devstate.handover.ownership import Ownership
    from devstate.layout.release import Release


SECTION = 128 << 20
"""Bytes of a memory section of x86-64: memory comes in these."""


class Context:
    """One run of the rules over one handover. ``release`` is None when nobody knows what reads it."""

    __slots__ = ("_ownership", "_sessions", "_top", "handover", "release")

    def __init__(self, handover: Handover, kernel: str | None = None) -> None:
        self.handover = handover
        self.release: Release | None = reading_release(handover, kernel)
        self._ownership: Ownership | None = None
        self._top: int | None = None
        self._sessions = {session.path for session in handover.luo.sessions} if handover.luo is not None else set()

    @property
    def ownership(self) -> Ownership:
        """The folio audits and everything about who owns what."""
        if self._ownership is None:
            from devstate.handover.ownership import find_owners

            self._ownership = find_owners(self.handover)
        return self._ownership

    def problems(self, code: str) -> Iterator[Problem]:
        """The problems of the handover with this code."""
        return (problem for problem in self.handover.problems if problem.code == code)

    def bodies(self) -> Iterator[PreservedFile]:
        """The files whose own record could be read."""
        return (file for file in self.handover.files if file.body is not None)

    def is_beyond(self, pa: int) -> bool:
        """Whether an address is surely above the memory of the machine: more than twice as high as anything known to be there.

        Early boot allocates from the top, so what was handed over reaches close to the end of memory.
        """
        return pa >= 2 * self.top

    def is_above(self, pa: int) -> bool:
        """Whether an address is above the last section of memory of which something is known."""
        return pa >= self.top

    @property
    def top(self) -> int:
        """The end of the last section of memory of which something is known."""
        if self._top is None:
            self._top = self._highest()
        return -(-self._top // SECTION) * SECTION

    def _highest(self) -> int:
        """The end of the highest memory that is surely there."""
        handover = self.handover
        ends = [claim.start + claim.size for claim in handover.claims.items if handover.memory and handover.memory.contains(claim.start)]
        ends += [region.end for region in handover.memory.regions[-1:]] if handover.memory is not None else []
        ends += [start + size for start, size in handover.scratch or ()]
        return max(ends, default=0)

    def reaction_at(self, path: str | None) -> Reaction:
        """What the kernel does when the thing at ``path`` cannot be read: it depends on the moment when it is read.

        Root: early boot, boots on without. Memory map: walked unchecked before the console. LUO struct and session chain: an early initcall
        panics. Files of a session: first open of /dev/liveupdate fails. One file: its retrieve fails. Source: kernel/liveupdate
        (kexec_handover.c, luo_core.c, luo_session.c, luo_file.c).
        """
        if path is None or (path.startswith("/") and not path.strip("/")):
            return Reaction.IGNORED
        if path in self._sessions:
            return Reaction.OPEN_FAILS
        top, _, rest = path.strip("/").partition("/")
        if top == "preserved":
            return Reaction.DIES_EARLY
        if top == "memblock":
            return Reaction.REGION_WRONG
        if top in ("luo", "LUO"):
            if rest.startswith("flb"):
                return Reaction.ACCEPTED
            return Reaction.RETRIEVE_FAILS if rest.startswith("session/") else Reaction.PANIC
        return Reaction.ACCEPTED
