# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""c-proof: the values of each struct to the flat form and back, member by member, as a C compiler sees them; and a table of it all.

Whoever reads a member here reads what a driver would read. ``prove.c`` beside this module serves the table over a pipe, the flat form
is that of devstate.codec.flat; the generated fuzz target and the tests of a driver are made of the same table.
"""

from __future__ import annotations

from devstate.gen.names import SPDX, first_comment, for_each_page_size, identifier, index, joined, member, parameters
from devstate.gen.types import counter, is_phys, stored, tail, value
from devstate.gen.walks import links
from devstate.layout.model import ArrayType, BytesType, IntType, StructType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from devstate.layout.model import FieldLayout, Layout, StructLayout, TypeLayout


def proof(layouts: Sequence[Layout]) -> str:
    """The C file. It defines ``FORMAT_proofs``, an array of struct devstate_proof that ends with a NULL name."""
    layout, prefix = layouts[0], identifier(layouts[0].name)
    blocks = [
        [f"// SPDX-License-Identifier: {SPDX}", *first_comment(layout, "values, member by member")],
        ['#include "devstate_proof.h"', f'#include "{prefix}_codec.h"'],
    ]
    for struct in layout.structs:
        blocks.append(for_each_page_size(layouts, lambda each, name=struct.name: _functions(each, each.struct(name))))  # type: ignore[misc]
    blocks.append(for_each_page_size(layouts, _table))
    return joined(blocks)


def _functions(layout: Layout, struct: StructLayout) -> list[str]:
    name, kind = f"{identifier(layout.name)}_%s_{struct.name}", f"struct {struct.name}"
    get = _members(layout, struct, "it->", 1, 0, put=False)
    put = _members(layout, struct, "it->", 1, 0, put=True)
    unused = [] if struct.flexible else ["\t(void)count;"]
    nothing = [] if get else ["\t(void)it;", "\t(void)flat;"]
    lines = [*parameters(f"static void {name % 'get'}", ["const void *from", "u64 count", "u8 **flat"]), "{"]
    lines += [f"\tconst {kind} *it = from;", "", *unused, *nothing, *get, "}", ""]
    lines += [*parameters(f"static void {name % 'put'}", ["void *to", "u64 count", "const u8 **flat"]), "{"]
    lines += [f"\t{kind} *it = to;", "", *unused, *nothing, *put, "}", ""]
    lines += [*parameters(f"static u64 {name % 'count'}", ["const void *from", "u64 size"]), "{", *_count(layout, struct), "}", ""]
    write = ["it", *(["size"] if struct.flexible else []), "to", "room", "fault"]
    given = ["const void *it", "u64 size", "void *to", "u64 room", "struct devstate_fault *fault"]
    lines += [*parameters(f"static int {name % 'put_out'}", given), "{"]
    lines += [*([] if struct.flexible else ["\t(void)size;"]), *parameters(f"\treturn {name % 'write'}", write, ";"), "}"]
    many = ["const void *entries", "u64 count", "struct devstate_fault *fault"]
    lines += ["", *parameters(f"static int {name % 'many'}", many), "{"]
    if struct.flexible or not struct.size:
        lines += ["\t(void)entries;", "\t(void)count;", "\t(void)fault;", "\treturn 0;", "}"]
    else:
        lines += [*parameters(f"\treturn {name % 'check_array'}", ["entries", "count", "fault"], ";"), "}"]
    walk = ["const void *it", "const struct devstate_memory *memory", "u64 which", "struct devstate_fault *fault"]
    return [*lines, "", *parameters(f"static int {name % 'go'}", walk), "{", *_go(layout, struct), "}"]


def _count(layout: Layout, struct: StructLayout) -> list[str]:
    found = tail(layout, struct)
    if found is None:
        return ["\t(void)from;", "\t(void)size;", "\treturn 0;"]
    said = counter(layout, struct)
    if said is None:
        return ["\t(void)from;", f"\treturn (size - {found[1]}) / {found[2].stride};"]
    return [f"\tconst struct {struct.name} *it = from;", "", "\t(void)size;", f"\treturn (u64){said};"]


def _go(layout: Layout, struct: StructLayout) -> list[str]:
    """Go along the link number ``which``; 1 when there is none of that number."""
    made = list(links(layout, struct))
    if not made:
        return ["\t(void)it;", "\t(void)memory;", "\t(void)which;", "\t(void)fault;", "\treturn 1;"]
    lines = ["\tswitch (which) {"]
    for number, link in enumerate(made):
        if link.each:
            call = parameters(f"\t\treturn {link.name}", ["it", "memory", "NULL", "NULL", "fault"], ";")
            lines += [f"\tcase {number}:", *call]
        else:
            target = next(f.target for f in struct.fields if f.target is not None and link.name.endswith(f"_{struct.name}_{f.name}"))
            element = target.element.struct if target is not None and isinstance(target.element, StructType) else ""
            lines += [f"\tcase {number}: {{", f"\t\tconst struct {element} *ret;", ""]
            lines += [*parameters(f"\t\treturn {link.name}", ["it", "memory", "fault", "&ret"], ";"), "\t}"]
    return [*lines, "\tdefault:", "\t\treturn 1;", "\t}"]


def _table(layout: Layout) -> list[str]:
    prefix = identifier(layout.name)
    lines = [f"const struct devstate_proof {prefix}_proofs[] = {{"]
    for struct in layout.structs:
        found = tail(layout, struct)
        size, stride = (found[1], found[2].stride) if found is not None else (struct.size, 0)
        lines += ["\t{", f'\t\t.name = "{struct.name}",', f"\t\t.size = {size},", f"\t\t.stride = {stride},"]
        names = {"check": "check", "many": "many", "write": "put_out", "get": "get", "put": "put", "count": "count", "go": "go"}
        lines += [f"\t\t.{each} = {prefix}_{function}_{struct.name}," for each, function in names.items()]
        lines.append("\t},")
    return [*lines, "\t{ 0 },", "};"]


def _members(layout: Layout, struct: StructLayout, path: str, depth: int, loops: int, *, put: bool) -> list[str]:
    lines = []
    for field in struct.fields:
        if not field.gap:
            lines += _type(layout, field, field.type, f"{path}{member(field.name)}", depth, loops, put=put)
    return lines


def _type(layout: Layout, field: FieldLayout, kind: TypeLayout, path: str, depth: int, loops: int, *, put: bool) -> list[str]:
    indent = "\t" * depth
    if isinstance(kind, IntType):
        if not put:
            return parameters(f"{indent}devstate_give_number", ["flat", f"(u64){value(path, field, kind)}"], ";")
        to = f"{path}.pa" if is_phys(field.target) else path
        return [f"{indent}{to} = {stored('devstate_take_number(flat)', kind)};"]
    if isinstance(kind, StructType):
        return _members(layout, layout.struct(kind.struct), f"{path}.", depth, loops, put=put)
    if isinstance(kind, ArrayType):
        each, count = index(loops), "count" if kind.count is None else str(kind.count)
        inner = _type(layout, field, kind.element, f"{path}[{each}]", depth + 1, loops + 1, put=put)
        if kind.count == 0:
            return []
        return [f"{indent}for (u64 {each} = 0; {each} < {count}; {each}++) {{", *inner, f"{indent}}}"]
    size = f"sizeof({path})" if isinstance(kind, BytesType) else str(kind.size)
    verb = "devstate_take_bytes" if put else "devstate_give_bytes"
    return parameters(f"{indent}{verb}", ["flat", f"&{path}", size], ";")
