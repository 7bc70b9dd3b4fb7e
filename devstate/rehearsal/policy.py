# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""How a kernel goes through a live update: by one of two policies, over the same participants.

=============== ============================================== =================================================================
a kernel        ``rfc``                                        ``merged``
=============== ============================================== =================================================================
prepares        PREPARE to all participants                    agents create sessions and preserve files in them
freezes         FREEZE to all                                  the reboot system call freezes all files, session after session
takes back      CANCEL to all                                  all are unfrozen, last first; agents close their sessions
restores        each participant, in order                     agents retrieve their sessions, and from these file after file
finishes        FINISH to all; warns of devices that nobody    each session, if all of its files can finish, else none of them
                reclaimed
=============== ============================================== =================================================================
"""

from __future__ import annotations

from devstate.luo.states import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from devstate.handover.spec import FlbSpec, PartSpec, SessionSpec
    from devstate.rehearsal.kernel import Kernel
    from devstate.rehearsal.state import Left


class Policy:
    """What both have. Errors are LiveUpdateError, and what was done is undone by :meth:`cancel` only."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    @property
    def state(self) -> State:
        """The state in which devices may be requested, or not: the merged design has none of the whole system."""
        return State.NORMAL

    def is_here(self, name: str) -> bool:
        """Whether this kernel has a participant, handler or shared object: a fault may want it missing."""
        return not (self.kernel.has_fault("missing") and self.kernel.fault["participant"] == name)

    # ---- the old kernel ----

    def parts(self, participant: Any) -> tuple[PartSpec, ...]:
        """What a participant leaves in the subtree ``devstate``."""
        made: tuple[PartSpec, ...] = participant.parts()
        return made

    def settle(self) -> None:
        """Before an update: end what the last one left open."""

    def prepare(self) -> None:
        """Before the blackout."""
        raise NotImplementedError

    def freeze(self) -> None:
        """In the blackout."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Take everything back, whatever was done; never fails."""
        raise NotImplementedError

    def sessions(self) -> tuple[SessionSpec, ...]:
        """The sessions of the handover; before anything was prepared, what is known of them."""
        raise NotImplementedError

    def flbs(self) -> tuple[FlbSpec, ...]:
        """The shared objects of the handover."""
        return ()

    # ---- the new kernel ----

    def restore(self, left: Left) -> None:
        """In the blackout: take up what was left."""
        raise NotImplementedError

    def finish(self) -> None:
        """The guest runs: let go of what was left. Never fails; what goes wrong is a warning."""
        raise NotImplementedError

    def hurry(self) -> None:
        """Begin a second update before this one is finished. LiveUpdateError EINVAL, always."""
        raise NotImplementedError
