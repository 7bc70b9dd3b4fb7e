# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A type that does not mean the same everywhere.

What       A kernel virtual address, padding that nobody named, an integer that is not aligned, a link to a struct that is not there,
           an array that nothing counts.
Why        A pointer of the old kernel is nowhere in the new one; padding leaks what was there, and the next field moves in.
Example    restored_domain of iommu_domain_ser, a struct iommu_domain *.
Instead    Physical addresses, named padding, fixed sizes.
Reference  iommufd_lu, whose only field was a struct folio *
"""

from __future__ import annotations

from devstate.compat.rule import Rule
from devstate.finding import Severity
from devstate.layout.model import ArrayType
from devstate.layout.passes import run_passes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.compat.change import Comparison
    from devstate.finding import Finding
    from devstate.layout.model import Layout

RULE = Rule("DS503", "unportable-type", Severity.ERROR, bump=False, category="SOURCE")


def check(comparison: Comparison) -> Iterator[Finding]:
    """What is new of it in the new version."""
    if comparison.new is None or comparison.old is None:
        return
    known = {(finding.rule, _field(finding)) for finding in run_passes(comparison.old)}
    for finding in run_passes(comparison.new):
        if finding.rule in ("layout-hole", "layout-kernel-pointer") and (finding.rule, _field(finding)) not in known:
            severity = Severity.ERROR if finding.rule == "layout-kernel-pointer" else Severity.WARNING
            yield RULE.finding(finding.message, _field(finding), severity=severity, offset=finding.location.offset)


def lint(layout: Layout) -> Iterator[Finding]:
    """All of it: errors in a design of one's own, facts in what upstream has."""
    for finding in run_passes(layout):
        worse = finding.rule in ("layout-kernel-pointer", "layout-hole") and layout.status == "project"
        yield RULE.finding(
            finding.message, _field(finding), severity=Severity.ERROR if worse else finding.severity, offset=finding.location.offset
        )
    yield from uncounted(layout)


def uncounted(layout: Layout) -> Iterator[Finding]:
    """Flexible arrays that no field counts: a reader can only guess where they end."""
    for struct in layout.structs if layout.encoding == "packed" else ():  # an array in a tagged map has its own count
        for field in struct.fields:
            if isinstance(field.type, ArrayType) and field.type.count is None and field.type.counted_by is None:
                subject = f"{struct.name}.{field.name}"
                yield RULE.finding("no field counts this array", subject, severity=Severity.WARNING, offset=field.offset)


def _field(finding: Finding) -> str:
    """STRUCT.FIELD of the place of a pass, which starts with the layout's name."""
    path = finding.location.path or ""
    return ".".join(path.rsplit(".", 2)[-2:]) if "./" not in path else path
