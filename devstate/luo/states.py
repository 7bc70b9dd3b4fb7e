# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The states of the RFC's orchestrator, its events, and the table that leads from one to the other.

::

            PREPARE               FREEZE                jump               FINISH
    normal ---------> prepared -----------> frozen ============> updated ---------> normal
       ^--- CANCEL ------'                     |
       ^--- CANCEL ----------------------------'

RFC v1 (20 March 2025) had normal, prepared, updated, and the event REBOOT, which v2 (15 May 2025) named FREEZE and gave a state of its own.
That no state is left by an event which is not in the table is part of it: EINVAL.
"""

from __future__ import annotations

import enum

from devstate.frozen import frozen
from devstate.luo.engine import ALL, EARLIER, NONE, Phase


class State(enum.Enum):
    """Where a live update stands."""

    NORMAL = "normal"
    PREPARED = "prepared"
    FROZEN = "frozen"
    UPDATED = "updated"

    def __str__(self) -> str:
        return self.value


class Event(enum.Enum):
    """What is told to every participant."""

    PREPARE = "prepare"
    FREEZE = "freeze"
    FINISH = "finish"
    CANCEL = "cancel"

    def __str__(self) -> str:
        return self.value


USER, KERNEL = "user", "kernel"
"""Who triggers an event: a write of the operator's agent, or the reboot system call."""


@frozen
class Transition:
    """A row of the table. ``failed`` is the state after a failure: the same as ``to`` where the event must not fail."""

    state: State
    event: Event
    to: State
    failed: State
    by: str
    phase: Phase


PREPARE = Phase("prepare", "prepare", "cancel", EARLIER)
FREEZE = Phase("freeze", "freeze", "cancel", ALL, blackout=True)
CANCEL = Phase("cancel", "cancel", unwind=NONE)
FINISH = Phase("finish", "finish", unwind=NONE)

TABLE = (
    Transition(State.NORMAL, Event.PREPARE, State.PREPARED, State.NORMAL, USER, PREPARE),
    Transition(State.PREPARED, Event.CANCEL, State.NORMAL, State.NORMAL, USER, CANCEL),
    Transition(State.PREPARED, Event.FREEZE, State.FROZEN, State.NORMAL, KERNEL, FREEZE),
    Transition(State.FROZEN, Event.CANCEL, State.NORMAL, State.NORMAL, KERNEL, CANCEL),
    Transition(State.UPDATED, Event.FINISH, State.NORMAL, State.NORMAL, USER, FINISH),
)
"""A failed PREPARE is cancelled by those that had prepared; a failed FREEZE by everyone, the one that failed included."""


def transition(state: State, event: Event) -> Transition | None:
    """The row for an event in a state; None when the event is refused there."""
    return next((row for row in TABLE if row.state is state and row.event is event), None)
