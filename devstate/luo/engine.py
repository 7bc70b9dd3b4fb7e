# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The engine: one phase is one callback of many participants, in order; if one fails, others are called back, in order.

What is called, and what is unwound, is data (:class:`Phase`); both policies are tables of it. The engine knows nothing of states, sessions
or devices. It times every call, holds it to its budget, and writes everything down in ``calls``, so that a report can say who did what.

A callback fails by raising :class:`LiveUpdateError` or OSError. Anything else that it raises is a mistake in it, and counts as EIO: an
orchestrator must unwind whatever happens. Where a phase must not fail, a failure is a warning and the others are called all the same.
"""

from __future__ import annotations

import errno
from time import perf_counter_ns

from devstate.errors import LiveUpdateError
from devstate.frozen import frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    Participant = Any
    """Whoever is called: a ``name`` (or ``compatible``) for reports, and a method for each op. One that it does not have is not called."""

EARLIER, ALL, NONE = "earlier", "all", "none"
"""Whom a failure unwinds: those that were called before; everyone; nobody, since the phase must not fail."""

NO_BUDGETS: Mapping[str, int] = {}


@frozen
class Phase:
    """One event. ``op`` is the method called; ``undo`` the one that unwinds it. Participants are called in the order of registration,
    or ``newest_first``; they are unwound in the same order, or ``undo_backwards``. ``blackout``: guests are stopped meanwhile.
    """

    name: str
    op: str
    undo: str | None = None
    unwind: str = EARLIER
    newest_first: bool = False
    undo_backwards: bool = False
    blackout: bool = False


@frozen
class Call:
    """One call that was made: by which phase, of whom, how long it took, and how it failed (None: it did not)."""

    phase: str
    participant: str
    op: str
    nanoseconds: int
    error: LiveUpdateError | None = None
    blackout: bool = False


def name_of(participant: Participant) -> str:
    """What reports call a participant: its ``name``, or its ``compatible``."""
    name: str = getattr(participant, "name", None) or participant.compatible
    return name


class Engine:
    """Calls participants. ``budgets`` are nanoseconds by op: what takes longer has failed (ETIME), although it came back.

    ``before`` is called before each call, with (phase, participant, op): a rehearsal injects its faults there, a journal its entries.
    """

    def __init__(
        self,
        *,
        budgets: Mapping[str, int] = NO_BUDGETS,
        clock: Callable[[], int] = perf_counter_ns,
        before: Callable[[str, str, str], None] | None = None,
    ) -> None:
        self.budgets = budgets
        self.clock = clock
        self.before = before
        self.calls: list[Call] = []
        self.warnings: list[str] = []

    def run(self, phase: Phase, participants: Sequence[Participant], *arguments: Any) -> None:
        """Call all of them. The LiveUpdateError of the first that failed, after the unwinding; none in a phase that must not fail."""
        order = participants[::-1] if phase.newest_first else participants
        for at, participant in enumerate(order):
            try:
                self.call(phase, participant, phase.op, *arguments)
            except LiveUpdateError as error:
                if phase.unwind == NONE:
                    self.warnings.append(f"{phase.name}: {name_of(participant)}: {error}")
                    continue
                # What overran its budget has done its work, so that there is something to take back.
                done = order[: at + (error.errno == errno.ETIME)] if phase.unwind == EARLIER else order
                self.unwind(phase, done, *arguments)
                raise

    def unwind(self, phase: Phase, done: Sequence[Participant], *arguments: Any) -> None:
        """Call back those in ``done``. What fails here is a warning."""
        if phase.undo is None:
            return
        for participant in done[::-1] if phase.undo_backwards else done:
            try:
                self.call(phase, participant, phase.undo, *arguments)
            except LiveUpdateError as error:
                self.warnings.append(f"{phase.undo}: {name_of(participant)}: {error}")

    def call(self, phase: Phase, participant: Participant, op: str, *arguments: Any) -> Any:
        """Make one call, and return what it returns. LiveUpdateError when it fails; None for an op that the participant does not have."""
        method = getattr(participant, op, None)
        if method is None:
            return None
        start, error, result = self.clock(), None, None
        try:
            if self.before is not None:
                self.before(phase.name, name_of(participant), op)
            result = method(*arguments)
        except LiveUpdateError as raised:
            error = raised
        except OSError as raised:
            error = LiveUpdateError(raised.errno or errno.EIO, raised.strerror or str(raised))
        except Exception as raised:
            error = LiveUpdateError(errno.EIO, f"{type(raised).__name__} in {op}(): {raised}")
        took = self.clock() - start
        budget = self.budgets.get(op)
        if error is None and budget is not None and took > budget:
            error = LiveUpdateError(errno.ETIME, f"{op}() took {took // 1000} us, its budget is {budget // 1000} us")
        self.calls.append(Call(phase.name, name_of(participant), op, took, error, phase.blackout))
        if error is not None:
            raise error
        return result

    def blackout(self) -> dict[str, int]:
        """Nanoseconds that each participant took while guests were stopped, most first."""
        spent: dict[str, int] = {}
        for call in self.calls:
            if call.blackout:
                spent[call.participant] = spent.get(call.participant, 0) + call.nanoseconds
        return dict(sorted(spent.items(), key=lambda item: -item[1]))
