# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Nobody wrote down what it means.

What       A field of a format of one's own has no documentation.
Why        Two kernels agree on bytes by their layout, and on what they stand for by its text; a unit that is in nobody's text changes
           without anybody seeing it.
Example    "len" / U64, which one side takes for bytes and the other for pages.
Instead    "len" / U64 * About("bytes of the area", unit="bytes").
Reference  every field of include/linux/kho/abi/*.h has a line of kernel-doc
"""

from __future__ import annotations

from devstate.compat.rule import Rule
from devstate.compat.words import names_text, struct_in
from devstate.finding import Severity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.finding import Finding
    from devstate.layout.model import FieldLayout, Layout

RULE = Rule("DS505", "undocumented", Severity.WARNING, bump=False, category="SOURCE")


def lint(layout: Layout) -> Iterator[Finding]:
    """One finding for each struct, with the fields that lack a text. What upstream has is documented there."""
    if layout.status != "project":
        return
    for struct in layout.structs:
        silent = [field.name for field in struct.fields if not field.doc and not _says_itself(field, layout)]
        if silent:
            yield RULE.finding(f"{len(silent)} of {len(struct.fields)} fields have no doc: {names_text(silent)}", struct.name)


def _says_itself(field: FieldLayout, layout: Layout) -> bool:
    """Padding, reserved bytes, a constant, the version, an embedded struct: their declaration says what they are."""
    is_version = layout.version is not None and layout.version[0] == field.name
    declared = field.gap or field.must is not None or is_version or bool(field.names) or getattr(field.type, "reserved", False)
    return declared or struct_in(field.type) is not None
