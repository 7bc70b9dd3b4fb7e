# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""No version stands for these bytes.

What       Bytes changed, or are declared, that no version string or number covers; a link leads to bytes that nobody describes.
Why        A reader cannot tell old from new, whatever anybody bumps.
Example    /chosen linux,kho-scratch became linux,kho-bootmem: no version covers the carriers.
Instead    Give the format a version, or name the one that covers it.
Reference  85d3615cea17, scratch to boot memory; a comment in luo.h that names a macro which does not exist
"""

from __future__ import annotations

from devstate.compat.change import UNKNOWN, unguarded
from devstate.compat.rule import Rule
from devstate.compat.words import names_text
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.compat.change import Comparison
    from devstate.finding import Finding
    from devstate.layout.model import Layout

RULE = Rule("DS308", "owner-missing-or-foreign", Severity.WARNING, category="SOURCE")


def check(comparison: Comparison) -> Iterator[Finding]:
    """Changes without any version around them."""
    if comparison.new is None or comparison.new.carrier == UNKNOWN:
        return
    bare = [change for change in unguarded(comparison) if all(guard.old is None and guard.new is None for guard in change.guards)]
    if bare:
        subjects = names_text(dict.fromkeys(change.subject for change in bare))
        yield RULE.finding(f"no version covers what changed: {subjects}", comparison.new.name)


def lint(layout: Layout) -> Iterator[Finding]:
    """A format that says neither its version nor where one stands, links into memory that is not described, no owner."""
    versioned = layout.compatible is not None or layout.version is not None or layout.versions.kind == "features"
    if not versioned and layout.carrier not in (UNKNOWN, "field:size"):
        around = "" if layout.found_by is None else f"; only what leads to it ({layout.found_by}) can tell versions apart"
        message = f"no version covers these bytes: it has no compatible and no version field{around}"
        yield RULE.finding(message, layout.name, severity=Severity.INFO if around else Severity.WARNING)
    for struct in layout.structs:
        for field in struct.fields:
            opaque = field.target is not None and field.target.kind == "opaque"
            if opaque and "next" not in field.name:  # a link of a chain leads to more of the same
                message = "it leads to memory that nothing describes: no version covers what is there"
                yield RULE.finding(message, f"{struct.name}.{field.name}", severity=Severity.INFO, offset=field.offset)
    if not layout.owner and layout.carrier != UNKNOWN:
        yield RULE.finding("it does not say who owns the memory", layout.name, severity=Severity.INFO)
