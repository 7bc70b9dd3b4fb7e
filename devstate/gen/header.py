# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""c-header: the structs of a format as a kernel would declare them, each size and offset asserted.

::

    #define MEMFD_V2_COMPATIBLE "memfd-v2"

    /**
     * struct memfd_luo_ser - a memfd with its seals
     * @pos: file position, in bytes
     */
    struct memfd_luo_ser {
            u64 pos;
            ...
    } __packed;

    static_assert(sizeof(struct memfd_luo_ser) == 48);
    static_assert(offsetof(struct memfd_luo_ser, pos) == 0);
"""

from __future__ import annotations

from devstate.gen.names import (
    SPDX,
    comment,
    declared_macro,
    first_comment,
    for_each_page_size,
    identifier,
    joined,
    literal,
    macro,
    member,
    quoted,
)  # fmt: skip
from devstate.gen.spelling import spelt
from devstate.gen.tagged import declaration as tagged_declaration
from devstate.gen.tagged import tagged_member
from devstate.gen.types import declared, element_type, integer
from devstate.layout.constraints import leaf
from devstate.layout.model import ArrayType, IntType, NodeLayout, UnionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from devstate.layout.model import FieldLayout, Layout, StructLayout, TargetLayout


def header(layouts: Sequence[Layout]) -> str:
    """The header of a format. ``layouts`` are those of one schema for one or several page sizes."""
    layout = layouts[0]
    guard = f"{macro(layout.name)}_H"
    spelt(layout, [line for lines in (_numbers(layout), *(_names(layout, each) for each in layout.structs)) for line in lines])
    blocks = [
        [f"/* SPDX-License-Identifier: {SPDX} */", *_contract(layout)],
        [f"#ifndef {guard}", f"#define {guard}"],
        ['#include "devstate_tagged.h"' if layout.encoding == "tagged" else '#include "devstate.h"'],
        _for_one_page_size(layouts),
        for_each_page_size(layouts, _numbers),
    ]
    if isinstance(layout.root, NodeLayout):
        blocks.append(_tree(layout, layout.root))
    for struct in layout.structs:
        blocks.append(_names(layout, struct))
        blocks.append(for_each_page_size(layouts, lambda each, name=struct.name: declaration(each, each.struct(name))))  # type: ignore[misc]
    return joined([*blocks, [f"#endif /* {guard} */"]])


def _for_one_page_size(layouts: Sequence[Layout]) -> list[str]:
    """What refuses another page size, when the layouts are of one."""
    size = layouts[0].environment.page_size
    return [f"#if PAGE_SIZE != {size}", f'#error "generated for pages of {size} bytes"', "#endif"] if len(layouts) == 1 else []


def _contract(layout: Layout) -> list[str]:
    lines = [layout.doc[:1].upper() + layout.doc[1:] + "." if layout.doc else layout.name, ""]
    if layout.compatible:
        lines.append(f'What is here is frozen as "{layout.compatible}". Any change is a new name, in a schema that replaces this one.')
    facts = [("Found by", layout.found_by), ("Replaces", layout.replaces), ("Owner", layout.owner), ("Freed at", layout.freed)]
    facts += [("Another version", layout.on_mismatch), ("Source", layout.source)]
    lines += ["", *(f"{name}: {fact}." for name, fact in facts if fact)]
    return [*first_comment(layout, "layout"), *comment(lines)]


def _numbers(layout: Layout) -> list[str]:
    prefix, defined = macro(layout.name), []
    if layout.compatible is not None:
        defined.append((f"{prefix}_COMPATIBLE", quoted(layout.compatible)))
    if layout.version is not None:
        defined.append((f"{prefix}_VERSION", str(layout.version[1])))
    defined += [(f"{prefix}_MAX_{macro(name)}", literal(number)) for name, number in layout.limits]
    defined += [(f"{prefix}_{macro(name)}", literal(number)) for name, number in layout.constants]
    return [f"#define {name} {text}" for name, text in defined]


def _names(layout: Layout, struct: StructLayout) -> list[str]:
    """Bits and values of the fields of a struct, and the mask of all bits that are known."""
    lines = []
    for field in struct.fields:
        kind = leaf(field.type)
        if not field.names or not isinstance(kind, IntType):
            continue
        prefix = macro(layout.name, struct.name, field.name)
        for name, number in field.names:
            lines.append(f"#define {prefix}_{macro(name)} {literal(1 << number if field.kind == 'flags' else number, kind.size)}")
        if field.kind == "flags":
            lines.append(f"#define {prefix}_KNOWN {literal(field.known_bits, kind.size)}")
    return lines


def declaration(layout: Layout, struct: StructLayout) -> list[str]:
    """One struct with its kernel-doc and its assertions.

    Versions of a format share structs, and a driver includes more than one version: the first header declares, each asserts.
    """
    if layout.encoding == "tagged":
        return tagged_declaration(struct, list(_kernel_doc(layout, struct)))
    guard = declared_macro(struct.name)
    lines = [f"#ifndef {guard}", f"#define {guard}", *comment(_kernel_doc(layout, struct), kernel_doc=True), f"struct {struct.name} {{"]
    visible = [field for field in struct.fields if not field.gap]
    for field in visible:
        *head, last = _member(layout, struct, field, alone=len(visible) == 1)
        lines += [*head, f"{last};"]
    lines += ["} __packed;" if struct.packed else "};", "#endif", ""]
    lines.append(f"static_assert(sizeof(struct {struct.name}) == {struct.size});")
    lines.append(f"static_assert(__alignof__(struct {struct.name}) == {struct.align});")
    lines += [
        f"static_assert(offsetof(struct {struct.name}, {member(field.name)}) == {field.offset});"
        for field in visible
        if field.width is None
    ]
    return lines


def _member(layout: Layout, struct: StructLayout, field: FieldLayout, *, alone: bool) -> list[str]:
    name, kind = member(field.name), field.type
    if field.width is not None and isinstance(kind, IntType):
        return [f"\t{integer(kind)} {name}:{field.width}"]
    lines = declared(layout, kind, name, "\t", field.target)
    if isinstance(kind, ArrayType) and kind.count is None:
        if alone:  # C wants another member before a flexible array
            base = declared(layout, kind.element, "", "", field.target)
            return [f"\tDECLARE_FLEX_ARRAY({base[0].strip()}, {name})"]
        count = next((each for each in struct.fields if each.name == kind.counted_by), None)
        if count is not None and count.width is None and isinstance(count.type, IntType) and count.type.order == "native":
            lines[-1] += f" __counted_by({member(count.name)})"
    return lines


def _kernel_doc(layout: Layout, struct: StructLayout) -> Iterator[str]:
    yield f"struct {struct.name} - {struct.doc or (layout.doc if struct.name == layout.root else f'part of {layout.name}')}"
    for field in struct.fields:
        if not field.gap:
            name = tagged_member(struct, field) if layout.encoding == "tagged" else member(field.name)
            yield f"@{name}: {'; '.join(remarks(layout, struct, field)) or field.name}"
    if layout.encoding == "tagged":
        return
    yield ""
    more = " and what follows" if struct.flexible else ""
    yield f"{struct.size} bytes{more}, {'packed' if struct.packed else f'aligned to {struct.align}'}."


def remarks(layout: Layout, struct: StructLayout, field: FieldLayout) -> Iterator[str]:
    """What there is to say about a field, a part at a time."""
    if field.tag is not None:
        yield f"tag {field.tag}"
    if field.doc:
        yield field.doc
    if field.unit and field.unit not in field.doc:
        yield f"in {field.unit}"
    if field.kind:
        yield f"{'bits' if field.kind == 'flags' else 'one'} of {macro(layout.name, struct.name, field.name)}_*"
    if field.must is not None:
        yield f"must be {field.must}"
    if field.minimum is not None:
        yield f"at least {field.minimum}"
    if field.maximum is not None:
        yield f"at most {field.maximum}"
    if field.optional:
        yield "may be absent" + ("" if field.default is None else f", which means {field.default}")
    if isinstance(field.type, UnionType) and field.type.tag:
        yield f"which member is alive, @{member(field.type.tag)} says"
    if isinstance(field.type, ArrayType) and field.type.counted_by:
        yield f"@{member(field.type.counted_by)} of them"
    if field.target is not None:
        yield leads_to(field.target)
    if field.phase:
        yield f"written at {field.phase}"


def leads_to(target: TargetLayout) -> str:
    """What a link leads to, in words."""
    what = element_type(target.element) if target.element is not None else "memory"
    count = f", {target.count} of them" if target.count and not target.count.startswith("$") else ""
    texts = {
        "one": f"physical address of {what}, 0 for none",
        "contiguous": f"physical address of an array of {what}{count}",
        "counted": f"physical address of an area of {target.size} bytes that starts with {what}",
        "blocks": f"physical address of a chain of pages of {what}{count}",
        "pages": f"physical address of a chain of pages of {what}{count}",
        "vmalloc": f"pages that make an array of {what}{count}",
        "handle": f"what it leads to, {target.count} names",
        "token": f"number of another file of the session{f', which is a {target.count}' if target.count else ''}",
        "kernel": "address of the kernel that wrote it: of no use to another",
    }
    return texts.get(target.kind, "physical address of memory that this format does not describe")


def _tree(layout: Layout, root: NodeLayout) -> list[str]:
    """The devicetree as a drawing, and a macro for the name of each property and node."""
    drawing, names = ["The devicetree:", ""], []
    stack: list[tuple[int, NodeLayout | None]] = [(0, root)]
    prefix = macro(layout.name)
    while stack:
        depth, node = stack.pop()
        if node is None:
            drawing.append(f"{'  ' * depth}}};")
            continue
        drawing.append(f"{'  ' * depth}{node.name or '/'} {{")
        if node.compatible is not None:
            drawing.append(f'{"  " * (depth + 1)}compatible = "{node.compatible}";')
        if node.name not in ("", "*"):
            names.append((f"{prefix}_NODE_{macro(node.name)}", node.name))
        for field in node.properties:
            drawing.append(f"{'  ' * (depth + 1)}{field.name};")
            if field.name != "*":
                names.append((f"{prefix}_PROP_{macro(field.name)}", field.name))
        stack.append((depth, None))
        stack += [(depth + 1, child) for child in reversed(node.children)]
    lines = ["/*", *(f" * {line}".rstrip() for line in drawing), " */"]
    return [*lines, *(f"#define {name} {quoted(text)}" for name, text in dict(names).items())]


def file_name(layout: Layout) -> str:
    """The name of the header."""
    return f"{identifier(layout.name)}.h"
