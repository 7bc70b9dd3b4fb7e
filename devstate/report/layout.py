# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Layouts as text: what ``devstate schemas NAME`` prints, and how a field's type is written everywhere.

::

    memfd_luo_folio_ser  16 bytes, packed
      offset  size  type    name
        0x00        u64:52  pfn     page frame number of the folio; 0 is a hole
"""

from __future__ import annotations

from devstate.layout.model import ArrayType, BytesType, IntType, NodeLayout, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from devstate.layout.converter import Step
    from devstate.layout.model import FieldLayout, Layout, StructLayout, TargetLayout, TypeLayout


def layout_lines(layout: Layout, steps: Iterable[Step] = ()) -> Iterator[str]:
    """The whole layout: what it is, its tree or its structs, outermost first; ``steps`` are the converters that are known."""
    yield from _heading(layout)
    for step in steps:
        if step.source == layout.name:
            loses = f", and may lose {', '.join(step.loses)}" if step.loses else ""
            yield f"  {'converts to':13}{step.target}{loses}"
    if isinstance(layout.root, NodeLayout):
        yield ""
        yield from _node_lines(layout, layout.root)
    ordered = sorted(layout.structs, key=lambda struct: struct.name != layout.root)
    for struct in ordered:
        yield ""
        yield from struct_lines(layout, struct)


def _heading(layout: Layout) -> Iterator[str]:
    yield f"{layout.name}: {layout.doc}"
    environment = layout.environment
    facts = [
        ("compatible", layout.compatible),
        ("status", layout.status),
        ("kernels", kernels(layout.since, layout.until)),
        ("replaces", layout.replaces),
        ("source", layout.source),
        ("found by", layout.found_by),
        ("version in", f"{layout.version[0]}, which is {layout.version[1]}" if layout.version else None),
        ("owner", layout.owner),
        ("freed", layout.freed),
        ("on mismatch", layout.on_mismatch),
        ("limits", ", ".join(f"{name} {value}" for name, value in layout.limits)),
        ("shown for", f"{environment.page_size}-byte pages, {environment.byte_order}-endian"),
    ]
    for name, value in facts:
        if value:
            yield f"  {name:13}{value}"


def kernels(since: str | None, until: str | None) -> str:
    """The kernels that write a format, such as ``6.19..7.0`` or ``7.1..``; empty when no release does."""
    return f"{since or ''}..{until or ''}" if since or until else ""


def _node_lines(layout: Layout, root: NodeLayout) -> Iterator[str]:
    stack: list[tuple[str, NodeLayout | None]] = [("", root)]
    while stack:
        indent, node = stack.pop()
        if node is None:
            yield f"{indent}}}"
            continue
        remarks = [node.doc] if node.doc else []
        if node.optional:
            remarks.append("may be absent")
        yield f"{indent}{node.name or '/'} {{    {'; '.join(remarks)}".rstrip()
        inner = indent + "    "
        if node.compatible is not None:
            yield f'{inner}compatible = "{node.compatible}"'
        for field in node.properties:
            yield f"{inner}{field.name} = <{type_name(layout, field)}>{_remarks(layout, field)}"
        stack.append((indent, None))
        stack += [(inner, child) for child in reversed(node.children)]


def struct_lines(layout: Layout, struct: StructLayout) -> Iterator[str]:
    """One struct as a table."""
    kind = "packed" if struct.packed else f"aligned to {struct.align}"
    more = " and what follows" if struct.flexible else ""
    doc = f"    {struct.doc}" if struct.doc else ""
    yield f"{struct.name}  {struct.size} bytes{more}, {kind}{doc}"
    rows = [("offset", "size", "type", "name", "")]
    rows += [
        (f"{field.offset:#04x}", str(field.size or ""), type_name(layout, field), field.name, _remarks(layout, field).strip())
        for field in struct.fields
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = (f"{row[0]:>{widths[0]}}", f"{row[1]:>{widths[1]}}", f"{row[2]:{widths[2]}}", f"{row[3]:{widths[3]}}", row[4])
        yield "  " + "  ".join(cells).rstrip()


def type_name(layout: Layout, field: FieldLayout) -> str:
    """The field's type as a C programmer would say it; a bit-field as ``u64:12``."""
    name = _name(layout, field.type)
    return f"{name}:{field.width}" if field.width is not None else name


def _name(layout: Layout, kind: TypeLayout) -> str:
    counts = ""
    while isinstance(kind, ArrayType):
        counts += f"[{kind.counted_by or '' if kind.count is None else kind.count}]"
        kind = kind.element
    if isinstance(kind, IntType):
        order = {"little": "le", "big": "be"}.get(kind.order, "")
        return f"{order}{'s' if kind.signed else 'u'}{kind.size * 8}{counts}"
    if isinstance(kind, BytesType):
        return f"{'char' if kind.text else 'u8'}[{kind.size}]{counts}"
    if isinstance(kind, StructType):
        return f"{kind.struct}{counts}"
    return f"union{counts}"


def _remarks(layout: Layout, field: FieldLayout) -> str:
    parts = [field.doc] if field.doc else []
    if field.gap:
        parts.append("padding of the compiler")
    if field.shift is not None and field.width is not None:
        parts.append(f"bits {field.shift}..{field.shift + field.width - 1}")
    if field.names:
        parts.append(f"{field.kind}: {', '.join(f'{name}={number}' for name, number in field.names)}")
    if field.must is not None:
        parts.append(f"must be {field.must}")
    if field.minimum is not None:
        parts.append(f"at least {field.minimum}")
    if field.maximum is not None:
        parts.append(f"at most {field.maximum}")
    if field.unit and field.unit not in field.doc:
        parts.append(f"in {field.unit}")
    if field.target is not None:
        parts.append(f"-> {_target(layout, field.target)}")
    if field.phase:
        parts.append(f"written at {field.phase}")
    if field.optional:
        parts.append("may be absent")
    return "    " + "; ".join(parts) if parts else ""


def _target(layout: Layout, target: TargetLayout) -> str:
    element = _name(layout, target.element) if target.element is not None else "bytes"
    count = f", {target.count} of them" if target.count else ""
    texts = {
        "one": element,
        "contiguous": f"area of {element}{count}",
        "counted": f"area that starts with {element}",
        "blocks": f"chain of blocks of {element}{count}",
        "pages": f"pages of {element}{count}",
        "chunks": "chain of chunks with bitmaps of pages",
        "radix": f"radix tree of pages, {target.depth} levels",
        "tree": f"tree of pages with {element} at the leaves" if target.element is not None else "tree of pages",
        "vmalloc": f"page list of {element}{count}",
        "handle": f"what {target.count} names",
        "token": f"another file of the session, {target.count}" if target.count else "another file of the session",
        "opaque": "memory that this format does not describe",
        "kernel": "kernel virtual address",
    }
    return texts.get(target.kind, target.kind)
