# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A reserved field is not zero.

What       A field that must be zero holds something else.
Why        Today's readers do not look; a later one may give the bits a meaning.
Example    memfd_luo_ser.flags = 1.
Instead    Write 0.
Reference  the schema of the record
"""

from __future__ import annotations

from devstate.check.rule import Rule
from devstate.finding import Reaction, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.check.context import Context
    from devstate.finding import Finding

RULE = Rule("field-reserved", "A reserved field is not zero", Severity.WARNING, Reaction.ACCEPTED)


def check(context: Context) -> Iterator[Finding]:
    """Fields with one legal value, in the records of files."""
    for file in context.bodies():
        for field in file.body.layout.fields if file.body is not None else ():
            value = getattr(file.body, field.name)
            if field.must is not None and value != field.must:
                yield RULE.finding(
                    context.handover,
                    f"{field.name} is reserved",
                    file.data_pa + field.offset,
                    f"{file.path}.{field.name}",
                    field.must,
                    f"{value:#x}",
                )
