# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A memfd has seals that the kernel does not know.

What       A bit of seals has no name.
Why        The retrieve fails with EOPNOTSUPP, and the data of the file is gone.
Example    seals = 0x80000001.
Instead    Refuse to preserve a file with such a seal.
Reference  memfd_luo_retrieve() in mm/memfd_luo.c, MEMFD_LUO_ALL_SEALS
"""

from __future__ import annotations

from devstate.check.rule import Rule, field_pa
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("memfd-seals", "A memfd has seals that the kernel does not know", Severity.ERROR, Reaction.RETRIEVE_FAILS)


def check(context: Context) -> Iterator[Finding]:
    """Mask the known seals away."""
    for file in context.bodies():
        seals = file.seals
        if seals is None or file.body is None:
            continue
        known = file.body.layout.field("seals").known_bits
        if seals & ~known:
            pa = field_pa(file.data_pa, file.body, "seals")
            yield RULE.finding(context.handover, "unknown seals", pa, f"{file.path}.seals", f"bits of {known:#x}", f"{seals:#x}")
