# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""c-proof of tagged maps: the values of each struct to the flat form and back, member by member, as a C compiler sees them.

Whoever reads a member here reads what a driver would read. ``prove_tagged.c`` beside this module serves the table over a pipe; the flat
form is that of devstate.testing.proof_tagged.
"""

from __future__ import annotations

from devstate.gen.names import SPDX, first_comment, for_each_page_size, identifier, joined, parameters
from devstate.gen.tagged import declared_as, tagged_member
from devstate.layout.model import ArrayType, BytesType, IntType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from devstate.layout.model import FieldLayout, Layout, StructLayout, TypeLayout


def tagged_proof(layouts: Sequence[Layout]) -> str:
    """The C file. It defines ``FORMAT_proofs``, an array of struct devstate_tagged_proof that ends with a NULL name."""
    layout, prefix = layouts[0], identifier(layouts[0].name)
    blocks = [
        [f"// SPDX-License-Identifier: {SPDX}", *first_comment(layout, "values, member by member")],
        ['#include "devstate_tagged_proof.h"', f'#include "{prefix}_codec.h"'],
    ]
    for struct in layout.structs:
        blocks.append(for_each_page_size(layouts, lambda each, name=struct.name: _functions(each, each.struct(name))))  # type: ignore[misc]
    return joined([*blocks, for_each_page_size(layouts, _table)])


def _functions(layout: Layout, struct: StructLayout) -> list[str]:
    name, lines = f"{identifier(layout.name)}_%s_{struct.name}", []
    for verb, given in (("get", ["const void *from", "struct devstate_flat *flat"]), ("put", ["void *to", "struct devstate_flat *flat"])):
        put = verb == "put"
        lines += [*parameters(f"static void {name % verb}", given), "{"]
        lines += [f"\t{'' if put else 'const '}struct {struct.name} *it = {'to' if put else 'from'};", ""]
        lines += [*_members(layout, struct, "it->", 1, 0, put=put), "}", ""]
    given = ["const void *data", "u64 size", "struct devstate_fault *fault", "void *ret"]
    lines += [*parameters(f"static int {name % 'take_in'}", given), "{"]
    lines += [*parameters(f"\treturn {name % 'read'}", ["data", "size", "fault", "ret"], ";"), "}", ""]
    given = ["const void *it", "void *to", "u64 room", "struct devstate_fault *fault", "u64 *ret"]
    lines += [*parameters(f"static int {name % 'put_out'}", given), "{"]
    return [*lines, *parameters(f"\treturn {name % 'write'}", ["it", "to", "room", "fault", "ret"], ";"), "}"]


def _table(layout: Layout) -> list[str]:
    prefix = identifier(layout.name)
    lines = [f"const struct devstate_tagged_proof {prefix}_proofs[] = {{"]
    for struct in layout.structs:
        lines += ["\t{", f'\t\t.name = "{struct.name}",', f"\t\t.size = sizeof(struct {struct.name}),"]
        names = {"read": "take_in", "check": "check", "write": "put_out", "get": "get", "put": "put"}
        lines += [*(f"\t\t.{each} = {prefix}_{function}_{struct.name}," for each, function in names.items()), "\t},"]
    return [*lines, "\t{ 0 },", "};"]


def _members(layout: Layout, struct: StructLayout, path: str, depth: int, loops: int, *, put: bool) -> list[str]:
    lines, indent = [], "\t" * depth
    for field in struct.fields:
        if field.gap:
            continue
        inner = f"{path}{tagged_member(struct, field)}"
        if not field.optional or isinstance(field.type, IntType):
            lines += _flag(f"{path}has_{field.name}", indent, put=put) if field.optional else []
            lines += _type(layout, struct, field, field.type, inner, depth, loops, put=put)
        else:
            lines += _flag(f"{path}has_{field.name}", indent, put=put)
            lines += [f"{indent}if ({path}has_{field.name}) {{"]
            lines += [*_type(layout, struct, field, field.type, inner, depth + 1, loops, put=put), f"{indent}}}"]
    return lines


def _flag(path: str, indent: str, *, put: bool) -> list[str]:
    return [f"{indent}{path} = devstate_take_number(flat) != 0;" if put else f"{indent}devstate_give_number(flat, {path});"]


def _type(
    layout: Layout, struct: StructLayout, field: FieldLayout, kind: TypeLayout, path: str, depth: int, loops: int, *, put: bool
) -> list[str]:
    indent = "\t" * depth
    if isinstance(kind, IntType):
        cast = f"{'s' if kind.signed else 'u'}{8 * kind.size}"
        return [f"{indent}{path} = ({cast})devstate_take_number(flat);" if put else f"{indent}devstate_give_number(flat, (u64){path});"]
    if isinstance(kind, StructType):
        return _members(layout, layout.struct(kind.struct), f"{path}.", depth, loops, put=put)
    if isinstance(kind, ArrayType):
        if kind.count is None:
            return _items(layout, struct, field, kind, path, depth, loops, put=put)
        index = "ijklmnop"[loops]
        inner = _type(layout, struct, field, kind.element, f"{path}[{index}]", depth + 1, loops + 1, put=put)
        return [f"{indent}for (u64 {index} = 0; {index} < {kind.count}; {index}++) {{", *inner, f"{indent}}}"] if kind.count else []
    verb = "devstate_take_bytes" if put else "devstate_give_bytes"
    size = kind.size if isinstance(kind, BytesType) else 0
    return parameters(f"{indent}{verb}", ["flat", f"&{path}", str(size)], ";")


def _items(
    layout: Layout, struct: StructLayout, field: FieldLayout, kind: ArrayType, path: str, depth: int, loops: int, *, put: bool
) -> list[str]:
    """An array of any length: count, then each element by the functions that a driver would call."""
    step, index = "\t" * depth, "ijklmnop"[loops]
    name = f"{identifier(layout.name)}_%s_{struct.name}_{identifier(field.name)}"
    inner = _type(layout, struct, field, kind.element, "element", depth + 2, loops + 1, put=put)
    element = declared_as(kind.element, "element")
    lines = [f"{step}{{"]
    if not put:
        lines += [f"{step}\tstruct devstate_span rest = {path};", f"{step}\t{element};", ""]
        lines += [f"{step}\tdevstate_give_number(flat, rest.count);"]
        lines += [f"{step}\twhile ({name % 'next'}(&rest, NULL, &element) > 0) {{", *inner, f"{step}\t}}"]
        return [*lines, f"{step}}}"]
    lines += [f"{step}\tu64 count = devstate_take_number(flat);", ""]
    lines += [f"{step}\tfor (u64 {index} = 0; {index} < count; {index}++) {{", f"{step}\t\t{element};", ""]
    lines += [f"{step}\t\tmemset(&element, 0, sizeof(element));", *inner]
    given = [f"&{path}", "flat->room", "DEVSTATE_TAGGED_MAX", "&element", "NULL"]
    added = parameters(f"{step}\t\tflat->error |= {name % 'add'}", given, ";")
    return [*lines, *added, f"{step}\t}}", f"{step}}}"]
