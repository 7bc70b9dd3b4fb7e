# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The C of tagged maps: structs as a driver holds them, tables that say what stands where on the wire, and functions of their own types.

::

    struct example_settings {
            char name[16];                  tag 1
            bool has_mtu;                   mtu may be absent, and then is what its absence means
            u16 mtu;                        tag 3
            struct devstate_span vlans;     any number of struct example_vlan, as the bytes that they were read from
            struct devstate_span unknown;   fields that are not known, written again where they belong
    };

    FORMAT_check_STRUCT(data, size, fault)                  may these bytes be used?
    FORMAT_read_STRUCT(data, size, fault, ret)              into a struct, which leads back into data
    FORMAT_write_STRUCT(it, to, room, fault, ret)           the bytes of a struct, and how many they are
    FORMAT_next_STRUCT_FIELD(rest, fault, ret)              elements of an array, one after the other
    FORMAT_add_STRUCT_FIELD(items, to, room, it, fault)     one element more for an array that is to be written

What they do is in ``devstate_tagged_read.h`` and ``devstate_tagged_write.h``.
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
    parameters,
    quoted,
)  # fmt: skip
from devstate.layout.constraints import constraints, span
from devstate.layout.model import ArrayType, BytesType, IntType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from devstate.layout.constraints import Constraint
    from devstate.layout.model import FieldLayout, Layout, StructLayout, TypeLayout

    Function = tuple[list[str], list[str], list[str]]

UNKNOWN = "unknown"
"""The member for fields that are not known; a field of this name gets a ``_`` behind its own."""

_MASK = (1 << 64) - 1


def fields_of(struct: StructLayout) -> list[FieldLayout]:
    """The fields in the order of their tags."""
    return sorted((field for field in struct.fields if not field.gap), key=lambda field: field.tag or 0)


def tagged_member(struct: StructLayout, field: FieldLayout) -> str:
    """The member of a field."""
    flags = {f"has_{each.name}" for each in struct.fields if each.optional}
    return f"{field.name}_" if field.name == UNKNOWN or field.name in flags else member(field.name)


def declared_as(kind: TypeLayout, name: str) -> str:
    """The declaration of a member, or of a pointer when ``name`` is one in parentheses."""
    counts = ""
    while isinstance(kind, ArrayType):
        if kind.count is None:
            return f"struct devstate_span {name}{counts}"
        counts += f"[{kind.count}]"
        kind = kind.element
    if isinstance(kind, BytesType):
        return f"{'char' if kind.text else 'u8'} {name}{counts}[{kind.size}]"
    base = f"struct {kind.struct}" if isinstance(kind, StructType) else _integer(kind)
    return f"{base} {name if counts else name.strip('()')}{counts}"


def _integer(kind: TypeLayout) -> str:
    return f"{'s' if isinstance(kind, IntType) and kind.signed else 'u'}{8 * (kind.size if isinstance(kind, IntType) else 8)}"


def members(struct: StructLayout) -> Iterator[str]:
    """Declarations in the order of the schema; a flag stands before the field that it is about."""
    for field in struct.fields:
        if not field.gap:
            if field.optional:
                yield f"bool has_{field.name}"
            yield declared_as(field.type, tagged_member(struct, field))


def flexible_fields(struct: StructLayout) -> list[FieldLayout]:
    """The fields that are arrays of any number of elements."""
    return [field for field in struct.fields if isinstance(field.type, ArrayType) and field.type.count is None]


def functions(layout: Layout, struct: StructLayout) -> list[Function]:
    """(kernel-doc, head, body) of the functions of a struct."""
    prefix, name = identifier(layout.name), struct.name
    fault = "@fault: what is wrong, when something is, and where in @data; may be NULL"
    call = f"&{prefix}_{name}_type"
    data = ["const void *data", "u64 size"]
    made = [
        _function(
            f"{prefix}_check_{name}",
            "whether bytes are such a record, of which all may be used",
            ["@data: the bytes", "@size: how many there are", fault],
            "0, or a negative error number.",
            [*data, "struct devstate_fault *fault"],
            ["devstate_tagged_read", call, "data", "size", "NULL", "fault"],
        ),
        _function(
            f"{prefix}_read_{name}",
            "the values of such a record",
            [
                "@data: its bytes: arrays and unknown fields of @ret lead there",
                "@size: how many there are",
                fault,
                "@ret: where the values go; of no use after an error",
            ],
            "0, or a negative error number.",
            [*data, "struct devstate_fault *fault", f"struct {name} *ret"],
            ["devstate_tagged_read", call, "data", "size", "ret", "fault"],
        ),
        _function(
            f"{prefix}_write_{name}",
            "write a record of which every value is allowed",
            [
                "@it: the values",
                "@to: where its bytes go, apart from those that @it leads to",
                "@room: how many fit there",
                "@fault: what is wrong, when something is, and where in @to; may be NULL",
                "@ret: how many they are",
            ],
            "0, -ENOSPC, or a negative error number; nothing at @to is of use then.",
            [f"const struct {name} *it", "void *to", "u64 room", "struct devstate_fault *fault", "u64 *ret"],
            ["devstate_tagged_write", call, "it", "to", "room", "fault", "ret"],
        ),
    ]
    for field in flexible_fields(struct):
        made += _of_items(prefix, struct, field)
    return made


def _of_items(prefix: str, struct: StructLayout, field: FieldLayout) -> Iterator[Function]:
    assert isinstance(field.type, ArrayType)  # flexible_fields() gives no other
    name, call = f"{struct.name}_{identifier(field.name)}", f"&{prefix}_{struct.name}_{identifier(field.name)}_type"
    element = field.type.element
    yield _function(
        f"{prefix}_next_{name}",
        f"take the next element off @{tagged_member(struct, field)}",
        [
            "@rest: a copy of that span, at first",
            "@fault: what is wrong, when something is, and where in @rest; may be NULL",
            "@ret: the element; NULL only judges",
        ],
        "1 with an element, 0 behind the last, or a negative error number.",
        ["struct devstate_span *rest", "struct devstate_fault *fault", declared_as(element, "(*ret)")],
        ["devstate_tagged_next", call, "rest", "ret", "fault"],
    )
    yield _function(
        f"{prefix}_add_{name}",
        f"one element more for @{tagged_member(struct, field)} of a record that is to be written",
        [
            "@items: that span: zero, at first",
            "@to: where the bytes of all elements are",
            "@room: how many fit there",
            "@it: the element",
            "@fault: what is wrong, when something is; may be NULL",
        ],
        "0, -ENOSPC, or a negative error number; @items is as it was then.",
        ["struct devstate_span *items", "void *to", "u64 room", f"const {declared_as(element, '(*it)')}", "struct devstate_fault *fault"],
        ["devstate_tagged_add", call, "items", "to", "room", "it", "fault"],
    )


def _function(name: str, what: str, about: list[str], gives: str, given: list[str], call: list[str]) -> Function:
    head, *arguments = call
    return (
        [f"{name}() - {what}", *about, "", f"Return: {gives}"],
        parameters(f"int {name}", given),
        parameters(f"\treturn {head}", arguments, ";"),
    )


def definitions(layout: Layout, struct: StructLayout) -> list[str]:
    """The tables and functions of a struct."""
    prefix, name = identifier(layout.name), struct.name
    own = f"{prefix}_{name}"
    lines = []
    for field in fields_of(struct):
        lines += _type(layout, struct, field)
    rows = fields_of(struct)
    if rows:
        lines += [f"static const struct devstate_tagged_field {own}_fields[] = {{"]
        for field in rows:
            lines += _row(own, struct, field)
        lines += ["};", ""]
    lines += [f"static const struct devstate_tagged_shape {own}_shape = {{", f'\t.name = "{name}",', f"\t.size = sizeof(struct {name}),"]
    lines += [f"\t.unknown = offsetof(struct {name}, {UNKNOWN}),"]
    lines += [f"\t.fields = {own}_fields,", f"\t.nr_fields = {len(rows)},"] if rows else []
    lines += ["};", "", f"static const struct devstate_tagged_type {own}_type = {{", f'\t.name = "{name}",', "\t.kind = DEVSTATE_MAP,"]
    lines += [f"\t.size = sizeof(struct {name}),", f"\t.shape = &{own}_shape,", "};", ""]
    for _, head, body in functions(layout, struct):
        lines += [*head, "{", *body, "}", ""]
    return lines[:-1]


def _row(own: str, struct: StructLayout, field: FieldLayout) -> list[str]:
    lines = ["\t{", f"\t\t.tag = {field.tag},", f"\t\t.at = offsetof(struct {struct.name}, {tagged_member(struct, field)}),"]
    if field.optional:
        lines += ["\t\t.optional = true,", f"\t\t.has = offsetof(struct {struct.name}, has_{field.name}),"]
        lines += [f"\t\t.initial = {_bits(field.default)},"] if field.default else []
    return [*lines, f"\t\t.type = &{own}_{identifier(field.name)}_type,", "\t},"]


def _type(layout: Layout, struct: StructLayout, field: FieldLayout) -> list[str]:
    """The tables for the type of a field, innermost first."""
    own = f"{identifier(layout.name)}_{struct.name}_{identifier(field.name)}"
    kinds = [field.type]
    for each in kinds:
        if isinstance(each, ArrayType):
            kinds.append(each.element)
    lines: list[str] = []
    if isinstance(kinds[-1], IntType | BytesType):
        lines += _rules(own, constraints(layout, struct, field))
    size = ""
    for depth in range(len(kinds) - 1, -1, -1):
        kind, name = kinds[depth], f"{own}_type" if depth == 0 else f"{own}_element{depth}"
        rows = [f'.name = "{field.name}"']
        if isinstance(kind, ArrayType):
            fixed = [] if kind.count is None else [f".count = {kind.count}"]
            size = "sizeof(struct devstate_span)" if kind.count is None else f"{kind.count} * {size}"
            element = f"{own}_element{depth + 1}" if not isinstance(kind.element, StructType) else _of_struct(layout, kind.element)
            rows += [f".kind = DEVSTATE_{'ITEMS' if kind.count is None else 'ARRAY'}", *fixed, f".element = &{element}"]
        elif isinstance(kind, StructType):
            size = f"sizeof(struct {kind.struct})"
            if depth:
                continue
            rows += [".kind = DEVSTATE_MAP", f".shape = &{identifier(layout.name)}_{kind.struct}_shape"]
        else:
            size = str(layout.size_of(kind))
            rows += _leaf(field, kind, f"{own}_rules" if lines else "")
        lines += [f"static const struct devstate_tagged_type {name} = {{", *(f"\t{row}," for row in [*rows, f".size = {size}"]), "};", ""]
    return lines


def _of_struct(layout: Layout, kind: StructType) -> str:
    return f"{identifier(layout.name)}_{kind.struct}_type"


def _leaf(field: FieldLayout, kind: TypeLayout, rules: str) -> list[str]:
    rows = [f".rules = {rules}", f".nr_rules = sizeof({rules}) / sizeof({rules}[0])"] if rules else []
    if isinstance(kind, BytesType):
        return [f".kind = DEVSTATE_{'CHARS' if kind.text else 'BYTES'}", *rows]
    low, high = span(field)
    signed = isinstance(kind, IntType) and kind.signed
    return [".kind = DEVSTATE_NUMBER", *([".is_signed = true"] if signed else []), f".low = {_bits(low)}", f".high = {_bits(high)}", *rows]


def _bits(value: int | None) -> str:
    """A number as 64 bits."""
    return literal((value or 0) & _MASK, 8)


def _rules(own: str, found: tuple[Constraint, ...]) -> list[str]:
    """The table of what is asked of a value, and what that needs; nothing where the type says it all."""
    before: list[str] = []
    rows: list[str] = []
    for number, rule in enumerate(found):
        name, texts = f"{own}_values{number}", [text.rstrip(b"\0").decode() for text in rule.texts]
        row = [f".rule = DEVSTATE_{rule.rule.upper()}"]
        if rule.rule == "range":
            row += [f".low = {_bits(rule.low)}", f".high = {_bits(rule.high)}"]
        elif rule.rule == "flags":
            row += [f".mask = {_bits(rule.mask)}"]
        elif texts:
            before += [f"static const struct devstate_tagged_text {name}[] = {{"]
            before += [*(f"\t{{ {quoted(text)}, {len(text.encode()) + 1} }}," for text in texts), "};", ""]
            row += [f".texts = {name}", f".count = {len(texts)}"]
        elif rule.values:
            before += [f"static const u64 {name}[] = {{", *(f"\t{_bits(value)}," for value in rule.values), "};", ""]
            row += [f".values = {name}", f".count = {len(rule.values)}"]
        else:
            continue  # a text is one by its type
        rows += ["\t{", *(f"\t\t{each}," for each in row), "\t},"]
    return [*before, f"static const struct devstate_tagged_rule {own}_rules[] = {{", *rows, "};", ""] if rows else []


def declaration(struct: StructLayout, remarks: list[str]) -> list[str]:
    """The struct as a driver holds it; ``remarks`` are the first line of its kernel-doc and one for each field."""
    guard = declared_macro(struct.name)
    flags = [f"@has_{field.name}: whether @{tagged_member(struct, field)} is there" for field in struct.fields if field.optional]
    doc = comment([*remarks, *flags, f"@{UNKNOWN}: fields that are not known, to be written again"], kernel_doc=True)
    lines = [f"#ifndef {guard}", f"#define {guard}", *doc, f"struct {struct.name} {{"]
    lines += [*(f"\t{text};" for text in members(struct)), f"\tstruct devstate_span {UNKNOWN};", "};", "#endif", ""]
    sizes = [(field, _fixed(field.type)) for field in struct.fields if not field.gap]
    place = f"((struct {struct.name} *)NULL)"
    return lines + [f"static_assert(sizeof({place}->{tagged_member(struct, each)}) == {size});" for each, size in sizes if size is not None]


def _fixed(kind: TypeLayout) -> int | None:
    """Bytes of a member, where no struct is in it: another version that has the struct by the same name must have it like that."""
    if isinstance(kind, ArrayType):
        inner = None if kind.count is None else _fixed(kind.element)
        return None if inner is None or kind.count is None else kind.count * inner
    return kind.size if isinstance(kind, IntType | BytesType) else None


def tagged_codec_header(layouts: Sequence[Layout]) -> str:
    """The prototypes."""
    layout = layouts[0]
    guard = f"{macro(layout.name)}_CODEC_H"
    blocks = [[f"/* SPDX-License-Identifier: {SPDX} */", *first_comment(layout, "readers and writers")]]
    blocks += [[f"#ifndef {guard}", f"#define {guard}"], [f'#include "{identifier(layout.name)}.h"']]
    for struct in layout.structs:
        for doc, head, _ in functions(layout, struct):
            *above, last = head
            blocks.append([*comment(doc, kernel_doc=True), *above, f"{last};"])
    return joined([*blocks, [f"#endif /* {guard} */"]])


def tagged_codec(layouts: Sequence[Layout]) -> str:
    """The tables and functions."""
    layout = layouts[0]
    blocks = [[f"// SPDX-License-Identifier: {SPDX}", *first_comment(layout, "readers and writers")]]
    blocks.append([f'#include "{identifier(layout.name)}_codec.h"', '#include "devstate_tagged_write.h"'])
    for struct in layout.structs:
        blocks.append(for_each_page_size(layouts, lambda each, name=struct.name: definitions(each, each.struct(name))))  # type: ignore[misc]
    return joined(blocks)
