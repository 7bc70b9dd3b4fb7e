# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A dead name, number or place is in use again.

What       A field, bit or value that an earlier version had and the last one dropped is back as something else.
Why        A kernel of that time takes it for what it knew.
Example    memfd-v1 had foliodesc, v2 dropped it, v3 has it again with another type.
Instead    Leave dead names dead.
Reference  the numbers of protocol buffers, the same rule
"""

from __future__ import annotations

from devstate.compat.rule import Rule
from devstate.compat.words import field_text
from devstate.finding import Outcome, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.compat.change import Comparison
    from devstate.finding import Finding

RULE = Rule("DS310", "tombstone-reused", Severity.ERROR)


def check(comparison: Comparison) -> Iterator[Finding]:
    """Look names up in what came before the old version."""
    old, new = comparison.old, comparison.new
    if old is None or new is None:
        return
    outcome = Outcome.REFUSED if comparison.bumped else Outcome.MISREAD
    now = {struct.name: struct for struct in new.structs}
    before = {struct.name: {field.name for field in struct.fields} for struct in old.structs}
    for ancestor in comparison.ancestors:
        for struct in ancestor.structs:
            later = {field.name: field for field in now[struct.name].fields} if struct.name in now else {}
            for field in struct.fields:
                other = later.get(field.name)
                dead = not field.gap and field.name not in before.get(struct.name, {field.name})
                if other is not None and dead and (other.offset, other.size, other.type) != (field.offset, field.size, field.type):
                    was, now_is = field_text(field, field.offset), field_text(other, other.offset)
                    message = f"{field.name} was {was} in {ancestor.name}, and is {now_is} again"
                    yield RULE.finding(message, f"{struct.name}.{field.name}", outcome, outcome, offset=other.offset)
