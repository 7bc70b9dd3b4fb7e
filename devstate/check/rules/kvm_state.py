# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The parts of a virtual machine do not hold together.

What       There are not as many vCPUs or memory slots as were said; a slot is there twice, overlaps another, or no preserved file holds it;
           a dirty bitmap is of another slot or length; an XSAVE area has another size than was negotiated.
Why        The VMM makes another machine than the one that was running, and the guest finds out.
Example    Slot 2 is 1 GiB from 0 on of token 7, and no session has a file with that token.
Instead    Write all parts while the VM is paused; preserve the files of its slots in the same session.
Reference  schemas/project/kvm_x86.py, docs/kvm.md
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity
from devstate.handover.objects import KVM, has_objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("kvm-state", "The parts of a virtual machine do not hold together", Severity.ERROR, Reaction.SILENT_WRONG)


def check(context: Context) -> Iterator[Finding]:
    """Each VM, by its records."""
    if not has_objects(context.handover, KVM):
        return
    from devstate.handover.kvm import verify_machines

    for path, pa, message, expected, found in verify_machines(context.handover):
        yield RULE.finding(context.handover, message, pa, path, expected, found)
