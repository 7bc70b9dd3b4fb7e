# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A schema and what was built differ.

What       A struct of the schema is not what a compiler laid out, or what another source declares.
Why        Every other verdict rests on the schema.
Example    the BTF of a vmlinux has nr_folios at 24, the schema at 16.
Instead    Correct the schema; if the kernel changed, publish a new version.
Reference  the headers of kho-v4, whose text still says kho-v3
"""

from __future__ import annotations

from devstate.compat.rule import Rule, was_and_is
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from devstate.compat.change import Change
    from devstate.finding import Finding

RULE = Rule("DS502", "schema-code-drift", Severity.ERROR, bump=False, category="SOURCE")


def drift(change: Change, where: str) -> Finding:
    """The finding for one difference between a schema (old) and the same struct of another source (new), called ``where``."""
    severity = None if change.worst else Severity.INFO
    return RULE.finding(f"{where}: {was_and_is(change)}", change.subject, severity=severity, offset=change.offset)
