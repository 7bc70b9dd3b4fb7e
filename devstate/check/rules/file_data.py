# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A file's handle leads nowhere.

What       data of a file whose handler stores an address is 0, or inside a page, where no handler puts its record.
Why        The kernel reads physical page 0 as the record: an errno by luck, or an empty file.
Example    data = 0: the interrupt vectors are read as seals, EOPNOTSUPP.
Instead    Fail the preserve call rather than store 0.
Reference  memfd_luo_retrieve() in mm/memfd_luo.c
"""

from __future__ import annotations

from devstate.check.rule import Rule, field_pa
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("file-data", "A file's handle leads nowhere", Severity.ERROR, Reaction.RETRIEVE_FAILS)


def check(context: Context) -> Iterator[Finding]:
    """Only handlers with a schema are known to store an address."""
    for file in context.handover.files:
        if file.layout is not None and not file.data_pa:
            pa = field_pa(file.pa, file.record, "data")
            yield RULE.finding(context.handover, "the handle is 0", pa, f"{file.path}.data", "a physical address", "0x0")
        elif file.body is not None and file.data_pa % context.handover.environment.page_size:
            pa = field_pa(file.pa, file.record, "data")
            message, found = "the record does not start at a page boundary", f"{file.data_pa:#x}"
            yield RULE.finding(
                context.handover, message, pa, f"{file.path}.data", "a whole page", found, reaction=Reaction.ACCEPTED
            )
