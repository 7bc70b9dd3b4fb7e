# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A format is gone.

What       The old side writes a format that the new side does not have, under this name or as what another one replaces.
Why        Its state is lost on the way: nobody on the new side knows the string.
Example    section fw_cfg is called fw_cfg2.
Instead    Let the new schema replace the old one by name; keep reading the old string for a release.
Reference  unknown handler strings of luo_file_ser: ENOENT, and every open fails
"""

from __future__ import annotations

from devstate.compat.rule import Rule
from devstate.finding import Outcome, Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from devstate.compat.change import Comparison
    from devstate.finding import Finding
    from devstate.layout.model import Layout

RULE = Rule("DS304", "compatible-removed-or-renamed", Severity.ERROR, category="READ")


def check(comparison: Comparison) -> Iterator[Finding]:
    """A format without a counterpart."""
    if comparison.new is None and comparison.old is not None:
        yield RULE.finding(f"{comparison.old.name} has no successor", comparison.old.name, Outcome.REFUSED, Outcome.REFUSED)


def replaced(formats: Sequence[Layout], known: frozenset[str]) -> Iterator[Finding]:
    """Formats that replace what no source has: a published format stays readable for ever."""
    names = known | {name for layout in formats for name in (layout.name, layout.compatible) if name}
    for layout in formats:
        if layout.replaces is not None and layout.replaces not in names:
            yield RULE.finding(f"it replaces {layout.replaces}, which no schema has", layout.name, severity=Severity.WARNING)
