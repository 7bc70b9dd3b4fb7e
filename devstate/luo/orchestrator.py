# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The orchestrator of the RFC: a state that all participants share, and the events that change it.

A participant has ``prepare``, ``freeze``, ``cancel`` and ``finish``, each of them optional. ``prepare`` runs while guests run, ``freeze``
in the blackout. Readers of the state keep it from changing while they look (:meth:`Orchestrator.reading`).
"""

from __future__ import annotations

import contextlib
import errno

from devstate.errors import LiveUpdateError
from devstate.luo.engine import Engine
from devstate.luo.lock import StateLock
from devstate.luo.states import State, transition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event as Killed

    from devstate.luo.engine import Participant
    from devstate.luo.states import Event


class Orchestrator:
    """A live update by the RFC's rules. ``state`` is UPDATED in a kernel that found a handover, NORMAL in any other."""

    def __init__(self, *, engine: Engine | None = None, state: State = State.NORMAL) -> None:
        self.engine = engine or Engine()
        self.participants: list[Participant] = []
        self._state = state
        self._lock = StateLock()

    @property
    def state(self) -> State:
        """Where the update stands. It may have changed when the caller looks at it, unless they are :meth:`reading`."""
        return self._state

    def register(self, participant: Participant) -> None:
        """Take a participant in, as the last. EBUSY between PREPARE and the jump, EEXIST for a name that is there."""
        with self._lock.writing():
            self._may_change_participants()
            if any(each.name == participant.name for each in self.participants):
                raise LiveUpdateError(errno.EEXIST, f"{participant.name} is registered already")
            self.participants.append(participant)

    def unregister(self, participant: Participant) -> None:
        """Let a participant go. EBUSY as in :meth:`register`, ENOENT for one that is not there."""
        with self._lock.writing():
            self._may_change_participants()
            if participant not in self.participants:
                raise LiveUpdateError(errno.ENOENT, f"{participant.name} is not registered")
            self.participants.remove(participant)

    def _may_change_participants(self) -> None:
        if self._state not in (State.NORMAL, State.UPDATED):
            raise LiveUpdateError(errno.EBUSY, f"participants stay as they are while the state is {self._state}")

    def send(self, event: Event, *, killed: Killed | None = None) -> None:
        """Tell everyone, and change the state.

        EINVAL when the state does not allow the event, EAGAIN when ``killed`` is set while others hold the state, else the error of
        the participant that failed: then the state is what the table says, and all are unwound.
        """
        with self._lock.writing(killed):
            row = transition(self._state, event)
            if row is None:
                raise LiveUpdateError(errno.EINVAL, f"{event} is refused in the state {self._state}")
            try:
                self.engine.run(row.phase, self.participants)
            except LiveUpdateError:
                self._state = row.failed
                raise
            self._state = row.to

    @contextlib.contextmanager
    def reading(self, *, killed: Killed | None = None) -> Iterator[State]:
        """Hold the state as it is. EAGAIN when ``killed`` is set before it can be held."""
        with self._lock.reading(killed):
            yield self._state
