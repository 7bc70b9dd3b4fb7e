# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A live update by the RFC's rules: events to all participants, one state."""

from __future__ import annotations

from devstate.handover.spec import SessionSpec
from devstate.luo.engine import NONE, Phase
from devstate.luo.orchestrator import Orchestrator
from devstate.luo.states import Event, State
from devstate.rehearsal.agents import SESSION, check_file, check_names, memory_file, others, small_file
from devstate.rehearsal.policy import Policy
from devstate.rehearsal.state import holds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.rehearsal.kernel import Kernel
    from devstate.rehearsal.state import Left

RESTORE = Phase("restore", "restore", unwind=NONE, blackout=True)


class Rfc(Policy):
    """The orchestrator drives the participants; the sessions of agents are in the handover, and nobody's business."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__(kernel)
        self.orchestrator = Orchestrator(engine=kernel.engine, state=State.UPDATED if kernel.hop else State.NORMAL)
        for each in kernel.participants:
            if self.is_here(each.name):
                self.orchestrator.register(each)

    @property
    def state(self) -> State:
        """The orchestrator's."""
        return self.orchestrator.state

    def prepare(self) -> None:
        """PREPARE."""
        self.orchestrator.send(Event.PREPARE)

    def freeze(self) -> None:
        """FREEZE."""
        self.orchestrator.send(Event.FREEZE)

    def cancel(self) -> None:
        """CANCEL, where the failure itself has not led back to the state normal."""
        if self.state in (State.PREPARED, State.FROZEN):
            self.orchestrator.send(Event.CANCEL)

    def sessions(self) -> tuple[SessionSpec, ...]:
        """The guest's memory in its session, and the others."""
        kernel = self.kernel
        made = SessionSpec(SESSION, (memory_file(kernel.guest),))
        return (made, *(SessionSpec(name, (small_file(name),)) for name in others(kernel.scenario)))

    def restore(self, left: Left) -> None:
        """Every participant takes up what it left, in order. LiveUpdateError for the first that cannot."""
        kernel, participants = self.kernel, self.orchestrator.participants
        known = [name for each in participants for name in getattr(each, "takes", (each.name,))]
        unknown = [name for name in left.subsystems() if name not in known]
        holds(not unknown, f"nobody here takes what {unknown[0] if unknown else ''} left")
        handover = left.handover
        if handover.luo is not None:
            check_names(handover, kernel.scenario)
            for session in handover.luo.sessions:
                holds(len(session.files) == 1, f"{session.name}: {len(session.files)} files, not one")
                check_file(handover, session.files[0], session.name, kernel.guest)
        for each in participants:
            kernel.engine.call(RESTORE, each, "restore", left)

    def finish(self) -> None:
        """User space reclaims its devices; FINISH."""
        self.kernel.devices.take_back()
        self.orchestrator.send(Event.FINISH)

    def hurry(self) -> None:
        """PREPARE, in the state updated."""
        self.orchestrator.send(Event.PREPARE)
