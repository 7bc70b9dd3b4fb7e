# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The preserved memory map is missing or is no address.

What       The property preserved-memory-map is absent, not 8 bytes long, 0, or not at a page boundary.
Why        Without a map the kernel gives up the whole handover. A map that is not page-aligned is walked all the same, shifted:
           the machine dies before the console.
Example    preserved-memory-map = 0x21ce008: entries of the root table are read one slot off.
Instead    Write the address of the root page of the tree.
Reference  kho_populate(), kho_mem_retrieve() in kernel/liveupdate/kexec_handover.c
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.check.context import Context
    from devstate.handover.model import Problem

RULE = Rule("kho-map", "The preserved memory map is missing or is no address", Severity.ERROR, Reaction.IGNORED)


def reaction(context: Context, problem: Problem) -> Reaction:
    """A missing or zero map is noticed; a wrong address is walked unchecked."""
    wild = problem.found is not None and problem.found.startswith("0x") and problem.found != "0x0"
    return Reaction.DIES_EARLY if wild else Reaction.IGNORED
