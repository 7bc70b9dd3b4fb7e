# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Passes over one layout: each returns Findings about the declaration itself, and prints nothing.

They tell a schema's author what a C compiler or a reader would trip over; a shipped schema may have such traits because
upstream has them (they are facts then, at INFO), a new one should not.
"""

from __future__ import annotations

from devstate.finding import Finding, Location, Severity
from devstate.layout.model import FieldLayout, IntType, Layout, NodeLayout, StructLayout, StructType, walk_types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHADOWS = frozenset({"items", "keys", "values", "get", "pop", "update", "copy", "clear", "setdefault", "popitem", "search", "search_all"})
"""Field names that hide a method of construct's Container, so that ``record.items`` would not be the field."""


def holes(layout: Layout) -> Iterator[Finding]:
    """Padding that only the compiler's alignment rules put there: name it, or the next field moves into it unseen."""
    for struct in layout.structs:
        for field in struct.fields:
            if field.gap:
                yield _finding("layout-hole", layout, struct, field, f"{field.size} bytes of implicit padding")


def misaligned(layout: Layout) -> Iterator[Finding]:
    """Integers at addresses that are no multiple of their size: some architectures fault, all readers must copy."""
    for struct in layout.structs:
        for field in struct.fields:
            if isinstance(field.type, IntType) and field.offset % field.type.size:
                yield _finding("layout-misaligned", layout, struct, field, f"{field.type.size}-byte integer at offset {field.offset}")


def dangling(layout: Layout) -> Iterator[Finding]:
    """Links and embedded structs whose struct the layout does not have."""
    known = {struct.name for struct in layout.structs}
    for struct, field in _fields(layout):
        targets = [field.type] if field.target is None or field.target.element is None else [field.type, field.target.element]
        for kind in targets:
            for inner in walk_types(kind):
                if isinstance(inner, StructType) and inner.struct not in known:
                    yield _finding("layout-dangling", layout, struct, field, f"no struct {inner.struct}", Severity.ERROR)


def kernel_pointers(layout: Layout) -> Iterator[Finding]:
    """Virtual addresses of the old kernel inside a record: meaningless after the jump."""
    for struct, field in _fields(layout):
        if field.target is not None and field.target.kind == "kernel":
            yield _finding("layout-kernel-pointer", layout, struct, field, "a raw kernel pointer")


def shadows(layout: Layout) -> Iterator[Finding]:
    """Field names that a record's own methods hide."""
    for struct, field in _fields(layout):
        if field.name in SHADOWS:
            yield _finding("layout-shadow", layout, struct, field, f"the name {field.name} hides a method of the record", Severity.WARNING)


PASSES: tuple[Callable[[Layout], Iterator[Finding]], ...] = (holes, misaligned, dangling, kernel_pointers, shadows)


def run_passes(layout: Layout) -> list[Finding]:
    """Everything that the passes find in ``layout``. A tagged map has no places, so only names can be wrong there."""
    passes = (shadows,) if layout.encoding == "tagged" else PASSES
    return [finding for each in passes for finding in each(layout)]


def _finding(
    rule: str, layout: Layout, struct: StructLayout | None, field: FieldLayout, message: str, severity: Severity = Severity.INFO
) -> Finding:
    path = f"{layout.name}.{struct.name}.{field.name}" if struct is not None else f"{layout.name}./{field.name}"
    return Finding(rule, severity, message, Location(path=path, offset=field.offset))


def _fields(layout: Layout) -> Iterator[tuple[StructLayout | None, FieldLayout]]:
    for struct in layout.structs:
        for field in struct.fields:
            yield struct, field
    nodes = [layout.root] if isinstance(layout.root, NodeLayout) else []
    for node in nodes:
        nodes.extend(node.children)
        for field in node.properties:
            yield None, field
