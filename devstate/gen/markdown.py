# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""markdown: a page about one format: what it is, its rules, its numbers, its tree, a table for each struct."""

from __future__ import annotations

from devstate.gen.header import remarks
from devstate.gen.names import member
from devstate.gen.types import declared, integer
from devstate.layout.model import ArrayType, IntType, NodeLayout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from devstate.layout.model import FieldLayout, Layout, StructLayout


def markdown(layouts: Sequence[Layout]) -> str:
    """The page, for 4K pages where a number depends on the page size."""
    layout = layouts[0]
    parts = [f"# {layout.name}", f"{layout.doc[:1].upper()}{layout.doc[1:]}.", "\n".join(_facts(layout))]
    if isinstance(layout.root, NodeLayout):
        parts.append("## The devicetree\n\n" + "\n".join(_tree(layout.root)))
    for struct in sorted(layout.structs, key=lambda each: each.name != layout.root):
        parts.append(_struct(layout, struct))
    return "\n\n".join(parts) + "\n"


def _facts(layout: Layout) -> Iterator[str]:
    facts = [
        ("compatible", layout.compatible and f"`{layout.compatible}`"),
        ("status", layout.status),
        ("kernels", f"{layout.since or ''}..{layout.until or ''}" if layout.since or layout.until else None),
        ("replaces", layout.replaces and f"`{layout.replaces}`"),
        ("found by", layout.found_by and f"`{layout.found_by}`"),
        ("version in", f"`{layout.version[0]}`, which is {layout.version[1]}" if layout.version else None),
        ("what a reader does with another version", layout.on_mismatch),
        ("owner", layout.owner),
        ("freed at", layout.freed),
        ("source", layout.source),
        ("limits", ", ".join(f"{name} {value}" for name, value in layout.limits)),
        ("constants", ", ".join(f"{name} {value}" for name, value in layout.constants)),
    ]
    yield "| | |"
    yield "|---|---|"
    for name, fact in facts:
        if fact:
            yield f"| {name} | {_cell(fact)} |"


def _tree(root: NodeLayout) -> Iterator[str]:
    yield "| node | property | |"
    yield "|---|---|---|"
    stack: list[tuple[str, NodeLayout]] = [("", root)]
    while stack:
        path, node = stack.pop()
        name = f"{path}/{node.name}" if path or node.name else "/"
        yield f"| `{name}` | {f'compatible = `{node.compatible}`' if node.compatible else ''} | {_cell(node.doc)} |"
        for field in node.properties:
            yield f"| `{name}` | `{field.name}` | {_cell(field.doc)} |"
        stack += [(name.rstrip("/"), child) for child in reversed(node.children)]


def _struct(layout: Layout, struct: StructLayout) -> str:
    more = " and what follows" if struct.flexible else ""
    lines = [f"## struct {struct.name}", ""]
    doc = " ".join(struct.doc.split())
    lines += [f"{doc[:1].upper()}{doc[1:]}.", ""] if doc else []
    lines += [f"{struct.size} bytes{more}, {'packed' if struct.packed else f'aligned to {struct.align}'}.", ""]
    lines += ["| offset | size | member | |", "|---:|---:|---|---|"]
    for field in struct.fields:
        offset = f"{field.offset}" if field.shift is None else f"{field.offset}, bit {field.shift}"
        size = "" if field.size == 0 else str(field.size) if field.width is None else f"{field.width} bits"
        if field.gap:
            lines.append(f"| {offset} | {size} | | padding of the compiler |")
            continue
        text = "; ".join(remarks(layout, struct, field))
        names = ", ".join(f"`{name}` {'bit ' if field.kind == 'flags' else ''}{number}" for name, number in field.names)
        lines.append(f"| {offset} | {size} | `{_declared(layout, field)}` | {_cell('; '.join(part for part in (text, names) if part))} |")
    return "\n".join(lines)


def _declared(layout: Layout, field: FieldLayout) -> str:
    if field.width is not None and isinstance(field.type, IntType):
        return f"{integer(field.type)} {member(field.name)}:{field.width}"
    lines = declared(layout, field.type, member(field.name), "", field.target)
    count = f" /* {field.type.counted_by} */" if isinstance(field.type, ArrayType) and field.type.counted_by else ""
    return " ".join(line.strip() for line in lines) + count


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")
