# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The functions that go along the links of a struct: entry after entry of an array, a chain of pages or a page list, or to one struct.

Each entry is judged before it is given to the caller. A caller that wants all or nothing walks once without ``each``, then with it.
"""

from __future__ import annotations

from devstate.frozen import frozen
from devstate.gen.judge import Judge
from devstate.gen.maps import map_measure, map_walk
from devstate.gen.names import identifier, macro, member, parameters
from devstate.gen.types import element_type, value
from devstate.layout.model import IntType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstate.layout.model import FieldLayout, Layout, StructLayout, TargetLayout

COPIED_MAX = 512
"""Bytes of the largest entry that is copied out of a page list onto the stack: a kernel's stack frame has 2048."""


@frozen
class Link:
    """One function: its kernel-doc, its head, its body."""

    doc: list[str]
    head: list[str]
    body: list[str]
    name: str
    each: bool


def links(layout: Layout, struct: StructLayout) -> Iterator[Link]:
    """The functions for the links of ``struct``, those of its embedded structs left out: they have their own."""
    for field in struct.fields:
        target = field.target
        if target is not None and map_measure(layout, target):
            name = function_name(layout, "walk", struct, field)
            yield Link(*map_walk(layout, struct, field, name), name, True)
            continue
        if target is None or (target.element is None and target.kind != "pages"):
            continue
        if target.kind in ("blocks", "pages", "contiguous", "vmalloc") and _stride(layout, target):
            made = {"contiguous": _array, "vmalloc": _page_list}.get(target.kind, _chain)(layout, struct, field, target)
            if made:
                yield _walk(layout, struct, field, target, made)
        elif target.kind in ("one", "counted") and isinstance(target.element, StructType):
            yield _follow(layout, struct, field, target)


def function_name(layout: Layout, verb: str, struct: StructLayout, field: FieldLayout) -> str:
    """The name of the function for a link. The struct of a devicetree's node begins with the format's name already."""
    prefix = identifier(layout.name)
    return f"{prefix}_{verb}_{struct.name.removeprefix(f'{prefix}_tree_')}_{field.name}"


def _stride(layout: Layout, target: TargetLayout) -> int:
    if target.element is None or (isinstance(target.element, StructType) and layout.struct(target.element.struct).flexible):
        return 0
    return layout.size_of(target.element) if isinstance(target.element, StructType | IntType) else 0


def _walk(layout: Layout, struct: StructLayout, field: FieldLayout, target: TargetLayout, body: list[str]) -> Link:
    name = function_name(layout, "walk", struct, field)
    element = element_type(target.element)
    doc = [
        f"{name}() - every entry that @{member(field.name)} leads to",
        "@it: a record that was checked",
        "@memory: how to get at memory",
        "@each: called with each entry, once that was judged; anything but 0 ends the walk. NULL only judges",
        "@context: for @each",
        "@fault: what is wrong, when something is; may be NULL",
        "",
        "Return: 0, a negative error number, or what @each returned.",
    ]
    given = [
        f"const struct {struct.name} *it",
        "const struct devstate_memory *memory",
        f"int (*each)(void *context, const {element} *entry)",
        "void *context",
        "struct devstate_fault *fault",
    ]
    return Link(doc, parameters(f"int {name}", given), body, name, True)


def _each(depth: int, entry: str) -> list[str]:
    """Give one entry to the caller."""
    indent = "\t" * depth
    return [f"{indent}error = each ? each(context, {entry}) : 0;", f"{indent}if (error)", f"{indent}\treturn error;"]


def _count(struct: StructLayout, target: TargetLayout) -> str | None:
    """The expression for the sibling that counts."""
    if target.count is None or target.count.startswith("$"):
        return None
    field = struct.field(target.count)
    return value(f"it->{member(field.name)}", field, field.type) if isinstance(field.type, IntType) else None


def _judging(layout: Layout, target: TargetLayout, given: str, count: str, depth: int) -> list[str]:
    """Judge ``count`` entries at ``given``; nothing when nothing of them can be wrong."""
    if not isinstance(target.element, StructType) or not Judge(layout, quick=False).struct(layout.struct(target.element.struct)):
        return []
    indent = "\t" * depth
    call = parameters(f"{indent}error = {identifier(layout.name)}_check_array_{target.element.struct}", [given, count, "fault"], ";")
    return [*call, f"{indent}if (error)", f"{indent}\treturn error;"]


def _chain(layout: Layout, struct: StructLayout, field: FieldLayout, target: TargetLayout) -> list[str]:
    element, path = element_type(target.element), f"it->{member(field.name)}.pa"
    limit = f"{macro(layout.name)}_MAX_BLOCKS" if "blocks" in dict(layout.limits) else "DEVSTATE_BLOCKS_MAX"
    count = _count(struct, target)
    lines = ["\tstruct devstate_chain chain;", "\tint error;", ""]
    lines += parameters("\tdevstate_chain_init", ["&chain", "memory", path, f"sizeof({element})", limit, f'"{field.name}"'], ";")
    lines += [
        "\twhile ((error = devstate_chain_next(&chain, fault)) > 0) {",
        f"\t\tconst {element} *entries = chain.entries;",
        "",
        *_judging(layout, target, "entries", "chain.count", 2),
        "\t\tfor (u64 i = 0; i < chain.count; i++) {",
        *_each(3, "&entries[i]"),
        "\t\t}",
        "\t}",
    ]
    if count is None:
        return [*lines, "\treturn error;"]
    lines += ["\tif (error)", "\t\treturn error;", f"\tif (chain.total != {count})"]
    refuse = ["fault", "DEVSTATE_COUNT", str(struct.field(target.count or "").offset), "chain.total", f'"{field.name}"']
    return [*lines, *parameters("\t\treturn devstate_refuse", refuse, ";"), "\treturn 0;"]


def _array(layout: Layout, struct: StructLayout, field: FieldLayout, target: TargetLayout) -> list[str]:
    element, path = element_type(target.element), f"it->{member(field.name)}.pa"
    count = _count(struct, target)
    if count is None:
        return []
    offset = str(struct.field(target.count or "").offset)
    most = "DEVSTATE_ENTRIES_MAX" if target.size is None else str(target.size // _stride(layout, target))
    lines = [f"\tconst {element} *entries;", f"\tu64 count = {count};", "\tint error;", ""]
    lines += ["\tif (!count)", "\t\treturn 0;", f"\tif (count > {most})"]
    lines += parameters("\t\treturn devstate_refuse", ["fault", "DEVSTATE_LIMIT", offset, "count", f'"{field.name}"'], ";")
    at = parameters("\t\tentries = memory->at", ["memory->context", path, "count * sizeof(*entries)"], ";")
    lines += ["\tentries = NULL;", f"\tif ({path})", *at, "\tif (!entries)"]
    lines += parameters("\t\treturn devstate_refuse", ["fault", "DEVSTATE_MEMORY", str(field.offset), path, f'"{field.name}"'], ";")
    lines += _judging(layout, target, "entries", "count", 1)
    return [*lines, "\tfor (u64 i = 0; i < count; i++) {", *_each(2, "&entries[i]"), "\t}", "\treturn 0;"]


def _page_list(layout: Layout, struct: StructLayout, field: FieldLayout, target: TargetLayout) -> list[str]:
    element, base = element_type(target.element), f"it->{member(field.name)}"
    count = _count(struct, target)
    if count is None or _stride(layout, target) > COPIED_MAX:
        return []
    lines = ["\tstruct devstate_pages pages;", f"\t{element} entry;", "\tint error;", ""]
    given = ["&pages", "memory", f"{base}.first.pa", f"{base}.total_pages", f"{base}.order", f'"{field.name}"']
    lines += parameters("\tdevstate_pages_init", given, ";")
    lines += [
        f"\tfor (u64 i = 0; i < {count}; i++) {{",
        "\t\terror = devstate_pages_read(&pages, &entry, sizeof(entry), fault);",
        "\t\tif (error)",
        "\t\t\treturn error;",
        *_judging(layout, target, "&entry", "1", 2),
        *_each(2, "&entry"),
        "\t}",
        "\treturn 0;",
    ]
    return lines


def _follow(layout: Layout, struct: StructLayout, field: FieldLayout, target: TargetLayout) -> Link:
    assert isinstance(target.element, StructType)
    name = function_name(layout, "follow", struct, field)
    pointed = layout.struct(target.element.struct)
    path = f"it->{member(field.name)}.pa"
    doc = [
        f"{name}() - the struct that @{member(field.name)} leads to",
        "@it: a record that was checked",
        "@memory: how to get at memory",
        "@fault: what is wrong, when something is; may be NULL",
        "@ret: the struct, judged; NULL when the address is 0",
        "",
        "Return: 0, or a negative error number.",
    ]
    given = [f"const struct {struct.name} *it", "const struct devstate_memory *memory", "struct devstate_fault *fault"]
    head = parameters(f"int {name}", [*given, f"const struct {pointed.name} **ret"])
    size = str(target.size) if target.size is not None else f"sizeof(struct {pointed.name})"
    check = f"{identifier(layout.name)}_check_{pointed.name}"
    refuse = ["fault", "DEVSTATE_MEMORY", str(field.offset), path, f'"{field.name}"']
    body = [
        "\tconst void *data;",
        "\tint error;",
        "",
        "\t*ret = NULL;",
        f"\tif (!{path})",
        "\t\treturn 0;",
        *parameters("\tdata = memory->at", ["memory->context", path, size], ";"),
        "\tif (!data)",
        *parameters("\t\treturn devstate_refuse", refuse, ";"),
        *parameters(f"\terror = {check}", ["data", size, "fault"], ";"),
        "\tif (error)",
        "\t\treturn error;",
        "\t*ret = data;",
        "\treturn 0;",
    ]
    return Link(doc, head, body, name, False)
